"""Test cards and bank accounts, by number, token or payment method id, and how each behaves."""

import hashlib
import re
import string
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from sandbox import declines
from sandbox.shop import Shop, StripeApiError, missing
from sandbox.world import Json


@dataclass(frozen=True)
class Card:
    """How a payment method behaves. `decline` is the decline code of its charges, which holds for
    the next `fails` ones where that isn't None; 3-D Secure is asked for `once` or `always`, or is
    `optional`; `dispute` and `refund` say what happens to a charge and to its refund, `risk` how a
    charge is rated."""

    brand: str
    last4: str
    decline: str | None = None
    fails: int | None = None
    attachable: bool = True
    needs_authentication: bool = False
    authenticates: str = "once"
    delayed: str | None = None
    never_arrives: bool = False
    dispute: str | None = None
    refund: str | None = None
    funding: str = "credit"
    country: str = "US"
    risk: str = "normal"

    @property
    def blocked(self) -> bool:
        """Whether Stripe blocks its charges before a bank sees them."""
        return self.risk == "highest"


CARDS = {
    "4242424242424242": Card("visa", "4242"),
    "5555555555554444": Card("mastercard", "4444"),
    "378282246310005": Card("amex", "0005"),
    "371449635398431": Card("amex", "8431"),
    "4000056655665556": Card("visa", "5556", funding="debit"),
    "5200828282828210": Card("mastercard", "8210", funding="debit"),
    "5105105105105100": Card("mastercard", "5100", funding="prepaid"),
    "6011111111111117": Card("discover", "1117"),
    "3056930009020004": Card("diners", "0004"),
    "3566002020360505": Card("jcb", "0505", country="JP"),
    "6200000000000005": Card("unionpay", "0005", country="CN"),
    "4000000000000077": Card("visa", "0077"),
    "4000000000009235": Card("visa", "9235", risk="elevated"),
    "4000000000003055": Card("visa", "3055", authenticates="optional"),
    "4000000000000002": Card("visa", "0002", decline="generic_decline", attachable=False),
    "4000000000000341": Card("visa", "0341", decline="generic_decline"),
    "4000000000009995": Card("visa", "9995", decline="insufficient_funds", attachable=False),
    "4000000000009987": Card("visa", "9987", decline="lost_card", attachable=False),
    "4000000000009979": Card("visa", "9979", decline="stolen_card", attachable=False),
    "4000000000006975": Card("visa", "6975", decline="card_velocity_exceeded", attachable=False),
    "4100000000000019": Card("visa", "0019", decline="fraudulent", risk="highest"),
    "4000000000000069": Card("visa", "0069", decline="expired_card", attachable=False),
    "4000000000000127": Card("visa", "0127", decline="incorrect_cvc", attachable=False),
    "4000000000000119": Card("visa", "0119", decline="processing_error", attachable=False),
    "4000002760003184": Card(
        "visa", "3184", needs_authentication=True, authenticates="always", country="DE"
    ),
    "4000000000003220": Card("visa", "3220", needs_authentication=True, authenticates="always"),
    "4000002500003155": Card("visa", "3155", needs_authentication=True),
    "4000000000000259": Card("visa", "0259", dispute="needs_response"),
    "4000000000001976": Card("visa", "1976", dispute="warning_needs_response"),
    "4000000000007726": Card("visa", "7726", refund="pending"),
    "4000000000005126": Card("visa", "5126", refund="failing"),
}
SEPA = Card("sepa", "3000", delayed="sepa_debit")
BANK = Card("bank", "6789", delayed="us_bank_account")
FAILING_ACCOUNTS = {
    "AT861904300235473202",
    "AT591904300235473203",
    "IT60X0542811101000000123456",
    "000111111113",
    "000111111116",
    "000222222227",
}
_BY_NAME = {
    "visa": "4242424242424242",
    "mastercard": "5555555555554444",
    "amex": "371449635398431",
    "us": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard_debit": "5200828282828210",
    "mastercard_prepaid": "5105105105105100",
    "discover": "6011111111111117",
    "diners": "3056930009020004",
    "jcb": "3566002020360505",
    "unionpay": "6200000000000005",
    "bypassPending": "4000000000000077",
    "riskLevelElevated": "4000000000009235",
    "threeDSecureOptional": "4000000000003055",
    "chargeDeclinedStolenCard": "4000000000009979",
    "visa_chargeDeclinedStolenCard": "4000000000009979",
    "chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "chargeDeclinedFraudulent": "4100000000000019",
    "visa_chargeDeclinedFraudulent": "4100000000000019",
    "radarBlock": "4100000000000019",
    "chargeDeclined": "4000000000000002",
    "visa_chargeDeclined": "4000000000000002",
    "chargeCustomerFail": "4000000000000341",
    "chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "chargeDeclinedLostCard": "4000000000009987",
    "visa_chargeDeclinedLostCard": "4000000000009987",
    "chargeDeclinedExpiredCard": "4000000000000069",
    "chargeDeclinedIncorrectCvc": "4000000000000127",
    "chargeDeclinedProcessingError": "4000000000000119",
    "threeDSecure2Required": "4000000000003220",
    "authenticationRequired": "4000002760003184",
    "authenticationRequiredOnSetup": "4000002500003155",
    "createDispute": "4000000000000259",
    "createDisputeInquiry": "4000000000001976",
    "pendingRefund": "4000000000007726",
    "refundFail": "4000000000005126",
}
TOKENS = {
    **{f"pm_card_{name}": number for name, number in _BY_NAME.items()},
    **{f"tok_{name}": number for name, number in _BY_NAME.items()},
}
DEBITS = {
    "sepa_debit": SEPA,
    "pm_sepaDebit": SEPA,
    "us_bank_account": BANK,
    "pm_usBankAccount_success": BANK,
}


def other_kind(shop: Shop, kind: str) -> bool:
    """Whether there is a kind of payment method by this name that the sandbox only keeps: its
    payments arrive later, like a bank debit's."""
    schema = shop.world.published.resolve(shop.world.published.object_schema("payment_method"))
    properties: Json = schema.get("else", schema)["properties"]
    return kind in properties and kind in properties["type"]["enum"]


def behaviour(given: str) -> Card | None:
    """How what a person or a call names behaves: a card number, a magic id, an account number."""
    if given in FAILING_ACCOUNTS:
        return replace(BANK if given.isdigit() else SEPA, never_arrives=True)
    return DEBITS.get(given) or CARDS.get(TOKENS.get(given, given.replace(" ", "")))


def payment_method(
    shop: Shop,
    given: str,
    *,
    billing: Json | None = None,
    own_id: str | None = None,
    param: str = "payment_method",
) -> Json:
    """A payment method from a magic id, a token, a source or a card number, or one that exists.
    Raises Stripe's error for one that `param` names and isn't there."""
    found = shop.world.table("payment_method").get(given)
    if found is not None:
        return found
    given = shop.world.private.get(f"token/{given}", {}).get("stands_for", given)
    card = behaviour(given)
    if card is None and other_kind(shop, given):
        card = Card(given, "", delayed=given)
    if card is None:
        if given.isdigit():
            raise incorrect("number")
        raise missing("token" if param == "source" else "payment_method", given, param=param)
    return _new_method(shop, card, billing, own_id)


_INCORRECT = {
    "number": ("incorrect_number", "Your card number is incorrect."),
    "exp_month": ("invalid_expiry_month", "Your card's expiration month is invalid."),
    "exp_year": ("invalid_expiry_year", "Your card's expiration year is invalid."),
    "cvc": ("invalid_cvc", "Your card's security code is invalid."),
}


def incorrect(part: str) -> StripeApiError:
    """Stripe's 402 for a part of a card that can't be right."""
    code, message = _INCORRECT[part]
    return StripeApiError(402, message, code=code, kind="card_error", param=part)


def check(shop: Shop, given: Json) -> None:
    """Raise Stripe's 402 for a card's date or security code that can't be right."""
    today = datetime.fromtimestamp(shop.world.now(), UTC)
    month = _number(given, "exp_month", today.month)
    year = _number(given, "exp_year", today.year)
    if not 1 <= month <= 12:
        raise incorrect("exp_month")
    if not (today.year, today.month) <= (year, month) or year > today.year + 50:
        raise incorrect("exp_year")
    if given.get("cvc") and not re.fullmatch(r"\d{3,4}", str(given["cvc"])):
        raise incorrect("cvc")


def _number(given: Json, name: str, otherwise: int) -> int:
    """A part of a card's date, which a token's call gives as text."""
    text = str(given.get(name, otherwise))
    if not re.fullmatch(r"\d{1,4}", text):
        raise incorrect(name)
    return int(text)


def whole_address(given: Json) -> Json:
    """An address with all its six keys."""
    keys = ("city", "country", "line1", "line2", "postal_code", "state")
    return {key: given.get(key) or None for key in keys}


def _new_method(shop: Shop, card: Card, billing: Json | None, own_id: str | None) -> Json:
    made = shop.world.make("payment_method", "pm", id=own_id, type=card.delayed or "card")
    made["billing_details"] = {
        "address": whole_address((billing or {}).get("address") or {}),
        **{key: (billing or {}).get(key) or None for key in ("email", "name", "phone", "tax_id")},
    }
    made["customer"] = None
    if card.delayed:
        details = shop.world.part("payment_method", card.delayed)
        made[card.delayed] = {**details, **({"last4": card.last4} if card.last4 else {})}
    else:
        made["card"] = _card_details(shop, card)
    shop.world.keep(made["id"], card=asdict(card))
    return shop.save(made)


_DISPLAYED = {"amex": "american_express", "diners": "diners_club", "unionpay": "union_pay"}


def fingerprint(*account: str) -> str:
    """What a card or an account is known by: the same for the same one."""
    digest = hashlib.sha256("/".join(account).encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:16])


_LETTERS = string.ascii_letters + string.digits


def _expiry(shop: Shop) -> Json:
    """A test card is valid for a year from this month on."""
    today = datetime.fromtimestamp(shop.world.now(), UTC)
    return {"exp_month": today.month, "exp_year": today.year + 1}


def _card_details(shop: Shop, card: Card) -> Json:
    return {
        **shop.world.part("payment_method", "card"),
        "brand": card.brand,
        "last4": card.last4,
        **_expiry(shop),
        "country": card.country,
        "funding": card.funding,
        "fingerprint": fingerprint(card.brand, card.last4),
        "display_brand": _DISPLAYED.get(card.brand, card.brand),
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked",
        },
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
    }


def card_of(shop: Shop, method: Json) -> Card:
    return Card(**shop.world.private[method["id"]]["card"])


def change_card(shop: Shop, method: Json, **changes: object) -> Card:
    """Change how a payment method behaves from now on."""
    card = Card(**{**asdict(card_of(shop, method)), **changes})
    shop.world.keep(method["id"], card=asdict(card))
    return card


def attach(shop: Shop, method: Json, customer: Json) -> Json:
    """Attach a payment method. Raises a card error if the card can't be saved."""
    card = card_of(shop, method)
    if card.decline and not card.attachable:
        raise declines.fault(card.decline)
    if method["customer"] == customer["id"]:
        return method
    method["customer"] = customer["id"]
    if method.get("card"):
        method["card"] = checked(method["card"])
    return shop.save(method, "payment_method.attached")


def checked(details: Json) -> Json:
    """A card's details once its bank has seen it."""
    if details["checks"] is None:
        return details
    return {**details, "checks": {**details["checks"], "cvc_check": "pass"}}
