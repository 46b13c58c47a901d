"""Tokens, sources and the cards of customers, as integrations used them before payment methods.

A card of a customer is a payment method too, under the same id, as it is with Stripe.
"""

from sandbox import cards
from sandbox.fields import apply
from sandbox.shop import Shop, invalid, merge_metadata, missing, snapshot
from sandbox.world import Json

KINDS = ("card", "bank_account", "source")
_BRANDS = {"visa": "Visa", "mastercard": "MasterCard", "amex": "American Express"}
_AT_ONCE = ("card", "sepa_debit", "ach_debit", "au_becs_debit", "acss_debit")
"""Types of sources that can be charged without anything that their owner does."""
_DEPOSITS = [32, 45]
"""What the test deposits to a bank account come to."""


def new_token(shop: Shop, params: Json) -> Json:
    """A token that can be used once. Raises Stripe's 402 for a card number that isn't valid."""
    kind = next(
        (name for name in _TOKENS if name in params),
        None,
    )
    if kind is None:
        raise invalid(
            "You must supply either a card, customer, PII data, bank account, or account to create"
            " a token."
        )
    made = shop.world.make("token", "tok", type=kind, used=False, client_ip="127.0.0.1")
    given = params[kind]
    if isinstance(given, str):
        raise invalid(
            f"The sandbox can't make a token of `{kind}={given}`.",
            param=kind,
            code="sandbox_unsupported",
        )
    if kind == "card":
        card = _behaviour(given["number"])
        if len(given["exp_year"]) == 2:
            given = {**given, "exp_year": f"20{given['exp_year']}"}
        cards.check(shop, given)
        made["card"] = _unused(_card(shop, card, given))
        shop.world.keep(f"token/{made['id']}", stands_for=given["number"], given=given)
    elif kind == "bank_account":
        made["bank_account"] = _bank_account(shop, given)
        number = given["account_number"]
        stands_for = number if number in cards.FAILING_ACCOUNTS else "us_bank_account"
        shop.world.keep(f"token/{made['id']}", stands_for=stands_for, given=given)
    return shop.save(made)


_TOKENS = ("card", "bank_account", "pii", "cvc_update", "account", "person")


def _behaviour(number: str) -> cards.Card:
    found = cards.behaviour(number)
    if found is None or found.delayed:
        raise cards.incorrect("number")
    return found


def _unused(card: Json) -> Json:
    """A card as its token shows it, before anything is done with it."""
    card.pop("allow_redisplay")
    return {**card, "cvc_check": "unchecked", "networks": {"preferred": None}}


def _card(shop: Shop, card: cards.Card, given: Json) -> Json:
    made = shop.world.make(
        "card",
        "card",
        brand=_BRANDS.get(card.brand, "Unknown"),
        address_line1_check=None,
        address_zip_check=None,
        allow_redisplay="unspecified",
        country=card.country,
        cvc_check="pass",
        dynamic_last4=None,
        exp_month=int(given.get("exp_month", 12)),
        exp_year=int(given.get("exp_year", 2034)),
        fingerprint=cards.fingerprint(card.brand, card.last4),
        funding=card.funding,
        last4=card.last4,
        metadata={},
        regulated_status="unregulated",
        tokenization_method=None,
    )
    made.pop("created", None)
    for name in ("name", *_ADDRESS):
        made[name] = given.get(name)
    return made


_ADDRESS = (
    *("address_city", "address_country", "address_line1", "address_line2", "address_state"),
    "address_zip",
)


def _bank_account(shop: Shop, given: Json) -> Json:
    return shop.world.make(
        "bank_account",
        "ba",
        account_holder_name=given.get("account_holder_name"),
        account_holder_type=given.get("account_holder_type"),
        account_type=given.get("account_type"),
        bank_name="STRIPE TEST BANK",
        country=given["country"],
        currency=given.get("currency", "usd").lower(),
        fingerprint=cards.fingerprint(given["country"], given["account_number"]),
        last4=given["account_number"][-4:],
        routing_number=given.get("routing_number"),
        status="new",
    )


def use_up(shop: Shop, token: Json) -> None:
    """Raise Stripe's 400 where a token was used before."""
    if token["used"]:
        raise invalid(
            f"You cannot use a Stripe token more than once: {token['id']}.",
            code="token_already_used",
        )
    token["used"] = True
    shop.save(token)


def create_source(shop: Shop, params: Json) -> Json:
    """A source, which can be charged at once or once its owner did something."""
    kind = params.get("type") or "card"
    known = shop.world.published.resolve(shop.world.published.object_schema("source"))
    if kind not in known.get("else", known)["properties"]["type"]["enum"]:
        raise invalid(f"Invalid source type: {kind}", param="type")
    flow = "none" if kind in _AT_ONCE else "redirect"
    flow = params.get("flow") or ("receiver" if kind.endswith("_transfer") else flow)
    made = shop.world.make(
        "source",
        "src",
        type=kind,
        flow=flow,
        amount=params.get("amount"),
        currency=params.get("currency"),
        metadata=merge_metadata({}, params.get("metadata")),
        statement_descriptor=params.get("statement_descriptor"),
        status="chargeable" if flow == "none" else "pending",
        usage=params.get("usage") or ("single_use" if flow == "redirect" else "reusable"),
    )
    made["client_secret"] = f"{made['id'].replace('src', 'src_client_secret')}"
    apply(shop, "source", made, {key: params[key] for key in ("owner",) if key in params})
    _fill(shop, made, params)
    shop.save(made)
    if made["status"] == "chargeable":
        shop.emit("source.chargeable", made)
    else:
        at = shop.world.now() + shop.settings.delayed_seconds
        shop.world.schedule("settle_source", made["id"], at)
    return made


def _fill(shop: Shop, source: Json, params: Json) -> None:
    """What is particular to a source's type and flow."""
    kind, stands_for = source["type"], source["type"]
    if token_id := params.get("token"):
        kept = shop.world.private.get(f"token/{token_id}", {})
        if token := shop.world.table("token").get(token_id):
            use_up(shop, token)
        stands_for = kept.get("stands_for", token_id)
    if kind == "card":
        card = cards.behaviour(stands_for)
        if card is None:
            raise invalid("A source of a card needs a token.", param="token")
        source["card"] = {
            **shop.world.part("source", "card"),
            "brand": _BRANDS.get(card.brand, "Unknown"),
            "last4": card.last4,
            "exp_month": 12,
            "exp_year": 2034,
            "country": "US",
            "funding": "credit",
        }
    else:
        source[kind] = shop.world.part("source", kind)
    if source["flow"] == "redirect":
        back = (params.get("redirect") or {}).get("return_url")
        if not back:
            raise invalid(
                "Missing required param: redirect.", param="redirect", code="parameter_missing"
            )
        source["redirect"] = {
            "failure_reason": None,
            "return_url": back,
            "status": "pending",
            "url": back,
        }
    elif source["flow"] == "receiver":
        source["receiver"] = {
            **shop.world.part("source", "receiver"),
            "address": f"110000000-test_{source['id'][-8:]}",
            "refund_attributes_method": "email",
            "refund_attributes_status": "missing",
        }
    shop.world.keep(f"token/{source['id']}", stands_for=stands_for)


def settle(shop: Shop, source: Json) -> None:
    """Due work: the owner of a source did what was asked."""
    if source["status"] == "pending":
        source["status"] = "chargeable"
        if source.get("redirect"):
            source["redirect"]["status"] = "succeeded"
        shop.save(source, "source.chargeable")


def of_customer(shop: Shop, customer: Json) -> list[Json]:
    """A customer's cards, bank accounts and sources, newest first."""
    names = shop.world.private.get(f"sources/{customer['id']}", {}).get("ids", [])
    return [found for name in names[::-1] if (found := find(shop, name)) is not None]


def find(shop: Shop, name: str) -> Json | None:
    for kind in KINDS:
        if found := shop.world.table(kind).get(name):
            return found
    return None


def add(shop: Shop, customer: Json, given: str, *, metadata: Json | None = None) -> Json:
    """Add what a token stands for to a customer; the first becomes their default. Raises Stripe's
    402 where the card is declined on sight."""
    kept = shop.world.private.get(f"token/{given}", {})
    source = shop.world.table("source").get(given)
    if token := shop.world.table("token").get(given):
        use_up(shop, token)
    method = None
    if source is not None:
        made = source
    elif token is not None and token["type"] == "bank_account":
        made = shop.world.copy(token["bank_account"])
    else:
        number = kept.get("stands_for", given)
        card = cards.behaviour(number)
        if card is None:
            raise invalid(f"No such token: '{given}'", param="source", code="resource_missing")
        made = _card(shop, card, kept.get("given", {}))
        method = cards.payment_method(shop, number, own_id=made["id"])
        cards.attach(shop, method, customer)
    made["customer"] = customer["id"]
    if metadata:
        made["metadata"] = merge_metadata({}, metadata)
    known = shop.world.private.get(f"sources/{customer['id']}", {}).get("ids", [])
    shop.world.keep(f"sources/{customer['id']}", ids=[*known, made["id"]])
    shop.save(made, "customer.source.created")
    if customer["default_source"] is None:
        customer["default_source"] = made["id"]
        shop.save(customer)
    return made


def remove(shop: Shop, customer: Json, source: Json) -> None:
    """Take a card, bank account or source from a customer; the next becomes their default."""
    known = shop.world.private[f"sources/{customer['id']}"]["ids"]
    shop.world.keep(
        f"sources/{customer['id']}", ids=[name for name in known if name != source["id"]]
    )
    method = shop.world.table("payment_method").get(source["id"])
    if method is not None:
        before = snapshot(method)
        method["customer"] = None
        shop.save(method, "payment_method.detached", before)
    shop.emit("customer.source.deleted", source)
    if source["object"] != "source":
        shop.world.forget(source["object"], source["id"])
    if customer["default_source"] == source["id"]:
        before = snapshot(customer)
        rest = of_customer(shop, customer)
        customer["default_source"] = rest[0]["id"] if rest else None
        shop.save(customer, "customer.updated", before)


def mine(shop: Shop, customer: Json, name: str) -> Json:
    """A customer's source by its id. Raises Stripe's 404."""
    found = find(shop, name)
    if found is None or found["customer"] != customer["id"]:
        raise missing("source", name)
    return found


def verify(shop: Shop, account: Json, amounts: list[int]) -> Json:
    """Say what two test deposits came to. Raises Stripe's 400 where that isn't right."""
    if sorted(amounts) != _DEPOSITS:
        raise invalid(
            "The amounts provided do not match the amounts that were sent to the bank account.",
            code="bank_account_verification_failed",
        )
    before = snapshot(account)
    account["status"] = "verified"
    return shop.save(account, "customer.source.updated", before)
