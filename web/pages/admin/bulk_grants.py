"""Complimentary access for many: a list that is read, shown, and only then carried out."""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.store.access import collections, complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.products import products
from web.inputs import is_address
from web.pages.admin.users import content_of, rows_of
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
    """A line that can't be used: where it stands, what it says, what is wrong with it."""

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
    """The form; posted it shows what would happen, and with `do=give` it is done."""
    if request.method == "GET":
        return await _show(request)
    given = await form(request, files=1)
    try:
        content = await content_of(given)
        good, bad = read_gifts(content, until=_until(given), reason=text(given, "reason"))
    except ValueError as error:
        return await _show(request, given=given, error=str(error), status=422)
    target = text(given, "target")
    if text(given, "do") != "give":
        return await _show(request, given=given, content=content, good=good, bad=bad)
    try:
        count = await _give(request, target, good, mail=text(given, "mail") == "yes")
    except ValueError as error:
        return await _show(request, given=given, content=content, error=str(error), status=422)
    return redirect(f"/admin/grants?done=gifts&count={count}")


async def _give(
    request: Request, target: str, gifts: list[ComplimentaryGrant], *, mail: bool
) -> int:
    """Raises `ValueError` with a sentence for the admin."""
    site, actor = site_of(request), request.state.user.id
    if not gifts:
        raise ValueError("There is nobody to give access to.")
    kind, _, target_id = target.partition(":")
    async with site.changing() as connection:
        if kind == "collection" and await collections.find(connection, target_id):
            await collections.give(connection, target_id, gifts, actor=actor, mail=mail)
        elif kind == "product" and await products.find(connection, target_id):
            await complimentary.give(connection, target_id, gifts, actor=actor, mail=mail)
        else:
            raise ValueError("Choose a product or a collection.")
    return len(gifts)


@admin_page
async def lift(request: Request) -> Response:
    """Lift the hold on what was ended by hand."""
    await form(request)
    grant_id = number(request.path_params["id"])
    async with site_of(request).changing() as connection:
        found = (
            await grants.lift(connection, grant_id, actor=request.state.user.id)
            if grant_id
            else None
        )
    if found is None:
        raise NotFoundError("There is no such grant.")
    return redirect(f"/admin/users/{found.user_id}?done=lifted")


def read_gifts(
    content: str, *, until: datetime | None, reason: str
) -> tuple[list[ComplimentaryGrant], list[BadLine]]:
    """Gifts from CSV, with the lines that can't be used and why.

    Columns are address, end and reason, or as a first line names them; what a line leaves out is
    `until` and `reason`. An end is a day (to its last second) or a moment, in UTC where no zone is
    given. Raises `ValueError` for what is no such file.
    """
    lines = rows_of(content)
    if not content:
        raise ValueError("Give a file, or paste the lines.")
    if len(lines) > MOST_LINES:
        raise ValueError(f"At most {MOST_LINES:,} lines at once: split the file.")
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
            gift = _gift(values, until=until, reason=reason)
            if gift.email.lower() in good:
                raise ValueError("This address stands in the list before.")
        except ValueError as error:
            bad.append(BadLine(at, ", ".join(cells)[:200], str(error)))
        else:
            good[gift.email.lower()] = gift
    return list(good.values()), bad


def _gift(values: dict[str, str], *, until: datetime | None, reason: str) -> ComplimentaryGrant:
    if not is_address(values["email"]):
        raise ValueError(f"“{values['email'][:80]}” is no e-mail address.")
    ends = _moment(values["until"]) if values["until"] else until
    if ends is not None and ends <= datetime.now(UTC):
        raise ValueError("The end lies in the past.")
    if len(values["reason"]) > 1000 or len(values["name"]) > 200:
        raise ValueError("The reason has at most 1,000 characters, the name at most 200.")
    return ComplimentaryGrant(
        values["email"], ends, values["reason"] or reason or None, values["name"] or None
    )


def _moment(given: str) -> datetime:
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError(f"“{given[:40]}” is no day: write it like 2027-01-31.") from None
    if len(given) <= 10:
        found = datetime.combine(found.date(), time(23, 59, 59))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _until(given: FormData) -> datetime | None:
    wanted = text(given, "until")
    return _moment(wanted) if wanted else None


async def _show(
    request: Request,
    *,
    given: FormData | None = None,
    content: str = "",
    good: list[ComplimentaryGrant] | None = None,
    bad: list[BadLine] | None = None,
    error: str | None = None,
    status: int = 200,
) -> Response:
    async with site_of(request).pool.acquire() as connection:
        rows = await products.listed(connection, limit=1000)
        groups = await collections.listed(connection)
    target = text(given, "target") if given else request.query_params.get("target", "")
    names = {f"product:{row.product.id}": row.product.name for row in rows}
    names |= {f"collection:{group.id}": f"{group.name} (collection)" for group in groups}
    return page(
        request,
        "admin/bulk_grants.html",
        status,
        targets=names,
        target=target if target in names else "",
        lines=content or (text(given, "lines") if given else ""),
        until=text(given, "until") if given else "",
        reason=text(given, "reason") if given else "",
        mail=text(given, "mail") == "yes" if given else True,
        good=good,
        shown=(good or [])[:MOST_SHOWN],
        bad=bad or [],
        error=error,
        count=request.query_params.get("count", ""),
    )
