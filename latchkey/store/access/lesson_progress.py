"""Lessons as one member has them: when each opens, and which they have done.

Whether somebody may open the product at all is asked of `grants.may_open`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.lessons import LessonStep, opens_at
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class LessonProgress:
    """How many of a product's lessons are done; `last_at` is when one was marked last."""

    lessons: int
    done: int
    last_at: datetime | None


async def steps(
    connection: Connection, product_id: str, *, user_id: int | None, whole: bool = False
) -> list[LessonStep]:
    """A product's live lessons in their order, for a user (None: a visitor); with `whole`, as if
    all were open.

    Days count from when the user's access first began, whether or not it ended in between: whoever
    comes back has what they had. Where an import found the purchase, that is when it was bought.
    Everyone who is signed in may open some products: there they count from when both the account
    and the product existed. What is open to everyone is open at once.
    """
    rows = await connection.fetch(
        """
        select l.id, l.title, l.released_after_days, m.done_at, b.began
          from lessons l
          join products p on p.id = l.product_id
          left join lesson_marks m on m.lesson_id = l.id and m.user_id = $2
          left join lateral (
                select case when p.access_mode <> 'public' then least(
                    (select min(least(g.since, g.bought_at)) from grants g
                      where g.user_id = $2 and g.product_id = p.id),
                    case when p.access_mode = 'signed_in' then (
                        select greatest(u.created_at, p.created_at) from users u
                         where u.id = $2) end) end as began) b on true
         where l.product_id = $1 and l.status = 'live' order by l.position, l.id
        """,
        product_id,
        user_id,
    )
    return [
        LessonStep(
            id=row["id"],
            title=row["title"],
            opens_at=None if whole else opens_at(row["began"], row["released_after_days"]),
            done_at=row["done_at"],
        )
        for row in rows
    ]


async def of_products(
    connection: Connection, user_id: int, product_ids: Sequence[str]
) -> dict[str, LessonProgress]:
    """How far a user is with each of these products that has lessons."""
    rows = await connection.fetch(
        """
        select l.product_id, count(*) as lessons, count(m.done_at) as done,
               max(m.done_at) as last_at
          from lessons l
          left join lesson_marks m on m.lesson_id = l.id and m.user_id = $1
         where l.product_id = any($2::text[]) and l.status = 'live'
         group by l.product_id
        """,
        user_id,
        list(product_ids),
    )
    return {
        row["product_id"]: LessonProgress(row["lessons"], row["done"], row["last_at"])
        for row in rows
    }


async def mark(connection: Connection, user_id: int, lesson_id: str, *, done: bool) -> None:
    """Note that a user has done a lesson, or that they haven't. Repeating it changes nothing."""
    if done:
        await connection.execute(
            """
            insert into lesson_marks (user_id, lesson_id)
            select $1, id from lessons where id = $2 for key share on conflict do nothing
            """,
            user_id,
            lesson_id,
        )
    else:
        await connection.execute(
            "delete from lesson_marks where user_id = $1 and lesson_id = $2", user_id, lesson_id
        )
