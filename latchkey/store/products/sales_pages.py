"""Sales pages: one per product, started from the template or as a copy of another one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.store.pool import Connection

TEMPLATE = """## What you get

- The main reason to get it
- A second reason
- And a third

## Who it is for

Say in two sentences who you made it for and what they will be able to do.

## Questions

**Can I cancel?** Yes, at any time, in your account.
"""


class OutdatedError(Exception):
    """Someone else saved the page in the meantime. The message says what to do."""


@dataclass(frozen=True)
class SalesPage:
    """`body` is Markdown. An empty `price_line` shows the checkout's price, an empty `button` a
    suitable verb. `edition` counts how often it was saved."""

    product_id: str
    status: str
    headline: str
    body: str
    image_url: str | None
    price_line: str
    button: str
    edition: int
    updated_at: datetime


@dataclass(frozen=True)
class ListedSalesPage:
    """A product that has a sales page, or could have one."""

    product_id: str
    name: str
    slug: str
    status: str | None
    headline: str | None
    updated_at: datetime | None
    purchase_method: str


_FIELDS = "product_id, status, headline, body, image_url, price_line, button, edition, updated_at"


async def find(connection: Connection, product_id: str) -> SalesPage | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from sales_pages where product_id = $1", product_id
    )
    return SalesPage(**dict(row)) if row else None


async def listed(connection: Connection, *, limit: int = 500) -> list[ListedSalesPage]:
    """The sales pages, most recently changed first."""
    rows = await connection.fetch(
        """
        select p.id as product_id, p.name, p.slug, s.status, s.headline, s.updated_at,
               p.purchase_method
          from sales_pages s join products p on p.id = s.product_id
         order by s.updated_at desc, p.id limit $1
        """,
        limit,
    )
    return [ListedSalesPage(**dict(row)) for row in rows]


async def start(connection: Connection, product_id: str, *, copy_of: str | None = None) -> bool:
    """Start a page as a draft; an existing page stays. False if `copy_of` has no page."""
    if copy_of is not None:
        source = await find(connection, copy_of)
        if source is None:
            return False
        values: tuple[Any, ...] = (
            source.headline, source.body, source.image_url, source.price_line, source.button,
        )  # fmt: skip
    else:
        product = await connection.fetchrow(
            "select name, image_url from products where id = $1", product_id
        )
        if product is None:
            return False
        values = (product["name"], TEMPLATE, product["image_url"], "", "")
    await connection.execute(
        """
        insert into sales_pages (product_id, headline, body, image_url, price_line, button)
        values ($1, $2, $3, $4, $5, $6) on conflict (product_id) do nothing
        """,
        product_id,
        *values,
    )
    return True


async def save(
    connection: Connection,
    product_id: str,
    *,
    edition: int,
    status: str,
    headline: str,
    body: str,
    image_url: str | None,
    price_line: str,
    button: str,
) -> None:
    """Save a page that was read at `edition`. Saving the same content again changes nothing.

    Raises `OutdatedError`.
    """
    saved = await connection.fetchval(
        """
        update sales_pages
           set status = $3, headline = $4, body = $5, image_url = $6, price_line = $7, button = $8,
               edition = edition + 1, updated_at = now()
         where product_id = $1 and edition = $2 returning true
        """,
        product_id,
        edition,
        status,
        headline,
        body,
        image_url,
        price_line,
        button,
    )
    if saved:
        return
    now = await find(connection, product_id)
    given = (status, headline, body, image_url, price_line, button)
    if now and given == (
        now.status, now.headline, now.body, now.image_url, now.price_line, now.button,
    ):  # fmt: skip
        return
    raise OutdatedError(
        "Someone else saved this page in the meantime. Your text is below: open the page in"
        " another window, compare, and save again to replace it with yours."
    )


async def delete(connection: Connection, product_id: str) -> None:
    """Delete a page. The purchase method then leads straight to the checkout."""
    await connection.execute("delete from sales_pages where product_id = $1", product_id)
    await connection.execute(
        """
        update products set purchase_method = 'checkout'
         where id = $1 and purchase_method = 'sales_page'
        """,
        product_id,
    )
