"""A world to try something out in: it reads from the real one and keeps what it changes to itself.

What is previewed is done in a rehearsal and then read off, so that a preview and what happens
afterwards are one computation.
"""

from collections import ChainMap
from collections.abc import Iterator
from typing import Any

from sandbox.shop import Shop
from sandbox.world import Json, Table, World


class _Scene(Table):
    """A table over another: rows are copied when they are first read."""

    def __init__(self, below: Table) -> None:
        super().__init__(**below._indexes)
        self._below = below
        self._gone: set[str] = set()

    def __len__(self) -> int:
        return len(self.values())

    def __contains__(self, object_id: object) -> bool:
        return self.get(object_id) is not None

    def __getitem__(self, object_id: str) -> Json:
        found = self.get(object_id)
        if found is None:
            raise KeyError(object_id)
        return found

    def get(self, object_id: object) -> Json | None:
        own = super().get(object_id)
        if own is not None or not isinstance(object_id, str) or object_id in self._gone:
            return own
        found = self._below.get(object_id)
        return None if found is None else self.put(World.copy(found))

    def values(self) -> list[Json]:
        for row in self._below.values():
            self.get(row["id"])
        return super().values()

    def remove(self, object_id: str) -> None:
        self._gone.add(object_id)
        super().remove(object_id)

    def newest_first(
        self,
        equal: dict[str, object],
        *,
        before: int | None,
        after: int | None,
        among: list[int] | None = None,
    ) -> Iterator[Json]:
        """What matches, from new to old; a rehearsal has no pages."""
        for row in self._below.newest_first(equal, before=None, after=None):
            self.get(row["id"])
        found = list(super().newest_first(equal, before=None, after=None))
        places = {row["id"]: self._place(row["id"]) for row in found}
        return iter(sorted(found, key=lambda row: places[row["id"]], reverse=True))

    def _place(self, object_id: str) -> tuple[bool, int]:
        below = self._below.position(object_id)
        return (below is None, self._seq[object_id] if below is None else below)


class _Notes(dict[str, Json]):
    """Private facts over others, copied when they are first read."""

    def __init__(self, below: dict[str, Json]) -> None:
        super().__init__()
        self._below = below

    def __missing__(self, key: str) -> Json:
        self[key] = World.copy(self._below[key])
        return self[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self or key in self._below else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self and key not in self._below:
            self[key] = default
        return self[key]


class Rehearsal(World):
    """A world over another, at the same moment."""

    def __init__(self, below: World) -> None:
        self.__dict__.update(below.__dict__)
        self.tables = {kind: _Scene(table) for kind, table in below.tables.items()}
        self.private = _Notes(below.private)
        self.changed = {}
        self.watch = lambda kind, object_id, source: None
        self.clocked = ChainMap({}, below.clocked)  # type: ignore[assignment]
        self._due = {None: []}
        self._due_at = ChainMap({}, below._due_at)  # type: ignore[assignment]


def rehearse(shop: Shop) -> Shop:
    """The shop as it is, to be changed without a trace. It emits no events."""
    return Shop(Rehearsal(shop.world), shop.account, settings=shop.settings, silent=True)
