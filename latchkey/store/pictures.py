"""Uploaded pictures: which there are, their files, and what refers to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.pictures import FOLDER, IN_TEXT, PictureName, address
from latchkey.store.pool import Connection

BATCH = 100


@dataclass(frozen=True)
class _Column:
    """A column that can refer to pictures: what has it, and the id of that in SQL."""

    table: str
    name: str
    kind: str
    id: str
    type: str = "text"


_COLUMNS = (
    _Column("products", "image_url", "product", "id"),
    _Column("products", "content", "product", "id"),
    _Column("lessons", "body", "lesson", "id"),
    *(
        _Column("sales_pages", name, "sales_page", "product_id", type_)
        for name, type_ in (("image_url", "text"), ("body", "text"), ("blocks", "jsonb"))
    ),
    _Column("site_settings", "value", "brand", "key", "jsonb"),
    _Column("page_texts", "body", "text", "place"),
)
"""Every column that can refer to a picture. What isn't listed here loses its pictures after a
day."""

_USED = f"""
update pictures set used_at = now()
 where digest in (
    select found[1]
      from ({" union all ".join(f"select {one.name}::text from {one.table}" for one in _COLUMNS)})
           as texts (body),
           regexp_matches(body, $1, 'g') as found
     where body like '%/pictures/%'
 )
"""
_PLACES = " union ".join(
    f"""
    select '{one.kind}', {one.id}::text, {one.name}::text from {one.table}
     where {one.name}::text like '%{FOLDER}%'
    """
    for one in _COLUMNS
)


@dataclass(frozen=True)
class PicturePlace:
    """What shows a picture: a `product`, a `lesson`, the `sales_page` of a product, a `text` of
    members' pages, or the `brand`, where `id` is the setting."""

    kind: str
    id: str


@dataclass(frozen=True)
class KnownPicture:
    """A picture. While nothing shows it, it is deleted a day after `used_at`."""

    digest: str
    created_at: datetime
    used_at: datetime
    places: Sequence[PicturePlace]


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


async def known(
    connection: Connection, *, digest: str | None = None, after: str | None = None, limit: int = 1
) -> list[KnownPicture]:
    """Pictures by their digests, or the one, with what shows them."""
    rows = await connection.fetch(
        f"""
        with chosen as materialized (
            select * from pictures
             where ($1::text is null or digest = $1) and ($2::text is null or digest > $2)
             order by digest limit $3
        ), places as (
            select found[1] as digest, t.kind, t.id
              from ({_PLACES}) t (kind, id, body), regexp_matches(t.body, $4, 'g') as found
             where found[1] in (select digest from chosen)
             group by 1, 2, 3
        )
        select c.digest, c.created_at, c.used_at,
               coalesce(jsonb_agg(jsonb_build_object('kind', p.kind, 'id', p.id)
                                  order by p.kind, p.id)
                        filter (where p.kind is not null), '[]') as places
          from chosen c left join places p on p.digest = c.digest
         group by c.digest, c.created_at, c.used_at order by c.digest
        """,
        digest,
        after,
        limit,
        IN_TEXT,
    )
    return [
        KnownPicture(
            row["digest"],
            row["created_at"],
            row["used_at"],
            [PicturePlace(**place) for place in row["places"]],
        )
        for row in rows
    ]


async def replace(connection: Connection, digest: str, files: Sequence[PictureName]) -> int:
    """Show a picture with these files, the largest of each format first, wherever the other is
    shown; returns in how many places. A format that it doesn't have stays with the other picture.
    The caller has locked both."""
    count = 0
    for one in _COLUMNS:
        changed = f"{one.name}::text"
        shown: dict[str, str] = {}
        for file in files:
            shown.setdefault(file.format, address(file.digest, file.file))
        pairs = [(f"{FOLDER}{digest}-[0-9]{{1,4}}[.]{form}", path) for form, path in shown.items()]
        for nth in range(len(pairs)):
            changed = f"regexp_replace({changed}, ${2 * nth + 2}, ${2 * nth + 3}, 'g')"
        done = await connection.execute(
            f"""
            update {one.table} set {one.name} = ({changed})::{one.type}, updated_at = now()
             where {one.name}::text like '%{FOLDER}' || $1 || '-%'
            """,
            digest,
            *(text for pair in pairs for text in pair),
        )
        count += int(done.rpartition(" ")[2])
    return count


async def drop(connection: Connection, digest: str) -> None:
    """Delete a picture with its files in the database. The caller has locked it, and seen that
    nothing shows it."""
    await connection.execute("delete from pictures where digest = $1", digest)
