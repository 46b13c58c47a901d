"""Who may open which page and send which form: every route for every role.

Of the routes, not of a list: a new route is for the team if its path begins with /admin, for
whoever is signed in if it begins with /account, and otherwise has to be named here.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from latchkey.mail.variants import VARIANTS
from latchkey.store import site_settings
from tests.digest import digest
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from web import api, pages
from web.wording.page_texts import PLACES

pytestmark = pytest.mark.anyio

ROLES = ("nobody", "member", "support", "admin", "owner")
SIGNED_IN = {
    "/acting/stop",
    "/embed/sign-in/{ticket}",
    "/library",
    "/login/again",
    "/products/{slug}/lessons/{lesson}/done",
}
"""`/library` is for everybody where the site's settings say so."""
OPEN = {
    "/",
    "/auth/enter/{id}",
    "/auth/enter/{id}/buy",
    "/billing/card/{token}",
    "/buy/{slug}",
    "/buy/{slug}/checkout",
    "/checkout/again/{token}",
    "/checkout/success",
    "/embed.js",
    "/embed/access",
    "/embed/products/{slug}",
    "/embed/sign-in",
    "/language",
    "/login",
    "/login/code",
    "/login/link",
    "/login/passkey",
    "/login/passkey/options",
    "/login/recover",
    "/login/{token}",
    "/logout",
    "/merge/{token}",
    "/oauth/authorize",
    "/oauth/authorize/{id}",
    "/oauth/authorize/{id}/account",
    "/oauth/authorize/{id}/buy",
    "/oauth/authorize/{id}/sign-out",
    "/oauth/logout",
    "/oauth/logout/confirm",
    "/products/{slug}",
    "/products/{slug}/lessons/{lesson}",
    "/products/{slug}/lessons/{lesson}/files/{file}",
    "/sales/{slug}",
    "/setup/{token}",
    "/setup/{token}/passkey",
    "/theme.css",
    "/unsubscribe/{token}",
}
"""For everybody. What they show depends on the visitor, or on a token in the address."""
TICKED_LISTS = ("users", "subscriptions", "purchases", "customers")
SUPPORT_MAY_POST = {
    "/admin/at-risk/{id}/mail",
    *(f"/admin/{name}.csv" for name in TICKED_LISTS),
    *(f"/admin/{name}/emails" for name in TICKED_LISTS),
    "/admin/inbox/resend-failed",
    "/admin/inbox/{id}/resend",
    "/admin/mails/{id}/resend",
    "/admin/users/{id}/link",
    "/admin/users/{id}/notes",
    "/admin/products/{id}/sales-page/blocks/new/{kind}/preview",
    "/admin/products/{id}/stripe/preview",
}
"""To send again what was sent, to note something, to look at more: nothing that gives or takes."""
SUPPORT_MAY_NOT_OPEN = {"/admin/audit", "/admin/audit.csv", "/admin/users/{id}/sign-in-as"}
ONLY_OWNERS_OPEN = {"/admin/users/{id}/merge/now"}
TOKENS_ALONE = {"/unsubscribe/{token}"}
"""Forms that mail programs send: the signed address is all that they have."""

OPENAPI, UNKNOWN = "/api/v1/openapi.json", "/api/v1/{rest:path}"

Visitors = dict[str, Visitor]


@pytest.fixture(scope="module")
async def visitors(shared: Latchkey) -> AsyncIterator[Visitors]:
    """One browser for each role."""
    async with AsyncExitStack() as stack:
        made = {role: await stack.enter_async_context(visit(shared)) for role in ROLES}
        for role in ROLES[1:]:
            number = await user(shared, f"{role}@roles.example", role)
            await made[role].sign_in_as(number, f"{role} of all roles")
        yield made


@pytest.fixture
async def product(shared: Latchkey) -> str:
    return await shared.product("For all roles")


def paths(method: str) -> set[str]:
    return {route.path for route in pages.routes() if method in (route.methods or set())}


def filled(path: str, product: str, person: int) -> str:
    """A path with ids of things that exist, where there are such things."""
    if path.startswith("/admin/products"):
        path = path.replace("{id}", product)
    path = path.replace("{variant}/{language}", f"{min(VARIANTS)}/en")
    path = path.replace("{place}/{language}", f"{min(PLACES)}/en")
    return re.sub(r"\{\w+(:\w+)?\}", str(person), path)


def outcome(answer: httpx.Response) -> str:
    """What a role gets: the way to the sign-in page, a refusal, or in."""
    if answer.status_code == 303 and answer.headers["location"].startswith("/login?next="):
        return "sign in"
    if answer.status_code == 403 and "You don&#39;t have permission" in answer.text:
        return "refused"
    if answer.status_code == 403 and "You&#39;re still signed in as yourself" in answer.text:
        return "refused"
    return "in"


def expected(method: str, path: str, role: str) -> str:
    if path in OPEN:
        return "in"
    if role == "nobody":
        return "sign in"
    if path.startswith("/account") or path in SIGNED_IN:
        return "in"
    assert path.startswith("/admin"), f"{path} has to be named in this file"
    if role == "member":
        return "refused"
    if role == "support" and method == "POST":
        return "in" if path in SUPPORT_MAY_POST else "refused"
    if method == "GET" and role != "owner" and path in ONLY_OWNERS_OPEN:
        return "refused"
    if role == "support" and path in SUPPORT_MAY_NOT_OPEN:
        return "refused"
    return "in"


@pytest.mark.parametrize("role", ROLES)
async def test_forms_are_taken_from_whom_they_are_for(
    shared: Latchkey, visitors: Visitors, product: str, role: str
) -> None:
    """Without the form's token, so that nothing is done: whoever is let in hears that."""
    person = await user(shared, "posted@roles.example")
    before = await digest(shared)
    wrong = []
    for path in sorted(paths("POST")):
        answer = await visitors[role].client.post(filled(path, product, person), data={})
        if outcome(answer) != expected("POST", path, role):
            wrong.append(f"{path}: {outcome(answer)} ({answer.status_code})")
        elif outcome(answer) == "in" and path not in TOKENS_ALONE:
            refused = answer.status_code == 403 and "This form has expired" in answer.text
            if not refused and "{token}" not in path:
                wrong.append(f"{path} was taken: {answer.status_code}")
    assert wrong == []
    assert await digest(shared) == before


@pytest.mark.parametrize("role", ROLES)
async def test_pages_open_for_whom_they_are_for(
    shared: Latchkey, visitors: Visitors, product: str, role: str
) -> None:
    person = await user(shared, "opened@roles.example")
    async with shared.pool.acquire() as connection:
        await site_settings.change(connection, public_content=False)
    wrong = []
    for path in sorted(paths("GET")):
        answer = await visitors[role].client.get(filled(path, product, person))
        if answer.status_code >= 500 or outcome(answer) != expected("GET", path, role):
            wrong.append(f"{path}: {outcome(answer)} ({answer.status_code})")
    assert wrong == []


async def test_a_role_that_was_taken_is_gone_at_the_next_request(shared: Latchkey) -> None:
    person = await user(shared, "taken@roles.example", "admin")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(person, "an admin for now")
        await visitor.get("/admin/settings/team")
        await shared.pool.execute("update users set role = 'member' where id = $1", person)
        await visitor.get("/admin/settings/team", 403)


async def test_the_api_answers_nobody_without_a_token(shared: Latchkey) -> None:
    async with visit(shared) as visitor:
        for route in api.routes():
            path = re.sub(r"\{\w+(:\w+)?\}", "1", route.path)
            for method in sorted(route.methods or set()):
                for headers in ({}, {"Authorization": "Bearer guessed-by-somebody"}):
                    answer = await visitor.client.request(method, path, headers=headers)
                    known = {OPENAPI: 200, UNKNOWN: 404}.get(route.path, 401)
                    assert answer.status_code == known, f"{method} {path}"
