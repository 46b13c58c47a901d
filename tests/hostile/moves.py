"""What people, and the shop's owner, do at Stripe. Every move returns the sources that it changed.

The sandbox refuses moves that Stripe wouldn't allow; they are skipped.
"""

import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.hostile.truth import Json, Truth
from tests.spellings import spelled, typed

DAY = 86400
CARDS = ("4242424242424242", "4242424242424242", "5555555555554444")
BROKEN = "pm_card_chargeCustomerFail"


@dataclass
class Goods:
    """A Stripe product and its prices."""

    id: str
    monthly: list[str]
    once: list[str]


@dataclass
class Person:
    """A buyer, who may have several customers at Stripe and `further` addresses.

    `bound` are the customers whose owner Latchkey knows. `moved` maps customers to their new
    address at Stripe. `carts` are the sessions that subscriptions came from; for a quote, the first
    invoice, if it also sold a one-time item. `refunded` lists by subscription what was refunded
    since the last settled moment: the invoice and the amount, which is negative if a refund failed.
    `left` are sessions that they left open, `expired` those that can be opened again.
    """

    email: str
    customers: list[str] = field(default_factory=list)
    subscriptions: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)
    invoices: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    further: list[str] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    carts: dict[str, str] = field(default_factory=dict)
    refunded: dict[str, list[tuple[str, int]]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)

    def spelled(self, chance: random.Random) -> str:
        """One of their addresses, as programs write it."""
        return spelled(self._one(chance), chance)

    def typed(self, chance: random.Random) -> str:
        """One of their addresses, as people type it at a checkout."""
        return typed(self._one(chance), chance)

    def _one(self, chance: random.Random) -> str:
        return chance.choice((self.email, self.email, *self.further))

    def customer(self, chance: random.Random) -> str | None:
        alive = [customer for customer in self.customers if customer not in self.gone]
        return chance.choice(alive) if alive else None


@dataclass
class Scene:
    """Where a move takes place. `addresses` are everybody's. `open_checkout` has the site create a
    session for an address, if it sells something.
    """

    truth: Truth
    goods: list[Goods]
    free: str
    chance: random.Random
    addresses: list[str]
    open_checkout: Callable[[str], Awaitable[str | None]]

    def some(self, *, monthly: bool, most: int = 1) -> list[str]:
        """Prices of different products."""
        count = self.chance.randint(1, min(most, len(self.goods)))
        chosen = self.chance.sample(self.goods, count)
        return [self.chance.choice(g.monthly if monthly else g.once) for g in chosen]


Move = Callable[[Scene, Person], Awaitable[list[str]]]


async def _customer(scene: Scene, person: Person) -> str:
    """An existing customer or a new one: people come back without being recognised."""
    known = person.customer(scene.chance)
    if known and scene.chance.random() < 0.6:
        return known
    made = await scene.truth.post(
        "customers",
        email=person.spelled(scene.chance),
        name="A person",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )
    person.customers.append(made["id"])
    return str(made["id"])


async def _checkout(
    scene: Scene, person: Person, prices: list[str], mode: str, card: str, **params: object
) -> Json:
    made = await scene.truth.post(
        "checkout/sessions",
        mode=mode,
        line_items=[{"price": price, "quantity": 1} for price in prices],
        success_url="http://127.0.0.1/thanks",
        **params,
    )
    return await _pay(scene, person, made["id"], card)


async def _pay(scene: Scene, person: Person, session_id: str, card: str) -> Json:
    answer = await scene.truth.control(
        f"checkout/{session_id}/pay", email=person.typed(scene.chance), card=card
    )
    session: Json = answer["session"]
    if session["customer"] and session["customer"] not in person.customers:
        person.customers.append(session["customer"])
    person.sessions.append(session["id"])
    return session


async def buy_at_the_site(scene: Scene, person: Person) -> list[str]:
    """By a session that the site makes: it is paid, left open, or let expire, by people who agree
    to be written to and people who don't."""
    session = await scene.open_checkout(person.spelled(scene.chance))
    if session is None:
        return []
    match scene.chance.choice(("pay", "pay", "pay", "leave", "expire")):
        case "leave":
            person.left.append(session)
            return [session]
        case "expire":
            await scene.truth.control(
                f"checkout/{session}/leave",
                email=person.typed(scene.chance),
                consent={"promotions": scene.chance.choice(("opt_in", "opt_in", "opt_out"))},
            )
            person.expired.append(session)
            return [session]
    return await _bought(scene, person, session)


async def buy_by_a_payment_link(scene: Scene, person: Person) -> list[str]:
    """By an address that the site has made; the shop's owner may switch it off instead, and the
    buyer may leave the checkout open."""
    link = await _payment_link(scene)
    if link is None:
        return []
    if scene.chance.random() < 0.15:
        await scene.truth.post(f"payment_links/{link['id']}", active=False)
        return []
    session = await scene.truth.control(f"payment_links/{link['id']}/open")
    if scene.chance.random() < 0.3:
        person.left.append(session["id"])
        return [session["id"]]
    return await _bought(scene, person, session["id"])


async def _payment_link(scene: Scene) -> Json | None:
    """Any payment link to one of the prices that can be paid; None if there is none."""
    prices = {price for goods in scene.goods for price in (*goods.monthly, *goods.once)}
    found = []
    for link in await scene.truth.everything("payment_links", active=True):
        lines = await scene.truth.get(f"payment_links/{link['id']}/line_items")
        if prices & {line["price"]["id"] for line in lines["data"]}:
            found.append(link)
    return scene.chance.choice(found) if found else None


async def come_back_to_a_checkout(scene: Scene, person: Person) -> list[str]:
    """A session that was left open is paid after all, at the price of then."""
    for session in person.left:
        if (await scene.truth.get(f"checkout/sessions/{session}"))["status"] == "open":
            return await _bought(scene, person, session)
    return []


async def recover_a_checkout(scene: Scene, person: Person) -> list[str]:
    """A session that expired is opened again by Stripe's address, and paid, if its price is still
    sold."""
    if not person.expired:
        return []
    session = await scene.truth.get(f"checkout/sessions/{person.expired.pop(0)}")
    answer = await scene.truth.client.get(session["after_expiration"]["recovery"]["url"])
    found = re.search(r"cs_\w+", answer.headers.get("location", ""))
    return await _bought(scene, person, found[0]) if found else []


async def _bought(scene: Scene, person: Person, session_id: str) -> list[str]:
    session = await _pay(scene, person, session_id, scene.chance.choice(CARDS))
    if not session["subscription"]:
        return [session["id"]]
    person.subscriptions.append(session["subscription"])
    person.carts[session["subscription"]] = session["id"]
    return [session["subscription"], session["id"]]


async def _card_expires(scene: Scene, subscription: str) -> None:
    """For some people, the payment method of the first payment fails at renewal."""
    if scene.chance.random() < 0.3:
        await scene.truth.post(f"subscriptions/{subscription}", default_payment_method=BROKEN)


async def subscribe_at_checkout(scene: Scene, person: Person) -> list[str]:
    prices = scene.some(monthly=True, most=2)
    if scene.chance.random() < 0.3:
        prices += scene.some(monthly=False)
    params: Json = {}
    known = person.customer(scene.chance)
    if known and scene.chance.random() < 0.4:
        params["customer"] = known
    if scene.chance.random() < 0.2:
        params["subscription_data"] = {"trial_period_days": scene.chance.randint(1, 9)}
    card = "sepa_debit" if scene.chance.random() < 0.15 else scene.chance.choice(CARDS)
    session = await _checkout(scene, person, prices, "subscription", card, **params)
    await _card_expires(scene, session["subscription"])
    person.subscriptions.append(session["subscription"])
    person.carts[session["subscription"]] = session["id"]
    return [session["subscription"], session["id"]]


async def subscribe_by_api(scene: Scene, person: Person) -> list[str]:
    customer = await _customer(scene, person)
    params: Json = {}
    if scene.chance.random() < 0.25:
        params["trial_period_days"] = scene.chance.randint(1, 9)
        ends = scene.chance.choice(("cancel", "create_invoice", "pause"))
        params["trial_settings"] = {"end_behavior": {"missing_payment_method": ends}}
    elif scene.chance.random() < 0.25:
        params["payment_behavior"] = "default_incomplete"
    if scene.chance.random() < 0.3:
        params["billing_mode"] = {"type": "classic"}
    items = [{"price": price} for price in scene.some(monthly=True, most=3)]
    made = await scene.truth.post("subscriptions", customer=customer, items=items, **params)
    await _card_expires(scene, made["id"])
    person.subscriptions.append(made["id"])
    return [made["id"]]


async def buy_once(scene: Scene, person: Person) -> list[str]:
    prices = scene.some(monthly=False, most=2)
    if scene.chance.random() < 0.1:
        prices = [scene.chance.choice(scene.goods).once[0]] * 1 + prices
    params: Json = {}
    chosen = scene.chance.random()
    if chosen < 0.2:
        params["customer_creation"] = "always"
    elif chosen < 0.35:
        params |= {"customer_creation": "always", "invoice_creation": {"enabled": True}}
    elif chosen < 0.5:
        params["discounts"] = [{"coupon": scene.free}]
    elif chosen < 0.75:
        params["payment_intent_data"] = {"capture_method": "manual"}
    delayed = scene.chance.random() < 0.2 and "payment_intent_data" not in params
    card = "sepa_debit" if delayed else scene.chance.choice(CARDS)
    session = await _checkout(scene, person, prices, "payment", card, **params)
    if "payment_intent_data" in params and scene.chance.random() < 0.5:
        await _capture(scene, await _payment(scene, session["id"]))
    return [session["id"]]


async def pay_an_invoice(scene: Scene, person: Person) -> list[str]:
    customer = await _customer(scene, person)
    bill = await scene.truth.post("invoices", customer=customer)
    for price in scene.some(monthly=False, most=2):
        await scene.truth.post(
            "invoiceitems", customer=customer, invoice=bill["id"], pricing={"price": price}
        )
    await scene.truth.post(f"invoices/{bill['id']}/finalize")
    person.invoices.append(bill["id"])
    if scene.chance.random() < 0.8:
        out_of_band = {"paid_out_of_band": True} if scene.chance.random() < 0.3 else {}
        await scene.truth.post(f"invoices/{bill['id']}/pay", **out_of_band)
    return [bill["id"]]


async def accept_a_quote(scene: Scene, person: Person) -> list[str]:
    """A quote becomes an invoice or a subscription, with or without a one-time item."""
    customer = await _customer(scene, person)
    monthly = scene.chance.random() < 0.6
    prices = scene.some(monthly=monthly, most=2)
    both = monthly and scene.chance.random() < 0.4
    if both:
        prices += scene.some(monthly=False)
    lines = [{"price": price, "quantity": 1} for price in prices]
    made = await scene.truth.post("quotes", customer=customer, line_items=lines)
    await scene.truth.post(f"quotes/{made['id']}/finalize")
    made = await scene.truth.post(f"quotes/{made['id']}/accept")
    if bill := made["invoice"]:
        person.invoices.append(bill)
        final = await scene.truth.post(f"invoices/{bill}/finalize")
        if final["status"] == "open":
            await scene.truth.post(f"invoices/{bill}/pay")
        return [bill]
    found = made["subscription"]
    person.subscriptions.append(found)
    if not both:
        return [found]
    first = (await scene.truth.get(f"subscriptions/{found}"))["latest_invoice"]
    person.carts[found] = first
    return [found, first]


async def pay_late(scene: Scene, person: Person) -> list[str]:
    """An invoice that was left open, or written off already, is paid, in parts at times."""
    for bill in person.invoices:
        found = await scene.truth.get(f"invoices/{bill}")
        if found["status"] in ("open", "uncollectible"):
            out_of_band = {"paid_out_of_band": True} if scene.chance.random() < 0.3 else {}
            await scene.truth.post(f"invoices/{bill}/pay", **out_of_band)
            return [bill]
    return []


async def write_off(scene: Scene, person: Person) -> list[str]:
    """An open invoice is voided, or nobody expects its money any more."""
    for bill in person.invoices:
        found = await scene.truth.get(f"invoices/{bill}")
        if found["status"] == "open":
            verb = scene.chance.choice(("void", "mark_uncollectible", "mark_uncollectible"))
            await scene.truth.post(f"invoices/{bill}/{verb}")
            return [bill]
    return []


async def credit(scene: Scene, person: Person) -> list[str]:
    """A credit note on an order's bill: less to pay, or something given back."""
    orders = [*person.sessions, *person.invoices]
    for order in scene.chance.sample(orders, len(orders)):
        bill: str | None = order
        if order.startswith("cs_"):
            found = await scene.truth.get(f"checkout/sessions/{order}")
            bill = found["invoice"] if found["mode"] == "payment" else None
        if bill and await _credited(scene, bill):
            return [order]
    return []


async def _credited(scene: Scene, bill: str) -> bool:
    """Whether a part or all of what is left of a bill could be credited."""
    found = await scene.truth.get(f"invoices/{bill}")
    left = found["total"] - found["pre_payment_credit_notes_amount"]
    left -= found["post_payment_credit_notes_amount"]
    if found["status"] != "paid":
        left = min(left, found["amount_remaining"])
    if left <= 0 or found["status"] not in ("open", "paid"):
        return False
    amount = left if scene.chance.random() < 0.6 else scene.chance.randint(1, left)
    back: Json = {}
    if found["status"] == "paid":
        intent = await _payment(scene, bill)
        charge = (intent or {}).get("latest_charge")
        ways = ["credit_amount"]
        if charge and charge["amount"] - charge["amount_refunded"] >= amount:
            ways.append("refund_amount")
        back = {scene.chance.choice(ways): amount}
    await scene.truth.post("credit_notes", invoice=bill, amount=amount, **back)
    return True


async def capture_or_let_go(scene: Scene, person: Person) -> list[str]:
    """Money that was authorized is taken, in part at times, or let go of."""
    for session in person.sessions:
        intent = await _payment(scene, session)
        if not intent or intent["status"] != "requires_capture":
            continue
        if scene.chance.random() < 0.25:
            await scene.truth.post(f"payment_intents/{intent['id']}/cancel")
        else:
            await _capture(scene, intent)
        return [session]
    return []


async def _capture(scene: Scene, intent: Json | None) -> None:
    assert intent is not None, "an authorized payment has an intent"
    part: Json = {}
    if scene.chance.random() < 0.4:
        part = {"amount_to_capture": scene.chance.randint(60, intent["amount_capturable"])}
    await scene.truth.post(f"payment_intents/{intent['id']}/capture", **part)


async def settle_a_delayed_payment(scene: Scene, person: Person) -> list[str]:
    for session in person.sessions:
        found = await scene.truth.get(f"checkout/sessions/{session}", expand=["payment_intent"])
        if (found["payment_intent"] or {}).get("status") in ("requires_capture", "canceled"):
            continue
        if found["status"] == "complete" and found["payment_status"] == "unpaid":
            outcome = scene.chance.choice(("succeeded", "succeeded", "failed"))
            await scene.truth.control(f"checkout/{session}/settle", outcome=outcome)
            return [session, found["subscription"]] if found["subscription"] else [session]
    return []


def _one(scene: Scene, ids: list[str]) -> str | None:
    return scene.chance.choice(ids) if ids else None


async def cancel_later(scene: Scene, person: Person) -> list[str]:
    found = _one(scene, person.subscriptions)
    if found is None:
        return []
    way = scene.chance.choice(("flag", "portal", "moment"))
    if way == "portal":
        await scene.truth.control(f"subscriptions/{found}/portal_cancel", feedback="unused")
    elif way == "flag":
        await scene.truth.post(f"subscriptions/{found}", cancel_at_period_end=True)
    else:
        now = (await scene.truth.get(f"subscriptions/{found}"))["items"]["data"][0]
        at = now["current_period_end"] - scene.chance.randint(1, 5) * DAY
        await scene.truth.post(f"subscriptions/{found}", cancel_at=at)
    return [found]


async def take_the_cancellation_back(scene: Scene, person: Person) -> list[str]:
    for found in person.subscriptions:
        source = await scene.truth.get(f"subscriptions/{found}")
        if source["status"] != "canceled" and source["cancel_at"]:
            undo: Json = {"cancel_at_period_end": False}
            if not source["cancel_at_period_end"]:
                undo = {"cancel_at": ""}
            await scene.truth.post(f"subscriptions/{found}", **undo)
            return [found]
    return []


async def cancel_now(scene: Scene, person: Person) -> list[str]:
    found = _one(scene, person.subscriptions)
    if found:
        await scene.truth.delete(f"subscriptions/{found}")
    return [found] if found else []


async def change_items(scene: Scene, person: Person) -> list[str]:
    found = _one(scene, person.subscriptions)
    if found is None:
        return []
    items = (await scene.truth.get(f"subscriptions/{found}"))["items"]["data"]
    item = scene.chance.choice(items)
    price = scene.some(monthly=True)[0]
    change: Json = {"id": item["id"], "price": price}
    match scene.chance.choice(("swap", "swap", "add", "remove", "quantity")):
        case "add":
            change = {"price": price}
        case "remove":
            change = {"id": item["id"], "deleted": True}
        case "quantity":
            change = {"id": item["id"], "quantity": scene.chance.randint(1, 5)}
    await scene.truth.post(f"subscriptions/{found}", items=[change])
    return [found]


async def pause_or_resume(scene: Scene, person: Person) -> list[str]:
    found = _one(scene, person.subscriptions)
    if found is None:
        return []
    source = await scene.truth.get(f"subscriptions/{found}")
    verb = "resume" if source["status"] == "paused" else "pause"
    await scene.truth.post(f"subscriptions/{found}/{verb}")
    return [found]


async def pause_collection(scene: Scene, person: Person) -> list[str]:
    found = _one(scene, person.subscriptions)
    if found is None:
        return []
    source = await scene.truth.get(f"subscriptions/{found}")
    given: object = "" if source["pause_collection"] else {"behavior": "void"}
    await scene.truth.post(f"subscriptions/{found}", pause_collection=given)
    return [found]


async def break_or_mend_the_card(scene: Scene, person: Person) -> list[str]:
    found = _one(scene, person.subscriptions)
    if found is None:
        return []
    card = scene.chance.choice((BROKEN, BROKEN, "pm_card_visa"))
    await scene.truth.post(f"subscriptions/{found}", default_payment_method=card)
    return [found]


async def pay_what_is_open(scene: Scene, person: Person) -> list[str]:
    for found in person.subscriptions:
        source = await scene.truth.get(f"subscriptions/{found}")
        if source["status"] in ("incomplete", "past_due", "unpaid"):
            bill = source["latest_invoice"]
            await scene.truth.post(f"invoices/{bill}/pay", payment_method="pm_card_visa")
            cart = person.carts.get(found)
            return [found, cart] if cart else [found]
    return []


async def _charge(
    scene: Scene, person: Person, fits: Callable[[Json], bool] = lambda charge: True
) -> tuple[str, Json] | None:
    """A charge that paid one of their orders, and the order."""
    orders = [*person.sessions, *person.invoices]
    for order in scene.chance.sample(orders, len(orders)):
        intent = await _payment(scene, order)
        charge = (intent or {}).get("latest_charge")
        if charge and charge["paid"] and charge["captured"] and fits(charge):
            return order, charge
    return None


async def _payment(scene: Scene, order: str) -> Json | None:
    if order.startswith("cs_"):
        found = await scene.truth.get(
            f"checkout/sessions/{order}", expand=["payment_intent.latest_charge"]
        )
        intent: Json | None = found["payment_intent"]
        return intent
    for payment in await scene.truth.everything("invoice_payments", invoice=order):
        if payment["status"] == "paid" and (known := payment["payment"].get("payment_intent")):
            return await scene.truth.get(f"payment_intents/{known}", expand=["latest_charge"])
    return None


async def refund(scene: Scene, person: Person) -> list[str]:
    found = await _charge(scene, person, lambda charge: not charge["refunded"])
    if found is None:
        return []
    session, charge = found
    part = {"amount": scene.chance.randint(1, 400)} if scene.chance.random() < 0.4 else {}
    await scene.truth.post("refunds", charge=charge["id"], **part)
    return [session]


async def refund_that_fails(scene: Scene, person: Person) -> list[str]:
    """The bank returns the refund of an order or of a subscription's invoice."""
    found = await _charge(scene, person, lambda charge: charge["amount_refunded"] > 0)
    if found:
        order, charge = found
        return [order] if await _bounce(scene, charge) else []
    billed = await _billed(scene, person)
    bounced = await _bounce(scene, billed.charge) if billed else 0
    return billed.went_back(person, -bounced) if billed and bounced else []


async def _bounce(scene: Scene, charge: Json) -> int:
    """The returned amount; 0 if no refund of this charge can fail any more."""
    given = await scene.truth.everything("refunds", charge=charge["id"])
    working = [
        refund
        for refund in given
        if refund["status"] == "succeeded" and refund["balance_transaction"]
    ]
    if not working:
        return 0
    await scene.truth.control(f"refunds/{working[0]['id']}/fail")
    return int(working[0]["amount"])


async def dispute(scene: Scene, person: Person) -> list[str]:
    found = await _charge(scene, person)
    if found is None:
        return []
    session, charge = found
    known = await scene.truth.everything("disputes", payment_intent=charge["payment_intent"])
    if not known:
        await scene.truth.control(f"charges/{charge['id']}/dispute")
    elif known[0]["status"] not in ("won", "lost"):
        outcome = scene.chance.choice(("won", "lost"))
        await scene.truth.control(f"disputes/{known[0]['id']}/close", outcome=outcome)
    return [session]


async def nothing_that_matters(scene: Scene, person: Person) -> list[str]:
    """A note on the subscription, which sends events but changes nothing."""
    found = _one(scene, person.subscriptions)
    if found:
        note = {"note": str(scene.chance.random())}
        await scene.truth.post(f"subscriptions/{found}", metadata=note)
    return [found] if found else []


async def delete_customer(scene: Scene, person: Person) -> list[str]:
    customer = person.customer(scene.chance)
    if customer is None or scene.chance.random() < 0.5:
        return []
    theirs = await scene.truth.everything("subscriptions", customer=customer, status="all")
    await scene.truth.delete(f"customers/{customer}")
    person.gone.add(customer)
    return [found["id"] for found in theirs]


async def change_address(scene: Scene, person: Person) -> list[str]:
    """A customer gets another address at Stripe, perhaps another user's. Its owner stays the same.

    No event announces this for customers that are accounts, so they keep theirs.
    """
    known = sorted(person.bound - person.gone)
    if not known:
        return []
    customer = scene.chance.choice(known)
    new = f"{scene.chance.randrange(10**6)}.new.{person.email}"
    if scene.chance.random() < 0.5:
        new = scene.chance.choice(scene.addresses)
    if (await scene.truth.get(f"customers/{customer}"))["customer_account"]:
        return []
    await scene.truth.post(f"customers/{customer}", email=spelled(new, scene.chance))
    person.moved[customer] = new
    return []


@dataclass(frozen=True)
class _Billed:
    """A subscription's latest invoice and the charge that paid it."""

    subscription: str
    bill: str
    charge: Json

    def went_back(self, person: Person, amount: int) -> list[str]:
        """Note the money that was refunded, or returned if negative. Returns what it changes."""
        person.refunded.setdefault(self.subscription, []).append((self.bill, amount))
        cart = person.carts.get(self.subscription)
        return [self.subscription, cart] if cart else [self.subscription]


async def _billed(scene: Scene, person: Person) -> _Billed | None:
    found = _one(scene, person.subscriptions)
    if found is None:
        return None
    bill = (await scene.truth.get(f"subscriptions/{found}"))["latest_invoice"]
    intent = await _payment(scene, bill) if bill else None
    charge = (intent or {}).get("latest_charge")
    return _Billed(found, bill, charge) if charge and charge["paid"] else None


async def refund_a_bill(scene: Scene, person: Person) -> list[str]:
    """Refund a subscription's invoice: the subscription keeps its access, a one-time item
    doesn't."""
    billed = await _billed(scene, person)
    if billed is None or billed.charge["refunded"]:
        return []
    part = {"amount": scene.chance.randint(1, 400)} if scene.chance.random() < 0.4 else {}
    made = await scene.truth.post("refunds", charge=billed.charge["id"], **part)
    return billed.went_back(person, int(made["amount"]))


async def switch_in_the_portal(scene: Scene, person: Person) -> list[str]:
    """Switch to another price, at once or with a schedule at the end of the period."""
    found = _one(scene, person.subscriptions)
    if found is None:
        return []
    await scene.truth.control(
        f"subscriptions/{found}/portal_switch",
        price=scene.some(monthly=True)[0],
        at_period_end=scene.chance.random() < 0.6,
    )
    return [found]


async def archive_a_price_or_bring_it_back(scene: Scene, person: Person) -> list[str]:
    """Archive a price or a product, which stops new sales only, or make it active again."""
    goods = scene.chance.choice(scene.goods)
    if scene.chance.random() < 0.2:
        product = await scene.truth.get(f"products/{goods.id}")
        await scene.truth.post(f"products/{goods.id}", active=not product["active"])
        return []
    price = scene.chance.choice([*goods.monthly, *goods.once])
    found = await scene.truth.get(f"prices/{price}")
    await scene.truth.post(f"prices/{price}", active=not found["active"])
    return []


MOVES: list[tuple[Move, int]] = [
    (subscribe_at_checkout, 14),
    (subscribe_by_api, 14),
    (buy_once, 14),
    (pay_an_invoice, 5),
    (accept_a_quote, 6),
    (settle_a_delayed_payment, 6),
    (buy_at_the_site, 10),
    (buy_by_a_payment_link, 12),
    (come_back_to_a_checkout, 20),
    (recover_a_checkout, 20),
    (capture_or_let_go, 40),
    (pay_late, 20),
    (write_off, 12),
    (credit, 25),
    (cancel_later, 9),
    (take_the_cancellation_back, 6),
    (cancel_now, 6),
    (change_items, 9),
    (pause_or_resume, 5),
    (pause_collection, 3),
    (break_or_mend_the_card, 10),
    (pay_what_is_open, 30),
    (refund, 7),
    (refund_that_fails, 12),
    (dispute, 5),
    (nothing_that_matters, 6),
    (delete_customer, 2),
    (change_address, 5),
    (refund_a_bill, 6),
    (switch_in_the_portal, 5),
    (archive_a_price_or_bring_it_back, 2),
]


def choose(chance: random.Random) -> Move:
    moves, weights = zip(*MOVES, strict=True)
    found: Move = chance.choices(moves, weights)[0]
    return found
