"""Sales pages: one per product, started from a template or as a copy of another one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from latchkey.languages import A_
from latchkey.store import audit_draft
from latchkey.store.pool import Connection
from latchkey.store.products import sales_blocks, sales_templates
from latchkey.store.products.sales_blocks import Block, Content, CountdownBlock, Stored


class OutdatedError(Exception):
    """Someone else saved it in the meantime. The message says what to do."""


@dataclass(frozen=True)
class SalesPage:
    """`edition` counts how often headline and status were saved."""

    product_id: str
    status: str
    headline: str
    edition: int
    updated_at: datetime
    blocks: tuple[Block, ...]

    def block(self, block_id: str) -> Block | None:
        return next((block for block in self.blocks if block.id == block_id), None)


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


_FIELDS = (
    "product_id, status, headline, edition, updated_at, blocks, body, image_url, price_line, button"
)
_BEFORE = ("body", "image_url", "price_line", "button")


async def find(connection: Connection, product_id: str) -> SalesPage | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from sales_pages where product_id = $1", product_id
    )
    return _page(dict(row)) if row else None


def _page(row: Mapping[str, Any]) -> SalesPage:
    values = dict(row) | {"blocks": sales_blocks.read(_stored(row))}
    return SalesPage(**{name: value for name, value in values.items() if name not in _BEFORE})


def _stored(row: Mapping[str, Any]) -> Stored:
    """The row's blocks; those of a page from before there were any are made of its columns."""
    if row["blocks"] is not None:
        return list(row["blocks"])
    return sales_blocks.as_stored(sales_blocks.in_one_text(**{name: row[name] for name in _BEFORE}))


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


async def start(
    connection: Connection, product_id: str, *, template: str = "", copy_of: str | None = None
) -> bool:
    """Start a page as a draft, from a template or as a copy; an existing page stays. False if
    `copy_of` has no page."""
    source = copy_of or product_id
    row = await connection.fetchrow(
        f"select {_FIELDS} from sales_pages where product_id = $1", source
    )
    if copy_of is not None:
        if row is None:
            return False
        headline, stored = row["headline"], _stored(dict(row))
    else:
        product = await connection.fetchrow(
            "select name, image_url from products where id = $1", product_id
        )
        if product is None:
            return False
        contents = sales_templates.contents(template, image_url=product["image_url"])
        blocks = [Block(sales_blocks.new_id(), content) for content in contents]
        headline, stored = product["name"], sales_blocks.as_stored(blocks)
    added = await connection.fetchval(
        """
        insert into sales_pages (product_id, headline) values ($1, $2)
        on conflict (product_id) do nothing returning true
        """,
        product_id,
        headline,
    )
    if added:
        await _write(connection, product_id, stored)
    return True


async def save(
    connection: Connection, product_id: str, *, edition: int, status: str, headline: str
) -> None:
    """Save headline and status of a page that was read at `edition`. Saving the same again changes
    nothing.

    Raises `OutdatedError`.
    """
    saved = await connection.fetchval(
        """
        update sales_pages
           set status = $3, headline = $4, edition = edition + 1, updated_at = now()
         where product_id = $1 and edition = $2 returning true
        """,
        product_id,
        edition,
        status,
        headline,
    )
    if saved:
        return
    now = await find(connection, product_id)
    if now and (status, headline) == (now.status, now.headline):
        return
    raise OutdatedError(
        A_(
            "Someone else saved this page in the meantime. Your text is below: open the"
            " page in another window, compare, and save again to replace it with yours."
        )
    )


async def put_block(
    connection: Connection, product_id: str, block_id: str, content: Content, *, edition: int
) -> bool:
    """Save a block that was read at `edition`, or add a new one (edition 0) at the end. Saving the
    same again changes nothing. False if the page, or a block to change, doesn't exist. The caller
    opens the transaction.

    Raises `OutdatedError`, `sales_blocks.TooMuchError`.
    """
    stored = await _lock(connection, product_id)
    if stored is None:
        return False
    known = next((block for block in sales_blocks.read(stored) if block.id == block_id), None)
    if known is None and edition:
        return False
    if known and known.content == content:
        return True
    if known and known.edition != edition:
        raise OutdatedError(
            A_(
                "Someone else saved this block in the meantime. What you entered is below:"
                " open the block in another window, compare, and save again to replace it"
                " with yours."
            )
        )
    block = Block(block_id, content, edition + 1)
    audit_draft.note(after={"block": block.kind})
    await _write(connection, product_id, sales_blocks.place(stored, block))
    return True


async def move_block(connection: Connection, product_id: str, block_id: str, *, by: int) -> None:
    """Move a block by so many places, down or, below zero, up; at most to the end. The caller opens
    the transaction."""
    stored = await _lock(connection, product_id)
    if stored is not None:
        await _write(connection, product_id, sales_blocks.moved(stored, block_id, by=by))


async def delete_block(connection: Connection, product_id: str, block: Block) -> None:
    """Delete a block. The caller opens the transaction."""
    stored = await _lock(connection, product_id)
    if stored is not None:
        audit_draft.note(before={"block": block.kind})
        rest = [entry for entry in stored if entry.get("id") != block.id]
        await _write(connection, product_id, rest)


async def running_codes(connection: Connection) -> list[str]:
    """The promotion codes of countdowns that haven't ended."""
    now = datetime.now(UTC)
    found = {
        content.promotion_code
        for page in await _with_countdowns(connection)
        for content in (block.content for block in page.blocks)
        if isinstance(content, CountdownBlock) and content.promotion_code and not content.over(now)
    }
    return sorted(found)


async def end_countdowns(connection: Connection, code: str, *, at: datetime) -> int:
    """Let the countdowns with this promotion code end at `at`, unless they end sooner; returns how
    many didn't. The caller opens the transaction."""
    count = 0
    for page in await _with_countdowns(connection):
        stored = await _lock(connection, page.product_id) or []
        for block in sales_blocks.read(stored):
            content = block.content
            if (
                isinstance(content, CountdownBlock)
                and content.promotion_code == code
                and content.ends_at > at
            ):
                block = Block(block.id, replace(content, ends_at=at), block.edition + 1)
                [ended] = sales_blocks.as_stored([block])
                stored = [ended if entry.get("id") == block.id else entry for entry in stored]
                count += 1
        await _write(connection, page.product_id, stored)
    return count


async def _with_countdowns(connection: Connection) -> list[SalesPage]:
    rows = await connection.fetch(
        f"""
        select {_FIELDS} from sales_pages where blocks @> '[{{"kind": "countdown"}}]'
         order by product_id
        """
    )
    return [_page(dict(row)) for row in rows]


async def _lock(connection: Connection, product_id: str) -> Stored | None:
    """Lock the page, and return its blocks; None if there is no page."""
    row = await connection.fetchrow(
        f"select {_FIELDS} from sales_pages where product_id = $1 for update", product_id
    )
    return _stored(dict(row)) if row else None


async def _write(connection: Connection, product_id: str, stored: Stored) -> None:
    before = sales_blocks.as_one_text(sales_blocks.read(stored))
    await connection.execute(
        """
        update sales_pages set blocks = $2, body = $3, image_url = $4, price_line = $5, button = $6,
               updated_at = now()
         where product_id = $1 and blocks is distinct from $2
        """,
        product_id,
        stored,
        *(before[name] for name in _BEFORE),
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
