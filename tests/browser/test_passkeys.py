"""Passkeys in a browser with a virtual authenticator; and a second factor that a site requires."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from playwright.async_api import CDPSession, Page, Route, expect

from latchkey import passwords
from tests.browser.conftest import follow, press
from tests.harness import Latchkey, free_port
from tests.web.pages import user

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

PASSWORD = "purple anvils sing"
HERE = "/account/security"
OPTIONS = "**/login/passkey/options"
REFUSED = re.compile("The passkey wasn't used: it was cancelled")


@pytest.fixture(scope="module")
async def local(shared: Latchkey) -> AsyncIterator[Latchkey]:
    """The shared site at a name for which browsers offer passkeys; 127.0.0.1 isn't one."""
    url = f"http://localhost:{free_port()}"
    made = replace(shared, url=url, settings=shared.settings.model_copy(update={"public_url": url}))
    await made.start_web()
    yield made
    await made.stop_web()


@dataclass
class Authenticator:
    """A device with a fingerprint reader, as Chromium plays it."""

    cdp: CDPSession
    id: str

    async def verifies(self, verified: bool) -> None:
        """Whether the finger is the right one from now on."""
        await self.cdp.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified}
        )

    async def touched(self, touched: bool) -> None:
        """Whether somebody touches it as soon as it is asked."""
        await self.cdp.send(
            "WebAuthn.setAutomaticPresenceSimulation",
            {"authenticatorId": self.id, "enabled": touched},
        )

    async def credentials(self) -> list[dict[str, Any]]:
        answer = await self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        found: list[dict[str, Any]] = answer["credentials"]
        return found


async def plug_in(page: Page, *, offering: bool = False) -> Authenticator:
    """`offering` has the browser offer passkeys in the field for the address. Chromium plays that
    somebody picks one at once."""
    if not offering:
        await page.add_init_script(
            "PublicKeyCredential.isConditionalMediationAvailable = async () => false"
        )
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    answer = await cdp.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )
    return Authenticator(cdp, answer["authenticatorId"])


async def person(site: Latchkey, email: str, role: str = "member") -> int:
    made = await user(site, email, role)
    hashed = await passwords.hash_password(PASSWORD)
    await site.pool.execute("update users set password_hash = $2 where id = $1", made, hashed)
    return made


async def sign_in(page: Page, site: Latchkey, email: str) -> None:
    await page.goto(f"{site.url}/login?next={HERE}")
    form = page.locator("form[action='/login']")
    await form.get_by_label("Email", exact=True).fill(email)
    await form.get_by_label("Password", exact=True).fill(PASSWORD)
    await follow(form.get_by_role("button", name="Sign in", exact=True))


async def add_passkey(page: Page, site: Latchkey, name: str) -> None:
    await page.goto(f"{site.url}{HERE}")
    await page.get_by_label("Name of the new passkey", exact=True).fill(name)
    await page.get_by_role("button", name="Add a passkey", exact=True).click()
    await expect(page.get_by_text(re.compile(r"Passkey added\."))).to_be_visible()


async def use_passkey(page: Page, site: Latchkey) -> None:
    await page.goto(f"{site.url}/login?next={HERE}")
    await page.get_by_role("button", name="Sign in with a passkey", exact=True).click()


async def sign_out(page: Page) -> None:
    await follow(page.get_by_role("button", name="Sign out", exact=True))
    await expect(page.get_by_text("You're signed out.", exact=True)).to_be_visible()


async def test_a_passkey_is_added_signs_in_and_is_removed(local: Latchkey, page: Page) -> None:
    email = "ada@passkeys.example"
    member = await person(local, email)
    device = await plug_in(page)
    await sign_in(page, local, email)
    await add_passkey(page, local, "My phone")
    await expect(page.get_by_text(re.compile("not used yet"))).to_be_visible()
    await page.get_by_label("Name of the new passkey", exact=True).fill("Again")
    await page.get_by_role("button", name="Add a passkey", exact=True).click()
    await expect(
        page.get_by_text(re.compile("already has a passkey for your account"))
    ).to_be_visible()

    await sign_out(page)
    await use_passkey(page, local)
    await expect(page.get_by_text(re.compile("last used"))).to_be_visible()
    await page.goto(f"{local.url}/account/settings")
    await expect(page.get_by_text(re.compile("with a passkey"))).to_be_visible()

    await local.pool.execute(
        "update sessions set authenticated_at = now() - interval '1 hour' where user_id = $1",
        member,
    )
    await page.goto(f"{local.url}{HERE}")
    await follow(page.get_by_role("link", name="confirm that it's you", exact=True))
    await page.get_by_role("button", name="Continue with a passkey", exact=True).click()
    await expect(page).to_have_url(f"{local.url}{HERE}")
    await expect(page.get_by_role("link", name="confirm that it's you", exact=True)).to_have_count(
        0
    )

    await page.goto(f"{local.url}{HERE}")
    await press(page, "Remove the passkey My phone")
    await expect(
        page.get_by_text(re.compile(r"You've been signed out everywhere else\."))
    ).to_be_visible()
    await sign_out(page)
    assert len(await device.credentials()) == 1, "the device doesn't know that it was removed"
    await use_passkey(page, local)
    await expect(page.get_by_text(re.compile(r"This passkey wasn't accepted\."))).to_be_visible()
    changes = await local.pool.fetch(
        "select data->>'change' as change from mails where user_id = $1 order by id", member
    )
    assert [row["change"] for row in changes] == ["passkey_added", "passkey_removed"]


async def test_a_passkey_gets_another_name(local: Latchkey, page: Page) -> None:
    email = "names@passkeys.example"
    await person(local, email)
    await plug_in(page)
    await sign_in(page, local, email)
    await add_passkey(page, local, "Phone")
    await page.get_by_label("Rename the passkey Phone", exact=True).click()
    await page.get_by_label("New name", exact=True).fill("Old phone")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Old phone", exact=True)).to_be_visible()
    await expect(
        page.get_by_role("button", name="Remove the passkey Old phone", exact=True)
    ).to_be_visible()


async def test_passkeys_are_offered_in_the_field_for_the_address(
    local: Latchkey, page: Page
) -> None:
    email = "offered@passkeys.example"
    await person(local, email)
    device = await plug_in(page, offering=True)
    await sign_in(page, local, email)
    await add_passkey(page, local, "Phone")
    await device.touched(False)
    async with page.expect_response(OPTIONS):
        await sign_out(page)
    field = page.locator("form[action='/login']").get_by_label("Email", exact=True)
    await expect(field).to_have_attribute("autocomplete", "username webauthn")

    async def touch_first(route: Route) -> None:
        await device.touched(True)
        await route.continue_()

    await page.route(OPTIONS, touch_first)
    await page.get_by_role("button", name="Sign in with a passkey", exact=True).click()
    await expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    await page.goto(f"{local.url}{HERE}")
    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page).to_have_url(f"{local.url}/library")
    await page.goto(f"{local.url}/account/settings")
    await expect(page.get_by_text(re.compile("with a passkey")).first).to_be_visible()


async def test_a_passkey_is_asked_for_before_the_browser_can_offer_any(
    local: Latchkey, page: Page
) -> None:
    email = "early@passkeys.example"
    await person(local, email)
    device = await plug_in(page, offering=True)
    await page.add_init_script(
        "const offers = new Promise((offer) => { window.offerNow = () => offer(true); });"
        "PublicKeyCredential.isConditionalMediationAvailable = () => offers;"
    )
    await sign_in(page, local, email)
    await add_passkey(page, local, "Phone")
    await device.touched(False)
    await sign_out(page)
    asked: list[str] = []

    async def offer_first(route: Route) -> None:
        asked.append(route.request.url)
        await page.evaluate("() => { offerNow(); }")
        await device.touched(True)
        await route.continue_()

    await page.route(OPTIONS, offer_first)
    await page.get_by_role("button", name="Sign in with a passkey", exact=True).click()
    await expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    assert len(asked) == 1, "the browser was asked for two answers at once"


async def test_a_wrong_finger_or_a_cancelled_dialog_says_so(local: Latchkey, page: Page) -> None:
    email = "cancel@passkeys.example"
    await person(local, email)
    device = await plug_in(page)
    await sign_in(page, local, email)
    await device.verifies(False)
    await page.get_by_label("Name of the new passkey", exact=True).fill("Phone")
    await page.get_by_role("button", name="Add a passkey", exact=True).click()
    await expect(page.get_by_text(REFUSED, exact=True)).to_be_visible()
    await device.verifies(True)
    await page.get_by_role("button", name="Add a passkey", exact=True).click()
    await expect(page.get_by_text(re.compile(r"Passkey added\."))).to_be_visible()
    await sign_out(page)
    await device.verifies(False)
    await use_passkey(page, local)
    await expect(page.get_by_text(REFUSED, exact=True)).to_be_visible()


async def test_another_address_of_the_site_cannot_use_its_passkeys(
    local: Latchkey, page: Page
) -> None:
    email = "origin@passkeys.example"
    await person(local, email)
    await plug_in(page)
    await sign_in(page, local, email)
    await add_passkey(page, local, "Phone")
    await page.context.clear_cookies()
    elsewhere = local.url.replace("localhost", "127.0.0.1")
    await page.goto(f"{elsewhere}/login")
    await page.get_by_role("button", name="Sign in with a passkey", exact=True).click()
    await expect(
        page.get_by_text(re.compile(r"Passkeys don't work at this address\."))
    ).to_be_visible()


async def test_an_answer_for_another_origin_or_used_twice_is_refused(
    local: Latchkey, page: Page
) -> None:
    """A site on another port shares the passkey's domain, so the browser lets it ask."""
    email = "replay@passkeys.example"
    await person(local, email)
    await plug_in(page)
    await sign_in(page, local, email)
    await add_passkey(page, local, "Phone")
    await page.context.clear_cookies()
    async with another(local) as other:
        await page.goto(f"{other.url}/login")
        foreign = await answer_of(page)
        assert await posted(page, foreign) == 303, "right for the site that asked"
        await page.context.clear_cookies()
        await page.goto(f"{other.url}/login")
        foreign = await answer_of(page)
        await page.goto(f"{local.url}/login")
        assert await posted(page, foreign) == 400
    await page.context.clear_cookies()
    await page.goto(f"{local.url}/login")
    answer = await answer_of(page)
    assert await posted(page, answer) == 303
    await page.context.clear_cookies()
    await page.goto(f"{local.url}/login")
    assert await posted(page, answer) == 400


async def test_a_copied_passkey_is_refused(local: Latchkey, page: Page) -> None:
    """Its count of uses is behind ours."""
    email = "copy@passkeys.example"
    member = await person(local, email)
    await plug_in(page)
    await sign_in(page, local, email)
    await add_passkey(page, local, "Phone")
    await local.pool.execute("update passkeys set sign_count = 1000 where user_id = $1", member)
    await sign_out(page)
    await use_passkey(page, local)
    await expect(page.get_by_text(re.compile(r"This passkey wasn't accepted\."))).to_be_visible()


async def test_browsers_that_cannot_read_json_use_passkeys_too(local: Latchkey, page: Page) -> None:
    email = "older@passkeys.example"
    await person(local, email)
    await plug_in(page)
    await page.add_init_script(
        """
        delete PublicKeyCredential.parseCreationOptionsFromJSON;
        delete PublicKeyCredential.parseRequestOptionsFromJSON;
        delete PublicKeyCredential.prototype.toJSON;
        """
    )
    await sign_in(page, local, email)
    await add_passkey(page, local, "First")
    await page.get_by_label("Name of the new passkey", exact=True).fill("Again")
    await page.get_by_role("button", name="Add a passkey", exact=True).click()
    await expect(
        page.get_by_text(re.compile("already has a passkey for your account"))
    ).to_be_visible()
    await sign_out(page)
    await use_passkey(page, local)
    await expect(page.get_by_text(re.compile("last used"))).to_be_visible()


async def test_browsers_without_passkeys_say_so(local: Latchkey, page: Page) -> None:
    email = "none@passkeys.example"
    await person(local, email)
    await page.add_init_script("delete window.PublicKeyCredential")
    await sign_in(page, local, email)
    await expect(
        page.get_by_text(re.compile(r"Your browser doesn't support passkeys\."))
    ).to_be_visible()
    await sign_out(page)
    await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    await expect(
        page.get_by_role("button", name="Sign in with a passkey", exact=True)
    ).to_be_hidden()


async def test_pages_without_https_say_why_there_are_no_passkeys(
    shared: Latchkey, page: Page
) -> None:
    await person(shared, "http@passkeys.example")
    await sign_in(page, shared, "http@passkeys.example")
    await expect(
        page.get_by_text(re.compile("Browsers don't offer passkeys at this site"))
    ).to_be_visible()
    await expect(page.get_by_role("button", name="Add a passkey", exact=True)).to_have_count(0)


@asynccontextmanager
async def another(site: Latchkey) -> AsyncIterator[Latchkey]:
    """The same site at another port."""
    url = f"http://localhost:{free_port()}"
    made = replace(site, url=url, settings=site.settings.model_copy(update={"public_url": url}))
    await made.start_web()
    yield made
    await made.stop_web()


async def answer_of(page: Page) -> str:
    """The browser's answer to what the sign-in page asks, not sent."""
    answer: str = await page.evaluate(
        """async () => {
          const form = document.querySelector("form[data-passkey]");
          const body = new URLSearchParams(new FormData(form));
          const asked = await fetch(form.dataset.options, { method: "POST", body });
          const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await asked.json());
          return JSON.stringify((await navigator.credentials.get({ publicKey })).toJSON());
        }"""
    )
    return answer


async def posted(page: Page, answer: str) -> int:
    """Send an answer by the form of the page that is open; what the server says to it."""
    status: int = await page.evaluate(
        """async (answer) => {
          const form = document.querySelector("form[data-passkey]");
          const body = new URLSearchParams(new FormData(form));
          body.set("credential", answer);
          const done = await fetch(form.action, { method: "POST", body, redirect: "manual" });
          return done.type === "opaqueredirect" ? 303 : done.status;
        }""",
        answer,
    )
    return status
