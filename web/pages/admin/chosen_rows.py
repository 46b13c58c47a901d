"""What the lists offer for the rows that somebody ticks, and for all that the filters find: their
CSV, and their email addresses to copy."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from latchkey.addresses import email_key
from latchkey.languages import _
from latchkey.store import audit_draft
from latchkey.store.users.erasure import ERASED_DOMAIN
from web.numbers import number
from web.pages.guard import form, text
from web.pages.render import page

MOST_COPIED = 5000
"""How many addresses a page shows for copying; the CSV has any number."""


@dataclass(frozen=True)
class ChosenRows:
    """The rows that a form is about: all that the filters find, or those with these ids."""

    everybody: bool
    ids: list[str]

    @property
    def numbers(self) -> tuple[int, ...]:
        """The ids of rows that are numbered."""
        return tuple(found for row_id in self.ids if (found := number(row_id)))

    @property
    def problem(self) -> str | None:
        """What is wrong with the choice; None if it can be used."""
        if self.everybody or self.ids:
            return None
        return _("Tick at least one row, or choose all of them.")


async def chosen(request: Request) -> ChosenRows:
    """What was ticked in the form of a list."""
    fields = await form(request)
    return ChosenRows(
        everybody=text(fields, "all") == "yes",
        ids=[value for value in fields.getlist("chosen") if isinstance(value, str) and value],
    )


def csv_file(lines: AsyncIterator[str], name: str, rows: ChosenRows | None = None) -> Response:
    """The CSV of the list `name` to download, of any length. The audit log says how many rows were
    ticked for it, if `rows` were."""
    _note(name, rows)
    return StreamingResponse(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def emails_page(
    request: Request,
    addresses: AsyncIterator[Iterable[str | None]],
    name: str,
    rows: ChosenRows,
    *,
    back: str,
) -> Response:
    """The page with the addresses of a list's rows, each once; those of people who were erased are
    left out."""
    _note(name, rows)
    found: dict[str, str] = {}
    async for some in addresses:
        for address in some:
            if address and not address.endswith(f"@{ERASED_DOMAIN}"):
                found.setdefault(email_key(address), address)
        if len(found) > MOST_COPIED:
            break
    shown = list(found.values())[:MOST_COPIED]
    return page(
        request,
        "admin/emails.html",
        addresses=shown,
        most=MOST_COPIED if len(found) > MOST_COPIED else None,
        back=back,
    )


def _note(name: str, rows: ChosenRows | None) -> None:
    ticked = {"rows": len(rows.ids)} if rows and not rows.everybody else {}
    audit_draft.note(after={"list": name, **ticked})
