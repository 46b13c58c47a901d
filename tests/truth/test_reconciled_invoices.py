"""Drift of one-off invoices: missed ones are found in the list, known ones are read in turn."""

from tests.harness import Json, Latchkey, until
from tests.life.play import charge_of_invoice
from tests.life.test_gotchas_purchases import invoiced
from tests.life.test_policy import applied
from tests.truth.test_reconciliation import compared, deaf, done, pytestmark, shown

__all__ = ["pytestmark"]


async def heard(site: Latchkey) -> None:
    """Deliver webhooks again."""
    await site.stripe.control("faults", drop=0)


async def past(site: Latchkey, paid: Json) -> None:
    """The invoice was paid in a second that is over: a link made now is made later."""

    async def over() -> bool:
        at = paid["status_transitions"]["paid_at"]
        return bool(await site.pool.fetchval("select now() >= to_timestamp($1 + 1)", at))

    await until(over, "the second in which an invoice was paid is over")


async def link_without_past(site: Latchkey, product: str, stripe_product: str) -> None:
    await site.know(stripe_product)
    body = {"stripe_product": stripe_product, "invoices": "none"}
    await site.call("PUT", f"/products/{product}/link", 202, json=body)
    await site.listening(product)


async def test_missed_invoices_are_found_in_both_directions_and_repaired(site: Latchkey) -> None:
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    bills = {
        name: await invoiced(site, f"{name}@bill.example", price) for name in ("stays", "back")
    }
    for name, bill in bills.items():
        await site.stripe.post(f"invoices/{bill['id']}/pay")
        await site.has(product, f"{name}@bill.example")
    await site.quiet()
    await deaf(site)
    charge = await charge_of_invoice(site, bills["back"]["id"])
    refund = await site.stripe.post("refunds", charge=charge)
    cash = await invoiced(site, "cash@bill.example", price)
    await site.stripe.post(f"invoices/{cash['id']}/pay", paid_out_of_band=True)
    card = await invoiced(site, "card@bill.example", price)
    await site.stripe.post(f"invoices/{card['id']}/pay")
    returned = await invoiced(site, "returned@bill.example", price)
    await site.stripe.post(f"invoices/{returned['id']}/pay")
    await site.stripe.post("refunds", charge=await charge_of_invoice(site, returned["id"]))
    await invoiced(site, "open@bill.example", price)
    session = await site.stripe.checkout(
        price, mode="payment", customer=await site.stripe.customer("cart@bill.example"),
        invoice_creation={"enabled": True},
    )  # fmt: skip
    await site.stripe.pay(session, "cart@bill.example")
    before = await site.lines()

    found = await compared(site)
    assert shown(found) == {
        ("access_left", "safe", "back@bill.example"),
        ("access_missing", "safe", "cash@bill.example"),
        ("access_missing", "safe", "card@bill.example"),
        ("access_missing", "safe", "cart@bill.example"),
    }
    assert len(found["differences"]) == 4, "a session and its invoice are one purchase"
    assert await site.lines() == before
    await site.call("POST", f"/reconciliations/{found['id']}/repair", 202, json={})
    repaired = await done(site, found["id"])
    assert {d["state"] for d in repaired["differences"]} == {"repaired"}
    for name in ("cash", "card", "cart", "stays"):
        assert (await site.access(product, f"{name}@bill.example"))["access"] is True, name
    for name in ("back", "returned", "open"):
        assert (await site.access(product, f"{name}@bill.example"))["access"] is False, name
    told = await site.lines(product=product, type="product_purchased")
    assert [line["source_id"] for line in told].count(card["id"]) == 1
    assert (await compared(site))["differences"] == []

    await site.stripe.control(f"refunds/{refund['id']}/fail")
    bounced = await compared(site, dry_run=False)
    assert shown(bounced) == {("access_missing", "safe", "back@bill.example")}
    assert (await site.access(product, "back@bill.example"))["access"] is True
    assert (await compared(site))["differences"] == []


async def test_a_session_is_found_behind_a_truncated_page(site: Latchkey) -> None:
    """A free cart's invoice names neither its session nor a payment: the customer's sessions are
    looked through, to their end, or one purchase would be two."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.quiet()
    await deaf(site)
    coupon = await site.stripe.post("coupons", percent_off=100, duration="once")
    customer = await site.stripe.customer("free@bill.example")
    carts = []
    for _ in range(3):
        session = await site.stripe.checkout(
            price, mode="payment", customer=customer, discounts=[{"coupon": coupon["id"]}],
            invoice_creation={"enabled": True},
        )  # fmt: skip
        carts.append(await site.stripe.pay(session, "free@bill.example"))
    paid = (await site.stripe.get("events", type="invoice.paid"))["data"]
    await heard(site)
    await site.stripe.control("faults", short_page=1)
    for event in paid:
        await site.stripe.control(f"events/{event['id']}/repeat")
    await site.settled()
    await site.quiet()
    bought = await site.pool.fetch("select id from orders")
    assert {row["id"] for row in bought} == {cart["id"] for cart in carts}


async def test_invoices_that_a_link_left_out_stay_out(site: Latchkey) -> None:
    """Which past invoices count is the link's choice; what is paid after it was made counts."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    bill = await invoiced(site, "past@bill.example", price)
    paid = await site.stripe.post(f"invoices/{bill['id']}/pay")
    open_ = await invoiced(site, "pays.later@bill.example", price)
    await site.stripe.control("clock/advance", seconds=86400)
    await site.settled()
    await past(site, paid)
    product = await site.product()
    await link_without_past(site, product, stripe_product)
    await site.quiet()
    await deaf(site)
    await site.stripe.post(f"invoices/{open_['id']}/pay")
    found = await compared(site, dry_run=False)
    assert shown(found) == {("access_missing", "safe", "pays.later@bill.example")}
    assert (await site.access(product, "pays.later@bill.example"))["access"] is True
    assert (await site.access(product, "past@bill.example"))["access"] is False
    purchased = await site.lines(product=product, type="product_purchased")
    assert [line["source_id"] for line in purchased] == [open_["id"]]
    assert await site.lines(product=product, type="imported") == []


async def test_a_policy_preview_leaves_out_invoices_that_a_link_left_out(site: Latchkey) -> None:
    """An invoice may be a purchase by another link of the same Stripe product."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None, amount=3000)
    bill = await invoiced(site, "past@preview.example", price)
    paid = await site.stripe.post(f"invoices/{bill['id']}/pay")
    await past(site, paid)
    counts, leaves_out = await site.product(), await site.product()
    await site.link(counts, stripe_product)
    await link_without_past(site, leaves_out, stripe_product)
    await site.has(counts, "past@preview.example")
    await applied(site, "/policy", {"partial_refund": False})
    charge = await charge_of_invoice(site, bill["id"])
    await site.stripe.post("refunds", charge=charge, amount=1000)
    await site.has(counts, "past@preview.example", access=False)
    draft = {"partial_refund": True}
    preview = await site.call("POST", "/policy/preview", json=draft)
    assert [row["product_id"] for row in preview["data"]] == [counts]
    await applied(site, "/policy", draft)
    await site.has(counts, "past@preview.example")
    assert (await site.access(leaves_out, "past@preview.example"))["access"] is False


async def test_events_of_invoices_that_a_link_left_out_change_nothing(site: Latchkey) -> None:
    """However late they arrive, and whatever happens to the payment; one that counted stays."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None, amount=3000)
    await deaf(site)
    charges = {}
    for name in ("refunded", "disputed", "late"):
        bill = await invoiced(site, f"{name}@past.example", price)
        paid = await site.stripe.post(f"invoices/{bill['id']}/pay")
        charges[name] = await charge_of_invoice(site, bill["id"])
    await heard(site)
    await past(site, paid)
    product = await site.product()
    await link_without_past(site, product, stripe_product)
    counted = await invoiced(site, "counted@past.example", price)
    await site.stripe.post(f"invoices/{counted['id']}/pay")
    await site.has(product, "counted@past.example")
    charges["counted"] = await charge_of_invoice(site, counted["id"])
    for name in ("refunded", "counted"):
        await site.stripe.post("refunds", charge=charges[name], amount=1000)
    await site.stripe.control(f"charges/{charges['disputed']}/dispute")
    await site.temporal.get_schedule_handle("catch-up").trigger()

    async def caught_up() -> bool:
        return bool(
            await site.pool.fetchval(
                "select bool_and(state = 'handled') from events"
                " where object_id = $1 and source = 'catch_up'",
                paid["id"],
            )
        )

    await until(caught_up, "the late invoice's missed events are handled")
    await site.settled()
    for name in charges:
        found = await site.access(product, f"{name}@past.example")
        assert found["access"] is (name == "counted"), name
    about = {line["email"] for line in await site.lines(product=product)}
    assert about == {None, "counted@past.example"}, "the link itself, and who counts"
    assert await site.pool.fetchval("select count(*) from orders") == 1
    told = await site.lines(product=product, type="refunded")
    assert [line["email"] for line in told] == ["counted@past.example"]


async def test_the_schedules_comparisons_read_a_quarter_of_invoices(site: Latchkey) -> None:
    """What is older was found day after day; asked for, a comparison reads all that counts."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, every=None)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.quiet()
    await deaf(site)
    bill = await invoiced(site, "missed@bill.example", price)
    await site.stripe.post(f"invoices/{bill['id']}/pay")
    await site.pool.execute("update links set created_at = now() - interval '200 days'")
    await site.stripe.control("clock/advance", seconds=100 * 86400)
    await heard(site)
    site.stripe.box.api.log.clear()
    await site.temporal.get_schedule_handle("reconciliation").trigger()

    async def scheduled() -> str | None:
        data = (await site.call("GET", "/reconciliations"))["data"]
        over = data and data[0]["cause"] == "schedule" and data[0]["state"] == "done"
        return str(data[0]["id"]) if over else None

    ran = await until(scheduled, "the schedule's own comparison is done")
    assert (await site.call("GET", f"/reconciliations/{ran}"))["differences"] == []
    asked = await compared(site)
    assert shown(asked) == {("access_missing", "safe", "missed@bill.example")}
