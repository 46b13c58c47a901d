"""Importing members from another system's CSV: a file with what it means, its preview, the import
itself, and taking it back."""

import io
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from latchkey.rules import exports
from latchkey.rules.exports import Column
from latchkey.rules.moving import Outcome, StatusMeaning
from latchkey.rules.vocabulary import TokenScope
from latchkey.rules.written_dates import DateOrder
from latchkey.store.pool import Connection
from latchkey.store.products import products
from latchkey.store.users import member_import_undo, member_imports
from latchkey.store.users.member_import_undo import StalePreviewError
from latchkey.store.users.member_imports import WrongStepError
from web import bodies, imported_files
from web.api.cursors import cursor, number
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input, Line, RowId

Holds = Literal[
    "",
    "email",
    "name",
    "plan",
    "until",
    "customer",
    "subscription",
    "status",
    "language",
    "labels",
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


class LabelFigures(Output):
    """How many people get a label, or have it already; `new` if nobody has it yet."""

    label: str
    people: int
    new: bool


class MemberImport(Output):
    """An import. It is `checking`, `ready` to be started, `running` or `done`; one that was
    uploaded on the page may wait for `columns` or `plans`, or be `mailing`. One that is taken back
    is `undoing`, perhaps `deleting` accounts, then `undone`. `worked` of its `lines` have been gone
    through for that. `preview` names what `figures`, `products` and `labels` are about."""

    id: str
    file_name: str
    state: str
    lines: int
    worked: int
    preview: int
    figures: ImportFigures
    products: list[ProductFigures]
    labels: list[LabelFigures]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    undone_at: datetime | None


class StartImport(Input):
    """The preview to carry out."""

    preview: RowId


class ImportedLine(Output):
    """A line of the file and what comes of it. `user_id` is who has its address, if anybody has;
    `column` and `problem` say why it is refused. Once the import was taken back, `undo` says what
    became of the access that the line gave, and `account` of the account that it created;
    `undone_labels` are the labels that were taken back."""

    line: int
    email: str | None
    user_id: int | None
    product_id: str | None
    until: datetime | None
    outcome: str
    column: str | None
    problem: str | None
    labels: list[str]
    undo: str | None
    account: str | None
    undone_labels: list[str]


class UndoneProduct(Output):
    """How many people lose the complimentary access to a product, and how many of them keep the
    product by a purchase or a collection."""

    product_id: str
    people: int
    by_purchase: int
    by_collection: int


class UndoPreview(Output):
    """What taking an import back comes to. `people` lose a product altogether. `access` says what
    becomes of what the import gave, counting each person and product once: `taken_back`, `restored`
    to the end that it had before, or why it stays. `accounts` says which of those that it created
    can be `deleted`, and why others stay; `labels`, how many people lose which label. `preview`
    names all of this; `until` is how long the import can be taken back."""

    preview: str
    people: int
    products: list[UndoneProduct]
    access: dict[str, int]
    accounts: dict[str, int]
    labels: dict[str, int]
    until: datetime


class UndoImport(Input):
    """The preview to carry out, and whether accounts that nobody used are deleted."""

    preview: str = Field(max_length=100)
    delete_accounts: bool = False


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
    await member_imports.check_labels(connection, found)
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


@endpoint("GET", "/member-imports/{id}/undo", answer=UndoPreview)
async def preview_undo(call: Call) -> UndoPreview:
    """Say what taking an import back comes to: who loses what, and who keeps it.

    Only what the import itself gave can end, and only if it is still as it was given. Answers 409
    with `not_ready` if the import isn't `done`, or has been for more than 30 days.
    """
    async with call.site.pool.acquire() as connection:
        found = await _found(connection, call.path["id"])
        if not member_import_undo.possible(found, now=datetime.now(UTC)):
            raise _not_ready(found.state)
        figures = await member_import_undo.preview(connection, found)
    assert found.finished_at is not None, "it is done"
    return UndoPreview.model_validate(
        vars(figures)
        | {
            "preview": member_import_undo.fingerprint(found, figures),
            "products": [vars(one) for one in figures.products],
            "until": found.finished_at + member_imports.LINES_LIFE,
        }
    )


@endpoint(
    "POST",
    "/member-imports/{id}/undo",
    scope=TokenScope.EVERYTHING,
    body=UndoImport,
    answer=MemberImport,
    status=202,
)
async def undo_import(call: Call) -> MemberImport:
    """Take an import back as its preview says. Nobody is emailed.

    Everybody is looked at once more when their turn comes. Get the import until it is `undone`; its
    lines say what was taken back and what wasn't. Answers 409 with `not_ready` if the import isn't
    `done`, has been for more than 30 days, or has another preview.
    """
    async with call.site.changing() as connection:
        found = await _found(connection, call.path["id"])
        try:
            await member_import_undo.undo(
                connection,
                found.id,
                shown=call.body.preview,
                accounts=call.body.delete_accounts,
                actor=None,
            )
        except StalePreviewError:
            stale = "something has changed since the preview: get it again"
            raise ApiError(409, "not_ready", stale) from None
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
    labels = await member_imports.by_label(connection, found)
    return MemberImport.model_validate(
        vars(found)
        | {
            "preview": found.run,
            "figures": vars(figures),
            "products": [vars(one) for one in given],
            "labels": [vars(one) for one in labels],
        }
    )
