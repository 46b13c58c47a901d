"""What the database knows of a new site's first steps, and whether the team has put them away."""

from dataclasses import dataclass

from latchkey.store import audit_draft
from latchkey.store.checks.go_live import LATEST
from latchkey.store.pool import Connection

KEY = "first_steps"


@dataclass(frozen=True)
class FirstProduct:
    """The product with which the steps are taken. `linked`: its link to Stripe listens; `sold`:
    `/buy` leads on from it; `live`: members see it."""

    id: str
    slug: str
    name: str
    linked: bool
    sold: bool
    live: bool


async def first_product(connection: Connection) -> FirstProduct | None:
    """The newest product, of the linked ones if there are any; None without products."""
    row = await connection.fetchrow(
        """
        select p.id, p.slug, p.name, coalesce(l.state = 'listening', false) as linked,
               p.purchase_method <> 'none' as sold, p.status = 'live' as live
          from products p
          left join links l on l.product_id = p.id and l.removed_at is null
         order by coalesce(l.state = 'listening', false) desc, p.created_at desc, p.id
         limit 1
        """
    )
    return FirstProduct(**dict(row)) if row else None


async def arrived(connection: Connection, object_id: str) -> bool:
    """Whether one of the latest events about an object of Stripe's was delivered."""
    found: bool = await connection.fetchval(
        """
        select exists (
            select from (select object_id, source from events order by seq desc limit $2) latest
             where object_id = $1 and source = 'webhook')
        """,
        object_id,
        LATEST,
    )
    return found


async def put_away(connection: Connection) -> bool:
    """Whether the steps are hidden from the dashboard."""
    found: bool | None = await connection.fetchval(
        "select (value ->> 'put_away')::boolean from site_settings where key = $1", KEY
    )
    return found is True


async def put(connection: Connection, *, away: bool) -> None:
    """Hide the steps from the dashboard, or show them again. The caller opens the transaction."""
    audit_draft.note(after={"first_steps": "hidden" if away else "shown"})
    await connection.execute(
        """
        insert into site_settings (key, value) values ($1, jsonb_build_object('put_away', $2::bool))
        on conflict (key) do update set value = excluded.value, updated_at = now()
        """,
        KEY,
        away,
    )
