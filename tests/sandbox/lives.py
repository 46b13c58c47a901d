"""Shared by the billing tests: a subscriber, and their events."""

from dataclasses import dataclass

from tests.harness import Json, Stripe, flat


@dataclass
class Life:
    """One customer's subscription, read and changed through the API."""

    stripe: Stripe
    id: str
    customer: str
    price: str

    async def now(self) -> Json:
        return await self.stripe.get(f"subscriptions/{self.id}")

    async def update(self, **params: object) -> Json:
        return await self.stripe.post(f"subscriptions/{self.id}", **params)

    async def events(self) -> list[str]:
        """The types of all events about the subscription, oldest first."""
        return await events_of(self.stripe, self.id)

    async def invoices(self) -> list[Json]:
        found: list[Json] = (await self.stripe.get("invoices", subscription=self.id))["data"]
        return found

    async def until(self, moment: str) -> None:
        """Advance time until a moment of the subscription."""
        await self.stripe.control("clock/advance", subscription=self.id, until=moment)

    async def card(self, card: str) -> None:
        await self.stripe.control(f"customers/{self.customer}/card", card=card)


async def begin(stripe: Stripe, *, card: str | None = "pm_card_visa", **params: object) -> Life:
    """A new customer with a monthly subscription; `card` None leaves them without one."""
    price = await stripe.price(await stripe.product())
    given: Json = {"email": "life@box.example"}
    if card:
        given |= {"payment_method": card, "invoice_settings": {"default_payment_method": card}}
    customer = await stripe.post("customers", **given)
    made = await stripe.post(
        "subscriptions",
        **{"customer": customer["id"], "items": [{"price": price}], **params},
    )
    return Life(stripe, made["id"], customer["id"], price)


async def events_of(stripe: Stripe, about: str) -> list[str]:
    """The types of all events about an object, oldest first."""
    found = await stripe.client.get("/_sandbox/events", params={"object": about, "limit": 500})
    return [row["type"] for row in found.json()["data"]][::-1]


async def refused(stripe: Stripe, path: str, **params: object) -> Json:
    """The error of a call that must fail, with its HTTP status."""
    answer = await stripe.client.post(f"/v1/{path}", data=flat(params))
    assert answer.status_code >= 400, answer.text
    error: Json = answer.json()["error"]
    return {**error, "status": answer.status_code}
