"""The currencies that Stripe takes."""

from collections.abc import Iterator
from typing import Any

from sandbox.shop import StripeApiError, invalid

_CODES = """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn
    bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel ghs gip gmd
    gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp
    lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab
    pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs
    tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw
"""
KNOWN = frozenset(_CODES.split())


def unknown(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Paths and values of what a request names as a currency and Stripe doesn't take."""
    if isinstance(tree, list):
        for number, entry in enumerate(tree):
            yield from unknown(entry, f"{path}[{number}]")
    elif isinstance(tree, dict):
        for name, value in tree.items():
            where = f"{path}[{name}]" if path else name
            if name == "currency" and isinstance(value, str):
                if value.lower() not in KNOWN:
                    yield where, value
            elif name != "metadata":
                yield from unknown(value, where)


def refuse(path: str, value: str) -> StripeApiError:
    """Stripe's 400."""
    return invalid(
        f"Invalid currency: {value}. Stripe currently supports these currencies:"
        f" {', '.join(_CODES.split())}",
        param=path,
    )
