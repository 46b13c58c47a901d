"""The admin's first page: what needs attention, the first steps, or the rehearsal."""

import time
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store.checks import dashboard
from latchkey.store.checks.dashboard import Begun, Numbers, Rehearsed
from latchkey.store.feed import lines
from latchkey.store.pool import Connection
from web.pages.guard import admin_page
from web.pages.render import page
from web.site import Site, site_of

LATELY = 8
NUMBERS_SECONDS = 20.0


@dataclass(frozen=True)
class Step:
    """One step of a guide; `address` is where it is done."""

    title: str
    text: str
    done: bool
    address: str
    action: str


def routes() -> list[Route]:
    return [
        Route("/admin", show),
        Route("/admin/steps", steps),
    ]


@admin_page
async def show(request: Request) -> Response:
    async with site_of(request).pool.acquire() as connection:
        numbers = await _numbers(site_of(request), connection)
        attention = await dashboard.attention(connection)
        guide = await _guide(request, connection)
        rows = await lines.lines(connection, limit=LATELY)
    return page(
        request,
        "admin/dashboard.html",
        numbers=numbers,
        attention=attention,
        most=dashboard.MOST_COUNTED,
        rows=rows,
        **guide,
    )


@admin_page
async def steps(request: Request) -> Response:
    """The guide alone, which the page asks for again while it is open."""
    async with site_of(request).pool.acquire() as connection:
        guide = await _guide(request, connection)
    return page(request, "admin/dashboard_steps.html", **guide)


async def _numbers(site: Site, connection: Connection) -> Numbers:
    """The numbers, counted again after `NUMBERS_SECONDS`."""
    if site.numbers is None or site.numbers[0] < time.monotonic() - NUMBERS_SECONDS:
        site.numbers = (time.monotonic(), await dashboard.numbers(connection))
    return site.numbers[1]


async def _guide(request: Request, connection: Connection) -> dict[str, Any]:
    sandbox = site_of(request).settings.sandbox_url
    begun = await dashboard.begun(connection)
    if sandbox:
        found = _rehearsal(begun, await dashboard.rehearsed(connection), sandbox)
    else:
        found = _first_steps(begun)
    done = [step.done for step in found]
    return {
        "steps": found,
        "at": done.index(False) if False in done else len(done),
        "rehearsal": sandbox is not None,
    }


def _first_steps(begun: Begun) -> list[Step]:
    return [
        Step(
            "Connect Stripe",
            "A secret or restricted key is enough; what it can't do is listed by name.",
            begun.connected,
            "/admin/connectors",
            "Connect Stripe",
        ),
        Step(
            "Make a product",
            "What your members open: a course, a community, a download.",
            begun.product,
            "/admin/products/new",
            "Make a product",
        ),
        Step(
            "Link it to a Stripe product",
            "A preview says who gets in before anything happens.",
            begun.linked,
            "/admin/products",
            "Choose the product",
        ),
        Step(
            "The first purchase",
            "Whoever buys the Stripe product, anywhere, is let in by itself.",
            begun.bought,
            "/admin/activity",
            "Watch the activity",
        ),
    ]


def _rehearsal(begun: Begun, tried: Rehearsed, sandbox: str) -> list[Step]:
    return [
        Step(
            "Link a product",
            "Make a product and link it to one of the sandbox's Stripe products. Its customers are"
            " imported.",
            begun.linked,
            "/admin/products",
            "Go to the products",
        ),
        Step(
            "Buy it",
            "Open a checkout on the sandbox's page and pay as anybody you like, with the card"
            " 4242 4242 4242 4242. Then look for them among the product's members.",
            begun.bought,
            f"{sandbox}/",
            "Open the sandbox",
        ),
        Step(
            "Cancel it",
            "On the sandbox's page, cancel the subscription at its period's end, as a customer does"
            " in the portal. The member keeps access, and everybody sees until when.",
            tried.cancelled,
            f"{sandbox}/",
            "Open the sandbox",
        ),
        Step(
            "Move time",
            "The sandbox's clock can be moved to just before that end: no need to wait a month.",
            tried.time_moved,
            f"{sandbox}/",
            "Open the sandbox",
        ),
        Step(
            "See the door close",
            "At the end the access is over: the member is let out, and the feed says why.",
            tried.door_closed,
            "/admin/activity?type=access_ended",
            "See it in the activity",
        ),
    ]
