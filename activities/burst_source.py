"""Reads many objects from Stripe with few calls: by lists where these hold several of them, one by
one otherwise."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import orjson

from activities import fetch, past_due
from activities.base import ActivityDeps
from latchkey.rules import access, reading
from latchkey.rules.reading import Order, Subscription, UnreadableError
from latchkey.rules.routing import TargetKind
from latchkey.store.purchases import subscription_mirror
from latchkey.store.purchases.batches import Purchase
from latchkey.store.purchases.linked_products import linked_stripe_products
from latchkey.store.stripe.inbox import Unprocessed
from latchkey.stripe_api import Json, Page, StripeApi, StripeError

FEW = 4
"""From this many objects that stand together on, a list is asked for them."""

WORTHWHILE = 10
"""How many wanted objects a page is to save one by one, on average over a group: as many pages are
read as that allows. Newer objects may fill the first ones."""

GAP = timedelta(minutes=2)
"""Objects further apart than this don't stand together."""

PAGE = 100
"""How many objects a page holds."""

AT_ONCE, PAGES_AT_ONCE = 8, 3

V = TypeVar("V")
R = TypeVar("R")
Walk = Callable[[int, int, str | None], Awaitable[Page]]


@dataclass
class Wanted:
    """An object to read. `session` is the checkout session that its events name. `begun` and
    `period` only hint where the session and the subscription stand in Stripe's lists."""

    kind: TargetKind
    id: str
    session: str | None = None
    begun: datetime | None = None
    period: datetime | None = None


@dataclass(frozen=True)
class ListPart:
    """A part of a list, between two Unix times, and the wanted objects that are supposed there."""

    since: int
    until: int
    ids: frozenset[str]


@dataclass
class BurstReadings:
    """What could be read, why the rest couldn't, and the number of calls."""

    purchases: list[Purchase] = field(default_factory=list)
    odd: dict[str, str] = field(default_factory=dict)
    reads: int = 0


def wanted(events: Iterable[Unprocessed]) -> dict[str, Wanted]:
    """The objects of these events, by id, in the order of the events."""
    found: dict[str, Wanted] = {}
    came: dict[str, datetime] = {}
    for event in events:
        target = event.target
        mine = found.setdefault(target.id, Wanted(target.kind, target.id))
        mine.session = mine.session or target.checkout_session
        came.setdefault(target.id, event.created_at)
        about = _about(event.body)
        match about.get("object"):
            case "checkout.session":
                mine.begun = reading.moment(about.get("created"))
            case "subscription":
                mine.period = _latest(about, "items", "current_period_start") or mine.period
            case "invoice":
                mine.period = mine.period or _latest(about, "lines", "period", "start")
    for key, mine in found.items():
        mine.period = mine.period or came[key]
    return found


def _about(body: str | None) -> Json:
    """The object that an event carries, empty where it carries none."""
    try:
        about = orjson.loads(body or "{}")["data"]["object"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return {}
    return about if isinstance(about, dict) else {}


def _latest(source: Json, rows: str, *path: str) -> datetime | None:
    """The latest of the times in a field of an object's rows."""
    try:
        found = list(source[rows]["data"])
        for name in path:
            found = [part[name] for part in found]
    except (KeyError, TypeError):
        return None
    return max((at for value in found if (at := reading.moment(value))), default=None)


async def read(deps: ActivityDeps, api: StripeApi, objects: Sequence[Wanted]) -> BurstReadings:
    """Read the objects with all that applying them needs. Raises `StripeError` if Stripe can't be
    reached or refuses the key; what else is wrong with an object is its own trouble."""
    return await _Reader(deps, api).read(objects)


class _Reader:
    """One reading of many objects."""

    def __init__(self, deps: ActivityDeps, api: StripeApi) -> None:
        self._deps = deps
        self._api = api
        self._found = BurstReadings()

    async def read(self, objects: Sequence[Wanted]) -> BurstReadings:
        subscribed = [found for found in objects if found.kind is TargetKind.SUBSCRIPTION]
        async with self._deps.pool.acquire() as connection:
            known = await subscription_mirror.checkouts(connection, [s.id for s in subscribed])
        by_session = {
            found.id: found.session
            for found in subscribed
            if found.session and known.get(found.id) != found.session
        }
        by_session |= {o.id: o.id for o in objects if o.kind is TargetKind.PURCHASE}
        begun = {found.id: found.begun for found in objects}
        carts = await self._sessions({s: begun[key] for key, s in by_session.items()})
        alone = {found.id: found.period for found in subscribed if found.id not in by_session}
        sources = await self._subscriptions(alone)
        for found in subscribed:
            if cart := carts.get(by_session.get(found.id, "")):
                sources[found.id] = cart["subscription"]
        readings = await self._each(sources, lambda source: fetch.subscription(self._api, source))
        readings = await self._dated(readings)
        new = [key for key in readings if key in alone and key not in known]
        origins = await self._origins({key: readings[key] for key in new})
        for key, session in by_session.items():
            if session in carts:
                origins[key] = carts[session]
        orders = await self._each(origins, lambda cart: fetch.session(self._api, cart))
        for found in objects:
            self._add(found, readings.get(found.id), orders.get(found.id))
        return self._found

    def _add(self, found: Wanted, subscription: Subscription | None, order: Order | None) -> None:
        """Take what was read. A subscription's session that events name as a purchase, as thin ones
        do, is left to its run, which passes it on."""
        if found.id in self._found.odd:
            return
        passed_on = found.kind is TargetKind.PURCHASE and order and order.subscription
        if passed_on or (subscription is None and order is None):
            self._found.odd[found.id] = "its run knows whose it is"
            return
        reference = self._deps.reference(order.reference) if order else None
        self._found.purchases.append(Purchase(subscription, order, reference))

    async def _sessions(self, begun: Mapping[str, datetime | None]) -> dict[str, Json]:
        """Checkout sessions with the subscriptions that they created."""
        return await self._by_lists_or_one_by_one(
            begun,
            lambda since, until, after: self._api.sessions_begun(since, until, after=after),
            lambda key: self._api.checkout_session(key, whole=True),
        )

    async def _subscriptions(self, period: Mapping[str, datetime | None]) -> dict[str, Json]:
        return await self._by_lists_or_one_by_one(
            period,
            lambda since, until, after: self._api.subscriptions_begun(since, until, after=after),
            self._api.subscription,
        )

    async def _by_lists_or_one_by_one(
        self,
        hints: Mapping[str, datetime | None],
        walk: Walk,
        one: Callable[[str], Awaitable[Json]],
    ) -> dict[str, Json]:
        placed = {key: at for key, at in hints.items() if at is not None}
        gate = asyncio.Semaphore(PAGES_AT_ONCE)

        async def listed(part: ListPart) -> dict[str, Json]:
            async with gate:
                return await self._listed(part, placed, walk)

        parts = [part for group in _together(placed) for part in _parts(group)]
        found: dict[str, Json] = {}
        for rows in await asyncio.gather(*map(listed, parts)):
            found |= rows
        left = {key: key for key in hints if key not in found}
        self._found.reads += len(left)
        return found | await self._each(left, one)

    async def _listed(
        self, part: ListPart, wanted: Mapping[str, datetime], walk: Walk
    ) -> dict[str, Json]:
        """What a part of a list holds of what is wanted, within as many pages as are worthwhile."""
        found: dict[str, Json] = {}
        after: str | None = None
        for _ in range(max(1, len(part.ids) // WORTHWHILE)):
            self._found.reads += 1
            try:
                page = await walk(part.since, part.until, after)
            except StripeError as error:
                if error.passing or error.refused:
                    raise
                break
            found |= {row["id"]: row for row in page.data if row["id"] in wanted}
            after = page.next
            if after is None or part.ids <= found.keys():
                break
        return found

    async def _dated(self, found: dict[str, Subscription]) -> dict[str, Subscription]:
        """The readings, those that are overdue with when they became so."""
        overdue = {
            key: subscription
            for key, subscription in found.items()
            if subscription.status in access.PAST_DUE_STATUSES
        }

        async def dated(subscription: Subscription) -> Subscription:
            [with_date] = await past_due.dated(self._deps, self._api, [subscription], again=True)
            return with_date

        dates = await self._each(overdue, dated)
        return {key: found[key] for key in found if key not in overdue} | dates

    async def _origins(self, new: Mapping[str, Subscription]) -> dict[str, Json]:
        """The checkout sessions of subscriptions that are new to us and sell something linked, if
        no event named the session."""
        if not new:
            return {}
        account = await self._deps.account()
        async with self._deps.pool.acquire() as connection:
            linked = await linked_stripe_products(connection, account=account)
        selling = {key: key for key, made in new.items() if made.stripe_products & linked}
        self._found.reads += len(selling)

        async def origin(key: str) -> Json | None:
            carts = await self._api.sessions_of(subscription=key)
            return carts[0] if carts else None

        found = await self._each(selling, origin)
        return {key: cart for key, cart in found.items() if cart is not None}

    async def _each(
        self, given: Mapping[str, V], read: Callable[[V], Awaitable[R]]
    ) -> dict[str, R]:
        """What `read` makes of each, a few at a time; what it can't read is noted as odd."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(key: str, value: V) -> R | None:
            async with gate:
                try:
                    return await read(value)
                except (StripeError, UnreadableError) as error:
                    if isinstance(error, StripeError) and (error.passing or error.refused):
                        raise
                    self._found.odd[key] = str(error)
                    return None

        made = await asyncio.gather(*(one(key, value) for key, value in given.items()))
        return {key: m for key, m in zip(given, made, strict=True) if m is not None}


def _together(hints: Mapping[str, datetime]) -> list[dict[str, datetime]]:
    """The groups of objects that stand together in a list, without small ones."""
    groups: list[dict[str, datetime]] = []
    last = datetime.min.replace(tzinfo=UTC)
    for key, at in sorted(hints.items(), key=lambda hint: hint[1]):
        if not groups or at - last > GAP:
            groups.append({})
        groups[-1][key] = last = at
    return [group for group in groups if len(group) >= FEW]


def _parts(group: Mapping[str, datetime]) -> list[ListPart]:
    """A group in parts that can be read side by side, with a page each where nothing else stands
    between. They leave no time out, since hints may be a little off."""
    moments: dict[int, list[str]] = {}
    for key, at in sorted(group.items(), key=lambda hint: hint[1]):
        moments.setdefault(int(at.timestamp()), []).append(key)
    size = math.ceil(len(group) / math.ceil(len(group) / PAGE))
    parts: list[tuple[int, list[str]]] = []
    for moment, keys in moments.items():
        if not parts or len(parts[-1][1]) >= size or len(parts[-1][1]) + len(keys) > PAGE:
            parts.append((moment, []))
        parts[-1][1].extend(keys)
    ends = [since - 1 for since, _ in parts[1:]] + [max(moments)]
    return [
        ListPart(since, until, frozenset(ids))
        for (since, ids), until in zip(parts, ends, strict=True)
    ]
