"""Which payment methods a payment offers where a call leaves the choice to Stripe.

They are what the account's configuration has on and what suits the payment: its currency and
amount, the account's country, whether it is captured or used again later, where the buyer pays.
`payment_methods.txt` says what suits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path

from sandbox import configurations
from sandbox.defaults import CARD_OPTIONS
from sandbox.settings import CURRENCIES
from sandbox.shop import Shop, snapshot
from sandbox.world import Json

_FILE = Path(__file__).with_name("payment_methods.txt")
_EUROPEAN = frozenset({"chf", "czk", "dkk", "eur", "gbp", "huf", "nok", "pln", "ron", "sek"})
_EUROPE = frozenset(country for country, own in CURRENCIES.items() if own in _EUROPEAN)
_WIDE = _EUROPE | {"AU", "CA", "HK", "JP", "MX", "NZ", "SG", "US"}
_REGIONS = {"europe": _EUROPE, "wide": _WIDE}


class Where(Enum):
    """Where a buyer pays; it decides what a payment method must be able to do."""

    API = ""
    PAGE = "page"
    RENEWED_PAGE = "renewed"
    INVOICE = "invoiced"


@dataclass(frozen=True)
class Payment:
    """What is known of a payment that matters. `currency` is None where nothing is due yet."""

    currency: str | None = None
    amount: int | None = None
    saved: bool = False
    held: bool = False
    leads_away: bool = True
    where: Where = Where.API


@dataclass(frozen=True)
class _Kind:
    name: str
    countries: frozenset[str] | None
    currencies: frozenset[str] | None
    can: frozenset[str]
    least: int
    most: int | None

    def suits(self, payment: Payment, country: str, own: str) -> bool:
        """Whether a payment to an account of this country and currency can be made with it."""
        if self.countries is not None and country not in self.countries:
            return False
        if payment.currency and not self._takes(payment.currency, country, own):
            return False
        if payment.amount and not self.least <= payment.amount <= (self.most or payment.amount):
            return False
        if payment.where in (Where.PAGE, Where.RENEWED_PAGE) and "unpaged" in self.can:
            return False
        if not payment.leads_away and "away" in self.can:
            return False
        needed = {"saved": payment.saved, "held": payment.held}
        where = payment.where.value
        needed |= {where: True} if where in ("renewed", "invoiced") else {}
        return all(name in self.can for name, asked in needed.items() if asked)

    def _takes(self, currency: str, country: str, own: str) -> bool:
        known = self.currencies
        return (
            known is None
            or currency in known
            or ("own" in known and currency == own)
            or ("european" in known and country in _EUROPE and currency in _EUROPEAN)
        )


@cache
def _table() -> tuple[_Kind, ...]:
    lines = (line.strip() for line in _FILE.read_text().splitlines())
    return tuple(_read(line) for line in lines if line and not line.startswith("#"))


def _read(line: str) -> _Kind:
    name, countries, currencies, can, *limits = (part.strip() for part in line.split("|"))
    least, most = (int(limit) for limit in limits[0].split()) if limits else (0, None)
    return _Kind(
        name=name,
        countries=_countries(countries.split()),
        currencies=None if currencies == "any" else frozenset(currencies.split()),
        can=frozenset(can.split()),
        least=least,
        most=most,
    )


def _countries(named: list[str]) -> frozenset[str] | None:
    if named == ["any"]:
        return None
    return frozenset().union(*(_REGIONS.get(name, frozenset({name})) for name in named))


def kinds(
    shop: Shop, payment: Payment, *, configuration: Json, excluded: Iterable[str] = ()
) -> list[str]:
    """The kinds of payment methods that a payment offers, in Stripe's order."""
    on = configurations.on(configuration)
    return [name for name in _suiting(shop, payment) if name in on and name not in set(excluded)]


def kinds_of_invoices(shop: Shop, payment: Payment) -> list[str]:
    """The kinds that an invoice's payment offers, by what the account's invoice template has on;
    in alphabetical order, as Stripe has them there."""
    on = shop.settings.invoice_payment_methods
    return sorted(name for name in _suiting(shop, payment) if name in on)


def _suiting(shop: Shop, payment: Payment) -> list[str]:
    return list(_suited(payment, shop.account["country"], shop.account["default_currency"]))


@lru_cache
def _suited(payment: Payment, country: str, own: str) -> tuple[str, ...]:
    return tuple(kind.name for kind in _table() if kind.suits(payment, country, own))


_OF_PAYMENTS: Json = {
    "acss_debit": {"verification_method": "automatic"},
    "afterpay_clearpay": {"reference": None},
    "bancontact": {"preferred_language": "en"},
    "boleto": {"expires_after_days": 3},
    "card": CARD_OPTIONS,
    "klarna": {"preferred_locale": None},
    "konbini": {
        "confirmation_number": None,
        "expires_after_days": None,
        "expires_at": None,
        "product_description": None,
    },
    "link": {"persistent_token": None},
    "oxxo": {"expires_after_days": 3},
    "paypal": {"preferred_locale": None, "reference": None},
    "us_bank_account": {
        "financial_connections": {"permissions": ["payment_method"], "prefetch": []},
        "mandate_options": {},
        "transaction_purpose": "unspecified",
        "verification_method": "automatic",
    },
    "wechat_pay": {"app_id": None, "client": None},
}
"""What a payment intent says of each kind, as recorded, over its blank."""
_OF_INVOICES: Json = {
    "acss_debit": {
        "mandate_options": {
            "interval_description": None,
            "payment_schedule": None,
            "transaction_type": None,
        },
        "verification_method": "automatic",
    },
    "us_bank_account": {
        name: value
        for name, value in _OF_PAYMENTS["us_bank_account"].items()
        if name != "financial_connections"
    },
}
"""Where the payment intent of an invoice says something else."""
_OF_SETUPS: Json = {
    "card": {name: value for name, value in CARD_OPTIONS.items() if name != "installments"},
    "us_bank_account": {"mandate_options": {}, "verification_method": "automatic"},
}
_OF_PAGES: Json = {"card": {"request_three_d_secure": "automatic"}}
_OF_SETUP_PAGES: Json = {
    **_OF_PAGES,
    "us_bank_account": {
        "financial_connections": {"permissions": ["payment_method"], "prefetch": []},
        "verification_method": "automatic",
    },
}


def options(shop: Shop, names: Iterable[str], *, invoice: bool = False) -> Json:
    """What a payment intent says of the kinds that it offers; nothing of those that Stripe's
    description of the API doesn't have there."""
    known = {**_OF_PAYMENTS, **(_OF_INVOICES if invoice else {})}
    field = ("payment_intent", "payment_method_options")
    blanks = {name: shop.world.part_within(*field, name) for name in names}
    return {
        name: {**blank, **snapshot(known.get(name, {}))}
        for name, blank in blanks.items()
        if blank is not None
    }


def setup_options(names: Iterable[str]) -> Json:
    """What a setup intent says of the kinds that it offers."""
    return {name: snapshot(_OF_SETUPS[name]) for name in names if name in _OF_SETUPS}


def page_options(names: Iterable[str], *, setup: bool) -> Json:
    """What a checkout session says of the kinds that it offers."""
    known = _OF_SETUP_PAGES if setup else _OF_PAGES
    return {name: snapshot(known[name]) for name in names if name in known}
