"""Checkout sessions: created, opened from a payment link, expired. `buying` pays them."""

from sandbox import (
    automatic_tax,
    catalog,
    collecting,
    configurations,
    discounts,
    mistakes,
    offers,
    payments,
    pricing,
    shipping,
    taxes,
)
from sandbox.shop import Shop, invalid, merge_metadata, snapshot, too_many
from sandbox.world import Json

OPEN_SECONDS = 24 * 3600
SHORTEST_SECONDS = 30 * 60
RECOVERY_SECONDS = 30 * 86400
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
    "payment_method_collection",
    "integration_identifier",
    "allowed_payment_method_types",
    "excluded_payment_method_types",
)
"""Parameters that a session shows as they are given."""


def create(shop: Shop, params: Json) -> Json:
    mode = params.get("mode", "payment")
    currency = params["currency"].lower() if params.get("currency") else None
    lines = [
        line_for(shop, entry, number, currency=currency)
        for number, entry in enumerate(_entries(params))
    ]
    _check(shop, mode, lines, params)
    made = _open(
        shop,
        mode=mode,
        lines=lines,
        currency=currency,
        asks=params,
        fields={key: params.get(key) for key in _SHOWN if key in params},
        metadata=merge_metadata({}, params.get("metadata")),
        kept={
            "subscription_data": params.get("subscription_data") or {},
            "payment_intent_data": params.get("payment_intent_data") or {},
            "setup_intent_data": params.get("setup_intent_data") or {},
            "customer_update": params.get("customer_update") or {},
            "invoice_creation": params.get("invoice_creation") or {},
            "customer_creation": params.get("customer_creation", "if_required"),
            "discounts": params.get("discounts") or [],
            "shipping_options": params.get("shipping_options") or [],
            "params": params,
        },
    )
    return _shown_as(shop, made, params)


def _shown_as(shop: Shop, made: Json, params: Json) -> Json:
    """Where a session is paid: on a page of its own, or in a component of another page."""
    ui = params.get("ui_mode", "hosted_page")
    made["ui_mode"] = ui
    if ui != "hosted_page":
        made["url"] = None
        made["client_secret"] = f"{made['id']}_secret_{shop.world.new_id('s', 40)[2:]}"
        made["redirect_on_completion"] = params.get("redirect_on_completion", "always")
        shop.world.keep(f"secret/{made['client_secret']}", session=made["id"])
    recovery = (params.get("after_expiration") or {}).get("recovery")
    if recovery:
        blank = {"allow_promotion_codes": False, "expires_at": None, "url": None}
        made["after_expiration"] = {"recovery": {**blank, **recovery}}
    return shop.save(made)


def recover(shop: Shop, session: Json) -> Json:
    """A fresh session like one that expired, for whoever comes back by its recovery address.
    Raises Stripe's 400 where that is over."""
    recovery = (session["after_expiration"] or {}).get("recovery") or {}
    if session["status"] != "expired" or (recovery.get("expires_at") or 0) < shop.world.now():
        raise invalid("This recovery address is no longer valid.")
    params = {key: v for key, v in _kept(shop, session)["params"].items() if key != "expires_at"}
    if recovery["allow_promotion_codes"]:
        params["allow_promotion_codes"] = True
    made = create(shop, params)
    made["recovered_from"] = session["id"]
    return shop.save(made)


def _kept(shop: Shop, session: Json) -> Json:
    found: Json = shop.world.private[session["id"]]
    return found


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
        line_for(shop, entry, number, active=False, currency=link["currency"])
        for number, entry in enumerate(kept["lines"])
    ]
    for line, entry in zip(lines, kept["lines"], strict=True):
        line["adjustable_quantity"] = collecting.adjustable(entry.get("adjustable_quantity"))
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
        currency=link["currency"],
        asks=link,
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
            "setup_intent_data": {},
            "customer_update": {},
            "invoice_creation": link.get("invoice_creation") or {},
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
    currency: str | None,
    asks: Json,
    fields: Json,
    metadata: Json,
    kept: Json,
) -> Json:
    world = shop.world
    customer = fields.get("customer")
    if customer:
        shop.find("customer", customer, param="customer")
    expires = fields.pop("expires_at", None) or world.now() + OPEN_SECONDS
    made = world.make(
        "checkout.session",
        "cs_test",
        mode=mode,
        status="open",
        payment_status="unpaid" if mode != "setup" else "no_payment_required",
        currency=lines[0]["currency"] if lines else currency,
        metadata=metadata,
        expires_at=expires,
        ui_mode="hosted_page",
        managed_payments={"enabled": False},
        branding_settings={**_BRANDING, "display_name": _name(shop)},
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
        _know(shop, made)
    made["url"] = f"{world.base_url}/c/pay/{made['id']}"
    collecting.show(shop, made, asks)
    for given in kept["discounts"]:
        total = sum(line["amount_subtotal"] for line in lines)
        paid_in = made["currency"]
        discounts.check(shop, given, total=total, currency=paid_in, customer=customer)
    made.update(collecting.offered(shop, asks))
    if mode == "payment":
        made["invoice_creation"] = _invoice_creation(shop, kept["invoice_creation"])
    world.keep(made["id"], lines=lines, **kept)
    if kept.get("shipping_options"):
        made["shipping_options"] = shipping.options(
            shop, kept["shipping_options"], made["currency"]
        )
        made["shipping_cost"] = shipping.cost(made["shipping_options"][0])
    if mode == "setup":
        made.update(discounts=None, total_details=None)
        made["setup_intent"] = _setup_intent(shop, made, kept["setup_intent_data"])
    else:
        _total(shop, made)
    _offer(shop, made, asks, kept)
    automatic_tax.begin(shop, made, asks.get("automatic_tax"), kept["customer_update"])
    world.schedule("expire_session", made["id"], made["expires_at"])
    return shop.save(made)


def _offer(shop: Shop, session: Json, asks: Json, kept: Json) -> None:
    """Show the kinds of payment methods that a session names, or else those that suit it."""
    mode, data = session["mode"], kept["payment_intent_data"]
    named = session["allowed_payment_method_types"] or asks.get("payment_method_types")
    if named:
        kinds = list(named)
    else:
        configuration = configurations.chosen(shop, asks.get("payment_method_configuration"))
        session["payment_method_configuration_details"] = configurations.named(configuration)
        payment = offers.Payment(
            currency=session["currency"],
            amount=session["amount_total"],
            saved=mode == "setup" or bool(data.get("setup_future_usage")),
            held=data.get("capture_method") == "manual",
            where=offers.Where.RENEWED_PAGE if mode == "subscription" else offers.Where.PAGE,
        )
        excluded = session.get("excluded_payment_method_types") or ()
        kinds = offers.kinds(shop, payment, configuration=configuration, excluded=excluded)
    session["payment_method_types"] = kinds
    session["payment_method_options"] = offers.page_options(kinds, setup=mode == "setup")
    if mode == "setup":
        intent = shop.find("setup_intent", session["setup_intent"])
        payments.offer(shop, intent, kinds)
        shop.save(intent, "setup_intent.created")
    wanted = (asks.get("adaptive_pricing") or {}).get("enabled", shop.settings.adaptive_pricing)
    session["adaptive_pricing"] = {"enabled": bool(wanted) and mode != "setup"}


_BRANDING = {
    "background_color": "#ffffff",
    "border_style": "rounded",
    "button_color": "#0074d4",
    "font_family": "default",
    "icon": None,
    "logo": None,
}
_SAVED = {
    "allow_redisplay_filters": ["always"],
    "payment_method_remove": "disabled",
    "payment_method_save": None,
}


def _know(shop: Shop, session: Json) -> None:
    """Show what is known of a session's customer."""
    known = shop.world.table("customer")[session["customer"]]
    details = shop.world.part("checkout.session", "customer_details")
    session["customer_details"] = {
        **details,
        "email": known["email"],
        "tax_exempt": None if session["mode"] == "setup" else "none",
        "tax_ids": None,
    }
    if session["mode"] != "setup":
        session["saved_payment_method_options"] = dict(_SAVED)


def _name(shop: Shop) -> str:
    return str(shop.account["settings"]["dashboard"]["display_name"])


def _setup_intent(shop: Shop, session: Json, data: Json) -> str:
    """The id of the setup intent that a session which saves a payment method begins with."""
    made = shop.world.make(
        "setup_intent",
        "seti",
        usage="off_session",
        status="requires_payment_method",
        customer=session["customer"],
        description=data.get("description"),
        metadata=merge_metadata({}, data.get("metadata")),
    )
    made["client_secret"] = f"{made['id']}_secret_{shop.world.new_id('s', 12)}"
    return str(shop.save(made)["id"])


def _invoice_creation(shop: Shop, given: Json) -> Json:
    data = shop.world.part("checkout.session", "invoice_creation")["invoice_data"]
    wanted = {key: value for key, value in (given.get("invoice_data") or {}).items() if value}
    return {"enabled": bool(given.get("enabled")), "invoice_data": {**data, **wanted}}


def choose(shop: Shop, session: Json, entered: Json) -> None:
    """What a buyer changes of what is sold: quantities by line (or its price), optional items by
    price, an amount where that is theirs to choose. Raises Stripe's 400 for what isn't offered."""
    lines = line_items(shop, session)
    wanted = entered.get("quantities") or {}
    for line in lines:
        given = wanted.get(line["id"], wanted.get(line["price"]["id"]))
        if given is not None:
            _requantify(shop, session, line, int(given))
    added = [line for line in lines if not line.get("optional")]
    for name, count in (entered.get("optional") or {}).items():
        offered = next(
            (row for row in session.get("optional_items", []) if row["price"] == name), None
        )
        if offered is None:
            raise invalid(f"The price {name} isn't offered here.", param=f"optional[{name}]")
        _within(int(count), offered["adjustable_quantity"], offered["quantity"], name)
        if int(count):
            entry = {"price": name, "quantity": int(count)}
            line = line_for(shop, entry, 0, active=False, currency=session["currency"])
            added.append(line)
    if (amount := entered.get("amount")) is not None:
        _set_amount(added, int(amount))
    shop.world.keep(session["id"], lines=added)
    _total(shop, session)
    shop.save(session)


def _requantify(shop: Shop, session: Json, line: Json, count: int) -> None:
    _within(count, line.get("adjustable_quantity"), line["quantity"], line["id"])
    line["quantity"] = count
    amount = pricing.amount(shop, line["price"], count, session["currency"])
    line.update(amount_subtotal=amount, amount_total=amount)


def _within(count: int, limits: Json | None, usual: int, name: str) -> None:
    if limits and limits["enabled"]:
        least, most = limits["minimum"] or 0, limits["maximum"] or 99
    else:
        least, most = (usual, usual) if count else (0, 0)
    if not least <= count <= most:
        raise invalid(f"The quantity of {name} can't be {count}.", param="quantities")


def _set_amount(lines: list[Json], amount: int) -> None:
    """The amount that a buyer chose to pay."""
    line = next((row for row in lines if row["price"]["custom_unit_amount"]), None)
    if line is None:
        raise invalid("The amount of this session is fixed.", param="amount")
    limits = line["price"]["custom_unit_amount"]
    most = limits["maximum"] or 99_999_999
    if not (limits["minimum"] or 0) <= amount <= most:
        raise invalid(f"The amount must be between {limits['minimum']} and {most}.", param="amount")
    line.update(amount_subtotal=amount, amount_total=amount)


def _total(shop: Shop, session: Json) -> None:
    """Set what is due today, less the discounts that the session has."""
    subtotal = due_today(shop, session)
    session["amount_subtotal"] = subtotal
    session["amount_total"] = subtotal
    session["discounts"] = []
    session["total_details"] = {**session["total_details"], "amount_discount": 0}
    for given in _kept(shop, session)["discounts"]:
        coupon, promotion = _named(shop, given)
        off = discounts.amount_off(shop, coupon, by_product(shop, session))
        take_off(session, off, coupon, promotion)
    settle(shop, session)


def discount(shop: Shop, session: Json, promotion: Json) -> None:
    """Take a promotion code's discount off a session, instead of another."""
    shop.world.keep(session["id"], discounts=[{"promotion_code": promotion["id"]}])
    _total(shop, session)


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


def breakdown(shop: Shop, session: Json) -> Json:
    """What a session's total is made of, as `expand[]=total_details.breakdown` shows it."""
    rows, given = [], []
    for line in line_items(shop, session):
        given += shop.world.private.get(f"taxed/{line['id']}", {}).get("taxes", [])
    for number, wanted in enumerate(session["discounts"] or []):
        coupon, promotion = _named(shop, wanted)
        found = shop.world.make("discount", "di", id=f"di_{session['id'][-24:]}{number}")
        found.update(
            checkout_session=session["id"],
            start=session["created"],
            promotion_code=promotion["id"] if promotion else None,
            source={"type": "coupon", "coupon": coupon["id"]},
        )
        rows.append({"amount": session["total_details"]["amount_discount"], "discount": found})
    return {"discounts": rows, "taxes": given}


def line_items(shop: Shop, session: Json) -> list[Json]:
    """The lines of a session, or of a payment link as a visitor would see them."""
    found: list[Json] = shop.world.private[session["id"]]["lines"]
    if session["object"] == "payment_link":
        return [
            {
                **line_for(shop, entry, number, active=False, currency=session["currency"]),
                "id": entry["id"],
            }
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
    if session["setup_intent"]:
        intent = shop.find("setup_intent", session["setup_intent"])
        intent.update(status="canceled", next_action=None)
        shop.save(intent, "setup_intent.canceled")
    recovery = (session["after_expiration"] or {}).get("recovery")
    if recovery and recovery["enabled"]:
        recovery["expires_at"] = shop.world.now() + RECOVERY_SECONDS
        recovery["url"] = f"{shop.world.base_url}/r/{session['id']}"
    shop.world.schedule("expire_session", session["id"], None)
    return shop.save(session, "checkout.session.expired")


def leave(shop: Shop, session: Json, entered: Json) -> None:
    """A buyer who enters an address, perhaps consents to emails, and goes: nothing is paid, and the
    session expires with what was entered."""
    if entered.get("email") and session["status"] == "open":
        details = session["customer_details"] or shop.world.part(
            "checkout.session", "customer_details"
        )
        session["customer_details"] = {**details, "email": entered["email"]}
        session["consent"] = collecting.consent_so_far(session, entered.get("consent") or {})
    expire(shop, session)


def _check_ui(shop: Shop, params: Json) -> None:
    """Raise Stripe's 400 for addresses that don't go with where the session is paid."""
    ui = params.get("ui_mode", "hosted_page")
    if ui == "hosted_page":
        for name in ("return_url", "redirect_on_completion"):
            if params.get(name):
                raise invalid(f"`{name}` can't be used with `ui_mode: hosted_page`.", param=name)
        if not params.get("success_url"):
            raise mistakes.missing("success_url")
        return
    for name in ("success_url", "cancel_url"):
        if params.get(name):
            raise invalid(f"`{name}` can't be used with `ui_mode: {ui}`.", param=name)
    never = params.get("redirect_on_completion") == "never"
    if never == bool(params.get("return_url")):
        said = "can't be used" if never else "is required"
        raise invalid(
            f"`return_url` {said} with `ui_mode: {ui}` and this `redirect_on_completion`.",
            param="return_url",
        )


def _check_expiry(shop: Shop, params: Json) -> None:
    if (given := params.get("expires_at")) is None:
        return
    ahead = given - shop.world.now()
    if not SHORTEST_SECONDS <= ahead <= OPEN_SECONDS:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours after the session"
            " is created.",
            param="expires_at",
        )


def _check_quantities(params: Json) -> None:
    for number, entry in enumerate(_entries(params)):
        where = f"line_items[{number}]"
        if "quantity" not in entry:
            raise invalid(f"Quantity is required. Add `quantity` to `{where}`", param=where)
        if fault := mistakes.outside(f"{where}[quantity]", entry["quantity"], least=1):
            raise fault


def _check(shop: Shop, mode: str, lines: list[Json], params: Json) -> None:
    _check_ui(shop, params)
    _check_expiry(shop, params)
    _check_trial(params)
    if not lines and mode != "setup":
        raise mistakes.missing("line_items")
    named = params.get("currency") or params.get("allowed_payment_method_types")
    if mode == "setup" and not named:
        raise mistakes.missing("currency")
    _check_quantities(params)
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
    for name, needed in (
        ("subscription_data", "subscription"),
        ("payment_intent_data", "payment"),
        ("invoice_creation", "payment"),
        ("customer_creation", "payment"),
        ("setup_intent_data", "setup"),
        ("payment_method_collection", "subscription"),
    ):
        if params.get(name) and mode != needed:
            raise invalid(f"You can not pass `{name}` in `{mode}` mode.", param=name)


def _check_trial(params: Json) -> None:
    data = params.get("subscription_data") or {}
    if data.get("trial_end") and data.get("trial_period_days") is not None:
        raise too_many("subscription_data[trial_end]", "subscription_data[trial_period_days]")
    days = data.get("trial_period_days", 1)
    if fault := mistakes.outside("subscription_data[trial_period_days]", days, least=1):
        raise fault


def line_for(
    shop: Shop, entry: Json, number: int, *, active: bool = True, currency: str | None = None
) -> Json:
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
    amount = pricing.amount(shop, price, quantity, currency)
    product = shop.world.table("product").get(price["product"])
    made = shop.world.make(
        "item",
        "li",
        amount_subtotal=amount,
        amount_total=amount,
        currency=currency or price["currency"],
        adjustable_quantity=collecting.adjustable(entry.get("adjustable_quantity")),
        metadata=merge_metadata({}, entry.get("metadata")),
        description=product["name"] if product else price["nickname"],
        price=snapshot(price),
        quantity=quantity,
    )
    rates = taxes.named(shop, entry.get("tax_rates"), param=f"{where}[tax_rates]")
    return taxes.note(shop, made, rates)
