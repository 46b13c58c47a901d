"""The account's own balance: what is on its way, what is available, and what is paid out."""

from sandbox.shop import Shop, invalid, merge_metadata, snapshot
from sandbox.transactions import transaction
from sandbox.world import Json

PAYOUT_SECONDS = 2 * 86400


def balance(shop: Shop) -> Json:
    """What is available and what is pending, by currency."""
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for entry in shop.world.table("balance_transaction").values():
        kept = sums["available" if entry["status"] == "available" else "pending"]
        kept[entry["currency"]] = kept.get(entry["currency"], 0) + entry["net"]
    default = shop.account["default_currency"]
    return shop.world.blanks.make(
        "balance",
        livemode=False,
        **{
            name: [
                {"amount": amount, "currency": currency, "source_types": {"card": amount}}
                for currency, amount in (kept or {default: 0}).items()
            ]
            for name, kept in sums.items()
        },
    )


def become_available(shop: Shop, entry: Json) -> None:
    """Due work: what was on its way up to this day has arrived."""
    now = shop.world.now()
    for row in shop.world.table("balance_transaction").values():
        if row["status"] == "pending" and row["available_on"] <= now:
            row["status"] = "available"
            shop.save(row)
    shop.emit("balance.available", balance(shop))


def pay_out(shop: Shop, params: Json) -> Json:
    """Send money from the balance to the account's bank. Raises Stripe's 400 for more than is
    available."""
    currency, amount = params["currency"].lower(), params["amount"]
    have = next(
        (row["amount"] for row in balance(shop)["available"] if row["currency"] == currency), 0
    )
    if not 0 < amount <= have:
        raise invalid(
            "You have insufficient funds in your Stripe account for this transfer.",
            param="amount",
            code="balance_insufficient",
        )
    world = shop.world
    made = world.make(
        "payout",
        "po",
        amount=amount,
        currency=currency,
        arrival_date=world.now() + world.span(PAYOUT_SECONDS),
        automatic=False,
        description=params.get("description"),
        metadata=merge_metadata({}, params.get("metadata")),
        method=params.get("method", "standard"),
        reconciliation_status="not_applicable",
        source_type="card",
        statement_descriptor=params.get("statement_descriptor"),
        status="pending",
        type="bank_account",
    )
    with shop.row():
        made["balance_transaction"] = transaction(shop, made, kind="payout")["id"]
        shop.save(made, "payout.created")
    world.schedule("arrive_payout", made["id"], made["arrival_date"])
    return made


def arrive(shop: Shop, payout: Json) -> None:
    """Due work: a payout reaches the bank."""
    if payout["status"] == "pending":
        before = snapshot(payout)
        payout["status"] = "paid"
        with shop.row():
            shop.save(payout, "payout.updated", before)
            shop.emit("payout.paid", payout)


def cancel(shop: Shop, payout: Json) -> Json:
    """Call a payout back that isn't on its way yet. Raises Stripe's 400."""
    if payout["status"] != "pending":
        raise invalid(f"The payout is {payout['status']}, not pending.")
    before = snapshot(payout)
    payout["status"] = "canceled"
    with shop.row():
        transaction(shop, payout, kind="payout_cancel")
        shop.save(payout, "payout.canceled", before)
    shop.world.schedule("arrive_payout", payout["id"], None)
    return payout


def reverse(shop: Shop, payout: Json, params: Json) -> Json:
    """Bring the money of a payout back from the bank, by a payout of its own. Raises Stripe's
    400."""
    if payout["status"] != "paid" or payout.get("reversed_by"):
        raise invalid("Only a paid payout can be reversed, and once.")
    made = shop.world.make(
        "payout",
        "po",
        amount=-payout["amount"],
        currency=payout["currency"],
        arrival_date=shop.world.now(),
        automatic=False,
        metadata=merge_metadata({}, params.get("metadata")),
        method="standard",
        original_payout=payout["id"],
        reconciliation_status="not_applicable",
        source_type="card",
        status="paid",
        type="bank_account",
    )
    before = snapshot(payout)
    payout["reversed_by"] = made["id"]
    with shop.row():
        made["balance_transaction"] = transaction(shop, made, kind="payout")["id"]
        shop.save(made, "payout.created")
        shop.save(payout, "payout.updated", before)
    return made
