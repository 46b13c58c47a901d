"""What Stripe passes on of what people typed, and ids that shops chose, stop nothing."""

import asyncio
import json
from urllib.parse import quote

import pytest
from temporalio.client import WorkflowExecution

from latchkey.stripe_ids import reference
from tests.harness import Latchkey, Stripe, until
from tests.life.play import linked
from tests.web.pages import user, visit

pytestmark = pytest.mark.anyio

ODD_IDS = ["cus_anna@odd.example", "cus_Gold #1", "cus_a?b=c&d", "cus_müller", "cus_a%2Fb", "cus_."]
ODD_NAMES = ["Zoë\x00", "a\r\nBcc: b@odd.example", "\u202eevil", "n" * 5000, '"<x>"', "😀"]
ODD_ADDRESSES = [
    "ｏｄｄ１＠odd．example",
    "odd2@xn--mnze-0ra.example",
    "odd\x003@odd.example",
    "two@odd.example,three@odd.example",
    f"{'o' * 300}@odd.example",
    "odd6@odd.example.",
]


async def pays(stripe: Stripe, number: int, price: str) -> str:
    made = await stripe.subscribe(f"plain{number}@odd.example", price)
    return str(made["customer"])


def spoil(stripe: Stripe, customer: str, **changes: str) -> None:
    """Give a customer what Stripe's API would have taken years ago."""
    stripe.box.shop.world.table("customer")[customer].update(changes)


async def test_odd_customers_do_not_stop_an_import(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    shared.stripe.chosen_ids += ODD_IDS
    for number in range(len(ODD_IDS)):
        await pays(shared.stripe, number, price)
    plain = await asyncio.gather(*(pays(shared.stripe, n, price) for n in range(10, 54)))
    for customer, name in zip(plain, ODD_NAMES, strict=False):
        spoil(shared.stripe, customer, name=name)
    for customer, email in zip(plain[10:], ODD_ADDRESSES, strict=False):
        spoil(shared.stripe, customer, email=email)
    product = await shared.product("Oddities")
    await shared.link(product, stripe_product)
    grants = await shared.pool.fetch(
        """
        select c.id, u.id as user_id, u.email, u.name from live_grants g
          join subscriptions s on s.id = g.source_id join customers c on c.id = s.customer_id
          join users u on u.id = g.user_id where g.product_id = $1
        """,
        product,
    )
    assert len(grants) == 50
    assert {row["id"] for row in grants} >= set(ODD_IDS)
    for written in ("odd1@odd.example", "odd2@münze.example", "odd6@odd.example"):
        assert (await shared.access(product, written))["access"], written
    async with visit(shared) as owner:
        await owner.sign_in()
        for row in grants:
            if row["id"] in ODD_IDS or not row["email"].startswith("plain"):
                page = await owner.get(f"/admin/users/{row['user_id']}")
                assert page.status_code == 200
        await owner.get(f"/admin/products/{product}/members")
    failed = await shared.pool.fetch(
        """
        select id from events where state = 'failed' and target_id in (
            select id from subscriptions where customer_id = any($1::text[]))
        """,
        [row["id"] for row in grants],
    )
    assert failed == []


async def test_events_of_a_customer_whose_id_is_an_address(shared: Latchkey) -> None:
    product, _, price = await linked(shared)
    customer = "cus_berta@odd.example"
    shared.stripe.chosen_ids.append(customer)
    await pays(shared.stripe, 90, price)
    await shared.has(product, "plain90@odd.example")
    await shared.stripe.post(f"customers/{quote(customer, safe='')}", name="Berta\x7f Odd")

    async def renamed() -> bool:
        name = await shared.pool.fetchval("select name from customers where id = $1", customer)
        return bool(name and name.startswith("Berta"))

    await until(renamed, "the customer is mirrored")
    await shared.settled()
    events = await shared.pool.fetch(
        "select target_id, state from events where object_id = $1", customer
    )
    assert {tuple(row) for row in events} == {(f"customer/{reference(customer)}", "handled")}
    member = await user(shared, "plain90@odd.example")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "odd-billing")
        opened = await visitor.send("/account", "/account/billing", expect=200, customer=customer)
        assert f"{shared.stripe.url}/p/session/" in opened.text

    async def described() -> list[WorkflowExecution] | None:
        runs = [
            run
            async for run in shared.temporal.list_workflows()
            if reference(customer) in run.id or run.id.startswith("errand/open_portal")
        ]
        kinds = {run.id.partition("/")[0] for run in runs}
        return runs if kinds == {"stripe-object", "errand"} else None

    for run in await until(described, "both runs are listed"):
        handle = shared.temporal.get_workflow_handle(run.id, run_id=run.run_id)
        text = json.dumps((await handle.fetch_history()).to_json_dict())
        assert "berta" not in text.lower(), run.id
