"""Shared helpers: linked products, and queries about access and the feed."""

from datetime import datetime

from tests.harness import Json, Latchkey, until

DAY = 86400


async def linked(
    site: Latchkey, *, every: str | None = "month", amount: int = 1500
) -> tuple[str, str, str]:
    """A product, its Stripe product and a price of that, linked."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product, amount, every=every)
    product = await site.product()
    await site.link(product, stripe_product)
    return product, stripe_product, price


async def types(site: Latchkey, product: str) -> list[str]:
    """The types of a product's lines, in order of the alphabet, without that of its link."""
    await site.settled()
    lines = [line["type"] for line in await site.lines(product=product)]
    return sorted(kind for kind in lines if kind != "link_created")


async def until_is(site: Latchkey, product: str, email: str, moment: int | None) -> None:
    """Wait until a person's access has this end, in Unix seconds; None means no end."""

    async def holds() -> bool:
        found = await site.access(product, email)
        end = found["until"] and int(datetime.fromisoformat(found["until"]).timestamp())
        return bool(found["access"] and end == moment)

    await until(holds, f"until is {moment}")


async def granted(site: Latchkey, product: str, email: str, count: int) -> list[Json]:
    """Wait until a person has this many live grants, and return them."""

    async def holds() -> list[Json] | None:
        found: list[Json] = (await site.access(product, email))["grants"]
        return found if len(found) == count else None

    grants: list[Json] = await until(holds, f"{count} grants of {email}")
    return grants


async def charge_of(site: Latchkey, payment_intent: str) -> str:
    return str((await site.stripe.get(f"payment_intents/{payment_intent}"))["latest_charge"])


async def charge_of_invoice(site: Latchkey, invoice: str) -> str:
    """The charge that paid an invoice: found through its payments."""
    payments = await site.stripe.get("invoice_payments", invoice=invoice)
    return await charge_of(site, payments["data"][0]["payment"]["payment_intent"])
