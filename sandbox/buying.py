"""Paying a checkout session, and what follows from it."""

from dataclasses import dataclass, field
from typing import Any

from sandbox import (
    accounts,
    automatic_tax,
    cards,
    checkout,
    collecting,
    discounts,
    invoice_lines,
    invoices,
    numbering,
    payments,
    subscriptions,
    taxes,
)
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.world import Json


@dataclass(frozen=True)
class Buyer:
    """What a person enters on the checkout page. `pay_with` is a card number or a test id;
    `entered` has what `collecting.take` and `checkout.choose` know."""

    email: str
    name: str
    pay_with: str = "4242424242424242"
    promotion_code: str | None = None
    authenticated: bool = False
    entered: Json = field(default_factory=dict)


_ON_INTENTS = (
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
"""What `payment_intent_data` says that a payment intent says too."""


def needs_method(shop: Shop, session: Json) -> bool:
    """Whether the page asks for a card: not for what stays free, nor where a session says
    that it is needed only when something is due today."""
    if session["amount_total"] or session["mode"] == "setup":
        return True
    if session["mode"] == "payment":
        return False
    return bool(session["payment_method_collection"] != "if_required")


def apply_code(shop: Shop, session: Json, code: str) -> None:
    """Take a promotion code's discount off an open session. Raises Stripe's 400."""
    if not session["allow_promotion_codes"]:
        raise invalid("This promotion code is invalid.", param="promotion_code")
    promotion = discounts.code_behind(
        shop,
        code,
        total=session["amount_subtotal"] or 0,
        currency=session["currency"],
        customer=session["customer"],
    )
    checkout.discount(shop, session, promotion)
    shop.save(session)


def pay(shop: Shop, session: Json, buyer: Buyer) -> str:
    """Pay a session as the page does: `complete`, `requires_action` or a decline code.

    A decline leaves the session open, as it does on Stripe's page.
    """
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}.")
    if "@" not in buyer.email:
        raise invalid("Your email is incomplete.", param="email")
    with shop.row():
        if buyer.promotion_code:
            apply_code(shop, session, buyer.promotion_code)
        if any(name in buyer.entered for name in ("quantities", "optional", "amount")):
            checkout.choose(shop, session, buyer.entered)
        collecting.take(shop, session, buyer.entered)
        if session["automatic_tax"]["enabled"]:
            automatic_tax.apply(shop, session, checkout.line_items(shop, session))
            checkout.settle(shop, session)
        if not needs_method(shop, session):
            return _finish(shop, session, buyer, None)
        return _pay_with(shop, session, buyer)


def _pay_with(shop: Shop, session: Json, buyer: Buyer) -> str:
    billing = {"email": buyer.email, "name": buyer.name, "phone": buyer.entered.get("phone")}
    if session["customer_details"]["address"]:
        billing["address"] = session["customer_details"]["address"]
    method = cards.payment_method(shop, buyer.pay_with, billing=billing)
    collecting.check_method(session, method["type"])
    card = cards.card_of(shop, method)
    if card.decline and card.fails != 0 and (session["amount_total"] or not card.attachable):
        return _declined(shop, session, method, card.decline, billing)
    if card.needs_authentication and not buyer.authenticated:
        return "requires_action"
    if card.needs_authentication:
        cards.change_card(shop, method, needs_authentication=False)
    outcome = _finish(shop, session, buyer, method)
    if card.authenticates == "always":
        cards.change_card(shop, method, needs_authentication=True)
    return outcome


def _finish(shop: Shop, session: Json, buyer: Buyer, method: Json | None) -> str:
    customer = _customer(shop, session, buyer)
    if customer is not None and method is not None:
        cards.attach(shop, method, customer)
        if not customer["invoice_settings"]["default_payment_method"]:
            customer["invoice_settings"]["default_payment_method"] = method["id"]
            shop.save(customer)
    if session["mode"] == "subscription":
        assert customer is not None, "a subscription's session always has one"
        _subscribe(shop, session, customer, method)
    elif session["mode"] == "payment":
        _buy(shop, session, customer, method, {"email": buyer.email, "name": buyer.name})
    else:
        _set_up(shop, session, customer, method)
    _complete(shop, session, buyer, customer)
    shop.save(session, "checkout.session.completed")
    return "complete"


def _customer(shop: Shop, session: Json, buyer: Buyer) -> Json | None:
    """The session's customer, a new one, or None: one-time buyers may be guests."""
    if session["customer"]:
        return _updated(shop, session, buyer, shop.find("customer", session["customer"]))
    kept = shop.world.private[session["id"]]
    if session["mode"] == "payment" and kept["customer_creation"] != "always":
        return None
    made = shop.world.make(
        "customer", "cus", email=buyer.email, name=buyer.name, metadata={}, balance=0
    )
    made["invoice_prefix"] = numbering.prefix_of(made["id"])
    details = session["customer_details"]
    made.update(phone=details["phone"], address=details["address"])
    made.update({key: details[key] for key in _NAMES if details[key]})
    made["shipping"] = _posted_to(session, details)
    accounts.open_account(shop, made)
    return shop.save(made, "customer.created")


_NAMES = ("individual_name", "business_name")


def _posted_to(session: Json, details: Json) -> Json | None:
    found = (session["collected_information"] or {}).get("shipping_details")
    return {**found, "phone": details["phone"]} if found else None


def _updated(shop: Shop, session: Json, buyer: Buyer, customer: Json) -> Json:
    """A known customer, with what the session says is to be updated of them."""
    wanted = shop.world.private[session["id"]]["customer_update"]
    before, details = snapshot(customer), session["customer_details"]
    if wanted.get("name") == "auto":
        customer["name"] = buyer.name
    if wanted.get("address") == "auto" and details["address"]:
        customer["address"] = details["address"]
    if wanted.get("shipping") == "auto" and (found := _posted_to(session, details)):
        customer["shipping"] = found
    return shop.save(customer, "customer.updated", before)


def _declined(shop: Shop, session: Json, method: Json, code: str, billing: Json) -> str:
    intent = payments.new_intent(
        shop,
        amount=max(session["amount_total"] or 0, 50),
        currency=session["currency"] or "usd",
        customer=session["customer"],
        method=method,
    )
    shop.save(intent, "payment_intent.created")
    payments.confirm(shop, intent, on_session=True, billing=billing)
    return code


def _buy(
    shop: Shop, session: Json, customer: Json | None, method: Json | None, billing: Json
) -> None:
    owner = customer["id"] if customer else None
    taken = [
        discounts.redeem(shop, given, customer=owner, checkout_session=session["id"])["id"]
        for given in session["discounts"]
    ]
    kept = shop.world.private[session["id"]]
    if method is None:
        session["payment_status"] = "no_payment_required"
        if kept["invoice_creation"].get("enabled") and customer:
            _invoice_for(shop, session, customer, None, taken)
        return
    intent = payments.new_intent(
        shop,
        amount=session["amount_total"],
        currency=session["currency"],
        customer=owner,
        method=method,
        metadata=merge_metadata({}, kept["payment_intent_data"].get("metadata")),
        description=kept["payment_intent_data"].get("description"),
        capture_method=kept["payment_intent_data"].get("capture_method") or "automatic",
    )
    for key in _ON_INTENTS:
        if given := kept["payment_intent_data"].get(key):
            intent[key] = snapshot(given)
    if found := (session["collected_information"] or {}).get("shipping_details"):
        intent["shipping"] = snapshot(found)
    shop.save(intent, "payment_intent.created")
    session["payment_intent"] = intent["id"]
    outcome = payments.confirm(shop, intent, on_session=True, billing=billing)
    session["payment_status"] = "paid" if outcome == "succeeded" else "unpaid"
    if kept["invoice_creation"].get("enabled") and customer:
        _invoice_for(shop, session, customer, intent, taken)


def _invoice_for(
    shop: Shop, session: Json, customer: Json, intent: Json | None, taken: list[str]
) -> None:
    """The invoice requested by `invoice_creation`, paid once the money has arrived."""
    lines = []
    for line in checkout.line_items(shop, session):
        made = invoice_lines.price_line(
            shop,
            line["price"],
            quantity=line["quantity"],
            invoice_item=shop.world.new_id("ii"),
            currency=session["currency"],
            amount=line["amount_subtotal"],
        )
        lines.append(taxes.note(shop, made, taxes.noted(shop, line)))
    bill = invoices.draft(
        shop,
        customer=customer,
        lines=lines,
        currency=session["currency"],
        reason="manual",
        discounts=taken,
    )
    if session["automatic_tax"]["enabled"]:
        bill["automatic_tax"] = automatic_tax.of_invoice()
    data = session["invoice_creation"]["invoice_data"]
    bill.update({key: data[key] for key in ("custom_fields", "description", "footer")})
    bill["metadata"] = dict(data["metadata"] or {})
    if session["shipping_cost"]:
        bill["shipping_cost"] = dict(session["shipping_cost"])
        invoice_lines.total(shop, bill)
    invoices.claim_items(shop, bill)
    session["invoice"] = bill["id"]
    invoices.finalize(shop, bill)
    if intent is None:
        invoices.mark_paid(shop, bill, intent=None)
        return
    invoices.record_payment(shop, bill, intent)
    shop.world.keep(f"intent/{bill['id']}", id=intent["id"])
    shop.world.keep(intent["id"], invoice=bill["id"])
    if intent["status"] == "succeeded":
        invoices.mark_paid(shop, bill, intent=intent)


def _subscribe(shop: Shop, session: Json, customer: Json, method: Json | None) -> None:
    lines = checkout.line_items(shop, session)
    data: Any = shop.world.private[session["id"]]["subscription_data"]
    params: Json = {
        "customer": customer["id"],
        "items": [_ordered(shop, line) for line in lines if line["price"]["type"] == "recurring"],
        "add_invoice_items": [
            _ordered(shop, line) for line in lines if line["price"]["type"] == "one_time"
        ],
        "metadata": data.get("metadata") or {},
        "discounts": session["discounts"],
        "billing_mode": data.get("billing_mode") or {"type": shop.settings.billing_mode},
        "currency": session["currency"],
        "automatic_tax": automatic_tax.of_subscription(session),
    }
    for key in (
        "trial_period_days",
        "trial_end",
        "trial_settings",
        "description",
        "billing_cycle_anchor",
        "proration_behavior",
        "default_tax_rates",
    ):
        if data.get(key):
            params[key] = data[key]
    made = subscriptions.create(shop, params, paid_by=method)
    session["subscription"] = made["id"]
    session["invoice"] = made["latest_invoice"]
    if not session["amount_total"]:
        session["payment_status"] = "no_payment_required"
    elif method is not None and cards.card_of(shop, method).delayed:
        session["payment_status"] = "unpaid"
    else:
        session["payment_status"] = "paid"


def _ordered(shop: Shop, line: Json) -> Json:
    """A line of a session in the shape that creating a subscription takes."""
    rates = [rate["id"] for rate in taxes.noted(shop, line)]
    return {"price": line["price"]["id"], "quantity": line["quantity"], "tax_rates": rates}


def _set_up(shop: Shop, session: Json, customer: Json | None, method: Json | None) -> None:
    intent = shop.find("setup_intent", session["setup_intent"])
    intent.update(
        status="succeeded",
        customer=customer["id"] if customer else None,
        payment_method=method["id"] if method else None,
    )
    shop.save(intent, "setup_intent.succeeded")


def _complete(shop: Shop, session: Json, buyer: Buyer, customer: Json | None) -> None:
    details = session["customer_details"]
    session.update(
        status="complete",
        url=None,
        customer=customer["id"] if customer else None,
        customer_details={**details, "email": buyer.email, "name": buyer.name},
    )
    shop.world.schedule("expire_session", session["id"], None)
    if session["payment_link"]:
        _count_sale(shop, session["payment_link"])


def _count_sale(shop: Shop, link_id: str) -> None:
    """Count a link's sale; a link with a limit is deactivated after its last one."""
    link = shop.world.table("payment_link").get(link_id)
    limit = ((link or {}).get("restrictions") or {}).get("completed_sessions")
    if link is None or not limit:
        return
    limit["count"] += 1
    if limit["count"] >= limit["limit"]:
        link["active"] = False
        shop.save(link, "payment_link.updated", {**link, "active": True})
