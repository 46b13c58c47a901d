"""The sandbox's state: objects by type, scheduled work, and time.

The clock is always real time. Advancing time moves the world back instead: every timestamp is
shifted into the past, so that dates stay true for anyone who compares them with a real clock.
"""

import bisect
import calendar
import heapq
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from sandbox.blanks import Blanks
from sandbox.dice import Dice
from sandbox.schema import Published

Json = dict[str, Any]
Fields = Callable[[Json], list[object]]

SECONDS = {"day": 86400, "week": 7 * 86400, "month": 30 * 86400, "year": 365 * 86400}
REAL_MONTH = SECONDS["month"]
_CLAMPED_SECONDS = 3 * 86400
"""How far a short month can move the end of a period."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_TIMES = frozenset(
    {
        "created",
        "updated",
        "current_period_start",
        "current_period_end",
        "cancel_at",
        "canceled_at",
        "ended_at",
        "start_date",
        "billing_cycle_anchor",
        "trial_start",
        "trial_end",
        "period_start",
        "period_end",
        "start",
        "end",
        "expires_at",
        "paid_at",
        "finalized_at",
        "accepted_at",
        "effective_date",
        "voided_at",
        "marked_uncollectible_at",
        "due_date",
        "effective_at",
        "next_payment_attempt",
        "webhooks_delivered_at",
        "transitioned_at",
        "updated_at",
        "resumes_at",
        "status_transitions",
        "available_on",
        "evidence_due_by",
        "due_by",
        "redeem_by",
        "date",
        "frozen_time",
        "billed_until",
        "deletes_after",
        "at",
        "computed_timestamp",
        "start_time",
        "end_date",
        "released_at",
        "completed_at",
        "automatically_finalizes_at",
        "warned_at",
        "capture_before",
        "arrival_date",
    }
)
_UNDATED = ("idempotency/", "key/")
"""Private facts without timestamps to shift."""


Moment = Callable[[Json], int]
_UNSORTED_SHARE = 50
"""One of so many objects may have changed before a table sorts them by their moments again."""


class Table:
    """Objects of one type, newest last, looked up by id or by the indexed fields."""

    def __init__(self, **indexes: Fields) -> None:
        self._objects: dict[str, Json] = {}
        self._order: list[str] = []
        self._seq: dict[str, int] = {}
        self._indexes = indexes
        self._entries: dict[tuple[str, object], int | list[int]] = {}
        self._sorted: dict[Moment, list[tuple[int, int]]] = {}
        self._unsorted: set[int] = set()

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._objects

    def get(self, object_id: object) -> Json | None:
        return self._objects.get(object_id) if isinstance(object_id, str) else None

    def __getitem__(self, object_id: str) -> Json:
        return self._objects[object_id]

    def values(self) -> list[Json]:
        return list(self._objects.values())

    def put(self, source: Json) -> Json:
        """Add an object, or reindex a changed one."""
        object_id = source["id"]
        if object_id not in self._seq:
            self._seq[object_id] = len(self._order)
            self._order.append(object_id)
        self._objects[object_id] = source
        seq = self._seq[object_id]
        if self._sorted:
            self._unsorted.add(seq)
        for name, fields in self._indexes.items():
            for value in fields(source):
                self._note((name, value), seq)
        return source

    def _note(self, key: tuple[str, object], seq: int) -> None:
        """Index a position; a value with only one is kept without a list."""
        known = self._entries.get(key)
        if known is None:
            self._entries[key] = seq
        elif isinstance(known, list):
            at = bisect.bisect_left(known, seq)
            if at == len(known) or known[at] != seq:
                known.insert(at, seq)
        elif known != seq:
            self._entries[key] = sorted((known, seq))

    def _noted(self, key: tuple[str, object]) -> list[int]:
        known = self._entries.get(key, [])
        return known if isinstance(known, list) else [known]

    def remove(self, object_id: str) -> None:
        self._objects.pop(object_id, None)

    def position(self, object_id: str) -> int | None:
        return self._seq.get(object_id)

    def between(self, moment: Moment, least: float, most: float) -> list[int]:
        """The positions of all objects whose moment lies between these, and of some others: of
        those that have changed since the table was sorted by it."""
        if len(self._unsorted) > len(self._order) / _UNSORTED_SHARE:
            self.forget_moments()
        rows = self._sorted.get(moment)
        if rows is None:
            rows = sorted((moment(found), self._seq[key]) for key, found in self._objects.items())
            self._sorted[moment] = rows
        first = bisect.bisect_left(rows, (least, 0))
        last = bisect.bisect_right(rows, (most, len(self._order)))
        return sorted({seq for _, seq in rows[first:last]} | self._unsorted)

    def forget_moments(self) -> None:
        """The objects' moments have changed."""
        self._sorted.clear()
        self._unsorted.clear()

    def newest_first(
        self,
        equal: dict[str, object],
        *,
        before: int | None,
        after: int | None,
        among: list[int] | None = None,
    ) -> Iterator[Json]:
        """Objects whose fields match, newest first (`before` a position), or oldest first if
        `after` is given; only those at the positions `among`, if given."""
        known = [] if among is None else [among]
        known += [
            self._noted((name, value)) for name, value in equal.items() if name in self._indexes
        ]
        tests = [(self._indexes.get(name) or _field(name), value) for name, value in equal.items()]
        rows: range | list[int] = min(known, key=len) if known else range(len(self._order))
        if after is not None:
            start = bisect.bisect_right(rows, after)
            positions: Iterator[int] = iter(rows[start:])
        else:
            stop = len(rows) if before is None else bisect.bisect_left(rows, before)
            positions = (rows[i] for i in range(stop - 1, -1, -1))
        for position in positions:
            found = self._objects.get(self._order[position])
            if found is not None and all(value in fields(found) for fields, value in tests):
                yield found


class World:
    """The state of one sandbox. `month_seconds` makes new periods shorter than real ones."""

    def __init__(
        self,
        published: Published,
        *,
        base_url: str,
        month_seconds: float | None = None,
        seed: int | None = None,
    ) -> None:
        self.published = published
        self.blanks = Blanks(published)
        self.base_url = base_url.rstrip("/")
        self.month_seconds = month_seconds
        self.dice = Dice(seed)
        self.tables = _tables()
        self.private: dict[str, Json] = {}
        self.changed: dict[tuple[str, str], None] = {}
        self._due: dict[str | None, list[tuple[float, int, str, str]]] = {None: []}
        self.clocked: dict[str, str] = {}
        self._due_at: dict[tuple[str, str], float] = {}
        self.watch: Callable[[str, str, Json | None], None] = lambda kind, object_id, source: None
        self._ticks = 0
        self._now: float | None = None

    def now(self) -> int:
        """Real time, or the moment at which the current work was due."""
        return int(self._now if self._now is not None else time.time())

    def new_id(self, prefix: str, size: int = 24) -> str:
        return (
            prefix + "_" + "".join(self.dice.stream(f"ids of {prefix}").choices(_LETTERS, k=size))
        )

    def table(self, kind: str) -> Table:
        return self.tables[kind]

    def make(self, kind: str, prefix: str, **fields: Any) -> Json:
        """A new object of `kind` with id and creation time, not yet stored."""
        made = self.blanks.make(kind, **fields)
        made.setdefault("id", "")
        if not fields.get("id"):
            made["id"] = self.new_id(prefix)
        if "created" in made and "created" not in fields:
            made["created"] = self.now()
        if "livemode" in made:
            made["livemode"] = False
        return made

    @staticmethod
    def copy(source: Json) -> Json:
        """A deep copy that may be changed without changing the world."""
        copied: Json = orjson.loads(orjson.dumps(source))
        return copied

    def store(self, source: Json) -> Json:
        kind = source["object"]
        self.changed[kind, source["id"]] = None
        self.watch(kind, source["id"], source)
        self.note_clock(source)
        return self.tables[kind].put(source)

    def note_clock(self, source: Json) -> None:
        """Remember an object's test clock, which is its customer's. `clocked` maps object ids to
        clock ids."""
        if not self.tables["test_helpers.test_clock"]:
            return
        clock = source.get("test_clock") if source["object"] == "customer" else None
        clock = clock or self.clocked.get(source.get("customer") or "")
        if clock:
            self.clocked[source["id"]] = clock

    def forget(self, kind: str, object_id: str) -> None:
        self.changed[kind, object_id] = None
        self.watch(kind, object_id, None)
        self.tables[kind].remove(object_id)

    def keep(self, key: str, **values: Any) -> Json:
        """Set private facts about an object, which Stripe doesn't show. Returns all of them."""
        self.changed["private", key] = None
        kept = self.private.setdefault(key, {})
        kept.update(values)
        return kept

    def factor(self) -> float:
        """The ratio of a period's length to its real length."""
        return (self.month_seconds or REAL_MONTH) / REAL_MONTH

    def later(self, start: int, interval: str, count: int = 1) -> int:
        """The time `count` intervals after `start`, by the calendar or scaled."""
        if self.month_seconds is not None:
            return start + max(1, round(SECONDS[interval] * count * self.factor()))
        if interval in ("day", "week"):
            return start + SECONDS[interval] * count
        moment = datetime.fromtimestamp(start, UTC)
        months = moment.month - 1 + count * (12 if interval == "year" else 1)
        year, month = moment.year + months // 12, months % 12 + 1
        day = min(moment.day, calendar.monthrange(year, month)[1])
        return int(moment.replace(year=year, month=month, day=day).timestamp())

    def period_after(self, start: int, interval: str, count: int, anchor: int) -> int:
        """The end of the period that begins at `start`, aligned with the anchor: a month that began
        on the 31st ends on the last day of a shorter month, and the next on the 31st again. If time
        has been advanced so that the anchor no longer fits, `start` counts."""
        plain = self.later(start, interval, count)
        if self.month_seconds is not None or interval in ("day", "week") or anchor > start:
            return plain
        first, last = (datetime.fromtimestamp(at, UTC) for at in (anchor, plain))
        months = (last.year - first.year) * 12 + last.month - first.month
        anchored = self.later(anchor, "month", months)
        return anchored if abs(anchored - plain) <= _CLAMPED_SECONDS else plain

    def part(self, kind: str, name: str) -> Json:
        """A blank for an object's field `name`, or for one entry if it is a list."""
        schema = self.published.resolve(self.published.object_schema(kind))
        found: Json = schema.get("else", schema)["properties"][name]
        for choice in found.get("anyOf", [found]):
            if choice.get("type") == "array":
                found = choice["items"]
        made: Json = self.blanks.part(found)
        return made

    def part_within(self, kind: str, name: str, inner: str) -> Any:
        """A blank for what stands under `inner` in a part of an object; None where it can't."""
        schema = self.published.resolve(self.published.object_schema(kind))
        found: Json = schema.get("else", schema)["properties"][name]
        return self.blanks.within(found, inner)

    def span(self, seconds: float) -> int:
        """A duration of Stripe's, scaled like periods."""
        return max(1, round(seconds * self.factor()))

    def schedule(self, work: str, object_id: str, at: float | None) -> None:
        """Schedule `work` for an object at a time; None cancels it."""
        key = (work, object_id)
        self.changed["due", f"{work}/{object_id}"] = None
        if at is None:
            self._due_at.pop(key, None)
            return
        self._due_at[key] = at
        self._ticks += 1
        queue = self._due.setdefault(self.clocked.get(object_id), [])
        heapq.heappush(queue, (at, self._ticks, work, object_id))

    def due_at(self, work: str, object_id: str) -> float | None:
        return self._due_at.get((work, object_id))

    def next_due(self, clock: str | None = None) -> float | None:
        queue = self._due.get(clock, [])
        while queue and self._due_at.get(queue[0][2:]) != queue[0][0]:
            heapq.heappop(queue)
        return queue[0][0] if queue else None

    def agenda(self) -> list[tuple[float, str, str]]:
        """All work scheduled in real time, soonest first, as (time, work, object id)."""
        return sorted(
            (at, work, name)
            for (work, name), at in self._due_at.items()
            if name not in self.clocked
        )

    def take_due(
        self, until: float | None = None, clock: str | None = None
    ) -> tuple[str, str] | None:
        """Take the next work due by `until` (default: now), on a test clock or in real time. Time
        stands still at its moment until `settle_clock`."""
        at = self.next_due(clock)
        if at is None or at > (time.time() if until is None else until):
            return None
        _, _, work, object_id = heapq.heappop(self._due[clock])
        self._due_at.pop((work, object_id), None)
        self.changed["due", f"{work}/{object_id}"] = None
        self._now = at
        return work, object_id

    def settle_clock(self, at: float | None = None) -> None:
        """Return to real time, or stop at a moment in the past while history is created."""
        self._now = at

    def shift(self, seconds: int) -> None:
        """Move the whole world into the past by `seconds`."""
        seen: set[int] = set()
        for kind, table in self.tables.items():
            table.forget_moments()
            for source in table.values():
                _shift(source, seconds, seen)
                self.changed[kind, source["id"]] = None
        for key, kept in self.private.items():
            if not key.startswith(_UNDATED):
                _shift(kept, seconds, seen)
                self.changed["private", key] = None
        due, self._due_at = self._due_at, {}
        self._due = {None: []}
        for (work, object_id), at in due.items():
            self.schedule(work, object_id, at - seconds)


def _shift(node: Any, seconds: int, seen: set[int]) -> None:
    """Shift the times in a tree; a price shared by several subscriptions moves once."""
    if id(node) in seen:
        return
    if isinstance(node, dict):
        seen.add(id(node))
        for key, value in node.items():
            if key in _TIMES and isinstance(value, int) and not isinstance(value, bool):
                if value > 1_000_000_000:
                    node[key] = value - seconds
            else:
                _shift(value, seconds, seen)
    elif isinstance(node, list):
        for entry in node:
            _shift(entry, seconds, seen)


def _field(name: str) -> Fields:
    return lambda source: [source.get(name)]


def _tables() -> dict[str, Table]:
    return {
        "product": Table(),
        "price": Table(product=_field("product"), lookup_key=_field("lookup_key")),
        "customer": Table(email=_field("email"), test_clock=_field("test_clock")),
        "payment_method": Table(customer=_field("customer")),
        "setup_intent": Table(customer=_field("customer")),
        "subscription": Table(
            customer=_field("customer"),
            status=_field("status"),
            test_clock=_field("test_clock"),
            price=lambda s: [item["price"]["id"] for item in s["items"]["data"]],
            item=lambda s: [item["id"] for item in s["items"]["data"]],
        ),
        "checkout.session": Table(
            customer=_field("customer"),
            status=_field("status"),
            payment_intent=_field("payment_intent"),
            payment_link=_field("payment_link"),
            subscription=_field("subscription"),
            invoice=_field("invoice"),
        ),
        "payment_link": Table(),
        "invoice": Table(
            customer=_field("customer"),
            status=_field("status"),
            subscription=lambda i: [_subscription_of(i)],
        ),
        "invoiceitem": Table(customer=_field("customer"), invoice=_field("invoice")),
        "invoice_payment": Table(
            invoice=_field("invoice"),
            payment_intent=lambda p: [p["payment"].get("payment_intent")],
        ),
        "payment_intent": Table(customer=_field("customer")),
        "charge": Table(customer=_field("customer"), payment_intent=_field("payment_intent")),
        "subscription_schedule": Table(
            customer=_field("customer"), subscription=_field("subscription")
        ),
        "quote": Table(
            customer=_field("customer"), status=_field("status"), test_clock=_field("test_clock")
        ),
        "discount": Table(),
        "balance_transaction": Table(source=_field("source")),
        "refund": Table(charge=_field("charge"), payment_intent=_field("payment_intent")),
        "dispute": Table(charge=_field("charge"), payment_intent=_field("payment_intent")),
        "coupon": Table(),
        "credit_note": Table(customer=_field("customer"), invoice=_field("invoice")),
        "customer_balance_transaction": Table(customer=_field("customer")),
        "customer_cash_balance_transaction": Table(customer=_field("customer")),
        "entitlements.feature": Table(lookup_key=_field("lookup_key")),
        "entitlements.active_entitlement": Table(),
        "product_feature": Table(),
        "payment_record": Table(),
        "payment_attempt_record": Table(payment_record=_field("payment_record")),
        "mandate": Table(),
        "setup_attempt": Table(setup_intent=_field("setup_intent")),
        "payment_method_configuration": Table(),
        "payout": Table(),
        "tax_rate": Table(),
        "token": Table(),
        "source": Table(),
        "card": Table(),
        "bank_account": Table(),
        "shipping_rate": Table(),
        "tax_id": Table(customer=_field("customer")),
        "promotion_code": Table(code=_field("code")),
        "test_helpers.test_clock": Table(),
        "webhook_endpoint": Table(),
        "v2.core.event_destination": Table(),
        "billing_portal.configuration": Table(),
        "billing_portal.session": Table(),
        "event": Table(type=_field("type")),
        "delivery": Table(),
    }


def _subscription_of(invoice: Json) -> object:
    parent = invoice.get("parent") or {}
    return (parent.get("subscription_details") or {}).get("subscription")
