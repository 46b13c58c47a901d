"""Every figure is what a slow, plain walk through the mirror says: day by day, person by person."""

import calendar
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from latchkey.rules.figures import (
    PER_YEAR,
    Interval,
    Movement,
    Period,
    divided,
    first_day,
    share,
)
from latchkey.store.figures import behind, counting, series
from latchkey.store.pool import Connection, Pool

pytestmark = pytest.mark.anyio

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DAYS = 400
STRIPE_PRODUCTS = {"prod_a": ("prd_a", "prd_twin"), "prod_b": ("prd_b",), "prod_other": ()}
PRODUCTS = (None, "prd_a", "prd_b", "prd_twin")
PRICES: dict[str, tuple[str, int | None, str | None, int | None]] = {
    "price_month": ("eur", 2900, "month", 1),
    "price_year": ("eur", 9999, "year", 1),
    "price_week": ("jpy", 500, "week", 2),
    "price_day": ("kwd", 1234, "day", 1),
    "price_free": ("eur", 0, "month", 1),
    "price_tiers": ("eur", None, "month", 1),
}
SITE = """
insert into stripe_connection (singleton, account_id, livemode) values (true, 'acct_1', true)
    on conflict (singleton) do update set account_id = 'acct_1', livemode = true;
insert into products (id, slug, name) values ('prd_a', 'a', 'A'), ('prd_b', 'b', 'B'),
       ('prd_twin', 't', 'T');
insert into links (product_id, account_id, livemode, stripe_product, state)
values ('prd_a', 'acct_1', true, 'prod_a', 'listening'),
       ('prd_twin', 'acct_1', true, 'prod_a', 'listening'),
       ('prd_b', 'acct_1', true, 'prod_b', 'listening');
insert into users (email, email_key, name)
select n || '@x.example', n || '@x.example', 'User ' || n from generate_series(0, 3) n;
insert into customers (id, account_id, livemode, user_id, email)
select 'cus_' || n, 'acct_1', n <> 3, u.id, n || '@x.example'
  from generate_series(0, 3) n left join users u on u.email_key = n || '@x.example' and n < 3;
"""

TIMES = ("bought", "since", "until", "ended")

moments = st.integers(0, DAYS * 24).map(lambda hours: FIRST + timedelta(hours=hours))
lasting = st.one_of(st.none(), st.integers(0, 200 * 24).map(lambda hours: timedelta(hours=hours)))


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    since, length = draw(moments), draw(lasting)
    return {
        "subscription": draw(st.integers(0, 5)),
        "item": draw(st.sampled_from(("si_1", "si_2"))),
        "stripe_product": draw(st.sampled_from(tuple(STRIPE_PRODUCTS))),
        "price": draw(st.sampled_from((*PRICES, "price_unknown"))),
        "quantity": draw(st.integers(1, 5)),
        "discount": draw(st.one_of(st.none(), st.integers(0, 12_000))),
        "trial": draw(st.booleans()),
        "since": since,
        "until": since + length if length is not None else None,
    }


@st.composite
def grants(draw: st.DrawFn) -> dict[str, Any]:
    since, ended, until = draw(moments), draw(lasting), draw(lasting)
    before = draw(lasting)
    return {
        "user": draw(st.integers(0, 3)),
        "product": draw(st.sampled_from(("prd_a", "prd_b"))),
        "bought": since - before if before is not None else None,
        "since": since,
        "ended": since + ended if ended is not None else None,
        "until": since + until if until is not None else None,
    }


@st.composite
def orders(draw: st.DrawFn) -> dict[str, Any]:
    amount = draw(st.integers(1, 9000))
    return {
        "customer": draw(st.integers(0, 3)),
        "stripe_product": draw(st.sampled_from(tuple(STRIPE_PRODUCTS))),
        "amount": amount,
        "refunded": draw(st.one_of(st.just(0), st.integers(0, amount))),
        "currency": draw(st.sampled_from(("eur", "jpy"))),
        "paid_at": draw(st.one_of(st.none(), moments)),
    }


@st.composite
def past_spans(draw: st.DrawFn) -> dict[str, Any]:
    """What the comparison found of a subscription that had ended before it was known."""
    span = draw(spans())
    ends = span["until"] or span["since"] + draw(st.integers(1, 200)) * DAY
    return span | {"subscription": draw(st.integers(6, 8)), "until": ends}


WORLDS = st.fixed_dictionaries(
    {
        "spans": st.lists(spans(), max_size=14),
        "past": st.lists(
            past_spans(),
            max_size=6,
            unique_by=lambda span: (span["subscription"], span["item"], span["trial"]),
        ),
        "grants": st.lists(grants(), max_size=10),
        "orders": st.lists(orders(), max_size=8),
    }
)


async def build(connection: Connection, world: dict[str, Any]) -> None:
    for statement in SITE.split(";\n"):
        if statement.strip():
            await connection.execute(statement)
    await connection.executemany(
        """
        insert into prices (id, account_id, livemode, stripe_product, active, type, currency,
                            unit_amount, interval, interval_count, created_at, ticket)
        values ($1, 'acct_1', true, 'prod_a', true, 'recurring', $2, $3, $4, $5, now(), 1)
        """,
        [(name, *price) for name, price in PRICES.items()],
    )
    await connection.execute(
        """
        insert into subscriptions (id, account_id, livemode, customer_id, status, created_at,
                                   ticket)
        select 'sub_' || n, 'acct_1', n % 4 <> 3, 'cus_' || n % 4, 'active', $1, 1
          from generate_series(0, 5) n
        """,
        FIRST,
    )
    await connection.executemany(
        """
        insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                     discount, trial, since, until)
        values ('sub_' || $1::int, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [tuple(span.values()) for span in world["spans"]],
    )
    await connection.executemany(
        """
        insert into past_spans (subscription_id, account_id, livemode, customer_id, item_id,
                                stripe_product, price_id, quantity, discount, trial, since, until)
        values ('sub_' || $1::int, 'acct_1', $1 % 4 <> 3, 'cus_' || $1 % 4, $2, $3, $4, $5, $6, $7,
                $8, $9)
        """,
        [tuple(span.values()) for span in world.get("past", [])],
    )
    await connection.executemany(
        """
        insert into grants (user_id, product_id, source, source_id, bought_at, since, ended_at,
                            until, cause)
        select id, $2, 'order', $7, $3, $4, $5, $6, 'import' from users
         where email_key = $1::int || '@x.example'
        """,
        [(*grant.values(), str(n)) for n, grant in enumerate(world["grants"])],
    )
    for n, order in enumerate(world["orders"]):
        await connection.execute(
            """
            insert into orders (id, account_id, livemode, customer_id, state, currency, amount,
                                charged, amount_refunded, created_at, paid_at, ticket)
            select $1, 'acct_1', livemode, id, case when $6::timestamptz is null then 'pending'
                   else 'paid' end, $3, $4, $4, $5, $7, $6, 1 from customers where id = $2
            """,
            f"cs_{n}",
            f"cus_{order['customer']}",
            order["currency"],
            order["amount"],
            order["refunded"],
            order["paid_at"],
            FIRST,
        )
        await connection.execute(
            """
            insert into order_lines (order_id, id, stripe_product, price_id, quantity, amount)
            values ($1, 'li', $2, 'price_once', 1, $3)
            """,
            f"cs_{n}",
            order["stripe_product"],
            order["amount"],
        )


def monthly(
    unit_amount: int | None, quantity: int, interval: str | None, count: int | None, off: int = 0
) -> int:
    """What an item brings in each month, in the currency's minor unit, rounded half up."""
    times = PER_YEAR.get(interval or "", 0)
    each = max(0, (unit_amount or 0) * quantity - off)
    return int(Fraction(each * times, 12 * (count or 1)) + Fraction(1, 2))


def counts(stripe_product: str, product: str | None) -> bool:
    return product is None or product in STRIPE_PRODUCTS[stripe_product]


class Plain:
    """The same figures, worked out from a world moment by moment."""

    def __init__(self, world: dict[str, Any], product: str | None, currency: str) -> None:
        self.world, self.product, self.currency = world, product, currency
        self.spans = [
            span
            for span in (*world["spans"], *world.get("past", []))
            if span["subscription"] % 4 != 3 and counts(span["stripe_product"], product)
        ]

    def revenue(self, customer: int, at: datetime, *, included: bool) -> int:
        """What a customer pays each month just before a moment, or with all that it changes."""
        total = 0
        for span in self.spans:
            price = PRICES.get(span["price"])
            if span["subscription"] % 4 != customer or span["trial"] or price is None:
                continue
            if price[0] == self.currency and _runs(span["since"], span["until"], at, included):
                off = span["discount"] or 0
                total += monthly(price[1], span["quantity"], price[2], price[3], off)
        return total

    def held(self, user: int, at: datetime, *, included: bool) -> bool:
        for grant in self.world["grants"]:
            ends = [end for end in (grant["ended"], grant["until"]) if end is not None]
            end = min(ends, default=None)
            concerns = grant["user"] == user and self.product in (None, grant["product"])
            began = grant["bought"] or grant["since"]
            if concerns and _runs(began, end, at, included):
                return True
        return False

    def moments(self) -> list[datetime]:
        found = set()
        for entry in [*self.spans, *self.world["grants"]]:
            found |= {entry[key] for key in TIMES if entry.get(key)}
        return sorted(found)

    def moves(self) -> list[tuple[Movement, datetime, int]]:
        """Each movement with its amount."""
        found: list[tuple[Movement, datetime, int]] = []
        paid_before = set()
        for at in self.moments():
            for n in range(4):
                before = self.revenue(n, at, included=False)
                after = self.revenue(n, at, included=True)
                if after != before:
                    if before == 0:
                        kind = Movement.REACTIVATED if n in paid_before else Movement.NEW
                        paid_before.add(n)
                    elif after == 0:
                        kind = Movement.CHURNED
                    else:
                        kind = Movement.EXPANDED if after > before else Movement.CONTRACTED
                    found.append((kind, at, abs(after - before)))
                had, has = (self.held(n, at, included=x) for x in (False, True))
                if had != has:
                    found.append((Movement.JOINED if has else Movement.LEFT, at, 0))
        return [*found, *self.trials(), *self.sales()]

    def trials(self) -> Iterable[tuple[Movement, datetime, int]]:
        for n in range(9):
            own = [span for span in self.spans if span["subscription"] == n]
            trials = [span for span in own if span["trial"]]
            if not trials:
                continue
            began = min(span["since"] for span in trials)
            yield Movement.TRIAL_STARTED, began, 0
            paid = [s["since"] for s in own if not s["trial"] and s["since"] >= began]
            if paid:
                yield Movement.TRIAL_CONVERTED, min(paid), 0
            elif all(span["until"] for span in trials):
                yield Movement.TRIAL_LOST, max(span["until"] for span in trials), 0

    def sales(self) -> Iterable[tuple[Movement, datetime, int]]:
        for order in self.world["orders"]:
            mine = order["customer"] != 3 and counts(order["stripe_product"], self.product)
            if mine and order["paid_at"] and order["currency"] == self.currency:
                yield Movement.SOLD, order["paid_at"], order["amount"] - order["refunded"]


def _runs(since: datetime, until: datetime | None, at: datetime, included: bool) -> bool:
    if included:
        return since <= at and (until is None or until > at)
    return since < at and (until is None or until >= at)


def start_of(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


LIGHT = settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


class UndoneError(Exception):
    """Rolls an example back."""


@LIGHT
@given(
    world=WORLDS,
    start=st.integers(1, 300),
    length=st.integers(1, 300),
    product=st.sampled_from(PRODUCTS),
    currency=st.sampled_from(("eur", "jpy", "kwd")),
    interval=st.sampled_from(tuple(Interval)),
)
async def test_every_figure_is_what_a_plain_walk_says(
    pool: Pool,
    world: dict[str, Any],
    start: int,
    length: int,
    product: str | None,
    currency: str,
    interval: Interval,
) -> None:
    begin = FIRST.date() + timedelta(days=start)
    period = Period(begin, begin + timedelta(days=length))
    try:
        async with pool.acquire() as connection, connection.transaction():
            await build(connection, world)
            await counting.count(connection)
            found = await series.read(
                connection, period, interval, product_id=product, currency=currency
            )
            plain = Plain(world, product, currency)
            moves = plain.moves()
            assert [point.period for point in found.parts] == divided(period, interval)
            for point in (*found.parts, found.whole, found.before):
                _check(point, plain, moves)
            await _check_people(connection, found, plain, moves)
            await _check_cohorts(connection, world, product)
            raise UndoneError
    except UndoneError:
        pass


def _check(point: series.Point, plain: Plain, moves: list[tuple[Movement, datetime, int]]) -> None:
    since, until = start_of(point.period.start), start_of(point.period.end)
    inside = [move for move in moves if since <= move[1] < until]
    for kind in Movement:
        own = [amount for name, _, amount in inside if name is kind]
        if kind not in (Movement.EXPANDED, Movement.CONTRACTED):
            assert point.sums.of(kind) == len(own), kind
        assert point.sums.amount(kind) == sum(own), kind
    paying = [plain.revenue(n, until, included=False) for n in range(4)]
    before = [plain.revenue(n, since, included=False) for n in range(4)]
    assert point.mrr == sum(paying)
    assert point.mrr_before == sum(before)
    assert point.subscribers == sum(n > 0 for n in paying)
    assert point.members == sum(plain.held(n, until, included=False) for n in range(4))
    started = sum(at < until for kind, at, _ in moves if kind is Movement.TRIAL_STARTED)
    decided = (Movement.TRIAL_CONVERTED, Movement.TRIAL_LOST)
    assert point.trials == started - sum(at < until for kind, at, _ in moves if kind in decided)
    names = [kind for kind, _, _ in inside]
    gained = names.count(Movement.NEW) + names.count(Movement.REACTIVATED)
    exposed = sum(n > 0 for n in before) + gained
    assert point.churn_rate == share(names.count(Movement.CHURNED), exposed)


async def _check_people(
    connection: Connection,
    found: series.Figures,
    plain: Plain,
    moves: list[tuple[Movement, datetime, int]],
) -> None:
    """Whom a point leads to are as many as it says, and bring as much."""
    part = found.parts[-1].period
    since, until = start_of(part.start), start_of(part.end)
    for kind in Movement:
        wanted = behind.FigureQuestion(
            kind, part, product_id=plain.product, currency=plain.currency
        )
        people = await behind.page(connection, wanted, limit=100)
        own = [(at, a) for name, at, a in moves if name is kind and since <= at < until]
        assert sorted((person.at, abs(person.amount)) for person in people) == sorted(own), kind
    for level in behind.Level:
        wanted = behind.FigureQuestion(
            level, part, product_id=plain.product, currency=plain.currency
        )
        people = await behind.page(connection, wanted, limit=100)
        point = found.parts[-1]
        expected = {
            behind.Level.MEMBERS: point.members,
            behind.Level.SUBSCRIBERS: point.subscribers,
            behind.Level.TRIALS: point.trials,
            behind.Level.STAYED: len(_stayed(plain, part)),
        }
        assert len(people) == expected[level], level
        if level is behind.Level.SUBSCRIBERS:
            assert sum(person.amount for person in people) == point.mrr

    lost = (Movement.CHURNED, Movement.CONTRACTED)
    losses = [(at, -a) for name, at, a in moves if name in lost and since <= at < until]
    first = [at for at in _first_paid(plain).values() if since <= at < until]
    wanted = behind.FigureQuestion(
        behind.Several.REVENUE_LOST, part, product_id=plain.product, currency=plain.currency
    )
    people = await behind.page(connection, wanted, limit=100)
    assert sorted((person.at, person.amount) for person in people) == sorted(losses)
    people = await behind.page(
        connection, replace(wanted, kind=behind.Several.FIRST_PAID), limit=100
    )
    assert sorted(person.at for person in people) == sorted(first)


CURRENCIES = ("eur", "jpy", "kwd")


def _first_paid(plain: Plain) -> dict[int, datetime]:
    """When each customer first paid, in whatever currency."""
    walks = [Plain(plain.world, plain.product, currency) for currency in CURRENCIES]
    found: dict[int, datetime] = {}
    for at in plain.moments():
        for n in range(4):
            if any(walk.revenue(n, at, included=True) for walk in walks):
                found.setdefault(n, at)
    return found


def _stayed(plain: Plain, period: Period) -> list[int]:
    """Who first paid in the month that begins with a period, and pays at its end."""
    walks = [Plain(plain.world, plain.product, currency) for currency in CURRENCIES]
    since, end = start_of(period.start), start_of(period.end)
    year, number = since.year + since.month // 12, since.month % 12 + 1
    month = since.replace(
        year=year, month=number, day=min(since.day, calendar.monthrange(year, number)[1])
    )
    return [
        n
        for n, at in _first_paid(plain).items()
        if since <= at < month and any(walk.revenue(n, end, included=False) for walk in walks)
    ]


async def _check_cohorts(
    connection: Connection, world: dict[str, Any], product: str | None
) -> None:
    """A cohort's customers are followed month by month, whatever the currency."""
    last = date(2025, 2, 1)
    found = await series.cohorts(connection, last_month=last, most=60, product_id=product)
    plain = [Plain(world, product, currency) for currency in ("eur", "jpy", "kwd")]

    def pays(n: int, at: datetime) -> bool:
        return any(walk.revenue(n, at, included=False) for walk in plain)

    moments = plain[0].moments()
    expected: dict[date, list[int]] = {}
    for n in range(4):
        paid = [at for at in moments if any(walk.revenue(n, at, included=True) for walk in plain)]
        if paid:
            expected.setdefault(first_day(paid[0].date(), Interval.MONTH), []).append(n)
    expected = {month: people for month, people in expected.items() if month <= last}
    assert {cohort.month: cohort.joined for cohort in found} == {
        month: len(people) for month, people in expected.items()
    }
    for cohort in found:
        months = divided(Period(cohort.month, date(2025, 3, 1)), Interval.MONTH)
        for paying, month in list(zip(cohort.paying, months, strict=True))[:3]:
            cell = Period(cohort.month, month.end)
            wanted = behind.FigureQuestion(behind.Level.STAYED, cell, product_id=product)
            assert len(await behind.page(connection, wanted, limit=100)) == paying
        assert list(cohort.paying) == [
            sum(pays(n, start_of(month.end)) for n in expected[cohort.month]) for month in months
        ]


@LIGHT
@given(world=WORLDS)
async def test_counting_again_writes_nothing(pool: Pool, world: dict[str, Any]) -> None:
    try:
        async with pool.acquire() as connection, connection.transaction():
            await build(connection, world)
            await counting.count(connection)
            first = await connection.fetch("select *, xmin, ctid from figure_days order by 1,2,3,4")
            cohorts = await connection.fetch("select *, ctid from figure_cohorts order by 1, 2, 3")
            await counting.count(connection)
            again = await connection.fetch("select *, xmin, ctid from figure_days order by 1,2,3,4")
            assert first == again
            assert cohorts == await connection.fetch(
                "select *, ctid from figure_cohorts order by 1, 2, 3"
            )
            raise UndoneError
    except UndoneError:
        pass


ODD_SPAN = {
    "subscription": 0,
    "item": "si_1",
    "stripe_product": "prod_a",
    "price": "price_odd",
    "quantity": 2**31 - 1,
    "discount": None,
    "trial": False,
    "since": FIRST,
    "until": None,
}
ODD_ORDER = {
    "customer": 0,
    "stripe_product": "prod_a",
    "amount": 2**63 - 1,
    "refunded": 0,
    "currency": "eur",
    "paid_at": FIRST,
}


@pytest.mark.parametrize("interval_count", [0, 1, 2**31 - 1])
async def test_absurd_amounts_hold_up_neither_counting_nor_the_page(
    pool: Pool, interval_count: int
) -> None:
    usual = {**ODD_SPAN, "subscription": 1, "price": "price_week", "quantity": 1}
    world = {
        "spans": [ODD_SPAN, {**ODD_SPAN, "item": "si_2"}, {**ODD_SPAN, "subscription": 4}, usual],
        "grants": [],
        "orders": [ODD_ORDER, {**ODD_ORDER, "customer": 1}, {**ODD_ORDER, "refunded": 2**63 - 1}],
    }
    period = Period(FIRST.date(), FIRST.date() + timedelta(days=10))
    async with pool.acquire() as connection:
        await build(connection, world)
        await connection.execute(
            """
            insert into prices (id, account_id, livemode, stripe_product, active, type, currency,
                                unit_amount, interval, interval_count, created_at, ticket)
            values ('price_odd', 'acct_1', true, 'prod_a', true, 'recurring', 'eur', $1, 'year', $2,
                    now(), 1)
            """,
            2**63 - 1,
            interval_count,
        )
        await connection.execute("update orders set credited_after = 1 where id = 'cs_2'")
        await counting.count(connection)
        found = await series.read(connection, period, Interval.DAY, currency="jpy")
        assert found.whole.mrr == monthly(500, 1, "week", 2)
        found = await series.read(connection, period, Interval.DAY, currency="eur")
        assert found.whole.subscribers == 1
        assert found.whole.sums.of(Movement.SOLD) == 3
        for kind in (*Movement, *behind.Level, *behind.Several):
            wanted = behind.FigureQuestion(kind, period, currency="eur")
            await behind.page(connection, wanted, limit=10)


async def test_an_order_that_cost_nothing_brought_nothing(pool: Pool) -> None:
    world = {"spans": [], "grants": [], "orders": [{**ODD_ORDER, "amount": 3000}]}
    period = Period(FIRST.date(), FIRST.date() + timedelta(days=1))
    async with pool.acquire() as connection:
        await build(connection, world)
        await connection.execute("update orders set amount = -500, charged = 0")
        await counting.count(connection)
        found = await series.read(connection, period, Interval.DAY)
    assert found.whole.sums.amount(Movement.SOLD) == 0


async def test_figures_are_counted_when_they_are_due_and_by_one_process(pool: Pool) -> None:
    """At the start, after a minute, and not while another process counts; less often where counting
    takes long."""

    async def counts_now(connection: Connection) -> bool:
        counted = "select counted_at from figure_counts"
        before = await connection.fetchval(counted)
        assert not await counting.count_if_due(pool)
        return bool(before != await connection.fetchval(counted))

    async def last(seconds: float, took: float) -> None:
        await pool.execute(
            "update figure_counts set counted_at = now() - $1::interval, took = $2",
            timedelta(seconds=seconds),
            timedelta(seconds=took),
        )

    async with pool.acquire() as connection:
        assert await counts_now(connection)
        assert not await counts_now(connection)
        await last(counting.SECONDS + 1, 0)
        async with connection.transaction():
            await connection.execute("select from figure_counts for update")
            assert not await counts_now(connection)
        assert await counts_now(connection)
        await last(9 * counting.SHARE, 10)
        assert not await counts_now(connection)
        await last(11 * counting.SHARE, 10)
        assert await counts_now(connection)
        assert await connection.fetchval("select took > '0' from figure_counts")


async def test_everyone_behind_a_figure_is_read_page_by_page(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those who came at the same moment; each once, the latest first."""
    monkeypatch.setattr(behind, "CHUNK", 2)
    days = [0, 3, 3, 3, 1, 2]
    world = {
        "spans": [],
        "grants": [],
        "orders": [{**ODD_ORDER, "amount": 900, "paid_at": FIRST + n * DAY} for n in days],
    }
    period = Period(FIRST.date(), FIRST.date() + timedelta(days=10))
    wanted = behind.FigureQuestion(Movement.SOLD, period, currency="eur")
    async with pool.acquire() as connection:
        await build(connection, world)
    chunks = [[person.id for person in people] async for people in behind.everyone(pool, wanted)]
    assert chunks == [["cs_3", "cs_2"], ["cs_1", "cs_5"], ["cs_4", "cs_0"]]
