"""Importing members from another system's CSV: a file with what it means, its preview, the import
itself."""

import io
from datetime import datetime
from typing import Literal

from pydantic import Field

from latchkey.rules import exports
from latchkey.rules.exports import Column
from latchkey.rules.moving import Outcome, StatusMeaning
from latchkey.rules.written_dates import DateOrder
from latchkey.store.pool import Connection
from latchkey.store.products import products
from latchkey.store.users import member_imports
from latchkey.store.users.member_imports import WrongStepError
from web import bodies, imported_files
from web.api.cursors import cursor, number
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input, Line, RowId

Holds = Literal[
    "", "email", "name", "plan", "until", "customer", "subscription", "status", "language"
]
OutcomeName = Literal["given", "has_it", "bought", "left_to_link", "over", "person_only", "refused"]


class PlanOf(Input):
    """Which product a plan in the file is, by id; null for none: its people only get an account."""

    plan: str = Field(max_length=1000)
    product: str | None = Field(max_length=200)


class StatusOf(Input):
    """What a status in the file means if it isn't known here."""

    status: str = Field(max_length=1000)
    meaning: Literal["goes_on", "over"]


class NewMemberImport(Input):
    """A CSV file and what it means.

    `columns` says what each column holds, "" for nothing; if it is left out, what their names
    suggest. `plans` names each plan in the file, or `""` in one without plans. Lines whose status
    isn't known and isn't in `statuses` are refused. `dates` says how dates such as 03/04/2027 are
    meant, where they don't show it themselves.
    """

    csv: str = Field(min_length=1, max_length=bodies.CSV_FILE)
    file_name: Line = Field("API", min_length=1, max_length=100)
    columns: list[Holds] | None = Field(None, max_length=100)
    plans: list[PlanOf] = Field(max_length=member_imports.MOST_PLANS)
    statuses: list[StatusOf] = Field(default_factory=list, max_length=member_imports.MOST_STATUSES)
    dates: Literal["day_first", "month_first"] | None = None


class ImportFigures(Output):
    """How many people the lines are about, and how many lines have each outcome so far. The last
    four count the lines of customers whom Stripe knows."""

    people: int
    new_people: int
    given: int
    has_it: int
    bought: int
    left_to_link: int
    over: int
    person_only: int
    refused: int
    by_subscription: int
    by_customer: int
    by_address: int
    other_person: int


class ProductFigures(Output):
    """How many people get a product: without an end, or until when at most."""

    product_id: str
    people: int
    without_end: int
    last_end: datetime | None


class MemberImport(Output):
    """An import. It is `checking`, `ready` to be started, `running` or `done`; one that was
    uploaded on the page may wait for `columns` or `plans`, or be `mailing`. `worked` of its `lines`
    have been gone through for that. `preview` names what `figures` and `products` are about."""

    id: str
    file_name: str
    state: str
    lines: int
    worked: int
    preview: int
    figures: ImportFigures
    products: list[ProductFigures]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class StartImport(Input):
    """The preview to carry out."""

    preview: RowId


class ImportedLine(Output):
    """A line of the file and what comes of it. `user_id` is who has its address, if anybody has;
    `column` and `problem` say why it is refused."""

    line: int
    email: str | None
    user_id: int | None
    product_id: str | None
    until: datetime | None
    outcome: str
    column: str | None
    problem: str | None


class ImportedLineList(Output):
    data: list[ImportedLine]
    next: str | None


class Lines(Paging):
    outcome: OutcomeName | None = None


@endpoint(
    "POST",
    "/member-imports",
    body=NewMemberImport,
    answer=MemberImport,
    status=202,
    most=bodies.CSV_FILE,
    stores=True,
)
async def preview_import(call: Call) -> MemberImport:
    """Have a file of members checked. Nobody gets anything yet.

    The body may have 8 MiB. Get the import until it is `ready`, then start it. A file that nobody
    goes on with is deleted after 7 days. Answers 422 with `unreadable_file`, `unknown_product`, or
    `plan_missing` if `plans` doesn't name every plan in the file.
    """
    wanted: NewMemberImport = call.body
    async with call.site.changing() as connection:
        plans = await _plans(connection, wanted)
        try:
            import_id = await imported_files.store(
                connection,
                io.BytesIO(wanted.csv.encode("utf-8-sig")),
                name=wanted.file_name,
                actor=None,
            )
            await _choose(connection, import_id, wanted, plans)
        except ValueError as error:
            raise ApiError(422, "unreadable_file", str(error)) from None
        return await _shown(connection, import_id)


async def _plans(connection: Connection, wanted: NewMemberImport) -> dict[str, str | None]:
    plans: dict[str, str | None] = {}
    for one in wanted.plans:
        found = await products.find(connection, one.product) if one.product is not None else None
        if one.product is not None and found is None:
            raise ApiError(422, "unknown_product", f"there is no product {one.product}")
        plans[one.plan] = found.id if found else None
    return plans


async def _choose(
    connection: Connection,
    import_id: str,
    wanted: NewMemberImport,
    plans: dict[str, str | None],
) -> None:
    """Say what the file means. Raises `ValueError`, and `ApiError` if a plan isn't named."""
    found = await member_imports.find(connection, import_id)
    assert found is not None, "it was stored in this transaction"
    columns = [Column(name) for name in wanted.columns or found.columns]
    if len(columns) != len(found.heading):
        raise ValueError(f"The file has {len(found.heading)} columns: name what each holds.")
    if problem := exports.problem_with(columns):
        raise ValueError(problem)
    await member_imports.choose_columns(
        connection, import_id, columns, DateOrder(wanted.dates or found.dates)
    )
    found = await member_imports.find(connection, import_id)
    assert found is not None, "it was stored in this transaction"
    values = await member_imports.plan_values(connection, found)
    await member_imports.unknown_statuses(connection, found)
    if missing := [value.value for value in values if value.value not in plans]:
        raise ApiError(
            422, "plan_missing", "body: plans: must name every plan in the file", plans=missing
        )
    await member_imports.choose_plans(
        connection,
        import_id,
        plans=plans,
        statuses={one.status: StatusMeaning(one.meaning) for one in wanted.statuses},
    )


@endpoint("GET", "/member-imports/{id}", answer=MemberImport)
async def get_import(call: Call) -> MemberImport:
    """Get an import: how far it is, and what comes of its lines."""
    async with call.site.pool.acquire() as connection:
        return await _shown(connection, call.path["id"])


@endpoint("GET", "/member-imports/{id}/lines", query=Lines, answer=ImportedLineList)
async def list_import_lines(call: Call) -> ImportedLineList:
    """List the checked lines in the file's order. They are deleted 30 days after the import."""
    query: Lines = call.query
    async with call.site.pool.acquire() as connection:
        found = await _found(connection, call.path["id"])
        rows = await member_imports.lines(
            connection,
            found.id,
            outcome=Outcome(query.outcome) if query.outcome else None,
            after=number(query.after),
            limit=query.limit + 1,
        )
    page = rows[: query.limit]
    return ImportedLineList(
        data=[
            ImportedLine.model_validate(vars(row) | {"column": row.problem_column}) for row in page
        ],
        next=cursor(page[-1].line) if len(rows) > query.limit else None,
    )


@endpoint("POST", "/member-imports/{id}/start", body=StartImport, answer=MemberImport, status=202)
async def start_import(call: Call) -> MemberImport:
    """Have an import done as its preview says. Nobody is emailed.

    Everybody is looked at once more, since somebody may have bought in the meantime. Answers 409
    with `not_ready` if the import isn't `ready`, or has another preview.
    """
    async with call.site.changing() as connection:
        found = await _found(connection, call.path["id"], lock=True)
        try:
            if found.run != call.body.preview:
                raise WrongStepError
            await member_imports.start(connection, found.id)
        except WrongStepError:
            raise _not_ready(found.state) from None
        return await _shown(connection, found.id)


@endpoint("DELETE", "/member-imports/{id}", answer=None)
async def delete_import(call: Call) -> None:
    """Delete an import that hasn't been started, with its lines."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await _found(connection, call.path["id"], lock=True)
        try:
            await member_imports.remove(connection, found.id)
        except WrongStepError:
            raise _not_ready(found.state) from None


def _not_ready(state: str) -> ApiError:
    return ApiError(409, "not_ready", f"the import is {state}: get it again to see what is next")


async def _found(
    connection: Connection, import_id: str, *, lock: bool = False
) -> member_imports.MemberImport:
    found = await member_imports.find(connection, import_id, lock=lock)
    if found is None:
        raise not_found("import", import_id)
    return found


async def _shown(connection: Connection, import_id: str) -> MemberImport:
    found = await _found(connection, import_id)
    figures = await member_imports.figures(connection, found)
    given = await member_imports.by_product(connection, found.id)
    return MemberImport.model_validate(
        vars(found)
        | {
            "preview": found.run,
            "figures": vars(figures),
            "products": [vars(one) for one in given],
        }
    )
