"""What customers have in credit or owe apart from their invoices, and what changed it."""

from sandbox.shop import Shop
from sandbox.world import Json

KIND = "customer_balance_transaction"


def change(
    shop: Shop,
    customer: Json,
    amount: int,
    *,
    kind: str,
    currency: str,
    description: str | None = None,
    metadata: Json | None = None,
    invoice: str | None = None,
    credit_note: str | None = None,
) -> Json:
    """Add `amount` (minor unit; below zero it is credit) to a customer's balance; the transaction
    that says so. The caller saves the customer."""
    customer["balance"] += amount
    customer["currency"] = customer["currency"] or currency
    made = shop.world.make(
        KIND,
        "cbtxn",
        amount=amount,
        currency=currency,
        customer=customer["id"],
        description=description,
        ending_balance=customer["balance"],
        metadata=metadata or {},
        invoice=invoice,
        credit_note=credit_note,
        type=kind,
    )
    return shop.save(made)


def use(shop: Shop, invoice: Json) -> None:
    """Apply the balance to an invoice that is being finalized: credit pays for it, a debt is put
    on top, and what an invoice gives back becomes credit."""
    customer = shop.world.table("customer").get(invoice["customer"])
    balance = customer["balance"] if customer else 0
    invoice.update(starting_balance=balance, ending_balance=balance)
    if customer is None or (invoice["total"] >= 0 and balance == 0):
        return
    after = min(0, invoice["total"] + balance)
    change(
        shop,
        customer,
        after - balance,
        kind="applied_to_invoice",
        currency=invoice["currency"],
        invoice=invoice["id"],
    )
    rest = max(0, invoice["total"] + balance)
    invoice.update(amount_due=rest, amount_remaining=rest, ending_balance=after)
    shop.save(customer)


def give_back(shop: Shop, invoice: Json) -> None:
    """Undo what an invoice took from the balance, once it is void."""
    customer = shop.world.table("customer").get(invoice["customer"])
    taken = (invoice["ending_balance"] or 0) - (invoice["starting_balance"] or 0)
    if customer is None or taken <= 0:
        return
    change(
        shop,
        customer,
        -taken,
        kind="unapplied_from_invoice",
        currency=invoice["currency"],
        invoice=invoice["id"],
    )
    shop.save(customer)
