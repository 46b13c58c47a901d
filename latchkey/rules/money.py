"""How many decimals an amount has in Stripe's minor unit, which is not what every locale shows.

From Stripe's list of currencies: some have none, some three, all others two, the Icelandic króna
and the Ugandan shilling among them for the sake of old integrations.
"""

_NONE = frozenset(
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
        "XOF", "XPF",
    }
)  # fmt: skip
_THREE = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def decimals(currency: str) -> int:
    """Decimals of a currency, whose code may be in any case."""
    code = currency.upper()
    if code in _NONE:
        return 0
    return 3 if code in _THREE else 2
