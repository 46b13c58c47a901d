"""Protected sites: the origins that admins name, and the products that open each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.forward_auth import WithoutAccess
from latchkey.store import audit_draft
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class SiteProduct:
    """A product that opens a protected site."""

    id: str
    slug: str
    name: str


@dataclass(frozen=True)
class ProtectedSite:
    """`products` are those of which one is needed, by name. Without any, nobody gets in. Its web
    server last asked at `asked_at`, or up to five minutes later; never if it is None."""

    id: int
    origin: str
    without_access: WithoutAccess
    products: tuple[SiteProduct, ...]
    asked_at: datetime | None

    @property
    def host(self) -> str:
        """How people know it."""
        return self.origin.partition("://")[2]

    def chosen(self, product: str | None) -> tuple[SiteProduct, ...]:
        """Those of its products that an id or slug names; all of them for None."""
        return tuple(one for one in self.products if product in (None, one.id, one.slug))


_SELECT = """
select d.id, d.origin, d.without_access, d.asked_at,
       (select jsonb_agg(jsonb_build_array(p.id, p.slug, p.name) order by lower(p.name), p.id)
          from protected_site_products o join products p on p.id = o.product_id
         where o.site_id = d.id) as products
  from protected_sites d
"""


class OriginTakenError(Exception):
    """The origin is protected already."""


async def find(connection: Connection, site_id: int) -> ProtectedSite | None:
    row = await connection.fetchrow(f"{_SELECT} where d.id = $1", site_id)
    return _site(row) if row else None


async def by_origin(connection: Connection, origin: str) -> ProtectedSite | None:
    row = await connection.fetchrow(f"{_SELECT} where d.origin = $1", origin)
    return _site(row) if row else None


async def listed(connection: Connection) -> list[ProtectedSite]:
    """All protected sites by origin."""
    return [_site(row) for row in await connection.fetch(f"{_SELECT} order by d.origin")]


def _site(row: Any) -> ProtectedSite:
    return ProtectedSite(
        id=row["id"],
        origin=row["origin"],
        without_access=WithoutAccess(row["without_access"]),
        products=tuple(SiteProduct(*fields) for fields in row["products"] or ()),
        asked_at=row["asked_at"],
    )


async def create(
    connection: Connection,
    *,
    origin: str,
    without_access: WithoutAccess,
    product_ids: Sequence[str],
) -> int:
    """Protect an origin; returns the site's id. Raises `OriginTakenError`. The caller opens the
    transaction."""
    site_id: int | None = await connection.fetchval(
        """
        insert into protected_sites (origin, without_access) values ($1, $2)
        on conflict do nothing returning id
        """,
        origin,
        without_access.value,
    )
    if site_id is None:
        raise OriginTakenError(origin)
    await _set_products(connection, site_id, product_ids)
    audit_draft.note(
        target=("protected_site", site_id), after=_noted(origin, without_access, product_ids)
    )
    return site_id


async def change(
    connection: Connection,
    site: ProtectedSite,
    *,
    origin: str,
    without_access: WithoutAccess,
    product_ids: Sequence[str],
) -> None:
    """Change a protected site. Under another origin, everybody's cookies of the old one are void.
    Raises `OriginTakenError`. The caller opens the transaction."""
    await connection.execute("lock table protected_sites in share row exclusive mode")
    if await connection.fetchval(
        "select true from protected_sites where origin = $1 and id <> $2", origin, site.id
    ):
        raise OriginTakenError(origin)
    await connection.execute(
        """
        update protected_sites
           set origin = $2, without_access = $3, asked_at = case when origin = $2 then asked_at end
         where id = $1
        """,
        site.id,
        origin,
        without_access.value,
    )
    await _set_products(connection, site.id, product_ids)
    audit_draft.note(target=("protected_site", site.id))
    audit_draft.note_changes(_noted_of(site), _noted(origin, without_access, product_ids))


async def delete(connection: Connection, site: ProtectedSite) -> None:
    """Stop protecting a site: its web server is told to let nobody in."""
    await connection.execute("delete from protected_sites where id = $1", site.id)
    audit_draft.note(target=("protected_site", site.id), before=_noted_of(site))


async def _set_products(connection: Connection, site_id: int, product_ids: Sequence[str]) -> None:
    await connection.execute(
        "delete from protected_site_products where site_id = $1 and product_id <> all($2::text[])",
        site_id,
        list(product_ids),
    )
    await connection.execute(
        """
        insert into protected_site_products (site_id, product_id)
        select $1, id from products where id = any($2::text[]) on conflict do nothing
        """,
        site_id,
        list(product_ids),
    )


def _noted_of(site: ProtectedSite) -> dict[str, Any]:
    return _noted(site.origin, site.without_access, [one.id for one in site.products])


def _noted(
    origin: str, without_access: WithoutAccess, product_ids: Sequence[str]
) -> dict[str, Any]:
    return {
        "origin": origin,
        "without_access": without_access.value,
        "products": sorted(product_ids),
    }
