"""Complimentary access for many people: a list that is read, previewed and then applied."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, time

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.addresses import email_key
from latchkey.languages import A_, _, written
from latchkey.store.access import collections, complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.products import products
from latchkey.texts import on_one_line
from web import bodies
from web.inputs import sensible_end, shown_address
from web.pages.csv_upload import content_of, rows_of
from web.pages.errors import NotFoundError
from web.pages.guard import admin_page, form, redirect, text
from web.pages.lists import number
from web.pages.render import page
from web.site import site_of

MOST_LINES = 5000
MOST_SHOWN = 200
COLUMNS = ("email", "until", "reason", "name")


@dataclass(frozen=True)
class BadLine:
    """A line that can't be used: its number, its text and the problem."""

    number: int
    text: str
    problem: str


def routes() -> list[Route]:
    return [
        Route("/admin/grants", bulk, methods=["GET", "POST"]),
        Route("/admin/grants/{id}/lift", lift, methods=["POST"]),
    ]


@admin_page
async def bulk(request: Request) -> Response:
    """The form; posting it shows a preview, and with `do=give` gives access."""
    if request.method == "GET":
        return await _show(request)
    fields = await form(request, files=1, most=bodies.CSV_FILE)
    beside = "until"
    try:
        until = _until(fields)
        beside = "lines" if text(fields, "lines") else "file"
        content = await content_of(fields)
        good, bad = await asyncio.to_thread(
            read_grants, content, until=until, reason=text(fields, "reason")
        )
    except ValueError as error:
        return await _show(request, fields=fields, errors={beside: str(error)}, status=422)
    target = text(fields, "target")
    if text(fields, "do") != "give":
        return await _show(request, fields=fields, content=content, good=good, bad=bad)
    beside = "target" if good else beside
    try:
        count = await _give(request, target, good, mail=text(fields, "mail") == "yes")
    except ValueError as error:
        errors = {beside: str(error)}
        return await _show(request, fields=fields, content=content, errors=errors, status=422)
    return redirect(f"/admin/grants?done=gifts&count={count}")


async def _give(
    request: Request, target: str, wanted: list[ComplimentaryGrant], *, mail: bool
) -> int:
    """Raises `ValueError` with a sentence for the admin."""
    site, actor = site_of(request), request.state.user.id
    if not wanted:
        raise ValueError(A_("The list is empty. Add at least one valid line."))
    kind, _, target_id = target.partition(":")
    async with site.changing() as connection:
        if kind == "collection" and await collections.find(connection, target_id):
            await collections.give(connection, target_id, wanted, actor=actor, mail=mail)
        elif kind == "product" and await products.find(connection, target_id):
            await complimentary.give(connection, target_id, wanted, actor=actor, mail=mail)
        else:
            raise ValueError(A_("Choose a product or collection."))
    return len(wanted)


@admin_page
async def lift(request: Request) -> Response:
    """Lift the hold on a grant that was ended by hand."""
    await form(request)
    grant_id = number(request.path_params["id"])
    async with site_of(request).changing() as connection:
        grant = (
            await grants.lift(connection, grant_id, actor=request.state.user.id)
            if grant_id
            else None
        )
    if grant is None:
        raise NotFoundError(_("This grant doesn't exist."))
    return redirect(f"/admin/users/{grant.user_id}?done=lifted")


def read_grants(
    content: str, *, until: datetime | None, reason: str
) -> tuple[list[ComplimentaryGrant], list[BadLine]]:
    """Grants from CSV, with the lines that can't be used and why.

    The columns are email, until and reason, or as a header names them; `until` and `reason` are
    the defaults. An end is a day (to its last second) or a time, in UTC if it has no time zone.
    Raises `ValueError` if the text isn't CSV like that.
    """
    lines = rows_of(content)
    if not content:
        raise ValueError(_("Choose a file or paste lines."))
    if len(lines) > MOST_LINES:
        raise ValueError(
            _(
                "There are more than %(most_lines)s lines. Please split the list.",
                most_lines=written(MOST_LINES),
            )
        )
    heading = [cell.strip().lower().replace("-", "") for cell in lines[0]]
    named = "email" in heading
    places = {
        name: heading.index(name) if named and name in heading else (-1 if named else at)
        for at, name in enumerate(COLUMNS)
    }
    good: dict[str, ComplimentaryGrant] = {}
    bad: list[BadLine] = []
    for at, cells in enumerate(lines[1:] if named else lines, start=2 if named else 1):
        if not any(cell.strip() for cell in cells):
            continue
        values = {
            name: cells[place].strip() if 0 <= place < len(cells) else ""
            for name, place in places.items()
        }
        try:
            grant = _grant(values, until=until, reason=reason)
            if email_key(grant.email) in good:
                raise ValueError(_("This address is already in the list."))
        except ValueError as error:
            bad.append(BadLine(at, ", ".join(cells)[:200], str(error)))
        else:
            good[email_key(grant.email)] = grant
    return list(good.values()), bad


def _grant(values: dict[str, str], *, until: datetime | None, reason: str) -> ComplimentaryGrant:
    email = shown_address(values["email"])
    if email is None:
        raise ValueError(
            _("“%(values)s” isn't a valid email address.", values=values["email"][:80])
        )
    ends = _moment(values["until"]) if values["until"] else until
    if ends is not None and ends <= datetime.now(UTC):
        raise ValueError(_("The end date is in the past."))
    if len(values["reason"] or reason) > 1000 or len(values["name"]) > 200:
        raise ValueError(_("Use up to 1,000 characters for the reason and 200 for the name."))
    if not on_one_line(values["name"]):
        raise ValueError(_("The name must be on one line."))
    return ComplimentaryGrant(
        email, ends, values["reason"] or reason or None, values["name"] or None
    )


def _moment(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            _("“%(value)s” isn't a date. Use a format like 2027-01-31.", value=value[:40])
        ) from None
    if len(value) <= 10:
        moment = datetime.combine(moment.date(), time(23, 59, 59))
    try:
        return sensible_end(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except ValueError as error:
        raise ValueError(_("The end of access %(error)s.", error=error)) from None


def _until(fields: FormData) -> datetime | None:
    wanted = text(fields, "until")
    return _moment(wanted) if wanted else None


async def _show(
    request: Request,
    *,
    fields: FormData | None = None,
    content: str = "",
    good: list[ComplimentaryGrant] | None = None,
    bad: list[BadLine] | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await products.listed(connection, limit=1000)
        groups = await collections.listed(connection)
    target = text(fields, "target") if fields else request.query_params.get("target", "")
    names = {f"product:{row.product.id}": row.product.name for row in rows}
    names |= {
        f"collection:{group.id}": _("%(name)s (collection)", name=group.name) for group in groups
    }
    return page(
        request,
        "admin/bulk_grants.html",
        status,
        targets=names,
        target=target if target in names else "",
        lines=content or (text(fields, "lines") if fields else ""),
        until=text(fields, "until") if fields else "",
        reason=text(fields, "reason") if fields else "",
        mail=text(fields, "mail") == "yes" if fields else True,
        good=good,
        shown=(good or [])[:MOST_SHOWN],
        bad=bad or [],
        errors=errors or {},
        count=request.query_params.get("count", ""),
    )
