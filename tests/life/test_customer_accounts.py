"""A shop whose customers are accounts (Accounts v2), which sessions and invoices name alone."""

import pytest

from latchkey.store.users import erasure
from tests.harness import Latchkey, until
from tests.life.play import linked
from tests.truth.test_reconciliation import compared
from tests.web.pages import left_for, visit

pytestmark = pytest.mark.anyio


async def test_accounts_buy_sign_in_and_manage_their_billing(site: Latchkey) -> None:
    await site.stripe.control("settings", customer_accounts="alone")
    product, stripe_product, price = await linked(site)
    once = await site.stripe.price(stripe_product, every=None)
    email = "account@two.example"
    subscribed = await site.stripe.subscribe(email, price)
    await site.has(product, email)
    account = subscribed["customer_account"]
    session = await site.stripe.checkout(once, mode="payment", customer=subscribed["customer"])
    await site.stripe.pay(session, email)
    paid = await site.stripe.get(f"checkout/sessions/{session['id']}")
    assert (paid["customer"], paid["customer_account"]) == (None, account)
    guest = await site.stripe.checkout(once, mode="payment", customer_creation="always")
    await site.stripe.pay(guest, "later@two.example")
    await site.has(product, "later@two.example")
    await site.settled()
    rows = await site.pool.fetch("select id, customer_account from customers order by id")
    assert [row["customer_account"] for row in rows if row["id"].startswith("cus_")] == [account]
    assert len(rows) == 2, "the second has bought by account alone"
    assert (await compared(site))["differences"] == []

    member = await site.pool.fetchval("select id from users where email = $1", email)
    for who in (email, "later@two.example"):
        opened = await site.call("POST", "/portal-sessions", 201, json={"email": who})
        assert opened["url"].startswith(f"{site.stripe.url}/p/session/"), who
    async with visit(site) as visitor:
        await visitor.sign_in_as(member, "account")
        answer = await visitor.send("/account", "/account/billing", 200)
        assert left_for(answer).startswith(f"{site.stripe.url}/p/session/"), "nothing to choose"

    later = next(row["id"] for row in rows if row["id"].startswith("acct_"))
    table = site.stripe.box.shop.world.table("customer").values()
    gone = next(row["id"] for row in table if row["customer_account"] == later)
    await site.stripe.delete(f"customers/{gone}")
    problem = await site.call("POST", "/portal-sessions", 409, json={"email": "later@two.example"})
    assert problem["code"] == "no_stripe_customer"

    async def known() -> bool:
        return bool(await site.pool.fetchval("select deleted from customers where id = $1", later))

    await until(known, "the account is read again")

    async with site.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, member, actor=member)
    await site.stripe.post(f"payment_intents/{paid['payment_intent']}", metadata={"again": "1"})
    await site.stripe.post(f"subscriptions/{subscribed['id']}", metadata={"again": "1"})
    await site.settled()
    kept = await site.pool.fetchval(
        "select count(*) from events where position($1 in body) > 0", email
    )
    assert kept == 0, "what is erased stays erased, also in later events"
