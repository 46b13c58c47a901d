"""What a page of another site may show its visitor: which products they have."""

from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.store.pool import Connection
from latchkey.store.users import sessions
from latchkey.store.users.sessions import SessionRules


@dataclass(frozen=True)
class EmbedVisitor:
    """Who asks: the cookie's token, if the browser sent one, or the session that a page's own token
    stands for. A second factor is asked of the team or of members as the site requires."""

    cookie: str
    session_id: int | None
    staff_factor: bool
    member_factor: bool


@dataclass(frozen=True)
class EmbedAnswer:
    """A live product as a visitor has it. `user_id` is None if nobody is signed in."""

    slug: str
    product_id: str
    user_id: int | None
    access: bool


async def answer(
    connection: Connection, slugs: Sequence[str], visitor: EmbedVisitor, *, rules: SessionRules
) -> list[EmbedAnswer]:
    """Which of these products the visitor may open, in one query. Unknown ones are left out.

    An admin who sees the site as a member counts as nobody.
    """
    rows = await connection.fetch(
        f"""
        with visitor as (
            select s.user_id
              from sessions s
              join users a on a.id = s.user_id
             where (s.token_hash = $2 or s.id = $3)
               and (s.acting_as is null or s.acting_until <= now())
               and (s.second_factor is not null
                    or not case a.role when 'member' then $5::boolean else $4::boolean end)
               and {sessions.live("$6", "$7")}
             order by s.token_hash = $2 desc nulls last
             limit 1
        )
        select p.slug, p.id as product_id, v.user_id,
               case p.access_mode
               when 'public' then true
               when 'signed_in' then v.user_id is not null
               else exists (select from live_grants g
                             where g.product_id = p.id and g.user_id = v.user_id)
               end as access
          from products p
          left join visitor v on true
         where p.slug = any($1::text[]) and p.status = 'live'
        """,
        slugs,
        sessions.digest(visitor.cookie) if visitor.cookie else None,
        visitor.session_id,
        visitor.staff_factor,
        visitor.member_factor,
        *rules.parameters,
    )
    return [EmbedAnswer(**dict(row)) for row in rows]
