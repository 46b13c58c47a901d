"""The texts of emails that the site's team wrote in place of ours."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from latchkey.store import audit_draft
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class MailText:
    """A subject and a body with variables in braces. A blank line begins a new paragraph."""

    subject: str
    body: str


MailTexts = Mapping[tuple[str, str], MailText]
"""Texts by variant and language."""


async def read(connection: Connection) -> MailTexts:
    """All texts that were written."""
    rows = await connection.fetch(
        "select variant, language, subject, body from mail_texts order by variant, language"
    )
    return {
        (row["variant"], row["language"]): MailText(row["subject"], row["body"]) for row in rows
    }


async def save(connection: Connection, variant: str, language: str, text: MailText) -> None:
    """Use this text from now on, also for emails that are queued."""
    before = (await read(connection)).get((variant, language), MailText("", ""))
    audit_draft.note_changes(asdict(before), asdict(text))
    await connection.execute(
        """
        insert into mail_texts (variant, language, subject, body) values ($1, $2, $3, $4)
        on conflict (variant, language) do update
           set subject = excluded.subject, body = excluded.body, updated_at = now()
        """,
        variant,
        language,
        text.subject,
        text.body,
    )


async def remove(connection: Connection, variant: str, language: str) -> None:
    """Use our text again."""
    await connection.execute(
        "delete from mail_texts where variant = $1 and language = $2", variant, language
    )
