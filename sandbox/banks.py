"""What Stripe says of a bank account or a bank that somebody pays from."""

from sandbox.cards import fingerprint
from sandbox.world import Json

_PARTS = {
    **{"AD": (4, 4), "AT": (5, 0), "BE": (3, 0), "BG": (4, 4), "CH": (5, 0), "CY": (3, 5)},
    **{"CZ": (4, 0), "DE": (8, 0), "DK": (4, 0), "EE": (2, 0), "ES": (4, 4), "FI": (3, 0)},
    **{"FR": (5, 5), "GB": (4, 6), "GI": (4, 0), "GR": (3, 4), "HR": (7, 0), "HU": (3, 4)},
    **{"IE": (4, 6), "IS": (4, 0), "LI": (5, 0), "LT": (5, 0), "LU": (3, 0), "LV": (4, 0)},
    **{"MC": (5, 5), "MT": (4, 5), "NL": (4, 0), "NO": (4, 0), "PL": (3, 5), "PT": (4, 4)},
    **{"RO": (4, 0), "SE": (3, 0), "SI": (5, 0), "SK": (4, 0), "SM": (5, 5)},
}
"""How long the codes of the bank and of the branch are in an IBAN, after its first four letters."""
_CHECKED = ("IT", "SM")
"""Countries where a check digit stands before the bank's code."""
_BICS = {
    **{"abn_amro": "ABNANL2A", "asn_bank": "ASNBNL21", "bunq": "BUNQNL2A", "buut": "BUUTNL2A"},
    **{"finom": "FNOMNL22", "handelsbanken": "HANDNL2A", "ing": "INGBNL2A", "knab": "KNABNL2H"},
    **{"mollie": "MLLENL2A", "moneyou": "MOYONL21", "n26": "NTSBDEB1", "nn": "NNBANL2G"},
    **{"rabobank": "RABONL2U", "regiobank": "RBRBNL21", "revolut": "REVOLT21"},
    **{"sns_bank": "SNSBNL2A", "triodos_bank": "TRIONL2U", "van_lanschot": "FVLBNL22"},
    **{"yoursafe": "BITSNL2A"},
}
TEST_BANK = "STRIPE TEST BANK"


def known(kind: str, given: Json) -> Json:
    """What follows from the details of a payment method of this type."""
    match kind:
        case "sepa_debit":
            return _of_iban(str(given.get("iban") or "").replace(" ", "").upper())
        case "acss_debit" | "us_bank_account" if given.get("account_number"):
            number = str(given["account_number"])
            return {"bank_name": TEST_BANK, "fingerprint": fingerprint(kind, number)}
        case "fpx":
            return {"account_holder_type": "individual"}
        case "ideal":
            return {"bic": _BICS.get(str(given.get("bank")))}
        case _:
            return {}


def _of_iban(iban: str) -> Json:
    if len(iban) < 15:
        return {}
    country = iban[:2]
    bank, branch = _PARTS.get("SM" if country == "IT" else country, (4, 0))
    start = 5 if country in _CHECKED else 4
    return {
        "bank_code": iban[start : start + bank],
        "branch_code": iban[start + bank : start + bank + branch],
        "country": country,
        "fingerprint": fingerprint("iban", iban),
        "generated_from": {"charge": None, "setup_attempt": None},
    }
