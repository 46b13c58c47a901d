"""Checkout sessions: made, opened from a payment link, paid, expired."""

from dataclasses import dataclass
from typing import Any

from sandbox import catalog, invoices, payments, subscriptions
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.world import Json

OPEN_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Buyer:
    """What a person enters on the checkout page. `pay_with` is a card number or a magic id."""

    email: str
    name: str
    pay_with: str = "4242424242424242"
    promotion_code: str | None = None
    authenticated: bool = False


def create(shop: Shop, params: Json) -> Json:
    mode = params.get("mode", "payment")
    lines = [_line(shop, entry) for entry in params.get("line_items") or []]
    _check(mode, lines, params)
    return _open(
        shop,
        mode=mode,
        lines=lines,
        fields={
            key: params.get(key)
            for key in (
                "customer",
                "customer_email",
                "client_reference_id",
                "success_url",
                "cancel_url",
                "allow_promotion_codes",
                "expires_at",
            )
        },
        metadata=merge_metadata({}, params.get("metadata")),
        kept={
            "subscription_data": params.get("subscription_data") or {},
            "payment_intent_data": params.get("payment_intent_data") or {},
            "invoice_creation": bool((params.get("invoice_creation") or {}).get("enabled")),
            "customer_creation": params.get("customer_creation", "if_required"),
            "discounts": params.get("discounts") or [],
        },
    )


def open_link(
    shop: Shop, link: Json, *, reference: str | None = None, email: str | None = None
) -> Json:
    """A visit of a payment link: a fresh session each time."""
    if not link["active"]:
        raise invalid("This payment link is no longer active.")
    kept = shop.world.private[link["id"]]
    lines = [_line(shop, entry, active=False) for entry in kept["lines"]]
    recurring = any(line["price"]["type"] == "recurring" for line in lines)
    after = link["after_completion"]
    redirect = (after.get("redirect") or {}).get("url")
    return _open(
        shop,
        mode="subscription" if recurring else "payment",
        lines=lines,
        fields={
            "payment_link": link["id"],
            "client_reference_id": reference,
            "customer_email": email,
            "success_url": redirect,
            "allow_promotion_codes": link["allow_promotion_codes"],
        },
        metadata=dict(link["metadata"]),
        kept={
            "subscription_data": kept.get("subscription_data") or {},
            "payment_intent_data": kept.get("payment_intent_data") or {},
            "invoice_creation": False,
            "customer_creation": link["customer_creation"],
            "discounts": [],
        },
    )


def _open(
    shop: Shop,
    *,
    mode: str,
    lines: list[Json],
    fields: Json,
    metadata: Json,
    kept: Json,
) -> Json:
    world = shop.world
    if fields.get("customer"):
        shop.find("customer", fields["customer"], param="customer")
    total = sum(line["amount_total"] for line in lines)
    made = world.make(
        "checkout.session",
        "cs_test",
        mode=mode,
        status="open",
        payment_status="unpaid",
        currency=lines[0]["currency"] if lines else None,
        amount_subtotal=total,
        amount_total=total,
        metadata=metadata,
        expires_at=fields.pop("expires_at", None) or world.now() + OPEN_SECONDS,
        payment_method_types=["card"],
        ui_mode="hosted_page",
        customer_creation=kept["customer_creation"] if mode == "payment" else "always",
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        **{key: value for key, value in fields.items() if value is not None},
    )
    made["url"] = f"{world.base_url}/c/pay/{made['id']}"
    world.keep(made["id"], lines=lines, **kept)
    world.schedule("expire_session", made["id"], made["expires_at"])
    return shop.save(made)


def line_items(shop: Shop, session: Json) -> list[Json]:
    """The lines of a session, or of a payment link as a visit would show them."""
    found: list[Json] = shop.world.private[session["id"]]["lines"]
    if session["object"] == "payment_link":
        return [{**_line(shop, entry, active=False), "id": entry["id"]} for entry in found]
    return found


def pay(shop: Shop, session: Json, buyer: Buyer) -> str:
    """Pay a session as the page does: `complete`, `requires_action` or a decline code.

    A decline leaves the session open, as on Stripe's page.
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.")
    with shop.row():
        coupon = _coupon(shop, session, buyer)
        total = catalog.discounted(session["amount_subtotal"] or 0, coupon)
        billing = {"email": buyer.email, "name": buyer.name}
        method = payments.payment_method(shop, buyer.pay_with, billing=billing)
        card = payments.card_of(shop, method)
        if card.decline and (total or session["mode"] != "payment"):
            return _declined(shop, session, method, total, card.decline, billing)
        if card.needs_authentication and not buyer.authenticated:
            return "requires_action"
        if card.needs_authentication:
            shop.world.keep(method["id"], card={**card.__dict__, "needs_authentication": False})
        customer = _customer(shop, session, buyer)
        if customer is not None:
            payments.attach(shop, method, customer)
            if not customer["invoice_settings"]["default_payment_method"]:
                customer["invoice_settings"]["default_payment_method"] = method["id"]
                shop.save(customer)
        if total != session["amount_total"]:
            _apply_discount(session, total)
        if session["mode"] == "subscription":
            assert customer is not None, "a subscription's session always has one"
            _subscribe(shop, session, customer, method)
        elif session["mode"] == "payment":
            _buy(shop, session, customer, method, total, billing)
        _complete(shop, session, buyer, customer)
        shop.save(session, "checkout.session.completed")
    return "complete"


def settle(shop: Shop, session: Json, outcome: str) -> None:
    """A delayed payment arrives (`succeeded`) or doesn't (`failed`)."""
    intent = shop.find("payment_intent", session["payment_intent"])
    if intent["status"] != "processing":
        raise invalid(f"The payment is {intent['status']}, not processing.")
    shop.world.schedule("settle_payment", intent["id"], None)
    settle_payment(shop, intent, outcome)


def settle_payment(shop: Shop, intent: Json, outcome: str | None = None) -> None:
    """Due work: the fate of a delayed payment, which its method decides unless `outcome` does."""
    if intent["status"] != "processing":
        return
    if outcome is None:
        card = payments.card_of(shop, shop.find("payment_method", intent["payment_method"]))
        outcome = "failed" if card.never_arrives else "succeeded"
    with shop.row():
        bill = shop.world.table("invoice").get(
            shop.world.private.get(intent["id"], {}).get("invoice")
        )
        if outcome == "succeeded":
            payments.succeed(shop, intent)
            if bill:
                invoices.mark_paid(shop, bill, intent=intent)
                subscriptions.invoice_paid(shop, bill)
        else:
            payments.fail_pending(shop, intent)
        for session in shop.world.table("checkout.session").newest_first(
            {"payment_intent": intent["id"]}, before=None, after=None
        ):
            if outcome == "succeeded":
                session["payment_status"] = "paid"
            shop.save(session, f"checkout.session.async_payment_{outcome}")


def expire(shop: Shop, session: Json) -> Json:
    if session["status"] != "open":
        raise invalid(
            f"Only Checkout Sessions with a status in [open] can be expired: {session['status']}"
        )
    session.update(status="expired", url=None)
    shop.world.schedule("expire_session", session["id"], None)
    return shop.save(session, "checkout.session.expired")


def _check(mode: str, lines: list[Json], params: Json) -> None:
    if not lines and mode != "setup":
        raise invalid(
            "Missing required param: line_items.", param="line_items", code="parameter_missing"
        )
    recurring = [line["price"]["type"] == "recurring" for line in lines]
    if mode == "payment" and any(recurring):
        raise invalid("You specified `payment` mode but passed a recurring price.", param="mode")
    if mode == "subscription" and not any(recurring):
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode.", param="mode"
        )
    if params.get("customer") and params.get("customer_email"):
        raise invalid("You may only specify one of these parameters: customer, customer_email.")


def _line(shop: Shop, entry: Json, *, active: bool = True) -> Json:
    if entry.get("price_data"):
        price = catalog.create_price(shop, {**entry["price_data"]})
    else:
        price = shop.find("price", entry.get("price"), param="line_items[0][price]")
        if active and not price["active"]:
            raise invalid(f"The price specified is inactive: {price['id']}", param="line_items")
    quantity = entry.get("quantity", 1)
    amount = (price["unit_amount"] or 0) * quantity
    product = shop.find("product", price["product"])
    return shop.world.make(
        "item",
        "li",
        amount_subtotal=amount,
        amount_total=amount,
        currency=price["currency"],
        description=product["name"],
        price=snapshot(price),
        quantity=quantity,
    )


def _coupon(shop: Shop, session: Json, buyer: Buyer) -> Json | None:
    for given in shop.world.private[session["id"]]["discounts"]:
        if given.get("coupon"):
            return shop.find("coupon", given["coupon"])
        if given.get("promotion_code"):
            promotion = shop.find("promotion_code", given["promotion_code"])
            return shop.find("coupon", promotion["promotion"]["coupon"])
    if buyer.promotion_code:
        found = catalog.discount_of(shop, buyer.promotion_code)
        if found is None or not session["allow_promotion_codes"]:
            raise invalid("This promotion code is invalid.", param="promotion_code")
        return found
    return None


def _apply_discount(session: Json, total: int) -> None:
    session["total_details"] = {
        **session["total_details"],
        "amount_discount": session["amount_subtotal"] - total,
    }
    session["amount_total"] = total


def _customer(shop: Shop, session: Json, buyer: Buyer) -> Json | None:
    """The session's customer, a new one, or nobody: one-off buyers may be guests."""
    if session["customer"]:
        return shop.find("customer", session["customer"])
    kept = shop.world.private[session["id"]]
    if session["mode"] == "payment" and kept["customer_creation"] != "always":
        return None
    made = shop.world.make(
        "customer", "cus", email=buyer.email, name=buyer.name, metadata={}, balance=0
    )
    return shop.save(made, "customer.created")


def _declined(shop: Shop, session: Json, method: Json, total: int, code: str, billing: Json) -> str:
    intent = payments.new_intent(
        shop,
        amount=max(total, 50),
        currency=session["currency"],
        customer=session["customer"],
        method=method,
    )
    payments.confirm(shop, intent, on_session=True, billing=billing)
    return code


def _buy(
    shop: Shop, session: Json, customer: Json | None, method: Json, total: int, billing: Json
) -> None:
    if total == 0:
        session["payment_status"] = "no_payment_required"
        return
    kept = shop.world.private[session["id"]]
    intent = payments.new_intent(
        shop,
        amount=total,
        currency=session["currency"],
        customer=customer["id"] if customer else None,
        method=method,
        metadata=merge_metadata({}, kept["payment_intent_data"].get("metadata")),
    )
    session["payment_intent"] = intent["id"]
    outcome = payments.confirm(shop, intent, on_session=True, billing=billing)
    session["payment_status"] = "paid" if outcome == "succeeded" else "unpaid"
    if kept["invoice_creation"] and customer and outcome == "succeeded":
        _invoice_for(shop, session, customer, intent)


def _invoice_for(shop: Shop, session: Json, customer: Json, intent: Json) -> None:
    """The paid invoice that `invoice_creation` asks for."""
    lines = [
        invoices.item_line(
            shop,
            line["price"],
            quantity=line["quantity"],
            invoice_item=shop.world.new_id("ii"),
        )
        for line in line_items(shop, session)
    ]
    bill = invoices.draft(
        shop,
        customer=customer,
        lines=lines,
        currency=session["currency"],
        reason="manual",
    )
    invoices.finalize(shop, bill)
    invoices.record_payment(shop, bill, intent)
    invoices.mark_paid(shop, bill, intent=intent)
    session["invoice"] = bill["id"]


def _subscribe(shop: Shop, session: Json, customer: Json, method: Json) -> None:
    lines = line_items(shop, session)
    data: Any = shop.world.private[session["id"]]["subscription_data"]
    params: Json = {
        "customer": customer["id"],
        "items": [
            {"price": line["price"]["id"], "quantity": line["quantity"]}
            for line in lines
            if line["price"]["type"] == "recurring"
        ],
        "add_invoice_items": [
            {"price": line["price"]["id"], "quantity": line["quantity"]}
            for line in lines
            if line["price"]["type"] == "one_time"
        ],
        "metadata": data.get("metadata") or {},
    }
    for key in ("trial_period_days", "trial_end", "trial_settings", "billing_mode"):
        if data.get(key):
            params[key] = data[key]
    made = subscriptions.create(shop, params, paid_by=method)
    session["subscription"] = made["id"]
    session["invoice"] = made["latest_invoice"]
    card = payments.card_of(shop, method)
    session["payment_status"] = "unpaid" if card.delayed else "paid"


def _complete(shop: Shop, session: Json, buyer: Buyer, customer: Json | None) -> None:
    schema = shop.world.published.resolve(shop.world.published.object_schema("checkout.session"))
    details = shop.world.blanks.part(schema["else"]["properties"]["customer_details"])
    session.update(
        status="complete",
        url=None,
        customer=customer["id"] if customer else None,
        customer_details={**details, "email": buyer.email, "name": buyer.name, "tax_ids": []},
    )
    shop.world.schedule("expire_session", session["id"], None)
