"""Taking an import of members back: what it comes to, the confirmation, and a list of what was and
wasn't taken back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from latchkey.languages import A_, _
from latchkey.rules.labels import SEPARATOR
from latchkey.rules.undoing import AccountOutcome, UndoOutcome
from latchkey.store.pool import Pool
from latchkey.store.products import listing as product_listing
from latchkey.store.users import member_import_undo, member_imports
from latchkey.store.users.member_import_undo import StalePreviewError
from latchkey.store.users.member_imports import (
    LINES_LIFE,
    ImportState,
    MemberImport,
    WrongStepError,
)
from web.pages.admin.member_imports import MOST_PRODUCTS, elsewhere, import_of
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, fresh_page, redirect, text
from web.pages.render import page
from web.pages.spreadsheet import cells
from web.site import site_of
from web.wording import imports as wording

UNDO = "/admin/users/import/{id}/undo"


def routes() -> list[Route]:
    return [
        Route(UNDO, undo, methods=["GET", "POST"]),
        Route("/admin/users/import/{id}/undone.csv", undone),
    ]


@admin_page
@fresh_page(back=UNDO)
async def undo(request: Request) -> Response:
    """Who loses what and who keeps it; posting takes the import back, unless that has changed."""
    if request.method == "POST":
        return await _undo(request)
    async with site_of(request).pool.acquire() as connection:
        found = await import_of(connection, request)
        if not member_import_undo.possible(found, now=datetime.now(UTC)):
            return elsewhere(found)
        figures = await member_import_undo.preview(connection, found)
        names = dict(await product_listing.names(connection, limit=MOST_PRODUCTS))
    assert found.finished_at is not None, "it is done"
    return page(
        request,
        "admin/import_undo.html",
        found=found,
        figures=figures,
        shown=member_import_undo.fingerprint(found, figures),
        names=names,
        unused=figures.accounts.get(AccountOutcome.DELETED, 0),
        until=found.finished_at + LINES_LIFE,
        undo_words=wording.UNDO,
        account_words=wording.ACCOUNTS,
    )


async def _undo(request: Request) -> Response:
    fields = await form(request)
    async with site_of(request).changing() as connection:
        found = await import_of(connection, request)
        try:
            await member_import_undo.undo(
                connection,
                found.id,
                shown=text(fields, "shown"),
                accounts=text(fields, "accounts") == "yes",
                actor=request.state.user.id,
            )
        except StalePreviewError:
            return redirect(f"{UNDO.format(id=found.id)}?done=import-undo-stale")
        except WrongStepError:
            return elsewhere(found)
    return redirect(f"/admin/users/import/{found.id}")


@admin_page
async def undone(request: Request) -> Response:
    """What became of each line when the import was taken back."""
    site = site_of(request)
    async with site.pool.acquire() as connection:
        found = await import_of(connection, request)
        names = dict(await product_listing.names(connection, limit=MOST_PRODUCTS))
    if found.state != ImportState.UNDONE:
        raise NotFoundError(_("This import hasn't been undone."))
    return StreamingResponse(
        _undone_csv(site.pool, found, names),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="undone-import.csv"'},
    )


async def _undone_csv(pool: Pool, found: MemberImport, names: dict[str, str]) -> AsyncIterator[str]:
    yield cells(["Line", "Email", "Product", "Until", "Access", "Why", "Account", "Why", "Labels"])
    async for rows in member_imports.all_lines(pool, found.id):
        yield "".join(
            cells(
                [
                    row.line,
                    row.email or "",
                    names.get(row.product_id, row.product_id) if row.product_id else "",
                    row.until.isoformat() if row.until else "",
                    *(wording.UNDO[UndoOutcome(row.undo)] if row.undo else (A_("Gave none"), "")),
                    *_account(row.account),
                    SEPARATOR.join(row.undone_labels),
                ]
            )
            for row in rows
        )


def _account(outcome: str | None) -> tuple[str, str]:
    if outcome is None:
        return "", ""
    heading, why = wording.ACCOUNTS[AccountOutcome(outcome)]
    if outcome == AccountOutcome.DELETED:
        return _("Deleted"), why
    return (heading, why) if outcome == AccountOutcome.GONE else (_("Stays"), why)
