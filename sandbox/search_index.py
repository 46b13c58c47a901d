"""What searches see: everything as it is, or as it was some seconds ago."""

import time
from collections import deque
from collections.abc import Iterator

from sandbox.world import Json, World

KINDS = (
    *("charge", "customer", "invoice", "payment_intent", "price", "product"),
    "subscription",
)


class Index:
    """Follows the changes of a world, late where it has a lag (seconds of real time)."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lag = 0.0
        self._seen: dict[str, dict[str, Json]] | None = None
        self._waiting: deque[tuple[float, str, str, Json | None]] = deque()

    def set_lag(self, seconds: float) -> None:
        """Be late from now on; 0 catches up at once."""
        self._lag = seconds
        self._waiting.clear()
        self._seen = None
        if seconds:
            self._seen = {
                kind: {row["id"]: self._world.copy(row) for row in self._world.table(kind).values()}
                for kind in KINDS
            }

    def note(self, kind: str, object_id: str, source: Json | None) -> None:
        """Take in a change, or a removal (None)."""
        if self._seen is not None and kind in KINDS:
            copied = None if source is None else self._world.copy(source)
            self._waiting.append((time.time() + self._lag, kind, object_id, copied))

    def newest_first(self, kind: str, *, before: int | None) -> Iterator[Json]:
        """What can be found now of a kind, from new to old, before a position of its table."""
        table = self._world.table(kind)
        if self._seen is None:
            yield from table.newest_first({}, before=before, after=None)
            return
        self._catch_up(self._seen)
        places = {name: table.position(name) or 0 for name in self._seen[kind]}
        for name in sorted(places, key=lambda name: -places[name]):
            if before is None or places[name] < before:
                yield self._seen[kind][name]

    def _catch_up(self, seen: dict[str, dict[str, Json]]) -> None:
        now = time.time()
        while self._waiting and self._waiting[0][0] <= now:
            _, kind, object_id, source = self._waiting.popleft()
            if source is None:
                seen[kind].pop(object_id, None)
            else:
                seen[kind][object_id] = source
