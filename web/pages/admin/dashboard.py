"""The dashboard: what needs attention, growth, recent activity, and a guide to getting started."""

import time
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import go_live
from latchkey.languages import _
from latchkey.rules.go_live import done
from latchkey.store.checks import dashboard
from latchkey.store.checks.dashboard import Begun, Numbers, Rehearsed
from latchkey.store.feed import lines
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.figures import series
from latchkey.store.figures.series import Figures
from latchkey.store.pool import Connection
from web import periods
from web.pages.admin import first_steps
from web.pages.admin.figure_charts import FigureCharts
from web.pages.admin.first_steps import Step
from web.pages.guard import admin_page
from web.pages.render import page
from web.site import Site, site_of
from web.wording.figures import Change, change

RECENT = 8
NUMBERS_SECONDS = 20.0
GROWTH = "30d"


def routes() -> list[Route]:
    return [
        Route("/admin", show),
        Route("/admin/steps", guide),
    ]


@admin_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        numbers, figures = await _numbers(site_of(request), connection)
        attention = await dashboard.attention(connection)
        values = await _guide(request, connection)
        left = 0 if values["steps"] else await _left_to_go_live(request, connection)
        rows = await lines.filtered(connection, FeedFilter(folded=True), limit=RECENT)
        only_passkey = await first_steps.only_way_in(request, connection)
    return page(
        request,
        "admin/dashboard.html",
        numbers=numbers,
        attention=attention,
        rows=rows,
        left=left,
        only_passkey=only_passkey,
        growth=FigureCharts(figures, figures.whole.period.interval) if figures else None,
        change=change,
        changes=_changes(numbers, figures),
        **values,
    )


@admin_page
async def guide(request: Request) -> Response:
    """The guide alone, which the page refreshes while it is open."""
    async with site_of(request).pool.acquire() as connection:
        values = await _guide(request, connection)
    return page(request, "admin/dashboard_steps.html", **values)


async def _numbers(site: Site, connection: Connection) -> tuple[Numbers, Figures | None]:
    """The numbers, and the figures of the last 30 days once there are any; at most
    `NUMBERS_SECONDS` old."""
    if site.numbers is None or site.numbers[0] < time.monotonic() - NUMBERS_SECONDS:
        site.numbers = (
            time.monotonic(),
            await dashboard.numbers(connection),
            await _figures(connection),
        )
    return site.numbers[1:]


def _changes(numbers: Numbers, figures: Figures | None) -> dict[str, Change | None]:
    """How the tiles' numbers compare with those of 30 days ago, or of the 30 days before."""
    members = change(figures.whole.members, figures.before.members) if figures else None
    return {
        "members": members,
        "subscriptions": change(numbers.subscriptions, numbers.subscriptions_before),
        "new_subscriptions": change(numbers.new_subscriptions, numbers.new_subscriptions_before),
        "purchases": change(numbers.purchases, numbers.purchases_before),
    }


async def _figures(connection: Connection) -> Figures | None:
    if (await series.counted(connection)).first_day is None:
        return None
    period = periods.preset(GROWTH, today=datetime.now(UTC).date(), first=None)
    return await series.read(connection, period, period.interval)


async def _left_to_go_live(request: Request, connection: Connection) -> int:
    """How many steps of the go-live checklist are to be done. With the sandbox nobody goes live."""
    settings = site_of(request).settings
    if settings.sandbox_url:
        return 0
    return list(done(await go_live.facts(connection, settings)).values()).count(False)


async def _guide(request: Request, connection: Connection) -> dict[str, Any]:
    """The rehearsal's steps with the sandbox, else the first steps as long as they are shown."""
    sandbox = site_of(request).settings.sandbox_url
    if sandbox:
        begun, tried = await dashboard.begun(connection), await dashboard.rehearsed(connection)
        steps = _rehearsal(begun, tried, sandbox)
    else:
        first = await first_steps.shown_on_dashboard(connection, site_of(request))
        steps = list(first.steps.values()) if first else []
    taken = [step.done for step in steps]
    at = taken.index(False) if False in taken else len(taken)
    return {
        "steps": steps,
        "at": at,
        "rehearsal": sandbox is not None,
        "polled": at < len(steps) - (0 if sandbox else 1),
    }


def _rehearsal(begun: Begun, tried: Rehearsed, sandbox: str) -> list[Step]:
    return [
        Step(
            _("Link a product"),
            _(
                "Create a product and link it to one of the sandbox's Stripe products. Its"
                " customers are imported."
            ),
            begun.linked,
            "/admin/products",
            _("Go to products"),
        ),
        Step(
            _("Buy it"),
            _(
                "Open a checkout on the sandbox's page and pay as anyone you like, with the"
                " card 4242 4242 4242 4242. Then find them among the product's members."
            ),
            begun.bought,
            f"{sandbox}/",
            _("Open the sandbox"),
        ),
        Step(
            _("Cancel it"),
            _(
                "On the sandbox's page, cancel the subscription at the end of its period, as"
                " a customer would in the portal. The member keeps access until then."
            ),
            tried.cancelled,
            f"{sandbox}/",
            _("Open the sandbox"),
        ),
        Step(
            _("Move the clock"),
            _("Move the sandbox's clock to just before the period ends. No need to wait a month."),
            tried.time_moved,
            f"{sandbox}/",
            _("Open the sandbox"),
        ),
        Step(
            _("See access end"),
            _("When the period ends, so does access, and the activity feed says why."),
            tried.door_closed,
            "/admin/activity?type=access_ended",
            _("View activity"),
        ),
    ]
