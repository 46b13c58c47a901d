"""The texts of members' pages that the site's team wrote."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from latchkey.store import audit_draft
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class PageText:
    """A heading, empty where the place has none, and Markdown, empty where there is nothing to say.
    Both with variables in braces."""

    heading: str
    body: str


PageTexts = Mapping[tuple[str, str], PageText]
"""Texts by place and language."""


async def read(connection: Connection) -> PageTexts:
    """All texts that were written."""
    rows = await connection.fetch(
        "select place, language, heading, body from page_texts order by place, language"
    )
    return {(row["place"], row["language"]): PageText(row["heading"], row["body"]) for row in rows}


async def save(connection: Connection, place: str, language: str, text: PageText) -> None:
    """Show this text from now on."""
    before = (await read(connection)).get((place, language), PageText("", ""))
    audit_draft.note_changes(asdict(before), asdict(text))
    await connection.execute(
        """
        insert into page_texts (place, language, heading, body) values ($1, $2, $3, $4)
        on conflict (place, language) do update
           set heading = excluded.heading, body = excluded.body, updated_at = now()
        """,
        place,
        language,
        text.heading,
        text.body,
    )


async def remove(connection: Connection, place: str, language: str) -> None:
    """Show our text again."""
    await connection.execute(
        "delete from page_texts where place = $1 and language = $2", place, language
    )
