"""Bank transfers: payments that wait until the customer has sent the money."""

from sandbox.shop import Shop
from sandbox.world import Json

_KINDS = {"eur": "eu", "gbp": "gb", "jpy": "jp", "mxn": "mx", "usd": "us"}


def kind_of(currency: str) -> str:
    """The kind of bank transfer in a currency: `us_bank_transfer`."""
    return f"{_KINDS.get(currency, 'us')}_bank_transfer"


def wait(shop: Shop, intent: Json) -> str:
    """Tell the customer where to send the money."""
    shop.world.keep(intent["id"], remaining=intent["amount"])
    intent["next_action"] = {
        **shop.world.part("payment_intent", "next_action"),
        "type": "display_bank_transfer_instructions",
        "display_bank_transfer_instructions": {
            "amount_remaining": intent["amount"],
            "currency": intent["currency"],
            "financial_addresses": [],
            "hosted_instructions_url": f"{shop.world.base_url}/bank_transfers/{intent['id']}",
            "reference": intent["id"][-12:].upper(),
            "type": kind_of(intent["currency"]),
        },
    }
    intent["status"] = "requires_action"
    shop.save(intent, "payment_intent.requires_action")
    return "requires_action"
