"""Uploaded pictures: which there are, their files, and which nothing refers to any more."""

from collections.abc import Mapping

from latchkey.rules.pictures import IN_TEXT
from latchkey.store.pool import Connection

BATCH = 100
_PLACES = (
    "select image_url from products",
    "select content from products",
    "select body from lessons",
    "select image_url from sales_pages",
    "select body from sales_pages",
    "select blocks::text from sales_pages",
    "select value::text from site_settings",
    "select body from page_texts",
)
"""Every text that can refer to a picture. What isn't listed here loses its pictures after a day."""

_USED = f"""
update pictures set used_at = now()
 where digest in (
    select found[1]
      from ({" union all ".join(_PLACES)}) as texts (body),
           regexp_matches(body, $1, 'g') as found
     where body like '%/pictures/%'
 )
"""


async def keep(connection: Connection, digest: str) -> None:
    """Record a picture, used from now on, and lock its row until the transaction ends."""
    await connection.execute(
        """
        insert into pictures (digest) values ($1)
        on conflict (digest) do update set used_at = now()
        """,
        digest,
    )


async def use(connection: Connection, digest: str) -> bool:
    """Whether the picture is there, and will be for another day: in time for what refers to it to
    be saved."""
    found = await connection.fetchval(
        "update pictures set used_at = now() where digest = $1 returning true", digest
    )
    return bool(found)


async def put_files(connection: Connection, digest: str, files: Mapping[str, bytes]) -> None:
    """Keep files of a picture in the database; those that are there stay."""
    await connection.executemany(
        """
        insert into picture_files (digest, name, body) values ($1, $2, $3)
        on conflict (digest, name) do nothing
        """,
        [(digest, name, body) for name, body in files.items()],
    )


async def file(connection: Connection, digest: str, name: str) -> bytes | None:
    """A file in the database."""
    found: bytes | None = await connection.fetchval(
        "select body from picture_files where digest = $1 and name = $2", digest, name
    )
    return found


async def file_names(connection: Connection, digest: str) -> list[str]:
    """The names of a picture's files in the database."""
    rows = await connection.fetch(
        "select name from picture_files where digest = $1 order by name", digest
    )
    return [row["name"] for row in rows]


async def drop_files(connection: Connection, digest: str) -> None:
    """Delete a picture's files in the database."""
    await connection.execute("delete from picture_files where digest = $1", digest)


async def digests(connection: Connection) -> list[str]:
    """All pictures."""
    return [row["digest"] for row in await connection.fetch("select digest from pictures")]


async def lock(connection: Connection, digest: str) -> bool:
    """Keep a picture until the transaction ends; False if there isn't one any more."""
    found = await connection.fetchval(
        "select true from pictures where digest = $1 for update", digest
    )
    return bool(found)


async def mark_used(connection: Connection) -> None:
    """Note which pictures something refers to."""
    await connection.execute(_USED, IN_TEXT)


async def drop_unused(connection: Connection) -> list[str]:
    """Delete some pictures that nothing has referred to for a day, with their files in the
    database; returns their digests. Files elsewhere go in the same transaction: its locks keep a
    picture that is uploaded again meanwhile from losing its files."""
    rows = await connection.fetch(
        """
        delete from pictures where digest in (
            select digest from pictures where used_at < now() - interval '1 day'
             order by used_at limit $1 for update skip locked
        )
        returning digest
        """,
        BATCH,
    )
    return [row["digest"] for row in rows]
