"""The team's search: people, products, objects of Stripe, pages and actions. The palette
(`palette.js`) shows what this page answers, so both find the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.store.users import search
from latchkey.store.users.search import FoundObject, FoundPerson, FoundProduct, ObjectKind
from latchkey.stripe_ids import in_path
from web.pages.guard import admin_page
from web.pages.lists import Query, number
from web.pages.navigation import ACTIONS, Entry, pages_matching
from web.pages.render import page
from web.site import site_of

MOST = 8
"""How many results of a kind are shown; lists have the rest."""

SHORTEST = 2
"""Shorter texts find pages only, since they match nearly everybody, unless they are an id."""

_OBJECTS = {
    ObjectKind.CUSTOMER: (A_("Customer"), "person", "/admin/customers?{}"),
    ObjectKind.SUBSCRIPTION: (A_("Subscription"), "clock", "/admin/subscriptions?{}"),
    ObjectKind.PURCHASE: (A_("Purchase"), "money", "/admin/purchases?{}"),
    ObjectKind.EVENT: (A_("Event"), "inbox", "/admin/inbox/{}"),
}


@dataclass(frozen=True)
class Result:
    """`icon` is a name in `web.pages.icons`."""

    address: str
    name: str
    detail: str
    icon: str


@dataclass(frozen=True)
class ResultGroup:
    """`more` is the list that has the rest, if there may be any."""

    name: str
    results: Sequence[Result]
    more: str | None = None


def routes() -> list[Route]:
    return [Route("/admin/search", index)]


@admin_page
async def index(request: Request) -> Response:
    query = Query(request, ("q",))
    pages, named = _pages(request, query["q"])
    exact, stored = await _stored(request, query["q"])
    groups = [*pages, *stored] if named and not exact else [*stored, *pages]
    return page(
        request,
        "admin/search.html",
        query=query,
        groups=[group for group in groups if group.results],
    )


async def _stored(request: Request, text: str) -> tuple[bool, list[ResultGroup]]:
    """What the database has, and whether the text names some of it exactly."""
    person_id = number(text)
    if len(text) < SHORTEST and person_id is None:
        return False, []
    async with site_of(request).pool.acquire() as connection:
        people = await search.people(connection, text, number=person_id, limit=MOST + 1)
        products = await search.products(connection, text, limit=MOST + 1)
        objects = await search.objects(connection, text, limit=MOST)
    exact = bool(objects) or any(person.exact for person in people)
    return exact, [
        ResultGroup(
            _("People"),
            [_person(person) for person in people[:MOST]],
            _listed("/admin/users", text, people),
        ),
        ResultGroup(_("In Stripe"), [_object(found) for found in objects]),
        ResultGroup(
            _("Products"),
            [_product(product) for product in products[:MOST]],
            _listed("/admin/products", text, products),
        ),
    ]


def _pages(request: Request, text: str) -> tuple[list[ResultGroup], bool]:
    """The pages and actions that somebody may open, and whether the name of one begins with the
    text."""
    admin = request.state.user.is_admin
    found = pages_matching(text, request.app.state.menus[admin], admin=admin)
    named = bool(text) and any(entry.name.casefold().startswith(text.casefold()) for entry in found)
    return [
        ResultGroup(_("Pages"), [_page(entry) for entry in found if entry not in ACTIONS]),
        ResultGroup(_("Actions"), [_page(entry) for entry in found if entry in ACTIONS]),
    ], named


def _listed(address: str, text: str, found: Sequence[object]) -> str | None:
    return f"{address}?{urlencode({'q': text})}" if len(found) > MOST else None


def _person(person: FoundPerson) -> Result:
    role = "" if person.role == "member" else person.role.capitalize()
    detail = " · ".join(part for part in (person.name, role) if part)
    return Result(f"/admin/users/{person.id}", person.email, detail, "person")


def _product(product: FoundProduct) -> Result:
    detail = _("Draft") if product.status == "draft" else ""
    return Result(f"/admin/products/{product.id}", product.name, detail, "product")


def _object(found: FoundObject) -> Result:
    name, icon, address = _OBJECTS[found.kind]
    named = in_path(found.id) if found.kind == ObjectKind.EVENT else urlencode({"q": found.id})
    return Result(address.format(named), name, found.id, icon)


def _page(entry: Entry) -> Result:
    return Result(entry.address, entry.name, "", entry.icon)
