"""How many decimals Stripe's amounts have in each currency, which may differ from local usage.

From Stripe's list of currencies: some have none, some have three, all others two, including the
Icelandic króna and the Ugandan shilling for compatibility with old integrations.
"""

from decimal import Decimal

_NONE = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
        "XOF", "XPF",
    }
)  # fmt: skip
_THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def decimals(currency: str) -> int:
    """The decimals of a currency. Its code may be in upper or lower case."""
    code = currency.upper()
    if code in _NONE:
        return 0
    return 3 if code in _THREE else 2


def in_major_units(amount: int, currency: str) -> Decimal:
    """An amount of the minor unit in the currency's own unit: 2900 in euros is 29.00."""
    return Decimal(amount).scaleb(-decimals(currency))
