"""Compares what Latchkey says about the people of one life with the model."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from tests.hostile.bundle import Opened
from tests.hostile.byhand import Held
from tests.hostile.model import Past, Source
from tests.hostile.policy import DAY
from tests.spellings import spelled

if TYPE_CHECKING:
    from tests.hostile.life import Life

ASKED = 25
"""How many questions a comparison asks `GET /access`, besides those whose answer has changed."""

COUNTED = (
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
    "refund_failed",
    "disputed",
)
MONEY = ("refunded", "refund_failed", "disputed")
BY_HAND = ("manual_grant", "access_granted", "access_ended")

Line = tuple[tuple[str, str], int]
Counts = Counter[tuple[str, str]]
Answer = list[datetime | None]
Pair = tuple[str, str]


class WrongError(AssertionError):
    """Latchkey and the model disagree."""


@dataclass
class Grants:
    """Live grants: those of purchases by source and product, with owner and end, those given by
    hand, and those that another product opened."""

    bought: dict[str, dict[str, tuple[str, datetime | None]]] = field(default_factory=dict)
    gifts: dict[Pair, datetime | None] = field(default_factory=dict)
    shelf: dict[Pair, datetime | None] = field(default_factory=dict)
    opened: Opened = field(default_factory=Counter)

    def ends_of(self, product: str) -> Iterator[tuple[str, datetime | None]]:
        """Owner and end of each grant of a product, except by another product."""
        for mine in self.bought.values():
            if product in mine:
                yield mine[product]
        for given in (self.gifts, self.shelf):
            yield from ((owner, ends) for (owner, one), ends in given.items() if one == product)

    def union(self) -> dict[Pair, Answer]:
        """For each person and product, the latest end of everything that gives access."""
        found: dict[Pair, Answer] = {}
        for mine in self.bought.values():
            for product, (owner, ends) in mine.items():
                found.setdefault((owner, product), []).append(ends)
        for given in (self.gifts, self.shelf):
            for key, ends in given.items():
                found.setdefault(key, []).append(ends)
        for owner, product, ends in self.opened.elements():
            found.setdefault((owner, product), []).append(ends)
        return found


class Judge:
    """The comparisons of one life. It keeps what it saw last, to know what has changed since."""

    def __init__(self, life: "Life") -> None:
        self._life = life
        self._chance = random.Random(life.seed)
        self._mails: Counter[Pair] = Counter()
        self._union: dict[Pair, Answer] = {}
        self._users: set[str] = set()
        self._pasts: dict[str, set[Past]] = {}
        self._bills: Counter[Pair] = Counter()
        self._given: set[Pair] = set()

    async def compare(self) -> None:
        """Compare activity lines, grants, access, emails, customers and identity matches."""
        life = self._life
        life.hand.pass_time()
        had = set(self._union)
        lines, grants = await self._lines(), await self._grants()
        found = {
            source.id: self._judge(source, _without_bills(source, lines), grants)
            for source in life.sources.values()
        }
        self._judge_bills(lines)
        await self._judge_strangers(grants)
        await self._judge_opened(grants)
        await self._judge_left()
        await self._judge_moments()
        await self._judge_lines_by_hand()
        await self._judge_access(grants.union())
        await self._judge_mails(found, had)
        await self._judge_customers()

    async def _lines(self) -> dict[str, Counts]:
        """The feed by source: how many lines of each type there are about each product, all about
        the right person."""
        life = self._life
        rows = await life.outside.fetch(
            """
            select s.source_id, a.type, a.product_id, u.email_key as email, count(*)
              from activities a left join users u on u.id = a.user_id
             cross join lateral (
                   select case a.type when 'access_ended'
                          then coalesce(a.data ->> 'purchase', a.source_id) else a.source_id end
                   ) s (source_id)
             where s.source_id = any($1::text[]) and a.type = any($2::text[]) group by 1, 2, 3, 4
            """,
            list(life.sources),
            list(COUNTED),
        )
        found: dict[str, Counts] = {}
        for row in rows:
            source_id, email = row["source_id"], row["email"]
            owner = life.owner(life.sources[source_id].owner)
            if email != owner:
                raise WrongError(f"{owner}'s {source_id} has a line of {email}: {row['type']}")
            found.setdefault(source_id, Counter())[row["type"], row["product_id"]] += row["count"]
        return found

    async def _judge_moments(self) -> None:
        """Nothing ends before it began or before it was due, neither in the feed nor in the
        grants."""
        rows = await self._life.outside.fetch(
            """
            select g.source_id, g.product_id, g.since, g.ended_at, g.due_at, a.at
              from grants g left join activities a on a.fact = 'access_ended:' || g.id
             where g.ended_at is not null and g.source_id = any($1::text[])
               and (g.ended_at < g.since or g.due_at > g.ended_at or a.at <> g.ended_at
                    or a.due_at is distinct from g.due_at)
            """,
            list(self._life.sources),
        )
        if rows:
            raise WrongError(f"moments out of order: {[dict(row) for row in rows]}")

    async def _grants(self) -> Grants:
        rows = await self._life.outside.fetch(
            """
            select u.email_key as owner, g.product_id, g.source, g.source_id, g.until
              from grants g join users u on u.id = g.user_id
             where g.ended_at is null and (g.until is null or g.until > now())
               and u.email_key = any($1::text[])
            """,
            self._life.addresses(),
        )
        found = Grants()
        for row in rows:
            key = (row["owner"], row["product_id"])
            if row["source"] == "product":
                found.opened[*key, row["until"]] += 1
                continue
            if row["source"] in ("manual", "collection"):
                given = found.gifts if row["source"] == "manual" else found.shelf
                if key in given:
                    raise WrongError(f"{key} has {row['source']} access twice")
                given[key] = row["until"]
                continue
            mine = found.bought.setdefault(row["source_id"], {})
            if row["product_id"] in mine:
                raise WrongError(f"{row['source_id']} gives {row['product_id']} twice")
            mine[row["product_id"]] = (row["owner"], row["until"])
        return found

    def _judge(self, source: Source, lines: Counts, grants: Grants) -> set[Past]:
        """Keep the possible pasts that agree with what Latchkey says. There must be at least
        one."""
        life = self._life
        seen = [f"{look.reading}{' by rule' * look.by_rule}" for look in source.seen]
        possible = source.settle(life.links, life.rules)
        mine = grants.bought.get(source.id, {})
        loose = {p for p, _ in life.links.kept}
        right = {past for past in possible if past.live == set(mine) and _same(past, lines, loose)}
        if not right:
            raise WrongError(self._told(source, seen, sorted(mine), lines, possible))
        source.pasts = {replace(past, lines=tuple(sorted(lines.items()))) for past in right}
        for product, (owner, ends) in mine.items():
            self._judge_end(source, product, owner, ends)
        return source.pasts

    def _told(
        self, source: Source, seen: list[str], live: list[str], lines: Counts, possible: set[Past]
    ) -> str:
        links = self._life.links
        return "\n".join(
            [
                f"{source.id} of {source.owner}",
                *(f"  saw {reading}" for reading in seen),
                f"  now {source.last}",
                f"  gives {live} lines {sorted(lines.items())}",
                "  but should be one of",
                *(
                    f"    gives {sorted(past.live)} lines {past.lines} held {sorted(past.held)}"
                    for past in possible
                ),
                f"  links: on {sorted(links.on)} kept {sorted(links.kept)} fresh {links.fresh}",
                f"  {self._life.rules}",
            ]
        )

    def _judge_end(self, source: Source, product: str, owner: str, ends: datetime | None) -> None:
        if owner != self._life.owner(source.owner):
            raise WrongError(f"{source.id} of {source.owner} gives {product} to {owner}")
        last = source.last
        assert last is not None, "a source that gives was read"
        stamp = None if ends is None else ends.timestamp()
        days = self._life.rules.of(product)["past_due_days"]
        if last.status != "past_due" or days is None:
            if stamp != last.ends:
                raise WrongError(f"{source.id} ends {last.ends}, but {product} ends {ends}: {last}")
            return
        latest = time.time() + days * DAY + 60
        if last.ends is not None:
            latest = min(latest, last.ends)
        if stamp is None or not time.time() - 60 < stamp <= latest:
            raise WrongError(f"{source.id} is past due, but {product} ends {ends}: {last}")

    def _judge_bills(self, lines: dict[str, Counts]) -> None:
        """Refunds of a subscription's invoice, and refunds that failed, are reported to whoever got
        access by it: at most once each, and at least once for an invoice whose money changed in the
        end."""
        refunded = {
            sub: bills for person in self._life.people for sub, bills in person.refunded.items()
        }
        now: Counter[Pair] = Counter()
        given: set[Pair] = set()
        for source_id, counts in lines.items():
            if source_id.startswith("sub_"):
                given |= {(source_id, p) for t, p in counts if t == "access_granted"}
                for (type_, product), count in counts.items():
                    now[source_id, product] += count if type_ in MONEY else 0
        for source_id, product in given | set(now):
            more = now[source_id, product] - self._bills[source_id, product]
            bills = refunded.get(source_id, [])
            net: Counter[str] = Counter()
            for bill, amount in bills:
                net[bill] += amount
            changed = sum(amount != 0 for amount in net.values())
            least = changed if (source_id, product) in self._given else 0
            most = len(bills) if (source_id, product) in given else 0
            if not least <= more <= most:
                raise WrongError(
                    f"{source_id} has {more} new lines about money of {product}, should be {least}"
                    f" to {most}: {bills}"
                )
        self._bills, self._given = now, given
        for person in self._life.people:
            person.refunded = {}

    async def _judge_strangers(self, grants: Grants) -> None:
        """Nobody has access that none of their sources gives, and access given by hand is as it was
        given."""
        if strange := set(grants.bought) - set(self._life.sources):
            told = [await self._life.truth.found(one) for one in sorted(strange)]
            raise WrongError(f"grants of what nobody bought: {told}")
        hand = self._life.hand
        for what, has, should in (
            ("complimentary", grants.gifts, hand.gifts),
            ("a collection's", grants.shelf, hand.on_shelf()),
        ):
            stamps: Held = {
                key: None if ends is None else round(ends.timestamp(), 3)
                for key, ends in has.items()
            }
            wanted: Held = {key: ends and round(ends, 3) for key, ends in should.items()}
            if stamps != wanted:
                raise WrongError(f"{what} access is {stamps}, should be {wanted}")

    async def _judge_opened(self, grants: Grants) -> None:
        """What a product opens follows its grants, one by one, and each beginning and end of it is
        told."""
        bundle = self._life.bundle
        wanted = bundle.gives(grants.ends_of(bundle.opener)) if bundle else Counter()
        if grants.opened != wanted:
            more, less = grants.opened - wanted, wanted - grants.opened
            raise WrongError(f"opened by another product: {more} too many, {less} are missing")
        if bundle is None:
            return
        rows = await self._life.outside.fetch(
            """
            select g.id, g.product_id, g.source_id, g.since, g.ended_at, g.end_reason from grants g
             where g.source = 'product' and g.product_id = any($1::text[])
               and (not exists (select from activities a
                                 where a.fact = 'access_granted:' || g.id)
                    or g.end_reason is distinct from 'merged'
                       and (g.ended_at is not null) <> exists (
                           select from activities a where a.fact = 'access_ended:' || g.id)
                    or g.ended_at < g.since or g.due_at > g.ended_at)
            """,
            bundle.contents,
        )
        if rows:
            raise WrongError(f"opened without a line: {[dict(row) for row in rows]}")

    async def _judge_left(self) -> None:
        """Nobody can still pay for what a product isn't linked to any more."""
        life = self._life
        for session_id in [one for person in life.people for one in person.left]:
            session = await life.truth.get(f"checkout/sessions/{session_id}", expand=["line_items"])
            product = session["metadata"]["latchkey_product"]
            [line] = session["line_items"]["data"]
            sold = (product, line["price"]["product"])
            if session["status"] == "open" and sold not in life.links.on:
                raise WrongError(f"{session_id} of {sold} can still be paid")

    async def _judge_lines_by_hand(self) -> None:
        life = self._life
        rows = await life.outside.fetch(
            """
            select a.type, u.email_key as owner, a.product_id,
                   coalesce(g.source = 'collection', a.source_id is not null) as shelved, count(*)
              from activities a
              join users u on u.id = a.user_id
              left join grants g
                     on g.id = case a.cause when 'bulk' then (a.data ->> 'grant')::bigint end
             where u.email_key = any($1::text[]) and a.type = any($2::text[])
               and a.product_id is not null
               and case a.cause when 'bulk' then g.source in ('manual', 'collection')
                                else a.source_id is null or a.source_id = $3 end
             group by 1, 2, 3, 4
            """,
            life.addresses(),
            list(BY_HAND),
            life.hand.collection,
        )
        found = Counter(
            {(r["type"], r["owner"], r["product_id"], r["shelved"]): r["count"] for r in rows}
        )
        if found != life.hand.lines:
            more, less = found - life.hand.lines, life.hand.lines - found
            raise WrongError(
                f"lines of what was given by hand: {more} too many, {less} are missing"
            )

    async def _judge_access(self, union: dict[Pair, Answer]) -> None:
        """`GET /access` answers the union of all sources, for each of a person's addresses."""
        life = self._life
        gate = asyncio.Semaphore(4)
        everything = [(email, product) for email in life.addresses() for product in life.products]
        changed = {key for key in union | self._union if union.get(key) != self._union.get(key)}
        asked = self._chance.sample(everything, min(ASKED, len(everything)))
        asked += [(e, p) for e, p in everything if (life.owner(e), p) in changed]

        async def ask(email: str, product: str) -> None:
            async with gate:
                said = await life.outside.call(
                    "GET",
                    "/access",
                    params={"product": product, "email": spelled(email, self._chance)},
                )
            ends = union.get((life.owner(email), product), [])
            if said["access"] != bool(ends) or len(said["grants"]) != len(ends):
                raise WrongError(f"/access of {email} to {product}: {said}, grants {ends}")

        await asyncio.gather(*(ask(email, product) for email, product in asked))
        self._union = union

    async def _judge_mails(self, after: dict[str, set[Past]], had: set[Pair]) -> None:
        """A person who gets access to a product gets one email, and none if they already had it.
        One email may name several products."""
        life = self._life
        rows = await life.outside.fetch(
            """
            select u.email_key as email, told.product, count(*) as count from mails m
              join users u on u.id = m.user_id
             cross join jsonb_array_elements_text(
                   coalesce(m.data -> 'products', jsonb_build_array(m.product_id)))
                   as told (product)
             where m.kind = 'product_access' and u.email_key = any($1::text[]) group by 1, 2
            """,
            life.addresses(),
        )
        now = Counter({(r["email"], r["product"]): r["count"] for r in rows})
        was: Counter[Pair] = Counter()
        for (email, product), count in self._mails.items():
            was[life.owner(email), product] += count
        for owner, product in now | was:
            more = now[owner, product] - was[owner, product]
            least, most = self._mails_due(owner, product, after, had)
            if not least <= more <= most:
                sent = await life.outside.fetch(_MAILS_OF, owner)
                raise WrongError(
                    f"{owner} got {more} new access mails of {product}, should be {least} to"
                    f" {most}:\n  " + "\n  ".join(str(dict(row)) for row in sent)
                )
        self._mails, self._pasts, life.unsure = now, after, set()

    def _mails_due(
        self, owner: str, product: str, after: dict[str, set[Past]], had: set[Pair]
    ) -> tuple[int, int]:
        life = self._life
        if owner in life.unsure:
            return 0, 99
        theirs = [s for s in life.sources.values() if life.owner(s.owner) == owner]
        pairs = [(_first(self._pasts.get(s.id, {Past()})), _first(after[s.id])) for s in theirs]
        begun = sum(product in b.begun and product not in a.begun for a, b in pairs)
        imported = sum(product in b.imported and product not in a.imported for a, b in pairs)
        ended = any(_count(b, "access_ended", product) > _count(a, "access_ended", product)
                    for a, b in pairs)  # fmt: skip
        granted = sum(
            _count(b, "access_granted", product) - _count(a, "access_granted", product)
            for a, b in pairs
        )
        in_already = (owner, product) in had
        if not granted or (in_already and not ended):
            return 0, 0
        sure = begun == granted and not (imported or ended or in_already)
        return (1 if sure else 0), granted if ended else 1

    async def _judge_customers(self) -> None:
        """A customer keeps its owner, whatever its address becomes. If the new address is another
        user's, an admin is asked."""
        life = self._life
        theirs = {c: person for person in life.people for c in person.customers}
        rows = await life.outside.fetch(
            """
            select c.id, u.email_key as owner from customers c join users u on u.id = c.user_id
             where c.id = any($1::text[])
            """,
            list(theirs),
        )
        for person in life.people:
            person.bound = set()
        for row in rows:
            person = theirs[row["id"]]
            if row["owner"] != life.owner(person.email):
                raise WrongError(f"{row['id']} of {person.email} belongs to {row['owner']}")
            person.bound.add(row["id"])
        await self._judge_doubts()
        users = await life.outside.fetch(
            "select email_key from users where email_key = any($1::text[])", life.addresses()
        )
        self._users = {row["email_key"] for row in users}

    async def _judge_doubts(self) -> None:
        """If a customer got the address of an existing user, its owner is in the queue of identity
        matches."""
        life = self._life
        expected = {
            customer
            for person in life.people
            for customer, email in person.moved.items()
            if customer not in person.gone
            and life.owner(email) in self._users
            and life.owner(email) != life.owner(person.email)
        }
        rows = await life.outside.fetch(
            """
            select customer_id from matches
             where kind = 'address_changed' and customer_id = any($1::text[])
            """,
            list(expected),
        )
        if missing := expected - {row["customer_id"] for row in rows}:
            raise WrongError(f"no doubt was raised about the new address of {missing}")
        for person in life.people:
            person.moved = {}


def _without_bills(source: Source, lines: dict[str, Counts]) -> Counts:
    """A source's lines without those about the money of a subscription's invoices."""
    mine = lines.get(source.id, Counter())
    if source.id.startswith("sub_"):
        return Counter({key: count for key, count in mine.items() if key[0] not in MONEY})
    return mine


def _first(pasts: set[Past]) -> Past:
    return min(pasts, key=repr)


def _count(past: Past, type_: str, product: str) -> int:
    return dict(past.lines).get((type_, product), 0)


_LOOSE = ("subscription_cancelled", "cancellation_withdrawn", "payment_failed",
          "payment_recovered", *MONEY)  # fmt: skip


def _strict(lines: Iterable[Line], loose: set[str]) -> set[Line]:
    """The lines without those that a removed link leaves open: whether its former members still get
    any."""
    return {(key, count) for key, count in lines if key[1] not in loose or key[0] not in _LOOSE}


def _same(past: Past, lines: Counts, loose: set[str]) -> bool:
    return _strict(past.lines, loose) == _strict(lines.items(), loose)


_MAILS_OF = """
select m.key, m.product_id, m.data, m.created_at from mails m join users u on u.id = m.user_id
 where u.email_key = $1 and m.kind = 'product_access' order by m.id
"""
