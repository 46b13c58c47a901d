"""Invoice numbers: a prefix and a sequence of each customer's own."""

from sandbox.cards import fingerprint
from sandbox.shop import Shop
from sandbox.world import Json


def prefix_of(customer: str) -> str:
    """The prefix that a new customer's invoices get: eight capital letters and digits."""
    return fingerprint("invoices", customer)[:8].upper()


def take(shop: Shop, invoice: Json) -> str:
    """The number of an invoice that is finalized: the next one of its customer."""
    customer = shop.world.table("customer").get(invoice["customer"])
    if customer is None:
        return f"{prefix_of(invoice['customer'])}-0001"
    number = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] = number + 1
    shop.world.store(customer)
    return f"{customer['invoice_prefix']}-{number:04d}"
