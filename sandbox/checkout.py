"""Checkout sessions: created, opened from a payment link, expired. `buying` pays them."""

from sandbox import catalog, discounts, shipping, taxes
from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.world import Json

OPEN_SECONDS = 24 * 3600
_SHOWN = (
    "customer",
    "customer_email",
    "client_reference_id",
    "success_url",
    "cancel_url",
    "return_url",
    "allow_promotion_codes",
    "expires_at",
    "locale",
    "submit_type",
    "billing_address_collection",
    "payment_method_collection",
)
"""Parameters that a session shows as they are given."""


def create(shop: Shop, params: Json) -> Json:
    mode = params.get("mode", "payment")
    lines = [line_for(shop, entry, number) for number, entry in enumerate(_entries(params))]
    _check(mode, lines, params)
    return _open(
        shop,
        mode=mode,
        lines=lines,
        fields={key: params.get(key) for key in (*_SHOWN, "currency") if key in params},
        metadata=merge_metadata({}, params.get("metadata")),
        kept={
            "subscription_data": params.get("subscription_data") or {},
            "payment_intent_data": params.get("payment_intent_data") or {},
            "invoice_creation": bool((params.get("invoice_creation") or {}).get("enabled")),
            "customer_creation": params.get("customer_creation", "if_required"),
            "discounts": params.get("discounts") or [],
            "shipping_options": params.get("shipping_options") or [],
        },
    )


def _entries(params: Json) -> list[Json]:
    found: list[Json] = params.get("line_items") or []
    return found


def open_link(
    shop: Shop,
    link: Json,
    *,
    reference: str | None = None,
    email: str | None = None,
    promotion_code: str | None = None,
) -> Json:
    """Visit a payment link: each visit creates a session."""
    if not link["active"]:
        raise invalid("This payment link is no longer active.")
    kept = shop.world.private[link["id"]]
    lines = [
        line_for(shop, entry, number, active=False) for number, entry in enumerate(kept["lines"])
    ]
    recurring = any(line["price"]["type"] == "recurring" for line in lines)
    after = link["after_completion"]
    redirect = (after.get("redirect") or {}).get("url")
    subscription_data = {
        key: value for key, value in (link.get("subscription_data") or {}).items() if value
    }
    made = _open(
        shop,
        mode="subscription" if recurring else "payment",
        lines=lines,
        fields={
            "payment_link": link["id"],
            "client_reference_id": reference,
            "customer_email": email,
            "success_url": redirect,
            "allow_promotion_codes": link["allow_promotion_codes"],
            "payment_method_collection": link["payment_method_collection"] if recurring else None,
            "submit_type": link["submit_type"],
        },
        metadata=dict(link["metadata"]),
        kept={
            "subscription_data": subscription_data,
            "payment_intent_data": link.get("payment_intent_data") or {},
            "invoice_creation": bool((link.get("invoice_creation") or {}).get("enabled")),
            "customer_creation": link["customer_creation"],
            "discounts": [],
            "prefilled_code": promotion_code,
        },
    )
    return made


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
    customer = fields.get("customer")
    if customer:
        shop.find("customer", customer, param="customer")
    currency = fields.pop("currency", None)
    expires = fields.pop("expires_at", None) or world.now() + OPEN_SECONDS
    made = world.make(
        "checkout.session",
        "cs_test",
        mode=mode,
        status="open",
        payment_status="unpaid" if mode != "setup" else "no_payment_required",
        currency=lines[0]["currency"] if lines else None,
        metadata=metadata,
        expires_at=expires,
        payment_method_types=["card"],
        ui_mode="hosted_page",
        customer_creation=kept["customer_creation"] if mode == "payment" else "always",
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        discounts=[],
        **{key: value for key, value in fields.items() if value is not None},
    )
    if customer or mode == "setup":
        made["customer_creation"] = None
    if mode != "payment":
        made["payment_method_collection"] = made["payment_method_collection"] or "always"
    if customer:
        known = world.table("customer")[customer]
        details = world.part("checkout.session", "customer_details")
        made["customer_details"] = {
            **details,
            "email": known["email"],
            "tax_exempt": "none",
            "tax_ids": None,
        }
    made["url"] = f"{world.base_url}/c/pay/{made['id']}"
    world.keep(made["id"], lines=lines, **kept)
    if kept.get("shipping_options"):
        made["shipping_options"] = shipping.options(
            shop, kept["shipping_options"], made["currency"]
        )
        made["shipping_cost"] = shipping.cost(made["shipping_options"][0])
    if mode == "setup":
        made.update(currency=currency, discounts=None, total_details=None)
    else:
        _total(shop, made)
    world.schedule("expire_session", made["id"], made["expires_at"])
    return shop.save(made)


def _total(shop: Shop, session: Json) -> None:
    """Set what is due today, less the session's own discounts."""
    subtotal = due_today(shop, session)
    session["amount_subtotal"] = subtotal
    session["amount_total"] = subtotal
    for given in shop.world.private[session["id"]]["discounts"]:
        coupon, promotion = _named(shop, given)
        off = discounts.amount_off(shop, coupon, by_product(shop, session))
        take_off(session, off, coupon, promotion)
    settle(shop, session)


def settle(shop: Shop, session: Json) -> None:
    """Reckon what each line comes to with its discount and its taxes, and the session with its
    shipping."""
    data = shop.world.private[session["id"]]["subscription_data"]
    named = data.get("default_tax_rates") or []
    default = taxes.named(shop, named, param="subscription_data[default_tax_rates]")
    exempt = _exempt(shop, session)
    tax = on_top = 0
    for line, off in _shares_of_discount(shop, session):
        entries = taxes.shares(
            line["amount_subtotal"] - off, taxes.noted(shop, line) or default, exempt=exempt
        )
        line["amount_discount"] = off
        line["amount_tax"] = sum(part for _, part, _ in entries)
        line["amount_total"] = line["amount_subtotal"] - off + taxes.added(entries)
        shop.world.keep(f"taxed/{line['id']}", taxes=taxes.shown_with_rates(entries))
        tax += line["amount_tax"]
        on_top += taxes.added(entries)
    posted = (session["shipping_cost"] or {}).get("amount_total", 0)
    details = session["total_details"]
    session["total_details"] = {**details, "amount_tax": tax, "amount_shipping": posted}
    whole = session["amount_subtotal"] - details["amount_discount"]
    session["amount_total"] = whole + on_top + posted


def _exempt(shop: Shop, session: Json) -> str:
    customer = shop.world.table("customer").get(session["customer"]) or {}
    return str(customer.get("tax_exempt") or "none")


def _shares_of_discount(shop: Shop, session: Json) -> list[tuple[Json, int]]:
    """The lines that are due today, each with its part of what is taken off the session."""
    lines = _lines_due(shop, session)
    rest = session["total_details"]["amount_discount"]
    whole = sum(line["amount_subtotal"] for line in lines if _is_discounted(shop, session, line))
    found, off = [], rest
    for line in lines:
        share = 0
        if whole and _is_discounted(shop, session, line):
            share = min(rest, round(off * line["amount_subtotal"] / whole))
        rest -= share
        found.append((line, share))
    return found


def _is_discounted(shop: Shop, session: Json, line: Json) -> bool:
    for given in session["discounts"]:
        only = (_named(shop, given)[0].get("applies_to") or {}).get("products")
        if only and line["price"]["product"] not in only:
            return False
    return bool(session["discounts"])


def due_today(shop: Shop, session: Json) -> int:
    """What the lines cost now (minor unit); recurring lines are free during a trial."""
    return sum(line["amount_subtotal"] for line in _lines_due(shop, session))


def _lines_due(shop: Shop, session: Json) -> list[Json]:
    trial = starts_with_trial(shop, session)
    return [
        line
        for line in line_items(shop, session)
        if not (trial and line["price"]["type"] == "recurring")
    ]


def starts_with_trial(shop: Shop, session: Json) -> bool:
    data = shop.world.private[session["id"]]["subscription_data"]
    return bool(data.get("trial_period_days") or data.get("trial_end"))


def by_product(shop: Shop, session: Json) -> list[tuple[str, int]]:
    """The lines due today, as product id and amount (minor unit)."""
    return [
        (line["price"]["product"], line["amount_subtotal"]) for line in _lines_due(shop, session)
    ]


def _named(shop: Shop, given: Json) -> tuple[Json, Json | None]:
    if given.get("promotion_code"):
        promotion = shop.find("promotion_code", given["promotion_code"], param="discounts")
        return shop.find("coupon", promotion["promotion"]["coupon"]), promotion
    return shop.find("coupon", given.get("coupon"), param="discounts"), None


def take_off(session: Json, off: int, coupon: Json, promotion: Json | None) -> None:
    """Apply a discount to a session."""
    total = max(0, session["amount_subtotal"] - off)
    session["total_details"] = {
        **session["total_details"],
        "amount_discount": session["amount_subtotal"] - total,
    }
    session["amount_total"] = total
    session["discounts"] = [
        {
            "coupon": None if promotion else coupon["id"],
            "promotion_code": promotion["id"] if promotion else None,
        }
    ]


def line_items(shop: Shop, session: Json) -> list[Json]:
    """The lines of a session, or of a payment link as a visitor would see them."""
    found: list[Json] = shop.world.private[session["id"]]["lines"]
    if session["object"] == "payment_link":
        return [
            {**line_for(shop, entry, number, active=False), "id": entry["id"]}
            for number, entry in enumerate(found)
        ]
    return found


def expire(shop: Shop, session: Json) -> Json:
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout'
            f" Session has a status of {session['status']}."
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
        raise invalid(
            "You specified `payment` mode but passed a recurring price. Either switch to"
            " `subscription` mode or use only one-time prices.",
            param="mode",
        )
    if mode == "subscription" and not any(recurring):
        raise invalid(
            "You must provide at least one recurring price in `subscription` mode when using"
            " prices.",
            param="mode",
        )
    for one, other in (("customer", "customer_email"), ("discounts", "allow_promotion_codes")):
        if params.get(one) and params.get(other):
            raise invalid(f"You may only specify one of these parameters: {one}, {other}.")
    if not params.get("success_url") and params.get("ui_mode", "hosted_page") == "hosted_page":
        raise invalid(
            "Missing required param: success_url.", param="success_url", code="parameter_missing"
        )


def line_for(shop: Shop, entry: Json, number: int, *, active: bool = True) -> Json:
    where = f"line_items[{number}]"
    if entry.get("price_data"):
        price = catalog.create_price(shop, {**entry["price_data"]})
    else:
        price = shop.find("price", entry.get("price"), param=f"{where}[price]")
        if active and not price["active"]:
            raise invalid(
                "The price specified is inactive. This field only accepts active prices.",
                param=f"{where}[price]",
            )
    quantity = entry.get("quantity", 1)
    amount = (price["unit_amount"] or 0) * quantity
    product = shop.world.table("product").get(price["product"])
    made = shop.world.make(
        "item",
        "li",
        amount_subtotal=amount,
        amount_total=amount,
        currency=price["currency"],
        description=product["name"] if product else price["nickname"],
        price=snapshot(price),
        quantity=quantity,
    )
    rates = taxes.named(shop, entry.get("tax_rates"), param=f"{where}[tax_rates]")
    return taxes.note(shop, made, rates)
