"""A purchase made under another address is claimed with a link sent to that address."""

from collections.abc import AsyncIterator

import pytest

from latchkey import signin_links
from tests.harness import SECRETS, Latchkey
from tests.life.play import granted, linked
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def link_of(site: Latchkey, email: str) -> str:
    """The path in the newest email to an address."""
    row = await site.pool.fetchrow(
        "select data from mails where to_email = $1 and kind = 'claim' order by id desc", email
    )
    assert row is not None
    return f"/account/claims/{signin_links.sign_claim(row['data']['claim'], secrets=SECRETS)}"


async def test_a_claim_brings_the_other_accounts_purchases(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, _, price = await linked(shared)
    await shared.stripe.subscribe("work@claim.example", price)
    await shared.has(product, "work@claim.example")
    me = await user(shared, "home@claim.example")
    await visitor.sign_in_as(me, "claim1")
    await visitor.send("/account/claims", expect=422, email="nonsense")
    await visitor.send("/account/claims", expect=422, email="home@claim.example")
    await visitor.send("/account/claims", email="work@claim.example")
    path = await link_of(shared, "work@claim.example")
    assert "work@claim.example" in (await visitor.get(path)).text
    assert (await shared.access(product, "home@claim.example"))["access"] is False
    await visitor.send(path)
    await granted(shared, product, "home@claim.example", 1)
    await granted(shared, product, "work@claim.example", 1)
    assert "work@claim.example" in (await visitor.get("/account/claims")).text
    await visitor.get(path, 400)
    claimed = await shared.lines(user=me, type="purchase_claimed")
    assert [line["cause"] for line in claimed] == ["customer"]


async def test_a_claimed_unknown_address_counts_for_later_purchases(
    shared: Latchkey, visitor: Visitor
) -> None:
    product, _, price = await linked(shared, every=None)
    me = await user(shared, "early@claim.example")
    await visitor.sign_in_as(me, "claim2")
    await visitor.send("/account/claims", email="late@claim.example")
    await visitor.send(await link_of(shared, "late@claim.example"))
    await shared.stripe.buy("late@claim.example", price, mode="payment")
    await granted(shared, product, "early@claim.example", 1)


async def test_only_the_account_that_asked_can_confirm(shared: Latchkey, visitor: Visitor) -> None:
    victim = await user(shared, "victim@claim.example")
    thief = await user(shared, "thief@claim.example")
    await visitor.sign_in_as(thief, "claim3")
    await visitor.send("/account/claims", email="victim@claim.example")
    path = await link_of(shared, "victim@claim.example")
    async with visit(shared) as other:
        assert (await other.goes(path)).startswith("/login")
        await other.sign_in_as(victim, "claim4")
        assert "Another account requested" in (await other.get(path, 400)).text
    assert await shared.pool.fetchval("select id from users where id = $1", victim) == victim


async def test_claim_links_expire_and_are_rate_limited(shared: Latchkey, visitor: Visitor) -> None:
    me = await user(shared, "often@claim.example")
    await visitor.sign_in_as(me, "claim5")
    for number in range(5):
        await visitor.send("/account/claims", email=f"n{number}@claim.example")
    refused = await visitor.send("/account/claims", expect=429, email="n6@claim.example")
    assert "tomorrow" in refused.text
    path = await link_of(shared, "n0@claim.example")
    await shared.pool.execute(
        """
        update claims set created_at = now() - interval '49 hours'
         where email = 'n0@claim.example'
        """
    )
    await visitor.get(path, 400)
    await visitor.get("/account/claims/forged", 400)


async def test_an_admins_address_is_not_taken_by_a_link(shared: Latchkey, visitor: Visitor) -> None:
    me = await user(shared, "eager@claim.example")
    boss = await user(shared, "boss@claim.example", role="admin")
    await visitor.sign_in_as(me, "claim6")
    await visitor.send("/account/claims", email="boss@claim.example")
    await visitor.send(await link_of(shared, "boss@claim.example"), expect=400)
    assert await shared.pool.fetchval("select role from users where id = $1", boss) == "admin"


async def test_a_mailbox_alone_does_not_give_away_an_account_with_a_second_factor(
    shared: Latchkey, visitor: Visitor
) -> None:
    """Whoever reads the mailbox can't sign in there, so they can't claim the account either."""
    thief = await user(shared, "thief@factor.example")
    holder = await user(shared, "holder@factor.example")
    await shared.pool.execute(
        "insert into authenticator_apps (user_id, secret, last_step) values ($1, 'x', 0)", holder
    )
    await visitor.sign_in_as(thief, "factor")
    await visitor.send("/account/claims", email="holder@factor.example")
    path = await link_of(shared, "holder@factor.example")
    refused = await visitor.send(path, expect=400)
    assert "asks for a second factor" in refused.text
    assert await shared.pool.fetchval("select id from users where id = $1", holder) == holder
    await shared.pool.execute("delete from authenticator_apps where user_id = $1", holder)
    await visitor.send(path)
    assert await shared.pool.fetchval("select id from users where id = $1", holder) is None
