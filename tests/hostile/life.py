"""One random life: people, products and Stripe products of its own, and what they do."""

import asyncio
import random
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from itertools import cycle

from tests.harness import until
from tests.hostile import acts
from tests.hostile.bundle import Bundle
from tests.hostile.byhand import ByHand
from tests.hostile.judge import Judge
from tests.hostile.model import Links, Source
from tests.hostile.moves import Goods, Person, Scene, choose
from tests.hostile.outside import Outside
from tests.hostile.policy import Rules
from tests.hostile.truth import RefusedError, Truth

TRIES = 8
"""How many moves a person tries until one is possible."""

MAILBOXES = (("p", "lives.example"), ("pé", "bücher.example"), ("п", "почта.example"))
"""How people's addresses begin, and their hosts."""

SHORTLY = 3
"""Seconds. If something ends at Stripe this soon, the life waits for it."""


@dataclass(frozen=True)
class Size:
    """How long a life lasts and how many people take part."""

    people: int = 24
    products: int = 5
    stripe_products: int = 4
    rounds: int = 6
    moves: int = 14


@dataclass
class Life:
    """The life of one seed. `log` records what was done, to explain a failure.

    `merged` maps the address of a user who was merged into another to that user's address. `unsure`
    holds those whose emails can't be predicted until the next settled moment.
    """

    outside: Outside
    seed: int
    size: Size = field(default_factory=Size)
    chance: random.Random = field(init=False)
    judge: Judge = field(init=False)
    goods: list[Goods] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    rules: Rules = field(default_factory=Rules)
    hand: ByHand = field(default_factory=ByHand)
    bundle: Bundle | None = None
    merged: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    free: str = ""

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.judge = Judge(self)

    @property
    def truth(self) -> Truth:
        return self.outside.truth

    def addresses(self) -> list[str]:
        """Everybody's addresses, in lower case."""
        return [email for person in self.people for email in (person.email, *person.further)]

    def owner(self, email: str) -> str:
        """The address of the user whom this one belongs to now."""
        for person in self.people:
            if email in person.further:
                email = person.email
        while email in self.merged:
            email = self.merged[email]
        return email

    def merge(self, into: str, other: str) -> None:
        """Treat two people as one from now on."""
        self.hand.pass_time()
        self.hand.merge(into, other)
        self.merged[other] = into
        self.unsure |= {into, other}

    async def prepare(self) -> None:
        """Create a shop, products and people, some of whom buy before anything is linked."""
        for number in range(self.size.stripe_products):
            made = await self.truth.post("products", name=f"Stripe product {number}")
            monthly = [await self._price(made["id"], "month") for _ in range(2)]
            self.goods.append(Goods(made["id"], monthly, [await self._price(made["id"], None)]))
        for number in range(self.size.products):
            given = {"name": f"Product {number} of {self.seed}", "status": "live"}
            made = await self.outside.call("POST", "/products", json=given)
            self.products.append(made["id"])
        if self.seed % 2 == 0:
            self.bundle = await self._sell_together(self.products[0])
        self.people = [
            Person(f"{name}{number}.of.{self.seed}@{host}")
            for number, (name, host) in zip(range(self.size.people), cycle(MAILBOXES))
        ]
        await self.moves()

    async def _sell_together(self, opener: str) -> Bundle:
        """Have a product open a collection of two that can't be had otherwise."""
        contents = []
        for letter in "ab":
            given = {"name": f"Inside {letter} of {self.seed}", "status": "live"}
            made = await self.outside.call("POST", "/products", json=given)
            contents.append(made["id"])
        made = await self.outside.call(
            "POST", "/collections", json={"name": "Bundle", "products": contents}
        )
        bundle = Bundle(made["id"], opener, contents, set(contents))
        await self.outside.call("PATCH", f"/collections/{made['id']}", json={"sold_as": [opener]})
        return bundle

    async def begin(self) -> None:
        """Make the first links, once the catalog is known."""
        await self._catalog_known()
        await self._link(self.products[0], self.goods[0].id)
        await self._link(self.products[1], self.goods[0].id)
        await acts.sell(self)
        await acts.sell(self)

    async def _catalog_known(self) -> None:
        ids = [one.id for one in self.goods]

        async def known() -> bool:
            rows = await self.outside.fetch(
                "select id from stripe_products where id = any($1::text[])", ids
            )
            return len(rows) == len(ids)

        await until(known, "the catalog is known")

    async def _price(self, product: str, interval: str | None) -> str:
        made = await self.truth.post(
            "prices",
            product=product,
            currency="usd",
            unit_amount=self.chance.randint(500, 9900),
            recurring={"interval": interval} if interval else None,
        )
        return str(made["id"])

    async def act(self) -> None:
        """Acts by hand while everything is settled. A change of policy comes last."""
        count = self.chance.choice((0, 1, 2, 3))
        chosen, weights = zip(*acts.ACTS, strict=True)
        for one in self.chance.choices(chosen, weights, k=count):
            await one(self)
        if self.chance.random() < 0.35:
            await acts.change_policy(self)

    async def round(self) -> None:
        """People's moves side by side, sometimes with a link or a merge among them."""
        together: list[Awaitable[None]] = [self.moves()]
        if self.chance.random() < 0.4:
            together.append(self._link_another())
        if self.chance.random() < 0.2 and not self.hand.ends_within(acts.SOON):
            together.append(acts.merge(self))
        await asyncio.gather(*together)

    async def moves(self) -> None:
        """Play each person's moves in order, and different people's at the same time."""
        plan: dict[int, list[int]] = {}
        for number in range(self.size.moves):
            plan.setdefault(self.chance.randrange(self.size.people), []).append(number)
        seeds = [self.chance.randrange(2**32) for _ in range(self.size.moves)]

        async def person(index: int, numbers: list[int]) -> None:
            for number in numbers:
                await self._move(self.people[index], random.Random(seeds[number]))

        await asyncio.gather(*(person(index, numbers) for index, numbers in plan.items()))

    async def _move(self, person: Person, chance: random.Random) -> None:
        everybody = [one.email for one in self.people]

        async def open_checkout(email: str) -> str | None:
            return await self._open_checkout(email, chance)

        scene = Scene(self.truth, self.goods, self.free, chance, everybody, open_checkout)
        touched: list[str] = []
        done, before = True, self.links
        try:
            for _ in range(TRIES):
                move = choose(chance)
                if touched := await move(scene, person):
                    break
            self.log.append(f"{person.email} {move.__name__} {' '.join(touched)}")
        except RefusedError as refused:
            if refused.status >= 500:
                raise
            self.log.append(f"{person.email} {move.__name__} refused: {refused}")
            touched = [*person.subscriptions, *person.sessions, *person.invoices]
            done = False
        for source_id in touched:
            await self._see(source_id, person.email, told=done, before=before)

    async def _open_checkout(self, email: str, chance: random.Random) -> str | None:
        """A session that the site makes for whoever has this address, if it sells the product."""
        if not self.links.on:
            return None
        product, _ = chance.choice(sorted(self.links.on))
        offered = (await self.outside.call("GET", f"/products/{product}/prices"))["data"]
        price = chance.choice([None, *(one["price"] for one in offered)])
        made = await self.outside.call(
            "POST",
            "/checkout-sessions",
            refused=acts.CLOSED,
            json={
                "product": product,
                "price": price,
                "email": email,
                "again": chance.random() < 0.5,
            },
        )
        return made.get("id")

    async def _see(
        self, source_id: str, owner: str, *, told: bool = True, before: Links | None = None
    ) -> None:
        """Read a source. Stripe sends events if something was done (`told`) or has changed.

        A link may be made meanwhile: the change then also happened under the links of `before`.
        """
        source = self.sources.setdefault(source_id, Source(source_id, owner))
        reading = await self.truth.read(source_id)
        changed = source.last is None or reading.timeless() != source.last.timeless()
        if before not in (None, self.links):
            source.redirect(reading, before, self.rules, told=False)
        source.redirect(reading, self.links, self.rules, told=told or changed)

    async def _link_another(self) -> None:
        linked = {product for product, _ in self.links.on}
        free = [product for product in self.products if product not in linked]
        if free:
            await self._link(self.chance.choice(free), self.chance.choice(self.goods).id)

    async def _link(self, product: str, stripe_product: str) -> None:
        mail = self.chance.choice(("send", "suppress"))
        self.log.append(f"link {product} {stripe_product} {mail}")
        began = time.time()
        await self.outside.call(
            "PUT",
            f"/products/{product}/link",
            json={"stripe_product": stripe_product, "mail": mail},
        )
        kept = self.links.kept - {(product, stripe_product)}
        fresh = ((product, began), *self.links.fresh)
        self.links = Links(self.links.on | {(product, stripe_product)}, kept, fresh)
        for source in self.sources.values():
            source.relinked(self.links, self.rules, product)

    def unlinked(self, product: str, stripe_product: str, way: str) -> None:
        """A link was removed. A grant that an older link of the product gave stays."""
        pair = {(product, stripe_product)}
        kept = self.links.kept | (pair if way == "keep" else set())
        self.links = Links(self.links.on - pair, kept)
        if way == "keep":
            return
        self.hand.pass_time()
        for source in self.sources.values():
            if source.last is None or stripe_product not in source.last.products:
                continue
            owner = self.owner(source.owner)
            had = any(product in past.live for past in source.pasts)
            if had and way == "complimentary" and (owner, product) not in self.hand.gifts:
                self.hand.give(owner, product, None, by="access_granted")
            source.cut(product)

    def ruled(self, rules: Rules) -> None:
        """The policy changed while everything was settled."""
        self.rules = rules
        for source in self.sources.values():
            source.ruled(self.links, rules)

    async def clock_moved(self) -> None:
        for source in list(self.sources.values()):
            told = source.id.startswith("sub_") and not (source.last and source.last.over)
            await self._see(source.id, source.owner, told=told)

    async def wait_for_ends(self) -> None:
        """Wait for what ends by the clock within moments, then read it again."""
        for source in list(self.sources.values()):
            soon = time.time() + SHORTLY
            if not (source.last and source.last.ends and source.last.ends < soon):
                continue

            async def over(source: Source = source) -> bool:
                return (await self.truth.read(source.id)).over

            await until(over, f"{source.id} ends", seconds=SHORTLY + 10)
            await self._see(source.id, source.owner)
        if ends := self.hand.ends_within(acts.SOON):
            await asyncio.sleep(max(0.0, max(ends) - time.time()))

    def settled(self) -> None:
        """Everything that has happened so far was compared."""
        self.links = Links(self.links.on, self.links.kept)
