"""Keeps a world in a SQLite file, so that a restart continues where it stopped."""

import sqlite3
from pathlib import Path

import orjson

from sandbox.world import World


class Storage:
    """One file. Each write stores what has changed since the last one, in one transaction."""

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(
            ":memory:" if folder is None else folder / "world.db", check_same_thread=False
        )
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = off")
        self._db.execute(
            "create table if not exists things"
            " (n integer primary key, kind text, id text, body blob, unique (kind, id))"
        )
        self._kept = folder is not None

    def load(self, world: World) -> bool:
        """Fill the world from the file; False where the file is new."""
        rows = self._db.execute("select kind, id, body from things order by n").fetchall()
        due: list[tuple[str, str, float]] = []
        for kind, object_id, body in rows:
            value = orjson.loads(body)
            if kind == "private":
                world.private[object_id] = value
            elif kind == "due":
                work, _, target = object_id.partition("/")
                due.append((work, target, value))
            else:
                world.tables[kind].put(value)
        for table in world.tables.values():
            for source in table.values():
                world.note_clock(source)
        for work, target, at in due:
            world.schedule(work, target, at)
        prices = world.table("price")
        for subscription in world.table("subscription").values():
            for item in subscription["items"]["data"]:
                item["price"] = prices.get(item["price"]["id"]) or item["price"]
        world.changed.clear()
        return bool(rows)

    def flush(self, world: World) -> None:
        """Write what changed."""
        if not world.changed:
            return
        changed, world.changed = world.changed, {}
        if not self._kept:
            return
        put, gone = [], []
        for kind, object_id in changed:
            value = _value(world, kind, object_id)
            if value is None:
                gone.append((kind, object_id))
            else:
                put.append((kind, object_id, orjson.dumps(value)))
        with self._db:
            self._db.executemany("delete from things where kind = ? and id = ?", gone)
            self._db.executemany(
                "insert into things (kind, id, body) values (?, ?, ?)"
                " on conflict (kind, id) do update set body = excluded.body",
                put,
            )

    def close(self) -> None:
        self._db.close()


def _value(world: World, kind: str, object_id: str) -> object:
    if kind == "private":
        return world.private.get(object_id)
    if kind == "due":
        work, _, target = object_id.partition("/")
        return world.due_at(work, target)
    return world.tables[kind].get(object_id)
