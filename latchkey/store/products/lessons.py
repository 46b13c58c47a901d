"""A product's lessons: writing them and their order."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.languages import _
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.products.places import shifted

MOST = 200
"""Lessons of one product."""

_FIELDS = (
    "id, product_id, title, body, video_url, released_after_days, status, created_at, updated_at"
)
_CHANGEABLE = ("title", "body", "video_url", "released_after_days", "status")


class TooManyLessonsError(Exception):
    """The product has as many lessons as it can have."""


class OtherLessonsError(Exception):
    """A new order doesn't name exactly the product's lessons."""


@dataclass(frozen=True)
class Lesson:
    """`body` is Markdown; `status` draft or live; `released_after_days` counts from when a member's
    access to the product first began."""

    id: str
    product_id: str
    title: str
    body: str
    video_url: str | None
    released_after_days: int
    status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ListedLesson:
    """A lesson without its text. `done` counts the people who marked it as done."""

    id: str
    title: str
    released_after_days: int
    status: str
    done: int


def new_id() -> str:
    return f"les_{secrets.token_hex(8)}"


async def listed(connection: Connection, product_id: str) -> list[ListedLesson]:
    """The product's lessons in their order, drafts included."""
    rows = await connection.fetch(
        """
        select l.id, l.title, l.released_after_days, l.status,
               (select count(*) from lesson_marks m where m.lesson_id = l.id) as done
          from lessons l where l.product_id = $1 order by l.position, l.id
        """,
        product_id,
    )
    return [ListedLesson(**dict(row)) for row in rows]


async def find(connection: Connection, product_id: str, lesson_id: str) -> Lesson | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from lessons where id = $1 and product_id = $2", lesson_id, product_id
    )
    return Lesson(**dict(row)) if row else None


async def create(
    connection: Connection, product_id: str, *, lesson_id: str, title: str, **given: Any
) -> Lesson | None:
    """Create a lesson at the end; one with this id that is there already stays as it is. None if
    another product's lesson has the id. Raises `TooManyLessonsError`. The caller opens the
    transaction."""
    await _lock(connection, product_id)
    if known := await find(connection, product_id, lesson_id):
        return known
    count = await connection.fetchval(
        "select count(*) from lessons where product_id = $1", product_id
    )
    if count >= MOST:
        raise TooManyLessonsError(_("A product can have up to %(most)s lessons.", most=MOST))
    columns = {"title": title, **given}
    assert set(columns) <= set(_CHANGEABLE), columns
    row = await connection.fetchrow(
        f"""
        insert into lessons (id, product_id, position, {", ".join(columns)})
        values ($1, $2,
                (select coalesce(max(position), 0) + 1 from lessons where product_id = $2),
                {", ".join(f"${n}" for n in range(3, len(columns) + 3))})
        on conflict (id) do nothing returning {_FIELDS}
        """,
        lesson_id,
        product_id,
        *columns.values(),
    )
    audit_draft.note(target=("product", product_id), after={"lesson": title})
    return Lesson(**dict(row)) if row else None


async def update(
    connection: Connection, product_id: str, lesson_id: str, changes: dict[str, Any]
) -> Lesson | None:
    """Change some fields of a lesson; None if there is no such lesson."""
    assert changes.keys() <= set(_CHANGEABLE), changes
    present = await find(connection, product_id, lesson_id)
    if present is None or not changes:
        return present
    audit_draft.note(target=("product", product_id), after={"lesson": present.title})
    small = {name: value for name, value in changes.items() if name != "body"}
    audit_draft.note_changes(vars(present), small)
    if changes.get("body", present.body) != present.body:
        audit_draft.note(after={"text": "changed"})
    assignments = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, start=3))
    row = await connection.fetchrow(
        f"""
        update lessons set {assignments}, updated_at = now()
         where id = $1 and product_id = $2 returning {_FIELDS}
        """,
        lesson_id,
        product_id,
        *changes.values(),
    )
    return Lesson(**dict(row)) if row else None


async def delete(connection: Connection, product_id: str, lesson_id: str) -> bool:
    """Delete a lesson, with the marks of those who have done it."""
    title = await connection.fetchval(
        "delete from lessons where id = $1 and product_id = $2 returning title",
        lesson_id,
        product_id,
    )
    audit_draft.note(before={"lesson": title})
    return title is not None


async def move(connection: Connection, product_id: str, lesson_id: str, *, by: int) -> None:
    """Move a lesson by so many places, down or, below zero, up; at most to the end. The caller
    opens the transaction."""
    order = await _lock(connection, product_id)
    await _place(connection, product_id, shifted(order, lesson_id, by=by))


async def reorder(connection: Connection, product_id: str, order: Sequence[str]) -> None:
    """Put the product's lessons in this order. Raises `OtherLessonsError`. The caller opens the
    transaction."""
    present = await _lock(connection, product_id)
    if sorted(order) != sorted(present):
        raise OtherLessonsError(f"the product has {len(present)} lessons: name the id of each once")
    await _place(connection, product_id, order)


async def _lock(connection: Connection, product_id: str) -> list[str]:
    """Lock the product's order, and return it: the ids of its lessons."""
    await connection.execute("select from products where id = $1 for no key update", product_id)
    rows = await connection.fetch(
        "select id from lessons where product_id = $1 order by position, id", product_id
    )
    return [row["id"] for row in rows]


async def _place(connection: Connection, product_id: str, order: Sequence[str]) -> None:
    audit_draft.note(target=("product", product_id), after={"order": "changed"})
    await connection.execute(
        """
        update lessons l set position = g.position
          from unnest($1::text[]) with ordinality as g (id, position)
         where g.id = l.id and l.position <> g.position
        """,
        order,
    )
