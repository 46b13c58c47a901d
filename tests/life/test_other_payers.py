"""Identity is what was proved: references that expire and name one product, and purchases that
another address paid."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from latchkey import references, signin_links
from latchkey.store.feed import mails
from latchkey.vault import Vault
from tests.harness import SECRET, SECRETS, Json, Latchkey
from tests.life.play import granted, linked
from tests.life.test_identity import match as match_of
from tests.web.pages import Visitor, left_for, user, visit

pytestmark = pytest.mark.anyio

VAULT = Vault(SECRETS)


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def paid(site: Latchkey, price: str, reference: str, email: str, mode: str) -> Json:
    """A checkout with a reference, paid with an address; the session."""
    session = await site.stripe.checkout(price, mode=mode, client_reference_id=reference)
    return await site.stripe.pay(session, email)


async def mails_to(site: Latchkey, user_id: int) -> list[tuple[str, str | None]]:
    """The kinds of a user's emails about who paid, and where they go if not to the user."""
    rows = await site.pool.fetch(
        "select kind, to_email from mails where user_id = $1 and kind like 'paid_%' order by kind",
        user_id,
    )
    return [(row["kind"], row["to_email"]) for row in rows]


async def claim_path(site: Latchkey, email: str) -> str:
    claim = await site.pool.fetchval(
        "select (data ->> 'claim')::int from mails where to_email = $1 and kind = 'paid_address'",
        email,
    )
    return f"/account/claims/{signin_links.sign_claim(claim, secrets=SECRETS)}"


async def customer_of(site: Latchkey, customer: str) -> Any:
    return await site.pool.fetchrow(
        "select user_id, billing_user from customers where id = $1", customer
    )


async def test_the_payer_is_bound_once_the_mailbox_is_proven(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, _, price = await linked(shared)
    me = await user(shared, "member@paid.example")
    await visitor.sign_in_as(me, "paid1")
    reference = references.sign(me, product, vault=VAULT)
    session = await paid(shared, price, reference, "relay@paid.example", "subscription")
    await shared.has(product, "member@paid.example")
    doubt = await match_of(shared, "other_payer", email="relay@paid.example")
    assert (doubt["user_id"], doubt["other_id"], doubt["merges"]) == (me, None, False)
    assert await mails_to(shared, me) == [
        ("paid_address", "relay@paid.example"),
        ("paid_elsewhere", None),
    ]
    assert await customer_of(shared, session["customer"]) == (None, None)
    page = (await visitor.get("/account")).text
    assert "Manage billing" not in page
    assert "r•••@paid.example" in page
    subscription = session["subscription"]
    shown = "/account/settings"
    await visitor.send(shown, "/account/billing", expect=404)
    await visitor.send(shown, "/account/billing", expect=404, customer=session["customer"])
    await visitor.send(shown, "/account/billing", expect=404, subscription=subscription)
    await visitor.send(shown, "/account/receipt", expect=404, source=subscription)
    await shared.call("POST", "/portal-sessions", 409, json={"email": "member@paid.example"})
    thanks = f"/checkout/success?session={session['id']}"
    text = (await visitor.get(thanks)).text
    assert "You can open it right away" in text
    assert "emailed a link to it" in text
    assert "r•••@paid.example" in text
    async with visit(shared) as stranger:
        text = (await stranger.get(thanks)).text
        assert 'sent an email to <strong class="wrap">m•••@paid.example' in text
        assert 'paid for with <strong class="wrap">r•••@paid.example' in text
        assert "relay@" not in text
        assert (await stranger.goes(await claim_path(shared, "relay@paid.example"))).startswith(
            "/login"
        )
    await visitor.send(await claim_path(shared, "relay@paid.example"))
    assert await customer_of(shared, session["customer"]) == (me, me)
    answer = await visitor.send("/account", "/account/billing", 200, subscription=subscription)
    assert left_for(answer).startswith(f"{shared.stripe.url}/p/session/bps_")
    await visitor.send("/account", "/account/receipt", 200, source=subscription)
    state = await shared.pool.fetchval("select state from matches where id = $1", doubt["id"])
    assert state == "settled"
    assert "emailed a link to it" not in (await visitor.get(thanks)).text


@pytest.mark.parametrize(
    ("session", "prefers", "language"),
    [("fr", "ja", "fr"), (None, "ja-JP", "ja"), (None, "nl", "tr"), ("auto", None, "tr")],
)
async def test_a_payer_without_an_account_reads_the_language_of_the_payment(
    shared: Latchkey, session: str | None, prefers: str | None, language: str
) -> None:
    product, _, price = await linked(shared)
    name = f"{session or prefers or 'x'}-{prefers}".lower()
    me = await user(shared, f"{name}@reads.example")
    await shared.pool.execute("update users set locale = 'tr' where id = $1", me)
    payer = f"pays-{name}@reads.example"
    reference = references.sign(me, product, vault=VAULT)
    options: dict[str, Any] = {"locale": session} if session else {}
    if prefers:
        customer = await shared.stripe.customer(payer)
        await shared.stripe.post(f"customers/{customer}", preferred_locales=[prefers])
        options["customer"] = customer
    checkout = await shared.stripe.checkout(price, client_reference_id=reference, **options)
    await shared.stripe.pay(checkout, payer)
    await shared.has(product, f"{name}@reads.example")
    mail = await shared.pool.fetchval("select id from mails where to_email = $1", payer)
    async with shared.pool.acquire() as connection:
        found = await mails.find(connection, mail)
    assert found
    assert found.language == language


async def test_later_purchases_of_the_payer_are_the_payers(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, _, price = await linked(shared)
    me = await user(shared, "first@paid.example")
    reference = references.sign(me, product, vault=VAULT)
    session = await paid(shared, price, reference, "spouse@paid.example", "subscription")
    await shared.has(product, "first@paid.example")
    other, stripe_product, _ = await linked(shared)
    monthly = await shared.stripe.price(stripe_product)
    await shared.stripe.post(
        "subscriptions", customer=session["customer"], items=[{"price": monthly}]
    )
    await shared.has(other, "spouse@paid.example")
    assert not (await shared.access(other, "first@paid.example"))["access"]
    spouse = await user(shared, "spouse@paid.example")
    assert await customer_of(shared, session["customer"]) == (spouse, spouse)
    await visitor.sign_in_as(spouse, "paid2")
    answer = await visitor.send("/account", "/account/billing", 200)
    assert left_for(answer).startswith(f"{shared.stripe.url}/p/session/bps_")


async def test_a_payer_with_an_account_keeps_the_billing(
    shared: Latchkey, visitor: Visitor
) -> None:
    """An order, and somebody who is asked once however many purchases they pay."""
    product, _, price = await linked(shared, every=None)
    me = await user(shared, "begins@paid.example")
    payer = await user(shared, "payer@paid.example")
    reference = references.sign(me, product, vault=VAULT)
    session = await paid(shared, price, reference, "payer@paid.example", "payment")
    await paid(shared, price, reference, "payer@paid.example", "payment")
    await granted(shared, product, "begins@paid.example", 2)
    await match_of(shared, "reference_and_address", user_id=me, other_id=payer)
    assert await mails_to(shared, me) == [
        ("paid_address", "payer@paid.example"),
        ("paid_elsewhere", None),
    ]
    if session["customer"]:
        assert await customer_of(shared, session["customer"]) == (payer, payer)
    await visitor.sign_in_as(me, "paid3")
    await visitor.send("/account/settings", "/account/receipt", expect=404, source=session["id"])


async def test_ones_own_address_proves_the_payer(shared: Latchkey, visitor: Visitor) -> None:
    product, _, price = await linked(shared)
    me = await user(shared, "own@paid.example")
    reference = references.sign(me, product, vault=VAULT)
    session = await paid(shared, price, reference, "OWN@paid.example", "subscription")
    await shared.has(product, "own@paid.example")
    assert await customer_of(shared, session["customer"]) == (me, me)
    assert await mails_to(shared, me) == []
    await visitor.sign_in_as(me, "paid4")
    await visitor.send("/account", "/account/billing", 200, subscription=session["subscription"])


def of_before(user_id: int) -> str:
    """A reference as 0.1.0 signed it."""
    message = f"latchkey buyer {user_id}".encode()
    return f"lk1_{user_id}_{hmac.new(SECRET.encode(), message, hashlib.sha256).hexdigest()[:40]}"


@pytest.mark.parametrize("mode", ["subscription", "payment"])
@pytest.mark.parametrize("fault", ["forged", "expired", "other_product", "of before"])
async def test_a_reference_that_does_not_hold_gives_access_to_who_paid(
    shared: Latchkey, fault: str, mode: str
) -> None:
    product, _, price = await linked(shared, every="month" if mode == "subscription" else None)
    name = f"{fault.replace(' ', '')}.{mode}"
    me = await user(shared, f"me.{name}@ref.example")
    payer = f"payer.{name}@ref.example"
    reference = references.sign(me, product, vault=VAULT)
    kind = f"reference_{fault}"
    match fault:
        case "forged":
            reference = reference[:-1] + ("0" if reference[-1] != "0" else "1")
        case "expired":
            ago = time.time() - references.LIFE_SECONDS - 60
            reference = references.sign(me, product, vault=VAULT, issued_at=ago)
        case "other_product":
            reference = references.sign(me, await shared.product(), vault=VAULT)
        case _:
            reference, kind = of_before(me), "reference_expired"
            await _unbounded_until(shared, "-1 minute")
    session = await paid(shared, price, reference, payer, mode)
    await shared.has(product, payer)
    assert not (await shared.access(product, f"me.{name}@ref.example"))["access"]
    source = session["subscription"] or session["id"]
    doubt = await match_of(shared, kind, source_id=source)
    assert doubt["user_email"] == payer
    assert doubt["other_id"] == (None if fault == "forged" else me)
    if session["customer"]:
        holder = await user(shared, payer)
        assert await customer_of(shared, session["customer"]) == (holder, holder)
    await _unbounded_until(shared, "7 days")


async def test_references_of_before_count_for_a_while(shared: Latchkey) -> None:
    product, _, price = await linked(shared, every=None)
    me = await user(shared, "before@ref.example")
    await _unbounded_until(shared, "1 day")
    await paid(shared, price, of_before(me), "before@ref.example", "payment")
    await shared.has(product, "before@ref.example")


async def test_what_a_site_puts_there_itself_raises_nothing(shared: Latchkey) -> None:
    product, _, price = await linked(shared, every=None)
    session = await paid(shared, price, "rewardful-123", "affiliate@ref.example", "payment")
    await shared.has(product, "affiliate@ref.example")
    await shared.settled()
    found = "select count(*) from matches where source_id = $1"
    assert await shared.pool.fetchval(found, session["id"]) == 0


async def test_an_import_mails_no_payer(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product, every=None)
    product = await shared.product()
    me = await user(shared, "imported@paid.example")
    reference = references.sign(me, product, vault=VAULT)
    session = await paid(shared, price, reference, "elsewhere@paid.example", "payment")
    await shared.link(product, stripe_product)
    await shared.has(product, "imported@paid.example")
    assert await mails_to(shared, me) == []
    payer = "select email from other_payers where source_id = $1"
    assert await shared.pool.fetchval(payer, session["id"]) == "elsewhere@paid.example"


async def _unbounded_until(site: Latchkey, span: str) -> None:
    await site.pool.execute(
        """
        update site_settings
           set value = jsonb_build_object('unbounded_until', now() + $1::text::interval)
         where key = 'references'
        """,
        span,
    )
