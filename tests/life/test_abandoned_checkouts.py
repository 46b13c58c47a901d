"""A checkout that was left: one email to whoever agreed, and a link that leads where it should."""

from typing import Any

import pytest

from latchkey.mail.render import Rendered, render
from latchkey.store.feed import mails
from tests.harness import SECRETS, Latchkey, until
from tests.web.pages import Visitor, user, visit
from tests.web.test_member_checkout import for_sale, opened

pytestmark = pytest.mark.anyio

EMAIL, GUEST = "left@abandoned.example", "guest@abandoned.example"


async def reminders(site: Latchkey, email: str) -> list[str]:
    """Where the links of the emails to this address lead."""
    return [(mail.link or "").removeprefix(site.url) for mail in await rendered(site, email)]


async def rendered(site: Latchkey, email: str) -> list[Rendered]:
    """The emails to this address about checkouts that were left."""
    async with site.pool.acquire() as connection:
        found = await mails.listed(connection, kind="abandoned_checkout", search=email)
    return [render(mail, public_url=site.url, secrets=SECRETS) for mail in reversed(found)]


async def one_reminder(site: Latchkey, email: str) -> str:
    async def queued() -> list[str]:
        return await reminders(site, email)

    links: list[str] = await until(queued, f"{email} gets an email about the checkout")
    assert len(links) == 1
    return links[0]


async def switched_on(site: Latchkey) -> None:
    async with visit(site) as admin:
        await admin.sign_in()
        await admin.send(
            "/admin/mails/settings",
            abandoned_mail="yes",
            mails_per_minute="30",
            spread_per_hour="120",
        )


async def leaves(site: Latchkey, visitor: Visitor, slug: str, **entered: Any) -> str:
    """Open the checkout and go; the session that expired."""
    session = await opened(site, await visitor.goes(f"/buy/{slug}"))
    await site.stripe.control(f"checkout/{session['id']}/leave", **entered)
    await site.settled()
    return str(session["id"])


async def test_a_buyer_who_left_is_led_back(site: Latchkey) -> None:
    product, slug, _, _ = await for_sale(site, "Left behind", payment_link=False)
    member = await user(site, EMAIL)
    async with visit(site) as visitor:
        await visitor.sign_in_as(member, "left")
        assert "abandoned_checkout" not in (await visitor.get("/account/settings")).text
        session = await opened(site, await visitor.goes(f"/buy/{slug}"))
        assert session["after_expiration"] is None
        await site.stripe.control(f"checkout/{session['id']}/leave")
        await switched_on(site)
        await visitor.send(
            "/account/settings",
            "/account/mails",
            on_request="abandoned_checkout",
            product_access="yes",
            abandoned_checkout="yes",
        )
        session = await opened(site, await visitor.goes(f"/buy/{slug}"))
        assert session["after_expiration"]["recovery"]["enabled"]
        assert session["consent_collection"]["promotions"] == "auto"
        await site.stripe.control("clock/advance", seconds=25 * 3600)
        link = await one_reminder(site, EMAIL)
        event = await site.pool.fetchval(
            "select id from events where object_id = $1", session["id"]
        )
        await site.call("POST", f"/events/{event}/resend", 202)
        await site.settled()
        assert len(await reminders(site, EMAIL)) == 1, "the event came twice"

        again = await site.stripe.client.get(await visitor.goes(link))
        recovered = await opened(site, again.headers["location"])
        assert recovered["recovered_from"] == session["id"]
        assert recovered["client_reference_id"] == session["client_reference_id"]
        await site.stripe.pay(recovered, "payer@abandoned.example")
        await site.has(product, EMAIL)
        doubts = await site.pool.fetchval(
            "select count(*) from matches where kind like 'reference_%'"
        )
        assert doubts == 0, "it is the same attempt"
        assert await visitor.goes(link) == f"/buy/{slug}"
        assert await visitor.goes(f"/buy/{slug}") == f"/products/{slug}?done=owned"
    async with visit(site) as stranger:
        assert await stranger.goes(link) == f"/login?next=/buy/{slug}"
        await stranger.get("/checkout/again/nonsense", 404)


async def test_a_guest_who_consented_at_the_checkout(site: Latchkey) -> None:
    _, slug, price, _ = await for_sale(site, "Left by a guest", payment_link=False)
    await user(site, GUEST)
    await switched_on(site)
    async with visit(site) as guest:
        await leaves(site, guest, slug, email=GUEST, consent={"promotions": "opt_out"})
        assert await reminders(site, GUEST) == []
        left = await leaves(site, guest, slug, email=GUEST, consent={"promotions": "opt_in"})
        link = await one_reminder(site, GUEST)
        recovery = (await site.stripe.get(f"checkout/sessions/{left}"))["after_expiration"]
        assert await guest.goes(link) == recovery["recovery"]["url"]
        stored = str([dict(row) for row in await site.pool.fetch("select * from mails")])
        assert recovery["recovery"]["url"] not in stored
        stranger = "Stranger@xn--mnchen-3ya.example"
        guest.client.headers["accept-language"] = "ar"
        left = await leaves(site, guest, slug, email=stranger, consent={"promotions": "opt_in"})
        del guest.client.headers["accept-language"]
        again = await one_reminder(site, stranger)
        recovery = (await site.stripe.get(f"checkout/sessions/{left}"))["after_expiration"]
        assert await guest.goes(again) == recovery["recovery"]["url"]
        [mail] = await rendered(site, stranger)
        assert '<html lang="ar" dir="rtl"' in mail.html
        unsubscribe = (mail.unsubscribe or "").removeprefix(site.url)
        page = (await guest.get(unsubscribe)).text
        assert "Unsubscribe from emails about checkouts" in page
        assert "your account" not in page
        await guest.client.post(unsubscribe, data={"List-Unsubscribe": "One-Click"})
        await site.pool.execute("delete from abandoned_checkouts where user_id is null")
        await leaves(site, guest, slug, email=stranger, consent={"promotions": "opt_in"})
        assert len(await reminders(site, stranger)) == 1
        assert not await site.pool.fetchval("select count(*) from users where email ilike 'stran%'")
        await site.stripe.post(f"prices/{price}", active="false")
        await site.settled()
        assert await guest.goes(link) == f"/buy/{slug}?back=1"
        await guest.get(f"/buy/{slug}?back=1", 404)
