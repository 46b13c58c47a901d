"""Payment records: payments that were made outside of Stripe and are told to it."""

from sandbox import invoices
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.subscriptions import dunning
from sandbox.world import Json

RECORD, ATTEMPT = "payment_record", "payment_attempt_record"
_SUMS = ("authorized", "canceled", "failed", "guaranteed", "refunded")


def report(shop: Shop, params: Json) -> Json:
    """A payment that was begun elsewhere, with its outcome where that is known."""
    wanted = params["amount_requested"]
    amount = {"currency": wanted["currency"].lower(), "value": wanted["value"]}
    nothing = {**amount, "value": 0}
    made = shop.world.make(
        RECORD,
        "pr",
        amount=amount,
        amount_requested=dict(amount),
        metadata=merge_metadata({}, params.get("metadata")),
        customer_presence=params.get("customer_presence"),
        description=params.get("description"),
        reported_by="self",
        **{f"amount_{name}": dict(nothing) for name in _SUMS},
    )
    details = {name: None for name in ("customer", "email", "name", "phone")}
    given = params.get("customer_details")
    made["customer_details"] = {**details, **given} if given else None
    made["processor_details"] = {"custom": None, **(params.get("processor_details") or _CUSTOM)}
    made["shipping_details"] = _shipped(params)
    shop.save(made)
    return attempt(shop, made, params)


_CUSTOM = {"type": "custom"}


def _shipped(params: Json) -> Json | None:
    given = params.get("shipping_details")
    if not given:
        return None
    blank = {key: None for key in ("city", "country", "line1", "line2", "postal_code", "state")}
    return {
        "name": given.get("name"),
        "phone": given.get("phone"),
        "address": blank | (given.get("address") or {}),
    }


def attempt(shop: Shop, record: Json, params: Json) -> Json:
    """One try to make the payment, with its outcome where that is known."""
    shared = {key: value for key, value in record.items() if key.startswith("amount")}
    made = shop.world.make(
        ATTEMPT,
        "par",
        **snapshot(shared),
        metadata=merge_metadata({}, params.get("metadata")),
        payment_record=record["id"],
        customer_details=record["customer_details"],
        customer_presence=record["customer_presence"],
        description=params.get("description"),
        processor_details=record["processor_details"],
        reported_by="self",
        shipping_details=_shipped(params),
    )
    given = params.get("payment_method_details")
    if given:
        details = shop.world.part(RECORD, "payment_method_details")
        custom = {"display_name": "", "type": None, **(given.get("custom") or {})}
        made["payment_method_details"] = {**details, "type": "custom", "custom": custom}
        if given.get("payment_method"):
            made["payment_method_details"]["payment_method"] = given["payment_method"]
        if given.get("billing_details"):
            made["payment_method_details"]["billing_details"] = _billing(given["billing_details"])
        record["payment_method_details"] = made["payment_method_details"]
    record["latest_payment_attempt_record"] = made["id"]
    shop.save(made)
    shop.save(record)
    if outcome := params.get("outcome"):
        settle(shop, record, outcome, {})
    return record


def _billing(given: Json) -> Json:
    blank = {key: None for key in ("city", "country", "line1", "line2", "postal_code", "state")}
    return {
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "address": blank | (given.get("address") or {}),
    }


def settle(shop: Shop, record: Json, outcome: str, params: Json) -> Json:
    """What became of the latest try: `guaranteed`, `failed` or `canceled`."""
    tried = shop.find(ATTEMPT, record["latest_payment_attempt_record"])
    for made in (tried, record):
        made[f"amount_{outcome}"] = dict(record["amount_requested"])
        if "metadata" in params:
            made["metadata"] = merge_metadata(made["metadata"], params["metadata"])
        shop.save(made)
    if outcome == "guaranteed":
        _pay_invoice(shop, record)
    return record


def inform(shop: Shop, record: Json, params: Json) -> Json:
    """More about a payment: whose it was, and what it was for."""
    if "customer_details" in params:
        details = record["customer_details"] or {
            name: None for name in ("customer", "email", "name", "phone")
        }
        record["customer_details"] = {**details, **params["customer_details"]}
    if "description" in params:
        record["description"] = params["description"] or None
    if "shipping_details" in params:
        record["shipping_details"] = _shipped(params)
    if "metadata" in params:
        record["metadata"] = merge_metadata(record["metadata"], params["metadata"])
    return shop.save(record)


def refund(shop: Shop, record: Json, params: Json) -> Json:
    """Money that was given back elsewhere. Raises Stripe's 400 where it is more than there was."""
    left = record["amount_guaranteed"]["value"] - record["amount_refunded"]["value"]
    given = params.get("amount") or {}
    value = given.get("value", left)
    if given.get("currency", record["amount"]["currency"]) != record["amount"]["currency"]:
        raise invalid("The currency must be that of the payment.", param="amount[currency]")
    if not 0 < value <= left:
        raise invalid(f"Up to {left} of this payment can be refunded.", param="amount")
    tried = shop.find(ATTEMPT, record["latest_payment_attempt_record"])
    for made in (tried, record):
        made["amount_refunded"]["value"] += value
        if "metadata" in params:
            made["metadata"] = merge_metadata(made["metadata"], params["metadata"])
        shop.save(made)
    return record


def attach(shop: Shop, invoice: Json, record: Json) -> Json:
    """Have an open invoice paid by a payment that was made outside. Raises Stripe's 400."""
    if invoice["status"] != "open":
        raise invalid(f"The invoice is {invoice['status']}, not open.")
    if record["amount_requested"]["currency"] != invoice["currency"]:
        raise invalid("The currencies of payment and invoice differ.", param="payment_record")
    made = shop.world.make(
        "invoice_payment",
        "inpay",
        invoice=invoice["id"],
        amount_requested=record["amount_requested"]["value"],
        currency=invoice["currency"],
        is_default=False,
        status="open",
    )
    made["payment"] = {"type": RECORD, RECORD: record["id"]}
    shop.save(made)
    shop.world.keep(record["id"], invoice_payment=made["id"])
    _pay_invoice(shop, record)
    return invoice


def _pay_invoice(shop: Shop, record: Json) -> None:
    """Count a payment that is certain towards the invoice that it is attached to."""
    kept = shop.world.private.get(record["id"], {}).get("invoice_payment")
    made = shop.world.table("invoice_payment").get(kept)
    if made is None or made["status"] == "paid" or not record["amount_guaranteed"]["value"]:
        return
    invoice = shop.find("invoice", made["invoice"])
    value = min(record["amount_guaranteed"]["value"], invoice["amount_remaining"])
    with shop.row():
        made.update(status="paid", amount_paid=value)
        made["status_transitions"] = {**made["status_transitions"], "paid_at": shop.world.now()}
        shop.save(made, "invoice_payment.paid")
        invoices.credit_outside(shop, invoice, value)
        if invoice["status"] == "paid":
            dunning.settled(shop, invoice)
