"""Numbers: the page, its CSV, the people behind a point, and the same figures from the API."""

import csv
import html
import io
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules.figures import Movement, Period
from latchkey.store.checks import dashboard as dashboard_store
from latchkey.store.checks.dashboard import Numbers
from latchkey.store.figures import counting, series
from latchkey.store.figures.behind import Level, Several
from latchkey.store.figures.series import Counted
from latchkey.store.pool import Connection
from tests.harness import Latchkey
from tests.web.pages import Visitor, visit
from tests.web.test_admin_users import buyer, shown
from web import periods
from web.pages.admin import dashboard, numbers
from web.wording import figures
from web.wording.amounts import money
from web.wording.figures import Change

pytestmark = pytest.mark.anyio

TODAY = datetime.now(UTC).date()


async def counted(site: Latchkey) -> None:
    async with site.pool.acquire() as connection:
        await counting.count(connection)


async def test_a_subscriber_is_counted_and_can_be_found_behind_the_figures(
    shared: Latchkey,
) -> None:
    person, product, _ = await buyer(shared, "counted@numbers.example", "Counted course")
    await counted(shared)
    async with visit(shared) as admin:
        await admin.sign_in()
        assert 'href="/admin/numbers"' in (await admin.get("/admin")).text
        page = f"/admin/numbers?product={product}&period=30d"
        text = await shown(admin, page)
        for tile in (
            r"Recurring revenue \(MRR\) \$15\.00",
            "Subscribers 1 ",
            "Members 1 ",
            "New subscribers 1 ",
            "Lost subscribers 0 ",
            "One-time revenue \\$0",
        ):
            assert re.search(tile, text), tile
        assert "Who stays" in text
        addresses = await behind(admin, page)
        for kind in ("members", "subscribers", "joined", "new", "first_paid", "stayed"):
            people = await shown(admin, addresses[kind])
            assert "counted@numbers.example" in people, kind
            assert f"/admin/users/{person}" in (await admin.get(addresses[kind])).text
            answer = await admin.get(addresses[kind].replace("/people", "/people.csv"))
            [row] = csv.DictReader(io.StringIO(answer.text))
            assert (row["email"], row["user"]) == ("counted@numbers.example", str(person))
        assert "Nobody is behind" in await shown(admin, addresses["churned"])
        answer = await admin.get(page.replace("/numbers", "/numbers.csv"))
        rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 30
    last = rows[-1]
    assert (last["mrr"], last["currency"], last["members"], last["new"]) == (
        *("15.00", "usd", "1"),
        sum_of(rows, "new", but=-1),
    )
    found = await shared.call("GET", f"/metrics?product={product}&since={rows[0]['from']}")
    assert found["currency"] == "usd"
    assert found["total"]["mrr"] == 1500
    assert found["total"]["subscribers_new"] == 1
    assert found["total"]["members"] == 1
    assert found["before"]["mrr"] == 0
    assert [part["since"] for part in found["data"]] == [row["from"] for row in rows]
    assert [part["members"] for part in found["data"]] == [int(row["members"]) for row in rows]
    assert found["counted_at"]


def sum_of(rows: list[dict[str, str]], name: str, *, but: int) -> str:
    """One, unless midnight came between the purchase and the page."""
    return str(1 - sum(int(row[name]) for row in rows[:but]))


async def behind(admin: Visitor, page: str) -> dict[str, str]:
    """Where the row of figures and the last row of each table lead, by kind."""
    text = (await admin.get(page)).text
    found: dict[str, str] = {}
    for address in re.findall(r'href="(/admin/numbers/people\?[^"]+)"', text):
        plain = html.unescape(address)
        name = re.search(r"kind=(\w+)", plain)
        assert name
        found.setdefault(name[1], plain)
    assert {*Movement, *Level, *Several} - {Level.TRIALS} == found.keys()
    start = (TODAY - timedelta(days=29)).isoformat()
    for kind in ("joined", "new", "churned"):
        found[kind] = re.sub(r"from=[\d-]+", f"from={start}", found[kind])
        found[kind] = re.sub(r"to=[\d-]+", f"to={TODAY + timedelta(days=1)}", found[kind])
    return found


async def test_the_dashboard_shows_the_last_month(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each chart leads to Numbers and to the people behind its points; without figures there is
    none."""
    monkeypatch.setattr(dashboard, "NUMBERS_SECONDS", -1)
    product = await shared.product("Dashboard course")
    given = {"email": "member@dashboard.example"}
    await shared.call("POST", f"/products/{product}/grants", 201, json=given)
    await counted(shared)
    async with visit(shared) as admin:
        await admin.sign_in()
        page = (await admin.get("/admin")).text
        for heading in ("Monthly recurring revenue", "Members"):
            assert f'<a href="/admin/numbers?period=30d">{heading}</a>' in page
        points = re.findall(r'href="([^"]+kind=members[^"]+)" tabindex="-1"', page)
        assert len(points) == 30
        assert "member@dashboard.example" in (await admin.get(html.unescape(points[-1]))).text

        async def nothing(connection: Connection) -> Counted:
            return Counted(datetime.now(UTC), None, None)

        monkeypatch.setattr(series, "counted", nothing)
        assert "Monthly recurring revenue" not in (await admin.get("/admin")).text


async def test_the_dashboards_tiles_say_how_they_have_changed(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fixed(connection: Connection) -> Numbers:
        return Numbers(
            members=9, ending=0, subscriptions=30, payment_problems=0, new_subscriptions=1,
            purchases=7, since=TODAY, subscriptions_before=30, new_subscriptions_before=2,
            purchases_before=0,
        )  # fmt: skip

    monkeypatch.setattr(dashboard, "NUMBERS_SECONDS", -1)
    monkeypatch.setattr(dashboard_store, "numbers", fixed)
    async with visit(shared) as admin:
        await admin.sign_in()
        page = (await admin.get("/admin")).text
    assert '<span class="change">no change in 30 days</span>' in page
    assert '<span class="change down">-50 % from the 30 days before</span>' in page
    assert page.count("from the 30 days before") == 1, "nothing was bought before"


async def test_a_long_list_of_people_goes_on(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next page has the rest, and leads back to the first."""
    monkeypatch.setattr(numbers, "PAGE", 1)
    product = await shared.product("Paged course")
    for name in ("first", "latest"):
        given = {"email": f"{name}@pages.example"}
        await shared.call("POST", f"/products/{product}/grants", 201, json=given)
    async with visit(shared) as admin:
        await admin.sign_in()
        address = f"/admin/numbers/people?kind=members&product={product}"
        page = (await admin.get(address)).text
        assert ("latest@pages.example" in page, "first@pages.example" in page) == (True, False)
        onwards = re.compile(r'href="([^"]+after=[^"]+)"')
        later = onwards.search(page)
        assert later
        page = (await admin.get(html.unescape(later[1]))).text
        assert ("latest@pages.example" in page, "first@pages.example" in page) == (False, True)
        assert not onwards.search(page)
        assert f'href="{html.escape(address)}"' in page
        await admin.get(f"{address}&after=nonsense")


async def test_what_cannot_be_shown_is_said_and_changes_nothing(shared: Latchkey) -> None:
    await counted(shared)
    async with visit(shared) as admin:
        await admin.sign_in()
        page = await admin.get("/admin/numbers?from=2026-02-30", 422)
        assert "isn&#39;t a date" in page.text
        page = await admin.get("/admin/numbers?from=2026-03-01&to=2026-02-01", 422)
        assert "after the last" in page.text
        await admin.get("/admin/numbers?from=1066-10-14", 422)
        await admin.get("/admin/numbers?to=0001-01-01", 422)
        await admin.get("/admin/numbers?product=prd_none", 404)
        await admin.get("/admin/numbers.csv?from=yesterday", 404)
        await admin.get("/admin/numbers/people?kind=unknown", 404)
        await admin.get("/admin/numbers/people?kind=new&from=never", 404)
        await admin.get("/admin/numbers/people?kind=new&to=0001-01-01", 404)
        await admin.get("/admin/numbers?period=all&currency=xxx")
        await admin.get("/admin/numbers?from=2026-01-01&to=2026-01-31&period=30d")
    for bad in (
        *("since=2026-02-30", "since=2026-03-01&until=2026-02-01", "until=0001-01-01"),
        *("since=2199-12-31", "interval=hour"),
    ):
        await shared.call("GET", f"/metrics?{bad}", 422)
    await shared.call("GET", "/metrics?interval=day&since=2020-01-01&until=2026-01-01", 422)
    await shared.call("GET", "/metrics?product=none", 404)


@pytest.mark.parametrize(
    ("at", "text"),
    [(None, "The figures are counted for the first time"), (datetime.now(UTC), "No numbers yet")],
)
async def test_a_new_site_is_told_what_will_be_here(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch, at: datetime | None, text: str
) -> None:
    async def nothing(connection: Connection) -> Counted:
        return Counted(at, None, None)

    monkeypatch.setattr(series, "counted", nothing)
    async with visit(shared) as admin:
        await admin.sign_in()
        assert text in await shown(admin, "/admin/numbers?period=all")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("30d", Period(date(2024, 2, 1), date(2024, 3, 2))),
        ("90d", Period(date(2023, 12, 3), date(2024, 3, 2))),
        ("12m", Period(date(2023, 4, 1), date(2024, 3, 2))),
        ("year", Period(date(2024, 1, 1), date(2024, 3, 2))),
        ("all", Period(date(2021, 5, 1), date(2024, 3, 2))),
    ],
)
def test_presets_end_today(name: str, expected: Period) -> None:
    today, first = date(2024, 3, 1), date(2021, 5, 17)
    assert periods.preset(name, today=today, first=first) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("", "", Period(date(2023, 3, 3), date(2024, 3, 2))),
        ("2024-02-29", "", Period(date(2024, 2, 29), date(2024, 3, 2))),
        ("", "2023-12-31", Period(date(2023, 1, 1), date(2024, 1, 1))),
        ("2030-01-01", "2030-01-01", Period(date(2030, 1, 1), date(2030, 1, 2))),
        ("2000-01-01", "2020-01-01", Period(date(2000, 1, 1), date(2020, 1, 2))),
        ("", "2199-12-31", Period(date(2199, 1, 1), date(2200, 1, 1))),
        ("", "0001-01-01", "between the years 2000 and 2199"),
        ("1999-12-31", "2001-01-01", "between the years 2000 and 2199"),
        ("2190-01-01", "2200-01-01", "between the years 2000 and 2199"),
        ("9999-12-31", "9999-12-31", "between the years 2000 and 2199"),
        ("2030-01-01", "", "The first day is after the last"),
        ("2000-01-01", "2020-02-01", "at most 20 years"),
        ("31.01.2024", "", "isn't a date"),
    ],
)
def test_dates_are_days_of_a_period_or_say_what_is_wrong(
    first: str, last: str, expected: Period | str
) -> None:
    today = date(2024, 3, 1)
    if isinstance(expected, Period):
        assert periods.typed(first, last, today=today) == expected
    else:
        with pytest.raises(ValueError, match=expected):
            periods.typed(first, last, today=today)


def test_a_year_has_twelve_months_whatever_its_days() -> None:
    for month in range(1, 13):
        for year in (2023, 2024, 2025):
            period = periods.preset("12m", today=date(year, month, 28), first=None)
            assert period.start.day == 1
            months = (year - period.start.year) * 12 + month - period.start.month
            assert months == 11


@given(
    amount=st.integers(-(10**12), 10**12),
    currency=st.sampled_from(["eur", "usd", "jpy", "kwd", "isk", "chf", "pln", "ugx"]),
)
def test_amounts_read_as_everywhere_else(amount: int, currency: str) -> None:
    assert figures.writer(currency)(amount) == money(amount, currency)


@pytest.mark.parametrize(
    ("now", "before", "expected"),
    [
        (110, 100, Change("+10 %", True)),
        (99.94, 100, Change("-0.1 %", False)),
        (99.96, 100, Change("no change", None)),
        (5, 0, None),
        (None, 5, None),
    ],
)
def test_a_change_is_in_percent_or_none(
    now: float | None, before: float, expected: Change | None
) -> None:
    assert figures.change(now, before) == expected
