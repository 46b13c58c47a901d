"""Plays one random life through the whole of Latchkey and judges it at every settled moment."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tests.harness import until
from tests.hostile.model import GRACE, Links, Past, Source
from tests.hostile.moves import DAY, Goods, Person, Scene, choose
from tests.hostile.outside import Outside
from tests.hostile.truth import Json, Refused, Truth

PATIENCE = 90.0
SHORTLY = 3
"""Seconds: an end that comes within them is waited for."""

Line = tuple[tuple[str, str], int]

COUNTED = frozenset(
    {
        "access_granted",
        "access_ended",
        "product_purchased",
        "subscription_started",
        "imported",
        "subscription_cancelled",
        "cancellation_withdrawn",
        "payment_failed",
        "payment_recovered",
        "refunded",
    }
)
HOSTILE = {
    "duplicate": 0.3,
    "delay": 0.4,
    "delay_seconds": 0.7,
    "drop": 0.12,
    "bad_signature": 0.03,
    "stale_timestamp": 0.03,
    "old_api_version": 0.15,
    "old_snapshot": 0.2,
    "thin": 0.3,
    "short_page": 0.3,
    "cut_connection": 0.02,
    "api_409": 0.02,
    "api_429": 0.03,
    "api_429_retry": 0.01,
    "api_500_before": 0.02,
    "api_500_after": 0.02,
}
LISTED_OFTEN = (
    "checkout.", "charge.", "refund.", "invoice.paid", "invoice.payment_failed",
    "customer.subscription.created", "customer.subscription.updated",
    "customer.subscription.deleted", "customer.subscription.paused",
    "customer.subscription.resumed",
)  # fmt: skip
"""What the regular look for missed events must find."""
DUNNING = ("cancel", "unpaid", "past_due", "pause", "pause_at_first")
CALM = dict.fromkeys(HOSTILE, 0.0) | {"delay_seconds": 0.0}


class Wrong(AssertionError):
    """Latchkey says something else than the model."""


@dataclass(frozen=True)
class Size:
    """How long a life is and how many take part."""

    people: int = 24
    products: int = 5
    stripe_products: int = 4
    rounds: int = 6
    moves: int = 14


@dataclass
class Life:
    """One seed's life. `log` tells what was done, for whoever has to find out why."""

    outside: Outside
    seed: int
    size: Size = field(default_factory=Size)
    faults: Json = field(default_factory=lambda: dict(HOSTILE))
    meanwhile: Callable[[], Awaitable[None]] | None = None
    chance: random.Random = field(init=False)
    goods: list[Goods] = field(default_factory=list)
    products: list[str] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    links: Links = field(default_factory=Links)
    manual: set[tuple[str, str]] = field(default_factory=set)
    mails: Counter[tuple[str, str]] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)
    free: str = ""
    last_event: str | None = None
    moved: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    @property
    def truth(self) -> Truth:
        return self.outside.truth

    async def play(self) -> None:
        await self.prepare()
        for number in range(self.size.rounds):
            await self.round(number)
            await self.settle()
            await self.compare()
        await self._last_look()

    async def prepare(self) -> None:
        """A shop, products, people; some bought before anything was linked."""
        truth, chance = self.truth, self.chance
        await truth.control("faults", **CALM)
        await truth.control(
            "settings",
            delayed_seconds=10**7,
            dunning_ends=chance.choice(("cancel", "unpaid", "pause", "past_due")),
        )
        self.free = (await truth.post("coupons", percent_off=100, duration="once"))["id"]
        for number in range(self.size.stripe_products):
            name = (await truth.post("products", name=f"Stripe product {number}"))["id"]
            self.goods.append(
                Goods(
                    name,
                    [await self._price(name, "month"), await self._price(name, "month")],
                    [await self._price(name, None)],
                )
            )
        for number in range(self.size.products):
            made = await self.outside.call(
                "POST", "/products", json={"name": f"Product {number}", "status": "live"}
            )
            self.products.append(made["id"])
        self.people = [
            Person(f"p{number}.of.{self.seed}@lives.example") for number in range(self.size.people)
        ]
        await self._moves(self.size.moves)
        await self.outside.call("GET", "/stripe/products", params={"refresh": "true"})

        async def known() -> bool:
            rows = await self.outside.fetch("select id from stripe_products")
            return {one.id for one in self.goods} <= {row["id"] for row in rows}

        await until(known, "the catalog is known")
        await self._link(self.products[0], self.goods[0].id)
        await self._link(self.products[1], self.goods[0].id)
        await self.settle()
        await self.compare()

    async def _price(self, product: str, interval: str | None) -> str:
        made = await self.truth.post(
            "prices",
            product=product,
            currency="usd",
            unit_amount=self.chance.randint(500, 9900),
            recurring={"interval": interval} if interval else None,
        )
        return str(made["id"])

    async def round(self, number: int) -> None:
        """Something about the whole first, then people's moves side by side under faults."""
        self.log.append(f"round {number}")
        await self.truth.control("faults", **self.faults)
        what = self.chance.choice(("link", "link", "unlink", "clock", "clock", "manual", "none"))
        together: list[Awaitable[None]] = []
        match what:
            case "unlink":
                await self._unlink()
            case "clock":
                days = self.chance.choice((1, 3, 8, 31, 31))
                await self._advance(days * DAY + 7200)
            case "manual":
                await self._manual()
            case "link":
                together.append(self._link_another())
        if self.meanwhile:
            together.append(self.meanwhile())
        await asyncio.gather(self._moves(self.size.moves), *together)
        if self.chance.random() < 0.5:
            await self._repeat_old_events()

    async def _moves(self, count: int) -> None:
        """So many moves, each person's in order, different people's at once."""
        plan: dict[int, list[int]] = {}
        for number in range(count):
            plan.setdefault(self.chance.randrange(self.size.people), []).append(number)
        seeds = {number: self.chance.randrange(2**32) for number in range(count)}

        async def person(index: int, numbers: list[int]) -> None:
            for number in numbers:
                await self._move(self.people[index], random.Random(seeds[number]))

        await asyncio.gather(*(person(index, numbers) for index, numbers in plan.items()))

    async def _move(self, person: Person, chance: random.Random) -> None:
        scene = Scene(self.truth, self.goods, self.free, chance)
        move = choose(chance)
        done = True
        try:
            touched = await move(scene, person)
            if not touched:
                move = choose(chance)
                touched = await move(scene, person)
            self.log.append(f"{person.email} {move.__name__} {' '.join(touched)}")
        except Refused as refused:
            if refused.status >= 500:
                raise
            self.log.append(f"{person.email} {move.__name__} refused: {refused}")
            touched = [*person.subscriptions, *person.sessions, *person.invoices]
            done = False
        for source_id in touched:
            await self._see(source_id, person.email, told=done)

    async def _see(self, source_id: str, owner: str, *, told: bool = True) -> None:
        """Read a source. Stripe tells of it where something was done (`told`) or has changed."""
        source = self.sources.setdefault(source_id, Source(source_id, owner))
        reading = await self.truth.read(source_id)
        changed = source.last is None or reading.timeless() != source.last.timeless()
        source.see(reading, self.links, told=told or changed)

    def _relinked(self, links: Links) -> None:
        self.links = links
        for source in self.sources.values():
            source.relinked(links)

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
        self._relinked(Links(self.links.on | {(product, stripe_product)}, kept, fresh))

    async def _unlink(self) -> None:
        """Remove a link with one of the ways out. Everything is settled."""
        if not self.links.on:
            return
        product, stripe_product = self.chance.choice(sorted(self.links.on))
        way = self.chance.choice(("keep", "end", "complimentary"))
        self.log.append(f"unlink {product} {stripe_product} {way}")
        path = f"/products/{product}/link"
        await self.outside.call("DELETE", path, gone_is_done=True, params={"members": way})
        on = self.links.on - {(product, stripe_product)}
        kept = self.links.kept | ({(product, stripe_product)} if way == "keep" else set())
        if way != "keep":
            self._cut(product, stripe_product, stay=way == "complimentary")
        self.links = Links(on, kept)

    def _cut(self, product: str, stripe_product: str, *, stay: bool) -> None:
        """End what the link gave; a grant that an older link of the product gave goes on."""
        for source in self.sources.values():
            if source.last is None or stripe_product not in source.last.products:
                continue
            if stay and any(product in past.live for past in source.pasts):
                self.manual.add((source.owner, product))
            source.cut(product)

    async def _advance(self, seconds: int) -> None:
        self.log.append(f"clock {seconds / DAY:.1f} days")
        self.moved = True
        await self.truth.control("clock/advance", seconds=seconds)
        for source in list(self.sources.values()):
            told = source.id.startswith("sub_") and not (source.last and source.last.over)
            await self._see(source.id, source.owner, told=told)

    async def _manual(self) -> None:
        person, product = self.chance.choice(self.people), self.chance.choice(self.products)
        self.log.append(f"complimentary {person.email} {product}")
        await self.outside.call(
            "POST",
            f"/products/{product}/grants",
            json={"email": person.email, "reason": "friend", "mail": False},
        )
        self.manual.add((person.email, product))

    async def _repeat_old_events(self) -> None:
        """Deliver events of long ago again."""
        events = (await self.truth.get("events", limit=100))["data"]
        for event in self.chance.sample(events, min(5, len(events))):
            await self.truth.control(f"events/{event['id']}/repeat")

    async def settle(self) -> None:
        """Until Latchkey has heard of everything, handled it and done what time demanded."""
        await self.truth.control("faults", **{name: 0 for name in ("delay", "bad_signature")})
        await self.truth.control("faults", drop=0, stale_timestamp=0)
        await self._wait_for_ends()
        await self._repair_drops()
        await self.truth.control("faults", **CALM)

        async def settled() -> bool:
            rows = await self.outside.fetch(_UNSETTLED)
            return bool(rows[0][0] == 0)

        try:
            await until(settled, "everything is handled", seconds=PATIENCE)
        except AssertionError as error:
            raise Wrong(f"{error}\n{await self._unsettled()}") from None

    async def _wait_for_ends(self) -> None:
        """An end by the clock that comes within moments is let come, and read again."""
        soon = [
            source
            for source in self.sources.values()
            if source.last and source.last.ends and source.last.ends < time.time() + SHORTLY
        ]
        for source in soon:

            async def over(source: Source = source) -> bool:
                return (await self.truth.read(source.id)).over

            await until(over, f"{source.id} ends", seconds=SHORTLY + 10)
            await self._see(source.id, source.owner)

    async def _repair_drops(self) -> None:
        """Have Latchkey look for what never arrived, until nothing is missing.

        A move of the clock dates events into the past, which Stripe never does and a search by
        date does not survive: then they are sent again, as are those of the hourly look.
        """
        endpoint = (await self.truth.get("webhook_endpoints"))["data"][0]
        enabled = set(endpoint["enabled_events"])

        async def complete() -> bool:
            await self.truth.control("idle", seconds=20)
            sent = {e["id"]: e["type"] for e in await self._new_events() if e["type"] in enabled}
            stored = await self.outside.fetch(
                "select id from events where id = any($1::text[])", list(sent)
            )
            missing = set(sent) - {row["id"] for row in stored}
            for event in missing:
                if self.moved or not sent[event].startswith(LISTED_OFTEN):
                    await self.truth.control(f"events/{event}/repeat")
            if missing and not self.moved:
                await self.outside.catch_up()
            return not missing

        await until(complete, "every event is stored", seconds=PATIENCE)
        newest = (await self.truth.get("events", limit=1))["data"]
        self.last_event, self.moved = newest[0]["id"] if newest else None, False

    async def _new_events(self) -> list[Json]:
        """What happened since the last settled moment."""
        found: list[Json] = []
        last = self.last_event
        while True:
            cursor = {"ending_before": last} if last else {"limit": 100}
            if last is None:
                return await self.truth.everything("events")
            page = await self.truth.get("events", limit=100, **cursor)
            found += page["data"]
            if not page["has_more"]:
                return found
            last = page["data"][0]["id"]

    async def _unsettled(self) -> str:
        rows = await self.outside.fetch(
            "select id, type, state, target_kind, target_id, attempts, error from events"
            " where state in ('waiting', 'relayed') limit 10"
        )
        return "\n".join(str(dict(row)) for row in rows)

    async def compare(self) -> None:
        """Lines, grants, access and mails against the possible pasts."""
        failed = await self.outside.fetch("select id, error from events where state='failed'")
        if failed:
            raise Wrong(f"events failed: {[dict(row) for row in failed[:5]]}")
        before = {source.id: set(source.pasts) for source in self.sources.values()}
        lines = await self._lines()
        grants = await self._grants()
        found = {
            source.id: self._judge(source, lines.get(source.id, Counter()), grants)
            for source in self.sources.values()
        }
        self._judge_strangers(grants)
        await self._judge_access(grants)
        await self._judge_mails(before, found)
        problems = (await self.outside.truth.client.get("/_sandbox/problems")).json()["data"]
        if problems:
            raise Wrong(f"the sandbox found its own answers wrong: {problems[:3]}")
        self.links = Links(self.links.on, self.links.kept)

    async def _lines(self) -> dict[str, Counter[tuple[str, str]]]:
        """The feed by source: how many lines of which type about which product, for the right
        person."""
        found: dict[str, Counter[tuple[str, str]]] = {}
        after: dict[str, str] = {}
        while True:
            page = await self.outside.call("GET", "/activities", params={"limit": 200, **after})
            for line in page["data"]:
                source = self.sources.get(line["source_id"] or "")
                if source is None or line["type"] not in COUNTED:
                    continue
                if line["email"].lower() != source.owner:
                    raise Wrong(f"{source.owner}'s {source.id} has a line of {line['email']}")
                counts = found.setdefault(source.id, Counter())
                counts[line["type"], line["product"]] += 1
            if page["next"] is None:
                return found
            after = {"after": page["next"]}

    async def _grants(self) -> dict[str, dict[str, Any]]:
        """Live grants by source, by product, of this life's people; `manual` by address."""
        rows = await self.outside.fetch(
            """
            select u.email, g.product_id, g.source, g.source_id, g.until from grants g
              join users u on u.id = g.user_id
             where g.ended_at is null and (g.until is null or g.until > now())
            """
        )
        found: dict[str, dict[str, Any]] = {}
        for row in rows:
            owner = row["email"].lower()
            key = row["source_id"] if row["source"] != "manual" else owner
            mine = found.setdefault(key, {})
            if row["product_id"] in mine:
                raise Wrong(f"{key} gives {row['product_id']} twice")
            mine[row["product_id"]] = (owner, row["until"])
        return found

    def _judge(
        self, source: Source, lines: Counter[tuple[str, str]], grants: dict[str, dict[str, Any]]
    ) -> set[Past]:
        """Keep the pasts that agree with what Latchkey says; there must be one."""
        seen = [str(look.reading) for look in source.seen]
        possible = source.settle(self.links)
        live = frozenset(grants.get(source.id, {}))
        loose = {p for p, _ in self.links.kept}
        right = {past for past in possible if past.live == live and _same(past, lines, loose)}
        if not right:
            raise Wrong(self._told(source, seen, sorted(live), lines, possible))
        source.pasts = {_agreed(past, lines) for past in right}
        for product, (owner, ends) in grants.get(source.id, {}).items():
            self._judge_end(source, product, owner, ends)
        return source.pasts

    def _told(
        self,
        source: Source,
        seen: list[str],
        live: list[str],
        lines: Counter[tuple[str, str]],
        possible: set[Past],
    ) -> str:
        return "\n".join(
            [
                f"{source.id} of {source.owner}",
                *(f"  saw {reading}" for reading in seen),
                f"  now {source.last}",
                f"  gives {live} lines {sorted(lines.items())}",
                "  but should be one of",
                *(f"    gives {sorted(past.live)} lines {past.lines}" for past in possible),
                f"  links: on {sorted(self.links.on)} kept {sorted(self.links.kept)}",
            ]
        )

    def _judge_end(self, source: Source, product: str, owner: str, ends: datetime | None) -> None:
        if owner != source.owner:
            raise Wrong(f"{source.id} of {source.owner} gives {product} to {owner}")
        last = source.last
        assert last is not None, "a source that gives was read"
        stamp = None if ends is None else ends.timestamp()
        if last.status == "past_due" and last.ends is None:
            if stamp is None or not time.time() < stamp <= time.time() + GRACE + 60:
                raise Wrong(f"{source.id} is past due, but {product} ends {ends}")
        elif last.status == "past_due":
            if stamp is None or stamp > (last.ends or 0):
                raise Wrong(f"{source.id} ends {last.ends}, but {product} ends {ends}")
        elif stamp != last.ends:
            raise Wrong(f"{source.id} ends {last.ends}, but {product} ends {ends}: {last}")

    def _judge_strangers(self, grants: dict[str, dict[str, Any]]) -> None:
        """Nobody has what no source of theirs gives."""
        theirs: dict[str, set[str]] = {}
        for email, product in self.manual:
            theirs.setdefault(email, set()).add(product)
        for key, mine in grants.items():
            if key in self.sources:
                continue
            wanted = theirs.pop(key, set())
            if set(mine) != wanted:
                raise Wrong(f"{key} has complimentary {sorted(mine)}, should be {sorted(wanted)}")
        if theirs:
            raise Wrong(f"complimentary access is missing: {theirs}")

    async def _judge_access(self, grants: dict[str, dict[str, Any]]) -> None:
        """What `GET /access` says must be the union."""
        gate = asyncio.Semaphore(8)
        union: dict[tuple[str, str], list[datetime | None]] = {}
        for mine in grants.values():
            for product, (owner, ends) in mine.items():
                union.setdefault((owner, product), []).append(ends)

        async def ask(person: Person, product: str) -> None:
            async with gate:
                said = await self.outside.call(
                    "GET", "/access", params={"product": product, "email": person.email}
                )
            ends = union.get((person.email, product), [])
            if said["access"] != bool(ends) or len(said["grants"]) != len(ends):
                raise Wrong(f"/access of {person.email} to {product}: {said}, grants {ends}")

        await asyncio.gather(*(ask(p, product) for p in self.people for product in self.products))

    async def _judge_mails(self, before: dict[str, set[Past]], after: dict[str, set[Past]]) -> None:
        """One mail where somebody gets into a product anew, none where they were in already. One
        may speak of several products."""
        rows = await self.outside.fetch(
            """
            select u.email, told.product, count(*) as count from mails m
              join users u on u.id = m.user_id
             cross join jsonb_array_elements_text(
                   coalesce(m.data -> 'products', jsonb_build_array(m.product_id)))
                   as told (product)
             where m.kind = 'product_access' group by 1, 2
            """
        )
        now = Counter({(r["email"].lower(), r["product"]): r["count"] for r in rows})
        ours = {person.email for person in self.people}
        for key in [key for key in now | self.mails if key[0] in ours]:
            more = now[key] - self.mails[key]
            least, most = self._mails_due(key[0], key[1], before, after)
            if not least <= more <= most:
                sent = await self.outside.fetch(_MAILS_OF, key[0])
                raise Wrong(
                    f"{key} got {more} new access mails, should be {least} to {most}:\n  "
                    + "\n  ".join(str(dict(row)) for row in sent)
                )
        self.mails = now

    def _mails_due(
        self, email: str, product: str, before: dict[str, set[Past]], after: dict[str, set[Past]]
    ) -> tuple[int, int]:
        theirs = [source for source in self.sources.values() if source.owner == email]
        was = [_first(before[s.id]) for s in theirs]
        now = [_first(after[s.id]) for s in theirs]
        had = (email, product) in self.manual or any(product in past.live for past in was)
        pairs = list(zip(was, now, strict=True))
        begun = sum(product in b.begun and product not in a.begun for a, b in pairs)
        imported = sum(product in b.imported and product not in a.imported for a, b in pairs)
        ended = any(_count(b, "access_ended", product) > _count(a, "access_ended", product)
                    for a, b in pairs)  # fmt: skip
        granted = sum(
            _count(b, "access_granted", product) - _count(a, "access_granted", product)
            for a, b in pairs
        )
        if not granted or (had and not ended):
            return 0, 0
        sure = begun and not (imported or ended or had)
        return (1 if sure else 0), granted if ended else 1

    async def _last_look(self) -> None:
        """What must hold when all is over: Latchkey's own comparison with Stripe finds nothing but
        the dates that the clock's moves have changed behind its back."""
        made = await self.outside.call("POST", "/reconciliations", json={"dry_run": True})

        async def done() -> Json | None:
            found = await self.outside.call("GET", f"/reconciliations/{made['id']}")
            if found["state"] == "failed":
                raise Wrong(f"the reconciliation failed: {found['error']}")
            return found if found["state"] == "done" else None

        report = await until(done, "the reconciliation", seconds=PATIENCE)
        drift = [
            one
            for one in report["differences"]
            if one["class"] != "foreign" and one["kind"] != "mirror_differs"
        ]
        if drift:
            raise Wrong(f"the reconciliation finds {drift[:5]}")


def _first(pasts: set[Past]) -> Past:
    return min(pasts, key=repr)


def _count(past: Past, type_: str, product: str) -> int:
    return dict(past.lines).get((type_, product), 0)


_LOOSE = ("subscription_cancelled", "cancellation_withdrawn", "payment_failed",
          "payment_recovered", "refunded")  # fmt: skip


def _strict(lines: Iterable[Line], loose: set[str]) -> set[Line]:
    """Without what a removed link leaves open: whether its old members' lines go on."""
    return {(key, count) for key, count in lines if key[1] not in loose or key[0] not in _LOOSE}


def _same(past: Past, lines: Counter[tuple[str, str]], loose: set[str]) -> bool:
    return _strict(past.lines, loose) == _strict(lines.items(), loose)


def _agreed(past: Past, lines: Counter[tuple[str, str]]) -> Past:
    """The past with the open lines as they were really written."""
    return replace(past, lines=tuple(sorted(lines.items())))


_MAILS_OF = """
select m.key, m.product_id, m.data, m.created_at from mails m join users u on u.id = m.user_id
 where u.email_key = $1 and m.kind = 'product_access' order by m.id
"""
_UNSETTLED = """
select (select count(*) from events where state in ('waiting', 'relayed'))
     + (select count(*) from links where state = 'importing' or dispatched_at is null)
     + (select count(*) from grants where ended_at is null and until <= now())
"""
