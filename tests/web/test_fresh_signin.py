"""What asks for a sign-in within the last 15 minutes: whatever lets others in or keeps them out."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.digest import digest
from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_sessions import age
from web import pages

pytestmark = pytest.mark.anyio

FRESH = {
    "/account/email": "/account/settings",
    "/account/password": "/account/settings#password",
    "/account/security/app": "/account/security",
    "/account/security/app/remove": "/account/security",
    "/account/security/codes": "/account/security",
    "/account/security/passkeys": "/account/security",
    "/account/security/passkeys/options": "/account/security",
    "/account/security/passkeys/{id}/remove": "/account/security",
    "/account/security/passkeys/{id}/rename": "/account/security",
    "/account/sessions/end": "/account/settings#sessions",
    "/account/sessions/{id}/end": "/account/settings#sessions",
    "/admin/clients/new": "/admin/clients/new",
    "/admin/clients/{id}": "/admin/clients/{id}",
    "/admin/clients/{id}/delete": "/admin/clients/{id}/delete",
    "/admin/clients/{id}/secrets": "/admin/clients/{id}",
    "/admin/clients/{id}/secrets/{secret}/revoke": "/admin/clients/{id}",
    "/admin/connectors/stripe": "/admin/connectors",
    "/admin/connectors/stripe/disconnect": "/admin/connectors/stripe/disconnect",
    "/admin/mails/server": "/admin/mails/server",
    "/admin/mails/server/test": "/admin/mails/server",
    "/admin/mails/server/remove": "/admin/mails/server",
    "/admin/protected-sites/new": "/admin/protected-sites/new",
    "/admin/protected-sites/{id}": "/admin/protected-sites/{id}",
    "/admin/protected-sites/{id}/delete": "/admin/protected-sites/{id}/delete",
    "/admin/sandbox/leave": "/admin/sandbox",
    "/admin/settings/team": "/admin/settings/team",
    "/admin/settings/team/second-factor": "/admin/settings/team/second-factor",
    "/admin/users/{id}/factors": "/admin/users/{id}/factors",
    "/admin/settings/team/{id}": "/admin/settings/team",
    "/admin/settings/embed": "/admin/settings/embed",
    "/admin/communities/new/{kind}": "/admin/communities/new/{kind}",
    "/admin/communities/{id}/keys": "/admin/communities/{id}/keys",
    "/admin/communities/{id}/remove": "/admin/communities/{id}/remove",
    "/admin/tokens": "/admin/tokens",
    "/admin/tokens/{id}/revoke": "/admin/tokens/{id}/revoke",
    "/admin/users/import/{id}/undo": "/admin/users/import/{id}/undo",
    "/admin/users/{id}/erase": "/admin/users/{id}/erase",
    "/admin/webhooks/new": "/admin/webhooks/new",
    "/admin/webhooks/{id}/change": "/admin/webhooks/{id}/change",
    "/admin/webhooks/{id}/delete": "/admin/webhooks/{id}/delete",
    "/admin/webhooks/{id}/secret": "/admin/webhooks/{id}/secret",
    "/admin/users/{id}/merge/now": "/admin/users/{id}/merge/now",
}
"""The page that each of them leads back to."""
WITHOUT = {
    "/account/email/{token}": "its link was asked for after a fresh sign-in",
    "/account/claims/{token}": "adds an address whose mailbox was proved",
    "/admin/users/{id}/sessions/end": "lets nobody in, and has to be quick",
    "/admin/users/{id}/sessions/{session}/end": "lets nobody in, and has to be quick",
    "/admin/connectors/stripe/check": "reads with the key that is stored",
    "/admin/connectors/stripe/portal": "what members see in Stripe's portal",
    **{
        f"/admin/{name}/emails": "shows what the list shows, and its CSV has"
        for name in ("users", "subscriptions", "purchases", "customers")
    },
}
TELLING = re.compile(r"password|email|session|token|team|erase|connectors|security|factor|secret")
"""A new form with such a path belongs into one of the two tables."""


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


def posting() -> dict[str, str | None]:
    """Each route with a form, and where it leads back to if it asks for a fresh sign-in."""
    return {
        route.path: getattr(route.endpoint, "fresh_back", None)
        for route in pages.routes()
        if "POST" in (route.methods or set())
    }


def test_no_form_that_matters_is_forgotten() -> None:
    asking = {path: back for path, back in posting().items() if back is not None}
    assert asking == FRESH
    telling = {
        path
        for path in posting()
        if path.startswith(("/account", "/admin")) and TELLING.search(path)
    }
    assert telling <= set(FRESH) | set(WITHOUT)


async def test_they_ask_for_a_fresh_sign_in_and_change_nothing(
    shared: Latchkey, visitor: Visitor
) -> None:
    owner = await user(shared, "stale@fresh.example", "owner")
    victim = await user(shared, "victim@fresh.example")
    await visitor.sign_in_as(owner, "fresh: stale owner")
    await age(shared, owner, authenticated_at="14 minutes")
    await visitor.send("/account/settings", "/account/password", 422, password="short")
    await age(shared, owner, authenticated_at="16 minutes")
    before = await digest(shared)
    for path, back in FRESH.items():
        number = str(victim)
        path, back = (
            one.replace("{id}", number).replace("{kind}", "discord") for one in (path, back)
        )
        answer = await visitor.send("/account/settings", path, role="admin")
        wanted = back.replace("#", "%23")
        assert answer.headers["location"] == f"/login/again?next={wanted}", path
    assert await digest(shared) == before


async def test_the_page_says_so_before_anything_is_typed(
    shared: Latchkey, visitor: Visitor
) -> None:
    owner = await user(shared, "hinted@fresh.example", "owner")
    await visitor.sign_in_as(owner, "fresh: hinted owner")
    where = (
        "/account/settings",
        "/account/security",
        "/admin/tokens",
        "/admin/settings/team",
        f"/admin/users/{owner}/erase",
        f"/admin/users/{owner}/merge/now",
    )
    for page in where:
        assert "/login/again" not in (await visitor.get(page)).text, page
    await age(shared, owner, authenticated_at="16 minutes")
    for page in where:
        assert f'href="/login/again?next={page}"' in (await visitor.get(page)).text, page


async def test_a_link_asked_for_to_confirm_leads_back(shared: Latchkey, visitor: Visitor) -> None:
    member = await user(shared, "mailed@fresh.example")
    await visitor.sign_in_as(member, "fresh: mailed")
    await age(shared, member, authenticated_at="16 minutes")
    again = "/login/again?next=/account/settings"
    sent = await visitor.send(again, "/login/link", email="mailed@fresh.example", next="/account")
    assert sent.headers["location"] == "/login/again?done=link-sent&next=/account"
    assert "a sign-in link is on its way" in (await visitor.get(sent.headers["location"])).text
