"""A member's own pages: billing, receipts, address, password, sessions, emails; and signing in."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from activities import portal
from latchkey import passwords, signin_links
from latchkey.store.users import signin
from tests.harness import SECRETS, Latchkey, until
from tests.web.pages import Visitor, left_for, user, visit
from web.pages.member import account

pytestmark = pytest.mark.anyio

LONG = "a long enough password"


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        yield made


async def buyer(site: Latchkey, email: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """A member with a subscription and a one-off purchase: their id and both sessions."""
    stripe_product = await site.stripe.product(f"Of {email}")
    monthly = await site.stripe.price(stripe_product, 1500)
    once = await site.stripe.price(stripe_product, 9900, every=None)
    product = await site.product(f"Of {email}")
    await site.link(product, stripe_product)
    subscribed = await site.stripe.buy(email, monthly)
    bought = await site.stripe.buy(email, once, mode="payment")
    await site.settled()

    async def written() -> bool:
        found = await site.pool.fetchval(
            """
            select count(*) = 1 from orders o join subscriptions s on s.user_id = o.user_id
             where o.id = $1 and s.id = $2
            """,
            bought["id"],
            subscribed["subscription"],
        )
        return bool(found)

    await until(written, "both purchases are known")
    return await user(site, email), subscribed, bought


async def mail_link(site: Latchkey, email: str, kind: str) -> tuple[int, str]:
    """The newest email of a kind to a user: its id and its sign-in path."""

    async def queued() -> Any:
        return await site.pool.fetchrow(
            """
            select m.id, m.user_id, u.link_epoch from mails m join users u on u.id = m.user_id
             where u.email = $1 and m.kind = $2 order by m.id desc limit 1
            """,
            email,
            kind,
        )

    row = await until(queued, f"a {kind} mail to {email}")
    token = signin_links.sign(
        row["user_id"], f"mail:{row['id']}", secrets=SECRETS, epoch=row["link_epoch"]
    )
    return row["id"], f"/login/{token}"


async def test_the_account_shows_subscriptions_and_purchases(
    shared: Latchkey, visitor: Visitor
) -> None:
    member, subscribed, bought = await buyer(shared, "bills@account.example")
    await visitor.sign_in_as(member, "bills")
    text = (await visitor.get("/account")).text
    assert re.search(r"Next payment on <time", text)
    assert "$15.00 every month" in text
    assert "$99.00" in text
    assert "Manage billing" in text
    receipt = await visitor.send("/account", "/account/receipt", 200, source=bought["id"])
    assert left_for(receipt).startswith(f"{shared.stripe.url}/receipts/pi_")
    invoice = await visitor.send(
        "/account", "/account/receipt", 200, source=subscribed["subscription"]
    )
    assert left_for(invoice).startswith(f"{shared.stripe.url}/i/in_")
    await shared.stripe.control(f"subscriptions/{subscribed['subscription']}/portal_cancel")
    await shared.settled()

    async def ends() -> bool:
        return "Access until <time" in (await visitor.get("/account")).text

    await until(ends, "the account says until when")
    assert "Keep subscription" in (await visitor.get("/account")).text
    kept = await shared.pool.fetchval(
        "select count(*) from orders o where o::text ~ 'http' or o::text ~ 'receipts'"
    )
    assert kept == 0


async def test_billing_opens_the_portal_configured_once(shared: Latchkey, visitor: Visitor) -> None:
    member, subscribed, _ = await buyer(shared, "portal@account.example")
    visitor.client.headers["accept-language"] = "fr"
    await visitor.sign_in_as(member, "portal")
    for fields in (
        {},
        {"subscription": subscribed["subscription"], "flow": "card"},
        {"subscription": subscribed["subscription"], "flow": "cancel"},
    ):
        answer = await visitor.send("/account", "/account/billing", 200, **fields)
        assert left_for(answer).startswith(f"{shared.stripe.url}/p/session/bps_")
    sessions = shared.stripe.box.shop.world.table("billing_portal.session").values()
    flows = [session["flow"]["type"] for session in sessions if session["flow"]]
    assert flows[-2:] == ["payment_method_update", "subscription_cancel"]
    assert sessions[-1]["flow"]["subscription_cancel"]["subscription"] == subscribed["subscription"]
    assert sessions[-1]["locale"] == "fr"
    made = (await shared.stripe.get("billing_portal/configurations", limit=100))["data"]
    assert len(made) == 1
    await shared.pool.execute(
        """
        insert into site_settings (key, value) values ('site', $1)
        on conflict (key) do update set value = site_settings.value || excluded.value
        """,
        {"portal_cancel": False, "privacy_url": "https://site.example/privacy"},
    )
    opened = await shared.call(
        "POST", "/portal-sessions", 201, json={"email": "portal@account.example"}
    )
    assert opened["url"].startswith(f"{shared.stripe.url}/p/session/")
    made = (await shared.stripe.get("billing_portal/configurations", limit=100))["data"]
    assert len(made) == 1
    assert made[0]["features"]["subscription_cancel"]["enabled"] is False
    assert made[0]["business_profile"]["privacy_policy_url"] == "https://site.example/privacy"
    assert 'value="cancel"' not in (await visitor.get("/account")).text
    await shared.pool.execute("update site_settings set value = '{}' where key = 'site'")


async def test_billing_of_a_customer_deleted_in_stripe_says_so_and_is_read_again(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "deleted@account.example"
    member, _, _ = await buyer(shared, email)
    await visitor.sign_in_as(member, "deleted")
    rows = await shared.pool.fetch("select id from customers where user_id = $1", member)
    await shared.stripe.control("faults", drop=1)
    for row in rows:
        await shared.stripe.delete(f"customers/{row['id']}")
    await shared.stripe.delivered()
    await shared.stripe.control("faults", drop=0)

    for row in rows:
        answer = await visitor.send("/account", "/account/billing", 404, customer=row["id"])
        assert "was deleted in Stripe" in answer.text
        assert "Nothing was changed" not in answer.text
        problem = await shared.call("POST", "/portal-sessions", 409, json={"email": email})
        assert problem["code"] == "no_stripe_customer"

    async def read_again() -> bool:
        return bool(
            await shared.pool.fetchval(
                "select bool_and(deleted) from customers where user_id = $1", member
            )
        )

    await until(read_again, "the customers are read again")


async def test_what_changed_in_stripe_is_said_in_words_and_read_again(
    shared: Latchkey, visitor: Visitor
) -> None:
    """The events were lost: the subscription is over, and the session of the purchase is gone."""
    email = "stale@account.example"
    member, subscribed, bought = await buyer(shared, email)
    await visitor.sign_in_as(member, "stale")
    subscription = subscribed["subscription"]
    await shared.stripe.control("faults", drop=1)
    await shared.stripe.delete(f"subscriptions/{subscription}")
    await shared.stripe.delivered()
    await shared.stripe.control("faults", drop=0)
    shared.stripe.box.shop.world.forget("checkout.session", bought["id"])

    fields = {"subscription": subscription, "flow": "cancel"}
    refused = await visitor.send("/account", "/account/billing", 409, **fields)
    assert "This subscription has changed" in refused.text
    gone = await visitor.send("/account", "/account/receipt", 404, source=bought["id"])
    assert "Stripe doesn't have this purchase any more" in unescape(gone.text)

    async def over() -> bool:
        return "Ended" in (await visitor.get("/account")).text

    await until(over, "the subscription is read again")
    opened = await visitor.send("/account", "/account/billing", 200)
    assert left_for(opened), "the billing can still be managed"


async def test_cancelling_in_the_portal_is_recognised_with_and_without_a_reason(
    shared: Latchkey, visitor: Visitor
) -> None:
    """Stripe asks for the reason after cancelling. Who closes that page has cancelled, too."""
    email = "leaves@account.example"
    member, subscribed, _ = await buyer(shared, email)
    await visitor.sign_in_as(member, "leaves")
    subscription = subscribed["subscription"]
    opened = await visitor.send(
        "/account", "/account/billing", 200, subscription=subscription, flow="cancel"
    )
    page = left_for(opened)
    asked = await shared.stripe.client.post(
        page, data={"subscription": subscription, "do": "cancel"}
    )

    async def causes() -> list[tuple[str, str]]:
        found = await shared.lines(type="subscription_cancelled", user=member)
        return [(line["cause"], line["data"]["place"]) for line in found]

    await until(causes, "the cancellation is in the feed")
    assert await causes() == [("customer", "portal")]
    assert 'value="unused"' in asked.text
    reason = {"subscription": subscription, "do": "reason", "feedback": "unused"}
    given = await shared.stripe.client.post(page, data=reason)
    assert given.headers["location"] == f"{shared.url}/account?done=billing-changed"

    async def known() -> bool:
        query = "select cancelled_by_customer from subscriptions where id = $1"
        return bool(await shared.pool.fetchval(query, subscription))

    await until(known, "the reason is read")
    assert await causes() == [("customer", "portal")]


async def test_a_member_opens_a_bounded_number_of_stripes_pages(
    shared: Latchkey, visitor: Visitor
) -> None:
    """Each is a call to Stripe ahead of what events wait for."""
    member, _, bought = await buyer(shared, "often@account.example")
    await visitor.sign_in_as(member, "often")
    await visitor.send("/account", "/account/receipt", 200, source=bought["id"])
    await visitor.send("/account", "/account/receipt", 404, source="cs_test_ofsomebodyelse")
    async with shared.pool.acquire() as connection:
        for _ in range(account.STRIPE_PAGES_PER_HOUR - 1):
            await signin.try_once(connection, f"stripe pages {member}", most=1, seconds=3600)
    refused = await visitor.send("/account", "/account/receipt", 429, source=bought["id"])
    assert "try again in an hour" in refused.text
    await visitor.send("/account", "/account/billing", 429)


async def test_an_existing_portal_configuration_is_updated(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "before@account.example"
    await buyer(shared, email)
    with monkeypatch.context() as earlier:
        earlier.setattr(portal, "features", lambda settings: {"invoice_history": {"enabled": True}})
        await shared.call("POST", "/portal-sessions", 201, json={"email": email})
    await shared.call("POST", "/portal-sessions", 201, json={"email": email})
    [made] = (await shared.stripe.get("billing_portal/configurations", limit=100))["data"]
    assert made["features"]["subscription_cancel"]["cancellation_reason"]["enabled"] is True


async def test_only_those_with_a_customer_have_billing(shared: Latchkey, visitor: Visitor) -> None:
    await visitor.sign_in_as(await user(shared, "none@account.example"), "none")
    assert "Manage billing" not in (await visitor.get("/account")).text
    await visitor.get("/account/billing", 404)
    for email in ("none@account.example", "unknown@account.example"):
        problem = await shared.call("POST", "/portal-sessions", 409, json={"email": email})
        assert problem["code"] == "no_stripe_customer"


async def test_members_see_only_their_own_data(shared: Latchkey, visitor: Visitor) -> None:
    _, subscribed, bought = await buyer(shared, "theirs@account.example")
    customer = await shared.pool.fetchval(
        "select customer_id from subscriptions where id = $1", subscribed["subscription"]
    )
    thief, _, _ = await buyer(shared, "thief@account.example")
    await visitor.sign_in_as(thief, "thief")
    for source in (bought["id"], subscribed["subscription"], "cs_none"):
        await visitor.send("/account", "/account/receipt", 404, source=source)
    await visitor.send("/account", "/account/billing", 404, customer=customer)
    await visitor.send(
        "/account", "/account/billing", 404, subscription=subscribed["subscription"], flow="card"
    )
    other = await shared.pool.fetchval("select min(id) from sessions where user_id <> $1", thief)
    await visitor.send("/account/settings", f"/account/sessions/{other}/end", 404)


async def test_the_right_one_of_several_customers_is_chosen(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "several@account.example"
    member, _, _ = await buyer(shared, email)
    await buyer(shared, "several2@account.example")
    await shared.pool.execute(
        """
        update customers set user_id = $1, billing_user = $1
         where user_id = (select id from users where email = 'several2@account.example')
        """,
        member,
    )
    await visitor.sign_in_as(member, "several")
    choice = await visitor.send("/account", "/account/billing", 200)
    customers = re.findall(r'name="customer" value="(cus_\w+)"', choice.text)
    assert len(customers) == 2
    for customer in customers:
        answer = await visitor.send("/account", "/account/billing", 200, customer=customer)
        assert left_for(answer).startswith(shared.stripe.url)


async def test_a_new_address_takes_effect_once_confirmed(
    shared: Latchkey, visitor: Visitor
) -> None:
    member = await user(shared, "old@account.example")
    await user(shared, "taken@account.example")
    await visitor.sign_in_as(member, "old")
    page = "/account/settings"
    assert (
        'id="email-error"'
        in (await visitor.send(page, "/account/email", 422, email="nonsense")).text
    )
    sent = await visitor.send(page, "/account/email", email="taken@account.example")
    also = await visitor.send(page, "/account/email", email="New@account.example")
    assert sent.headers["location"] == also.headers["location"]
    rows = await shared.pool.fetch(
        """
        select data->>'change' as change, to_email from mails
         where user_id = $1 and kind = 'email_change' order by id
        """,
        member,
    )
    assert [row["to_email"] for row in rows] == ["taken@account.example", "New@account.example"]
    links = [
        f"/account/email/{signin_links.sign_change(int(row['change']), secrets=SECRETS)}"
        for row in rows
    ]
    assert "no longer valid" in (await visitor.get(links[0], 400)).text
    await visitor.get("/account/email/forged", 400)
    async with visit(shared) as mailbox:
        assert await mailbox.goes(links[1]) == f"/login?next={links[1]}"
        await mailbox.sign_in_as(await user(shared, "thief@account.example"), "address thief")
        assert "Another account asked" in (await mailbox.get(links[1], 400)).text
    async with visit(shared) as elsewhere:
        await elsewhere.sign_in_as(member, "old elsewhere")
        assert "New@account.example" in (await visitor.get(links[1])).text
        assert await shared.pool.fetchval("select email from users where id = $1", member) == (
            "old@account.example"
        )
        await visitor.send(links[1])
        await visitor.get(links[1], 400)
        assert await elsewhere.goes("/account") == "/login?next=/account"
    assert await shared.pool.fetchval("select email from users where id = $1", member) == (
        "New@account.example"
    )
    told = await shared.pool.fetchval(
        "select to_email from mails where user_id = $1 and kind = 'email_changed'", member
    )
    assert told == "old@account.example"
    await visitor.send(page, "/account/email", email="taken@account.example")
    change = await shared.pool.fetchval("select max(id) from email_changes")
    link = f"/account/email/{signin_links.sign_change(change, secrets=SECRETS)}"
    refused = await visitor.send(link, expect=400)
    assert "already has its own account" in refused.text


async def test_another_address_needs_a_fresh_sign_in(shared: Latchkey, visitor: Visitor) -> None:
    email = "idle@account.example"
    member = await user(shared, email)
    await shared.pool.execute(
        "update users set password_hash = $2 where id = $1",
        member,
        await passwords.hash_password(LONG),
    )
    await visitor.sign_in_as(member, "idle")
    await shared.pool.execute(
        "update sessions set authenticated_at = now() - interval '16 minutes' where user_id = $1",
        member,
    )
    change = ("/account/settings", "/account/email")
    stale = await visitor.send(*change, email="next@account.example")
    assert stale.headers["location"] == "/login/again?next=/account/settings"
    again = "/login/again?next=/account/settings"
    await visitor.send(again, "/login/again", 401, password="a guess")
    back = await visitor.send(again, "/login/again", password=LONG, next="/account/settings")
    assert back.headers["location"] == "/account/settings"
    assert not await shared.pool.fetchval(
        "select count(*) from email_changes where user_id = $1", member
    )
    await visitor.send(*change, email="next@account.example")
    assert await shared.pool.fetchval(
        "select count(*) from email_changes where user_id = $1", member
    )


async def test_recovery_sets_a_password_and_ends_other_sessions(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "forgot@account.example"
    member = await user(shared, email)
    await shared.pool.execute(
        "update users set password_hash = $2 where id = $1",
        member,
        await passwords.hash_password("the forgotten one"),
    )
    async with visit(shared) as elsewhere:
        await elsewhere.sign_in(email, "the forgotten one")
        known = await visitor.send("/login/recover", email=email)
        unknown = await visitor.send("/login/recover", email="nobody@account.example")
        assert known.headers["location"] == unknown.headers["location"]
        _, link = await mail_link(shared, email, "recovery")
        await visitor.send(link)
        text = (await visitor.get("/account/settings")).text
        assert 'name="current"' not in text
        short = await visitor.send("/account/settings", "/account/password", 422, password="short")
        assert 'id="password-error"' in short.text
        await visitor.send("/account/settings", "/account/password", password=LONG)
        assert await elsewhere.goes("/account/settings") == "/login?next=/account/settings"
    await visitor.get("/account/settings")
    async with visit(shared) as later:
        await later.sign_in(email, LONG)
        assert 'name="current"' in (await later.get("/account/settings")).text
        wrong = await later.send(
            "/account/settings", "/account/password", 422, current="guess", password=LONG + "!"
        )
        assert 'id="current-error"' in wrong.text
        assert await later.goes(f"{link}?next=/account") == "/account"
    async with visit(shared) as stranger:
        assert "already been used" in (await stranger.get(link, 400)).text


async def test_sessions_are_listed_and_ended(shared: Latchkey, visitor: Visitor) -> None:
    member = await user(shared, "twice@account.example")
    await visitor.sign_in_as(member, "twice-1")
    async with visit(shared) as second, visit(shared) as third:
        await second.sign_in_as(member, "twice-2")
        await third.sign_in_as(member, "twice-3")
        text = (await visitor.get("/account/settings")).text
        paths = re.findall(r'action="(/account/sessions/\d+/end)"', text)
        assert len(paths) == 2
        assert text.count("This browser") == 1
        await visitor.send("/account/settings", paths[0])
        await visitor.send("/account/settings", paths[0], 404)
        alive = [(await one.client.get("/account/settings")).status_code for one in (second, third)]
        assert sorted(alive) == [200, 303]
        await visitor.send("/account/settings", "/account/sessions/end")
        await second.get("/account/settings", 303)
        await third.get("/account/settings", 303)
    await visitor.get("/account/settings")
    lines = await shared.lines(type="signed_in", user=member)
    assert [line["cause"] for line in lines] == ["customer"] * 3


async def test_expired_rows_are_deleted(shared: Latchkey, visitor: Visitor) -> None:
    member = await user(shared, "swept@account.example")
    await visitor.sign_in_as(member, "swept-1")
    await shared.pool.execute(
        "update sessions set expires_at = now() - interval '1 second' where user_id = $1", member
    )
    await shared.pool.execute(
        "update used_links set used_at = now() - interval '8 days' where nonce like 'swept-1%'"
    )
    await visitor.get("/account", 303)
    await visitor.sign_in_as(member, "swept-2")
    count = "select count(*) from sessions where user_id = $1"
    assert await shared.pool.fetchval(count, member) == 1
    used = await shared.pool.fetch("select nonce from used_links where nonce like 'swept-%'")
    assert [row["nonce"].partition(":")[0] for row in used] == ["swept-2"]


async def test_emails_are_turned_off_and_unsubscribed(shared: Latchkey, visitor: Visitor) -> None:
    email = "quiet@account.example"
    member = await user(shared, email)
    await visitor.sign_in_as(member, "quiet")
    await visitor.send("/account/settings", "/account/mails", login_instructions="yes")
    off = "select mails_off from users where id = $1"
    assert await shared.pool.fetchval(off, member) == ["product_access"]
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    product = await shared.product()
    await shared.link(product, stripe_product)
    await shared.stripe.buy(email, price)
    await shared.has(product, email)
    state = await shared.pool.fetchval(
        "select state from mails where user_id = $1 and kind = 'product_access'", member
    )
    assert state == "suppressed"
    await visitor.send("/account/settings", "/account/mails")
    async with shared.pool.acquire() as connection:
        await signin.mail_link(connection, member, kind="login_instructions")
    state = await shared.pool.fetchval(
        "select state from mails where user_id = $1 and kind = 'login_instructions'", member
    )
    assert state == "queued"
    await visitor.send(
        "/account/settings", "/account/mails", login_instructions="yes", product_access="yes"
    )
    assert await shared.pool.fetchval(off, member) == [], "the others weren't on this form"
    page = (await visitor.get("/account/settings")).text
    shown = re.findall(r'name="on_request" value="([^"]*)"', page)
    assert shown == ["payment_reminder win_back"]
    await visitor.send(
        "/account/settings",
        "/account/mails",
        login_instructions="yes",
        product_access="yes",
        payment_reminder="yes",
        on_request=shown[0],
    )
    assert await shared.pool.fetchval(off, member) == ["win_back"]
    await shared.pool.execute("update users set mails_off = '{}' where id = $1", member)
    async with visit(shared) as program:
        token = signin_links.sign_unsubscribe(member, "product_access", secrets=SECRETS)
        assert "Unsubscribe" in (await program.get(f"/unsubscribe/{token}")).text
        assert await shared.pool.fetchval(off, member) == []
        for _ in range(2):
            answer = await program.client.post(
                f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"}
            )
            assert answer.status_code == 200
        assert await shared.pool.fetchval(off, member) == ["product_access"]
        forged = signin_links.sign_unsubscribe(
            member, "product_access", secrets=("another secret",)
        )
        await program.get(f"/unsubscribe/{forged}", 400)
        money = signin_links.sign_unsubscribe(member, "payment_problem", secrets=SECRETS)
        await program.client.post(f"/unsubscribe/{money}")
        assert await shared.pool.fetchval(off, member) == ["product_access"]


async def test_links_are_sent_to_known_addresses_and_rate_limited(
    shared: Latchkey, visitor: Visitor
) -> None:
    email = "often.asked@account.example"
    member = await user(shared, email)
    for _ in range(5):
        known = await visitor.send("/login", "/login/link", email=email, next="/account")
    await visitor.send("/login", "/login/link", 429, email=email, next="/account")
    unknown = await visitor.send(
        "/login", "/login/link", email="no@account.example", next="/account"
    )
    assert known.headers["location"] == unknown.headers["location"]
    count = "select count(*) from mails where user_id = $1 and kind = 'sign_in'"

    async def all_tried() -> bool:
        return bool(await shared.pool.fetchval(count, member) == 5)

    await until(all_tried, "five mails at most")


async def test_counted_attempts_expire_with_their_window(shared: Latchkey) -> None:
    async with shared.pool.acquire() as connection:
        tried = [
            await signin.try_once(connection, "somebody", most=2, seconds=60) for _ in range(3)
        ]
        assert tried == [True, True, False]
        await signin.forgive(connection, "somebody")
        await signin.forgive(connection, "somebody")
        assert await signin.try_once(connection, "somebody", most=2, seconds=60)
        await connection.execute("update tries set window_ends = now() - interval '1 second'")
        assert await signin.try_once(connection, "another", most=1, seconds=60)
        assert await connection.fetchval("select count(*) from tries") == 1
        text = str([dict(row) for row in await connection.fetch("select * from tries")])
        assert "another" not in text


async def test_impersonation_changes_nothing_of_the_members(
    shared: Latchkey, visitor: Visitor
) -> None:
    member = await user(shared, "seen@account.example")
    await visitor.sign_in()
    await visitor.see_as(member)
    assert "seen@account.example" in (await visitor.get("/account/settings")).text
    for path, fields in (
        ("/account/password", {"password": LONG}),
        ("/account/email", {"email": "mine@account.example"}),
        ("/account/mails", {}),
        ("/account/sessions/end", {}),
        ("/account/billing", {}),
        ("/account/claims", {"email": "other@account.example"}),
    ):
        refused = await visitor.send("/account/settings", path, 403, **fields)
        assert "Only they can change their account" in refused.text, path
        assert "seen@account.example" in refused.text
    row = await shared.pool.fetchrow("select * from users where id = $1", member)
    assert row is not None
    assert (row["password_hash"], row["mails_off"]) == (None, [])
    await shared.product(
        "Seen Sold", purchase_method="checkout", checkout_target="external",
        external_url="https://shop.example/",
    )  # fmt: skip
    refused = await visitor.get("/buy/seen-sold", 403)
    assert "Only they can change their account, pay" in refused.text
    await visitor.send("/account/settings", "/acting/stop")
    assert await visitor.goes("/buy/seen-sold") == "https://shop.example/"
    await visitor.get("/admin/products")


async def test_changes_of_address_and_tries_of_the_password_are_limited(
    shared: Latchkey, visitor: Visitor
) -> None:
    member = await user(shared, "tries@account.example")
    await visitor.sign_in_as(member, "tries")
    page = "/account/settings"
    for n in range(5):
        await visitor.send(page, "/account/email", email=f"tries{n}@account.example")
    await visitor.send(page, "/account/email", 429, email="tries5@account.example")
    for _ in range(10):
        await visitor.send(page, "/account/password", 422, password="short")
    refused = await visitor.send(page, "/account/password", 429, password="short")
    assert "Too many attempts" in refused.text
