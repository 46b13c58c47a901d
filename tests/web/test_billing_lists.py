"""The lists of subscriptions, purchases and customers as pages, CSV and calls of the API."""

import csv
import io
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_admin_users import buyer, shown
from web.api.registry import ENDPOINTS, Paging

pytestmark = pytest.mark.anyio


BOUNDED = {"/products/{id}/prices", "/metrics"}
"""Lists without pages: one that a PUT replaces, and one with a row for each part of a period."""


def test_every_list_of_the_api_comes_in_pages() -> None:
    lists = [
        call for call in ENDPOINTS if call.answer and call.method == "GET"
        and "data" in call.answer.model_fields and call.path not in BOUNDED
    ]  # fmt: skip
    assert len(lists) > 15
    for call in lists:
        assert issubclass(call.query, Paging), call.name
        assert call.answer is not None
        assert call.answer.model_fields["next"].annotation == str | None, call.name


async def table(visitor: Visitor, path: str) -> list[dict[str, str]]:
    """A list's CSV."""
    return list(csv.DictReader(io.StringIO((await visitor.get(path)).text)))


async def test_lists_are_sorted_by_their_headings(shared: Latchkey) -> None:
    """A heading says how the list is sorted and turns it around; filters and the CSV keep to it."""
    prices = {amount: f"cs_sorted_{amount}" for amount in (300, 100, 200)}
    await shared.pool.execute(
        """
        insert into orders (id, account_id, livemode, state, currency, amount, charged, created_at,
                            ticket, email, email_key)
        select id, 'acct_1', true, 'paid', 'eur', amount, amount, now(), 1, 'x@sorted.example',
               'x@sorted.example'
          from unnest($1::text[], $2::int[]) as given (id, amount)
        """,
        list(prices.values()),
        list(prices),
    )
    path = "/admin/purchases?q=x%40sorted.example"
    async with visit(shared) as admin:
        await admin.sign_in()
        page = (await admin.get(path)).text
        assert re.search(r'<th aria-sort="descending"><a [^>]*sort=oldest">Date</a>', page)
        assert f'<th class="number"><a class="order" href="{path}&amp;sort=highest">' in page
        page = (await admin.get(f"{path}&sort=highest")).text
        assert 'aria-sort="descending"><a class="order" href="' + path in page
        for sort, wanted in (("highest", [300, 200, 100]), ("lowest", [100, 200, 300])):
            page = (await admin.get(f"{path}&sort={sort}")).text
            assert re.findall(r"cs_sorted_(\d+)</", page) == [str(amount) for amount in wanted]
            assert f'<option value="{sort}" selected>' in page
            csv_path = path.replace("purchases", "purchases.csv")
            rows = await table(admin, f"{csv_path}&sort={sort}")
            assert [row["id"] for row in rows] == [prices[amount] for amount in wanted]
        assert (await admin.get(f"{path}&sort=nonsense&after=nonsense")).status_code == 200


async def test_ticked_rows_are_exported_and_their_emails_copied(shared: Latchkey) -> None:
    person, _, subscription = await buyer(shared, "ticked@lists.example", "Ticked course")
    customer = await shared.pool.fetchval(
        "select customer_id from subscriptions where id = $1", subscription
    )
    await shared.pool.execute(
        """
        insert into orders (id, account_id, livemode, state, currency, amount, charged, created_at,
                            ticket, customer_id, user_id)
        select 'cs_ticked_' || n, 'acct_1', true, 'paid', 'eur', n, n, now(), 1, $1, $2
          from generate_series(1, 3) n
        """,
        customer,
        person,
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        for name, one in (
            ("subscriptions", subscription),
            ("customers", customer),
            ("purchases", "cs_ticked_2"),
        ):
            path = f"/admin/{name}?q={customer}"
            assert f'value="{one}" form="chosen"' in (await admin.get(path)).text
            for what in (".csv", "/emails"):
                here = path.replace("?", f"{what}?")
                nothing = await admin.send(path, here, expect=422)
                assert "Tick at least one row, or choose all of them." in nothing.text
                wrong = await admin.send(path, f"{here}&from=yesterday", expect=422, all="yes")
                assert "That isn't a date" in unescape(wrong.text)
            csv_path = path.replace("?", ".csv?")
            answer = await admin.send(path, csv_path, expect=200, chosen=one)
            rows = list(csv.DictReader(io.StringIO(answer.text)))
            assert [row["id"] for row in rows] == [one]
            answer = await admin.send(path, path.replace("?", "/emails?"), expect=200, all="yes")
            assert '">ticked@lists.example</pre>' in answer.text
        all_of_them = await admin.send(
            "/admin/purchases",
            f"/admin/purchases.csv?q={customer}&sort=lowest",
            expect=200,
            all="yes",
        )
        rows = list(csv.DictReader(io.StringIO(all_of_them.text)))
        assert [row["id"] for row in rows] == [f"cs_ticked_{n}" for n in (1, 2, 3)]


async def test_a_subscription_and_its_customer_are_found_everywhere(shared: Latchkey) -> None:
    person, product, subscription = await buyer(shared, "=nora@lists.example", "Listed course")
    customer = await shared.pool.fetchval(
        "select customer_id from subscriptions where id = $1", subscription
    )
    await user(shared, "support@lists.example", "support")
    async with visit(shared) as admin:
        await admin.sign_in()
        page = (await admin.get(f"/admin/subscriptions?product={product}")).text
        for link in (f"/admin/users/{person}", f"/test/subscriptions/{subscription}"):
            assert link in page
        text = await shown(admin, f"/admin/subscriptions?product={product}&state=running")
        assert "1 subscription" in text
        assert re.search(r"=nora@lists\.example Nora Buyer .* every month Active, next", text)
        for path in (
            f"/admin/subscriptions?product={product}&state=payment_problem",
            "/admin/subscriptions?q=nobody-at-all",
            f"/admin/customers?product={product}&state=deleted",
        ):
            assert "No results" in await shown(admin, path), path
        for path in (
            f"/admin/subscriptions?q={customer}",
            "/admin/subscriptions?q=%3DNora@Lists.example",
            f"/admin/users?q={customer}",
            f"/admin/users?q={subscription}",
            f"/admin/customers?q={subscription}",
            f"/admin/customers?q={customer}&state=known&mode=test",
        ):
            text = await shown(admin, path)
            assert "=nora@lists.example" in text, path
            assert "Listed course" in text, path
        wrong = await admin.get("/admin/customers?from=yesterday", 422)
        assert "That isn't a date" in unescape(wrong.text)
        await admin.get("/admin/customers.csv?from=yesterday", 404)
        rows = await table(admin, f"/admin/subscriptions.csv?product={product}")
        assert [row["email"] for row in rows] == ["'=nora@lists.example"]
        assert (rows[0]["amount"], rows[0]["currency"], rows[0]["state"]) == (
            "15.00",
            "usd",
            "active",
        )
        rows = await table(admin, f"/admin/customers.csv?q={customer}")
        assert [(row["id"], row["user"], row["running_subscriptions"]) for row in rows] == [
            (customer, str(person), "1")
        ]
        assert [(row["recurring"], row["paid_once"]) for row in rows] == [("15.00 usd / month", "")]
        assert "$15.00 every month" in await shown(admin, f"/admin/customers?q={customer}")
        home = (await admin.get("/admin")).text
        for link in ("/admin/subscriptions", "/admin/purchases", "/admin/customers"):
            assert f'href="{link}"' in home
    await in_the_api(shared, person, product, subscription, customer)


async def in_the_api(
    site: Latchkey, person: int, product: str, subscription: str, customer: str
) -> None:
    page = await site.call("GET", "/subscriptions", params={"product": product})
    (found,) = page["data"]
    assert page["next"] is None
    assert (found["id"], found["user"], found["customer"]) == (subscription, person, customer)
    assert (found["amount"], found["currency"], found["interval"]) == (1500, "usd", "month")
    assert (found["state"], found["status"], found["livemode"]) == ("active", "active", False)
    assert found == await site.call("GET", f"/subscriptions/{subscription}")
    known = await site.call("GET", f"/customers/{customer}")
    assert (known["user"], known["running_subscriptions"]) == (person, 1)
    monthly = {"currency": "usd", "amount": 1500, "interval": "month", "interval_count": 1}
    assert (known["recurring"], known["paid_once"]) == ([monthly], [])
    for path, parameters in (
        ("/subscriptions", {"user": person, "state": "running"}),
        ("/subscriptions", {"customer": customer, "since": found["created_at"]}),
        ("/customers", {"user": person, "livemode": "false"}),
        ("/customers", {"search": subscription, "state": "known"}),
    ):
        assert len((await site.call("GET", path, params=parameters))["data"]) == 1, path
    for path, parameters in (
        ("/subscriptions", {"user": person, "state": "ended"}),
        ("/subscriptions", {"customer": customer, "until": found["created_at"]}),
        ("/customers", {"user": person, "livemode": "true"}),
    ):
        assert (await site.call("GET", path, params=parameters))["data"] == [], path
    for path, status in (
        ("/subscriptions/sub_none", 404),
        ("/customers/cus_none", 404),
        ("/subscriptions?product=none", 404),
        ("/subscriptions?state=late", 422),
        ("/customers?after=bm90aGluZw", 400),
    ):
        await site.call("GET", path, status)


async def test_a_purchase_shows_where_its_money_is(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product("Listed book")
    price = await shared.stripe.price(stripe_product, 2900, every=None)
    product = await shared.product("Listed book")
    await shared.link(product, stripe_product)
    customer = await shared.stripe.customer("returned@books.example")
    kept = await shared.stripe.buy("kept@books.example", price, mode="payment")
    session = await shared.stripe.checkout(price, mode="payment", customer=customer)
    returned = await shared.stripe.pay(session, "returned@books.example")
    await shared.has(product, "returned@books.example")
    payment = returned["payment_intent"]
    await shared.stripe.post("refunds", payment_intent=payment, amount=900)
    await shared.settled()
    here = f"/admin/purchases?product={product}"
    today = f"&from={datetime.now(UTC).date()}"
    async with visit(shared) as admin:
        await admin.sign_in()
        text = await shown(admin, f"{here}&state=completed{today}")
        assert "2 purchases" in text
        assert re.search(r"kept@books\.example .* \$29\.00 Paid", text)
        assert re.search(r"returned@books\.example .* \$29\.00 \$9\.00 refunded Partly", text)
        page = (await admin.get(f"{here}&state=returned")).text
        assert "returned@books.example" in page
        assert "kept@books.example" not in page
        assert f"/test/payments/{payment}" in page
        assert "No results" in await shown(admin, f"{here}&state=disputed")
        (row,) = await table(admin, f"/admin/purchases.csv?q={payment}")
        (buyer_row,) = await table(admin, f"/admin/customers.csv?q={customer}")
        assert buyer_row["paid_once"] == "20.00 usd"
        assert "1 $20.00" in await shown(admin, f"/admin/customers?q={customer}")
    known = await shared.call("GET", f"/customers/{customer}")
    assert known["paid_once"] == [{"currency": "usd", "amount": 2000}]
    assert (row["id"], row["amount"], row["refunded"], row["credited"], row["state"]) == (
        returned["id"],
        "29.00",
        "9.00",
        "0.00",
        "partly_refunded",
    )
    wanted = {"product": product, "state": "returned"}
    (found,) = (await shared.call("GET", "/purchases", params=wanted))["data"]
    assert (found["id"], found["state"], found["amount_refunded"]) == (
        returned["id"],
        "partly_refunded",
        900,
    )
    assert found == await shared.call("GET", f"/purchases/{returned['id']}")
    first = await shared.call("GET", "/purchases", params={"product": product, "limit": 1})
    after = {"product": product, "limit": 1, "after": first["next"]}
    second = await shared.call("GET", "/purchases", params=after)
    assert second["next"] is None
    assert {row["id"] for page in (first, second) for row in page["data"]} == {
        kept["id"],
        returned["id"],
    }
    await shared.call("GET", "/purchases/cs_none", 404)
    await shared.call("GET", "/purchases?state=lost", 422)


async def test_the_pages_of_each_list_follow_each_other(shared: Latchkey) -> None:
    """By the API and by the links of the pages."""
    await shared.pool.execute(
        """
        insert into customers (id, account_id, livemode, email)
        select 'cus_paged_' || n, 'acct_paged', true, n || '@paged.example'
          from generate_series(1, 55) n
        """
    )
    found: list[str] = []
    parameters: dict[str, Any] = {"search": "@paged.example", "limit": 20}
    for size in (20, 20, 15):
        page = await shared.call("GET", "/customers", params=parameters)
        assert len(page["data"]) == size
        found += [row["id"] for row in page["data"]]
        parameters["after"] = page["next"]
    assert page["next"] is None
    assert len(set(found)) == 55
    async with visit(shared) as admin:
        await admin.sign_in()
        first = (await admin.get("/admin/customers?q=@paged.example")).text
        more = re.search(r'rel="next" href="([^"]+)"', first)
        assert more
        second = (await admin.get(unescape(more[1]))).text
        rows = await table(admin, "/admin/customers.csv?q=@paged.example")
    shown = [re.findall(r"<code>(cus_paged_\d+)</code>", text) for text in (first, second)]
    assert [len(ids) for ids in shown] == [50, 5]
    assert [*shown[0], *shown[1]] == found == [row["id"] for row in rows]
    assert "Back to the first page" in second
