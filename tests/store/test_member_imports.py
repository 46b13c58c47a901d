"""Imports of members: what is checked, given and mailed; that batches resume and repeat nothing."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.csv_files import format_of, lines_of
from latchkey.rules.moving import Outcome, StatusMeaning, StripeMatch
from latchkey.store.pool import Connection, Pool
from latchkey.store.products import products
from latchkey.store.users import erasure, labels, member_import_batches, member_imports, users
from latchkey.store.users.member_import_batches import work
from latchkey.store.users.member_imports import (
    ImportFigures,
    ImportState,
    LabelFigures,
    MemberImport,
    TooManyValuesError,
    WrongStepError,
)

pytestmark = pytest.mark.anyio

LATER = datetime.now(UTC) + timedelta(days=90)


async def owner(connection: Connection) -> int:
    found, _ = await users.find_or_create(connection, "owner@moving.example")
    await connection.execute("update users set role = 'owner' where id = $1", found.id)
    return found.id


async def product(connection: Connection, name: str) -> str:
    made = await products.create(connection, name=name, slug=None, status="live")
    return made.id


async def upload(connection: Connection, text: str, *, actor: int | None = None) -> MemberImport:
    """A file whose lines are stored, as the upload page does it."""
    file = io.BytesIO(text.encode())
    written = format_of(file)
    heading, *rest = lines_of(file, written)
    import_id = await member_imports.begin(
        connection,
        file_name="members.csv",
        written=written,
        heading=heading.cells,
        actor=actor or await owner(connection),
    )
    stored = await member_imports.stage(connection, import_id, rest)
    await member_imports.staged(connection, import_id, lines=stored)
    return await read(connection, import_id)


async def read(connection: Connection, import_id: str) -> MemberImport:
    found = await member_imports.find(connection, import_id)
    assert found is not None
    return found


async def work_off(connection: Connection, import_id: str) -> int:
    """Work until the run is over; returns in how many batches."""
    batches, more = 0, True
    while more:
        now = datetime.now(UTC)
        found = await read(connection, import_id)
        async with connection.transaction():
            more = (await work(connection, import_id, found.run, now=now)).more
        batches += 1
    return batches


async def check(
    connection: Connection,
    found: MemberImport,
    plans: dict[str, str | None],
    statuses: dict[str, StatusMeaning] | None = None,
) -> ImportFigures:
    columns, dates = found.layout.columns, found.layout.dates
    await member_imports.choose_columns(connection, found.id, columns, dates)
    await member_imports.choose_plans(connection, found.id, plans=plans, statuses=statuses or {})
    await work_off(connection, found.id)
    done = await read(connection, found.id)
    assert done.state == ImportState.READY
    return await member_imports.figures(connection, done)


async def run(connection: Connection, found: MemberImport) -> ImportFigures:
    await member_imports.start(connection, found.id)
    await work_off(connection, found.id)
    return await member_imports.figures(connection, await read(connection, found.id))


async def grants(connection: Connection) -> list[tuple[str, str, datetime | None]]:
    rows = await connection.fetch(
        """
        select u.email, g.source, g.until from live_grants g join users u on u.id = g.user_id
         order by u.email, g.source
        """
    )
    return [tuple(row) for row in rows]


async def outcomes(connection: Connection, import_id: str) -> list[tuple[str, str | None]]:
    lines = await member_imports.lines(connection, import_id, limit=100)
    return [(line.outcome, line.stripe_match) for line in lines]


async def test_lines_give_labels_as_they_are_written_already(pool: Pool) -> None:
    text = (
        "email,tags\nada@moving.example,vip; Early\nbob@moving.example,EARLY\n"
        f"cy@moving.example,\ndee@moving.example,{'x' * 41}\n"
    )
    async with pool.acquire() as connection:
        ada, _ = await users.find_or_create(connection, "ada@moving.example")
        await labels.add(connection, "VIP", [ada.id])
        found = await upload(connection, text)
        assert (await check(connection, found, {"": None})).refused == 1
        assert await member_imports.by_label(connection, found) == [
            LabelFigures("Early", 2, new=True),
            LabelFigures("VIP", 1, new=False),
        ]
        assert await labels.names(connection) == ["VIP"], "nobody has got any yet"
        await run(connection, found)
        people = await users.listed(connection, search="@moving.example")
        given = await labels.of_users(connection, [user.id for user in people])
        assert {user.email.split("@")[0]: given[user.id] for user in people} == {
            "owner": [], "cy": [], "bob": ["Early"], "ada": ["Early", "VIP"],
        }  # fmt: skip
        shown = await member_imports.by_label(connection, found)
        assert [row.new for row in shown] == [False, False]


async def test_a_column_with_too_many_labels_isnt_one(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_imports, "MOST_LABELS", 2)
    async with pool.acquire() as connection:
        found = await upload(connection, "email,tags\na@moving.example,A; b\nb@moving.example,B,a")
        await member_imports.check_labels(connection, found)
        found = await upload(connection, "email,tags\na@moving.example,A; b\nb@moving.example,c")
        with pytest.raises(TooManyValuesError):
            await member_imports.check_labels(connection, found)


FILE = f"""email,name,plan,expires,status,stripe_customer_id
ada@moving.example,Ada,Gold,,active,
bob@moving.example,Bob,Gold,{LATER:%Y-%m-%d},cancelled,
cy@moving.example,Cy,Gold,2020-01-01,expired,
dee@moving.example,Dee,Free,,active,
nonsense,Eve,Gold,,active,
fay@moving.example,Fay,Gold,,sleeping,
ADA@moving.example,Ada again,Gold,{LATER:%Y-%m-%d},active,
"""


async def test_a_file_is_checked_then_done_and_nobody_is_mailed(pool: Pool) -> None:
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        await connection.execute(
            "insert into site_settings (key, value) values ('site', $1::jsonb)",
            {"login_mail": True},
        )
        found = await upload(connection, FILE)
        assert (found.lines, found.state) == (7, ImportState.COLUMNS)
        await member_imports.choose_columns(
            connection, found.id, found.layout.columns, found.layout.dates
        )
        values = await member_imports.plan_values(connection, found)
        assert [(value.value, value.lines) for value in values] == [("Gold", 6), ("Free", 1)]
        statuses = await member_imports.unknown_statuses(connection, found)
        assert [value.value for value in statuses] == ["sleeping"]
        before = await check(connection, found, {"Gold": gold, "Free": None})
        assert before == ImportFigures(
            people=4, new_people=4, given=3, over=1, person_only=1, refused=2
        )
        assert await grants(connection) == []
        refused = await member_imports.lines(
            connection, found.id, outcome=Outcome.REFUSED, limit=10
        )
        assert [(line.line, line.problem_column) for line in refused] == [
            (6, "email"),
            (7, "status"),
        ]
        (figures,) = await member_imports.by_product(connection, found.id)
        assert (figures.people, figures.without_end) == (2, 1)
        assert await run(connection, found) == before
        end = LATER.replace(hour=23, minute=59, second=59, microsecond=0)
        assert await grants(connection) == [
            ("ada@moving.example", "manual", None),
            ("bob@moving.example", "manual", end),
        ]
        assert await connection.fetchval("select count(*) from mails") == 0
        assert await connection.fetchval("select count(*) from wakeups where kind = 'endings'") == 1
        names = await connection.fetch("select name from users where role = 'member' order by id")
        assert sorted(row["name"] for row in names) == ["Ada", "Bob", "Cy", "Dee"]
        assert await member_imports.to_welcome(connection, found.id) == 2
        await member_imports.mail(connection, found.id)
        await work_off(connection, found.id)
        mails = await connection.fetch("select user_id, kind, pace from mails")
        assert [(row["kind"], row["pace"]) for row in mails] == [("product_access", "spread")] * 2
        assert (await read(connection, found.id)).mails == 2
        with pytest.raises(WrongStepError):
            await member_imports.mail(connection, found.id)


async def test_work_goes_on_where_it_stopped_and_is_done_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", 2)
    text = "email,plan\n" + "".join(f"p{n}@moving.example,Gold\n" for n in range(5))
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        found = await upload(connection, text)
        await check(connection, found, {"Gold": gold})
        await member_imports.start(connection, found.id)
        started = await read(connection, found.id)
        now = datetime.now(UTC)
        stopped = connection.transaction()
        await stopped.start()
        await work(connection, found.id, started.run, now=now)
        await stopped.rollback()
        assert await grants(connection) == []
        async with connection.transaction():
            first = await work(connection, found.id, started.run, now=now)
            stale = await work(connection, found.id, started.run - 1, now=now)
        assert (first.lines, first.more) == (2, True)
        assert (stale.wanted, stale.more) == (False, False)
        assert len(await grants(connection)) == 2
        assert await work_off(connection, found.id) == 2
        assert len(await grants(connection)) == 5
        async with connection.transaction():
            again = await work(connection, found.id, started.run, now=now)
        assert not again.wanted
        assert len(await grants(connection)) == 5
        again_id = (await upload(connection, text)).id
        figures = await check(connection, await read(connection, again_id), {"Gold": gold})
        assert (figures.new_people, figures.given, figures.has_it) == (0, 0, 5)


async def stripe(connection: Connection, product_id: str) -> None:
    """The product is linked, and Stripe knows three customers: one pays, one owes, one is somebody
    else."""
    await connection.execute(
        """
        insert into stripe_connection (account_id, livemode, state)
        values ('acct_1', false, 'connected')
        on conflict (singleton) do update set account_id = 'acct_1', livemode = false
        """
    )
    await connection.execute(
        """
        insert into links (product_id, account_id, livemode, stripe_product, state)
        values ($1, 'acct_1', false, 'prod_1', 'listening')
        """,
        product_id,
    )
    for name, status in (("payer", "active"), ("debtor", "past_due"), ("other", "canceled")):
        user, _ = await users.find_or_create(connection, f"{name}@moving.example")
        await connection.execute(
            """
            insert into customers (id, account_id, livemode, user_id, email, email_key)
            values ('cus_' || $1, 'acct_1', false, $2, $3, $3)
            """,
            name,
            user.id,
            user.email,
        )
        await connection.execute(
            """
            insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                       created_at, ticket, ended_at)
            values ('sub_' || $1, 'acct_1', false, 'cus_' || $1, $2, $3, now(), 1,
                    case when $3 = 'canceled' then now() end)
            """,
            name,
            user.id,
            status,
        )
        await connection.execute(
            """
            insert into subscription_items (id, subscription_id, price_id, stripe_product, quantity)
            values ('si_' || $1, 'sub_' || $1, 'price_1', 'prod_1', 1)
            """,
            name,
        )
        if name == "payer":
            await connection.execute(
                """
                insert into grants (user_id, product_id, source, source_id, since, cause)
                values ($1, $2, 'subscription', 'sub_payer', now(), 'stripe')
                """,
                user.id,
                product_id,
            )


async def test_who_pays_by_stripe_keeps_it_by_that(pool: Pool) -> None:
    lines = [
        ("payer", "", Outcome.BOUGHT, StripeMatch.ADDRESS),
        ("payer", "sub_payer", Outcome.BOUGHT, StripeMatch.SUBSCRIPTION),
        ("debtor", "cus_debtor", Outcome.BOUGHT, StripeMatch.CUSTOMER),
        ("other", "", Outcome.GIVEN, StripeMatch.ADDRESS),
        ("other", "sub_other", Outcome.LEFT_TO_LINK, StripeMatch.SUBSCRIPTION),
        ("stranger", "cus_other", Outcome.LEFT_TO_LINK, StripeMatch.OTHER_PERSON),
        ("stranger", "sub_payer", Outcome.BOUGHT, StripeMatch.OTHER_PERSON),
        ("stranger", "cus_unknown", Outcome.LEFT_TO_LINK, None),
        ("stranger", "", Outcome.GIVEN, None),
    ]
    text = "email,stripe id\n" + "".join(
        f"{name}@moving.example,{stripe_id}\n" for name, stripe_id, *_ in lines
    )
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        await stripe(connection, gold)
        found = await upload(connection, text)
        silver = await product(connection, "Silver")
        await check(connection, found, {"": silver})
        (buyers,) = await member_imports.unlinked(connection, await read(connection, found.id))
        assert (buyers.product_id, buyers.lines) == (silver, 6)
        figures = await check(connection, found, {"": gold})
        assert await member_imports.unlinked(connection, await read(connection, found.id)) == []
        expected: Sequence[Any] = [(outcome, match) for _, _, outcome, match in lines]
        assert await outcomes(connection, found.id) == expected
        assert (figures.by_subscription, figures.by_customer, figures.by_address) == (2, 1, 2)
        assert (figures.other_person, figures.people, figures.new_people) == (2, 4, 1)
        await run(connection, found)
        assert await grants(connection) == [
            ("other@moving.example", "manual", None),
            ("payer@moving.example", "subscription", None),
            ("stranger@moving.example", "manual", None),
        ]


async def test_access_that_somebody_has_is_made_longer_and_never_shorter(pool: Pool) -> None:
    text = f"email,until\nlong@moving.example,{LATER:%Y-%m-%d}\nshort@moving.example,\n"
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        for name, until in (("long", None), ("short", LATER)):
            user, _ = await users.find_or_create(connection, f"{name}@moving.example")
            await connection.execute(
                """
                insert into grants (user_id, product_id, source, source_id, since, until, cause)
                values ($1, $2, 'manual', '', now(), $3, 'admin')
                """,
                user.id,
                gold,
                until,
            )
        found = await upload(connection, text)
        figures = await check(connection, found, {"": gold})
        assert (figures.given, figures.has_it, figures.new_people) == (1, 1, 0)
        await run(connection, found)
        assert [until for _, _, until in await grants(connection)] == [None, None]


async def test_a_product_deleted_meanwhile_is_nothing(pool: Pool) -> None:
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        found = await upload(connection, "email\nann@moving.example\n")
        await check(connection, found, {"": gold})
        await connection.execute("delete from products where id = $1", gold)
        figures = await run(connection, found)
        assert (figures.person_only, figures.new_people) == (1, 1)


async def test_what_was_chosen_can_be_chosen_again_until_it_starts(pool: Pool) -> None:
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        found = await upload(connection, "email\nann@moving.example\n")
        assert (await check(connection, found, {"": None})).person_only == 1
        assert (await check(connection, found, {"": gold})).given == 1
        await run(connection, found)
        for change in (
            member_imports.choose_plans(connection, found.id, plans={}, statuses={}),
            member_imports.start(connection, found.id),
            member_imports.remove(connection, found.id),
        ):
            with pytest.raises(WrongStepError):
                await change
        other = await upload(connection, "email\nann@moving.example\n")
        assert await member_imports.remove(connection, other.id)
        assert await connection.fetchval("select count(*) from member_import_lines") == 1


async def test_erasing_a_person_takes_their_lines_along(pool: Pool) -> None:
    text = "email,note\nann@moving.example,\nben@moving.example,friend of Ann@Moving.example\n"
    async with pool.acquire() as connection, connection.transaction():
        actor = await owner(connection)
        user, _ = await users.find_or_create(connection, "ann@moving.example")
        found = await upload(connection, text + "cy@moving.example,\n")
        await erasure.erase(connection, user.id, actor=actor)
        left = await connection.fetch("select line from member_import_lines")
        assert [row["line"] for row in left] == [4]
        assert (await check(connection, found, {"": None})).people == 1


async def test_files_are_forgotten_in_time_and_figures_are_kept(pool: Pool) -> None:
    async with pool.acquire() as connection:
        waiting = await upload(connection, "email\nann@moving.example\n")
        done = await upload(connection, "email\nben@moving.example\n")
        await check(connection, done, {"": None})
        figures = await run(connection, done)
        await member_imports.forget_old(pool)
        assert await connection.fetchval("select count(*) from member_import_lines") == 2
        await connection.execute(
            """
            update member_imports set created_at = created_at - interval '31 days',
                   finished_at = finished_at - interval '31 days'
            """
        )
        await member_imports.forget_old(pool)
        assert await member_imports.find(connection, waiting.id) is None
        assert await connection.fetchval("select count(*) from member_import_lines") == 0
        kept = await read(connection, done.id)
        assert kept.forgotten_at is not None
        assert await member_imports.figures(connection, kept) == figures
