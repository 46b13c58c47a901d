"""The site's own products."""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from latchkey.languages import _
from latchkey.store import audit_draft
from latchkey.store.pool import Connection

STATUSES = ("draft", "live")
ACCESS_MODES = ("assigned", "signed_in", "public")
_FIELDS = (
    "id, slug, name, description, image_url, status, access_mode, access_mail, content,"
    " content_url, purchase_method, checkout_target, external_url, show_locked, one_trial,"
    " opens_collection, created_at, updated_at"
)
_CHANGEABLE = (
    "slug", "name", "description", "image_url", "status", "access_mode", "access_mail", "content",
    "content_url", "purchase_method", "checkout_target", "external_url", "show_locked",
    "one_trial",
)  # fmt: skip


class UnknownProductError(Exception):
    """There is no such product."""


class SlugTakenError(Exception):
    """Another product has this slug."""


class StillLinkedError(Exception):
    """The product's link must be removed first, or that to its collection. The message says so."""


@dataclass(frozen=True)
class Product:
    """`status` draft or live; `access_mode` assigned, signed_in or public; `content` Markdown.

    `purchase_method` none, sales_page or checkout; `checkout_target` stripe, payment_link or
    external. With `one_trial`, whoever had free days gets no more. Whoever has the product has the
    collection that it opens (`latchkey/store/access/collections.py`).
    """

    id: str
    slug: str
    name: str
    description: str
    image_url: str | None
    status: str
    access_mode: str
    access_mail: bool
    content: str
    content_url: str | None
    purchase_method: str
    checkout_target: str
    external_url: str | None
    show_locked: bool
    one_trial: bool
    opens_collection: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class ProductSummary:
    """A product with the details shown in a list."""

    product: Product
    members: int
    link_state: str | None
    stripe_product_name: str | None


def slug_of(name: str) -> str:
    """A slug from a name: lower-case letters, digits and dashes, at most 80 characters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-") or "product"


def new_id() -> str:
    return f"prd_{secrets.token_hex(8)}"


async def create(
    connection: Connection,
    *,
    name: str,
    slug: str | None,
    product_id: str | None = None,
    **given: Any,
) -> Product:
    """Create a product. Without `slug`, one is derived from the name, with a suffix if it is taken.

    An existing `product_id` returns that product. Raises `SlugTakenError`.
    """
    wanted = slug or slug_of(name)
    endings = [""] if slug else ["", "-2", "-3", *(f"-{secrets.token_hex(3)}" for _ in range(3))]
    made_id = product_id or new_id()
    for ending in endings:
        columns = {"name": name, "slug": wanted + ending, **given}
        names = list(columns)
        row = await connection.fetchrow(
            f"""
            insert into products (id, {", ".join(names)})
            values ($1, {", ".join(f"${n}" for n in range(2, len(names) + 2))})
            on conflict do nothing returning {_FIELDS}
            """,
            made_id,
            *columns.values(),
        )
        if row:
            audit_draft.note(target=("product", made_id), after={"name": name})
            return Product(**dict(row))
        if product_id and (known := await find(connection, product_id)):
            return known
    raise SlugTakenError(_("the slug %(slug)s is taken: choose another", slug=wanted))


async def newest_name(connection: Connection) -> str | None:
    """The name of the newest product, a live one if there is one: for examples."""
    found: str | None = await connection.fetchval(
        "select name from products order by status = 'live' desc, created_at desc limit 1"
    )
    return found


async def find(connection: Connection, id_or_slug: str) -> Product | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from products where id = $1 or slug = $1", id_or_slug
    )
    return Product(**dict(row)) if row else None


async def update(connection: Connection, product_id: str, changes: dict[str, Any]) -> Product:
    """Change some fields. Raises `SlugTakenError`, `KeyError` for an unknown product."""
    unknown = set(changes) - set(_CHANGEABLE)
    if unknown:
        raise ValueError(f"not changeable: {sorted(unknown)}")
    assignments = ", ".join(f"{name} = ${n}" for n, name in enumerate(changes, start=2))
    present = await find(connection, product_id)
    audit_draft.note_changes(vars(present) if present else {}, changes)
    try:
        row = await connection.fetchrow(
            f"""
            update products set {assignments + "," if assignments else ""} updated_at = now()
             where id = $1 returning {_FIELDS}
            """,
            product_id,
            *changes.values(),
        )
    except asyncpg.UniqueViolationError:
        raise SlugTakenError(
            _("the slug %(slug)s is taken: choose another", slug=changes["slug"])
        ) from None
    if row is None:
        raise KeyError(product_id)
    return Product(**dict(row))


async def delete(connection: Connection, product_id: str) -> bool:
    """Delete a product with its grants. Raises `StillLinkedError`."""
    linked = await connection.fetchval(
        "select true from links where product_id = $1 and removed_at is null", product_id
    )
    if linked:
        raise StillLinkedError(
            _(
                "this product is linked to a Stripe product: remove the link first, choosing what"
                " happens to its members"
            )
        )
    opens = await connection.fetchval(
        """
        select c.name from products p join collections c on c.id = p.opens_collection
         where p.id = $1
        """,
        product_id,
    )
    if opens is not None:
        raise StillLinkedError(
            _(
                "this product opens the collection %(name)s: stop selling the collection as it"
                " first",
                name=opens,
            )
        )
    name = await connection.fetchval(
        "delete from products where id = $1 returning name", product_id
    )
    audit_draft.note(before={"name": name})
    return name is not None


async def member_count(connection: Connection, product_id: str) -> int:
    """How many people have a live grant."""
    found: int = await connection.fetchval(
        """
        select count(distinct user_id) from live_grants where product_id = $1
        """,
        product_id,
    )
    return found


async def listed(
    connection: Connection, *, after: str | None = None, limit: int = 50, search: str | None = None
) -> list[ProductSummary]:
    """Products by id, starting after `after`; `search` matches the name and slug."""
    rows = await connection.fetch(
        f"""
        select {", ".join("p." + field.strip() for field in _FIELDS.split(","))},
               l.state as link_state, s.name as stripe_product_name,
               (select count(distinct g.user_id) from live_grants g
                 where g.product_id = p.id) as members
          from products p
          left join links l on l.product_id = p.id and l.removed_at is null
          left join stripe_products s on s.id = l.stripe_product
         where ($1::text is null or p.id > $1)
           and ($3::text is null or position(lower($3) in lower(p.name || ' ' || p.slug)) > 0)
         order by p.id limit $2
        """,
        after,
        limit,
        search or None,
    )
    return [_listed(dict(row)) for row in rows]


def _listed(row: dict[str, Any]) -> ProductSummary:
    extra = {key: row.pop(key) for key in ("members", "link_state", "stripe_product_name")}
    return ProductSummary(Product(**row), **extra)
