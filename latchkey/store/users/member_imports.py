"""Members from another system's CSV: the files that wait, what admins say they mean, and what came
of them. Their lines are worked through by `member_import_batches.py`."""

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from latchkey.csv_files import CsvFormat, CsvLine
from latchkey.imported_lines import Layout
from latchkey.languages import _
from latchkey.rules import moving
from latchkey.rules.exports import Column, label_ends, recognised, suggested
from latchkey.rules.moving import Outcome, StatusMeaning, StripeMatch
from latchkey.rules.written_dates import DateOrder, order_of
from latchkey.store import audit_draft
from latchkey.store.pool import Connection, Pool
from latchkey.store.stripe import wakeups
from latchkey.store.users import labels

AT_ONCE = 5000
SAMPLE = 5
UNSTARTED_LIFE, LINES_LIFE = timedelta(days=7), timedelta(days=30)
MOST_PLANS, MOST_STATUSES, MOST_LABELS = 200, 50, 100


class ImportState(StrEnum):
    """Where an import stands: it waits for an admin (columns, plans, ready), works (checking,
    running, mailing; undoing, deleting to take it back), is done, or undone."""

    COLUMNS = "columns"
    PLANS = "plans"
    CHECKING = "checking"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    MAILING = "mailing"
    UNDOING = "undoing"
    DELETING = "deleting"
    UNDONE = "undone"


WORKING = (
    ImportState.CHECKING,
    ImportState.RUNNING,
    ImportState.MAILING,
    ImportState.UNDOING,
    ImportState.DELETING,
)
UNSTARTED = (ImportState.COLUMNS, ImportState.PLANS, ImportState.CHECKING, ImportState.READY)
_FIELDS = """id, file_name, encoding, delimiter, heading, lines, columns, dates, plans, statuses,
state, run, position, worked, figures, mails, created_by, created_at, started_at, finished_at,
mailed_at, forgotten_at, undo_accounts, undone_by, undo_started_at, undone_at, undo_figures"""


class WrongStepError(Exception):
    """The import isn't where this can be done. Somebody else may have gone on with it."""


class TooManyValuesError(ValueError):
    """A column has more different values than somebody can go through. The message says so."""


@dataclass(frozen=True)
class MemberImport:
    """`worked` counts the lines that the current run has gone through. `figures` are kept of what
    is done; `mails` counts the welcome emails. Once forgotten, its lines are deleted.

    With `undo_accounts`, taking it back deletes accounts; `undo_figures` has, for `access` and
    `accounts`, how many had each outcome."""

    id: str
    file_name: str
    encoding: str
    delimiter: str
    heading: list[str]
    lines: int
    columns: list[str]
    dates: str
    plans: dict[str, str | None]
    statuses: dict[str, str]
    state: str
    run: int
    position: int
    worked: int
    figures: dict[str, int] | None
    mails: int | None
    created_by: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    mailed_at: datetime | None
    forgotten_at: datetime | None
    undo_accounts: bool
    undone_by: int | None
    undo_started_at: datetime | None
    undone_at: datetime | None
    undo_figures: dict[str, dict[str, int]] | None

    @property
    def working(self) -> bool:
        return self.state in WORKING

    @property
    def layout(self) -> Layout:
        return Layout(
            self.heading,
            [Column(column) for column in self.columns],
            DateOrder(self.dates),
            self.plans,
            {status: StatusMeaning(meaning) for status, meaning in self.statuses.items()},
            label_ends(self.heading),
        )


@dataclass(frozen=True)
class ImportFigures:
    """How many people the lines are about, how many lines have each outcome, and how many are
    matched to a customer of Stripe's by what."""

    people: int = 0
    new_people: int = 0
    given: int = 0
    has_it: int = 0
    bought: int = 0
    left_to_link: int = 0
    over: int = 0
    person_only: int = 0
    refused: int = 0
    by_subscription: int = 0
    by_customer: int = 0
    by_address: int = 0
    other_person: int = 0


@dataclass(frozen=True)
class ProductFigures:
    """How many people get a product: without an end, or until when at most."""

    product_id: str
    people: int
    without_end: int
    last_end: datetime | None


@dataclass(frozen=True)
class ProductLines:
    """How many lines are about a product."""

    product_id: str
    lines: int


@dataclass(frozen=True)
class LabelFigures:
    """How many people the lines give a label, and whether nobody has it yet."""

    label: str
    people: int
    new: bool


@dataclass(frozen=True)
class ImportLine:
    """A line and what comes of it. `user_id` is who has its address now, if anybody has; `labels`
    are those that it has for the person. `undo` and `account` say what became of the access that it
    gave, and of the account that it created, when the import was taken back; `undone_labels` are
    the labels that were."""

    line: int
    cells: list[str]
    email: str | None
    product_id: str | None
    until: datetime | None
    outcome: str
    problem_column: str | None
    problem: str | None
    stripe_match: str | None
    is_new: bool | None
    user_id: int | None
    labels: list[str]
    undo: str | None
    account: str | None
    undone_labels: list[str]


@dataclass(frozen=True)
class ColumnValue:
    """A value of a column, and how many lines have it."""

    value: str
    lines: int


async def begin(
    connection: Connection,
    *,
    file_name: str,
    written: CsvFormat,
    heading: Sequence[str],
    actor: int | None,
) -> str:
    """Create an import of a file, whose lines are staged next; returns its id."""
    import_id = f"imp_{secrets.token_hex(8)}"
    await connection.execute(
        """
        insert into member_imports (id, created_by, file_name, encoding, delimiter, heading,
                                    lines, columns)
        values ($1, $2, $3, $4, $5, $6, 0, $7)
        """,
        import_id,
        actor,
        file_name,
        written.encoding,
        written.delimiter,
        list(heading),
        [column.value for column in suggested(heading)],
    )
    audit_draft.note(target=("import", import_id))
    return import_id


async def stage(connection: Connection, import_id: str, lines: Iterable[CsvLine]) -> int:
    """Store lines of an import's file; returns how many."""
    rows = [(import_id, line.number, line.cells) for line in lines]
    await connection.copy_records_to_table(
        "member_import_lines", records=rows, columns=["import_id", "line", "cells"]
    )
    return len(rows)


async def staged(connection: Connection, import_id: str, *, lines: int) -> None:
    """All lines are stored: how many, and how their dates seem to be written."""
    found = await find(connection, import_id)
    assert found is not None, "it was created in this transaction"
    order = DateOrder.UNKNOWN
    if Column.UNTIL in found.columns:
        at = found.columns.index(Column.UNTIL) + 1
        order = await _order(connection, import_id, at)
    await connection.execute(
        "update member_imports set lines = $2, dates = $3 where id = $1",
        import_id,
        lines,
        order.value,
    )


async def _order(connection: Connection, import_id: str, at: int) -> DateOrder:
    rows = await connection.fetch(
        r"""
        select distinct cells[$2] as value from member_import_lines
         where import_id = $1 and cells[$2] ~ '^\d+/\d+/\d+' limit 20000
        """,
        import_id,
        at,
    )
    return order_of([row["value"] for row in rows])


async def find(
    connection: Connection, import_id: str, *, lock: bool = False
) -> MemberImport | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from member_imports where id = $1 {'for update' if lock else ''}",
        import_id,
    )
    return MemberImport(**dict(row)) if row else None


async def listed(connection: Connection, *, limit: int = 20) -> list[MemberImport]:
    """The newest imports."""
    rows = await connection.fetch(
        f"select {_FIELDS} from member_imports order by created_at desc, id limit $1", limit
    )
    return [MemberImport(**dict(row)) for row in rows]


async def remove(connection: Connection, import_id: str) -> bool:
    """Delete an import that hasn't started, with its lines; False if there is none."""
    found = await find(connection, import_id, lock=True)
    if found is None:
        return False
    if found.state not in UNSTARTED:
        raise WrongStepError
    await connection.execute("delete from member_imports where id = $1", import_id)
    return True


async def sample(connection: Connection, import_id: str) -> list[list[str]]:
    """The cells of the first lines."""
    rows = await connection.fetch(
        "select cells from member_import_lines where import_id = $1 order by line limit $2",
        import_id,
        SAMPLE,
    )
    return [row["cells"] for row in rows]


async def choose_columns(
    connection: Connection, import_id: str, columns: Sequence[Column], dates: DateOrder
) -> None:
    """Say what the columns hold, before the import has started. Raises `WrongStepError`."""
    await locked(connection, import_id, UNSTARTED)
    await connection.execute(
        """
        update member_imports set columns = $2, dates = $3, plans = '{}', statuses = '{}',
               state = 'plans', run = run + 1
         where id = $1
        """,
        import_id,
        [column.value for column in columns],
        dates.value,
    )


async def plan_values(connection: Connection, found: MemberImport) -> list[ColumnValue]:
    """The different plans of a file, most frequent first; one empty one if it has no plans.

    Raises `TooManyValuesError`.
    """
    if Column.PLAN not in found.columns:
        return [ColumnValue("", found.lines)]
    values = await _values(connection, found, Column.PLAN, most=MOST_PLANS)
    if len(values) > MOST_PLANS:
        raise TooManyValuesError(
            _(
                "The column “%(name)s” has more than %(most)s different values. Choose another"
                " column for the plan.",
                name=_heading(found, Column.PLAN),
                most=MOST_PLANS,
            )
        )
    return values


async def unknown_statuses(connection: Connection, found: MemberImport) -> list[ColumnValue]:
    """The statuses of a file that aren't known, most frequent first. Raises
    `TooManyValuesError`."""
    if Column.STATUS not in found.columns:
        return []
    values = await _values(connection, found, Column.STATUS, most=MOST_STATUSES)
    if len(values) > MOST_STATUSES:
        raise TooManyValuesError(
            _(
                "The column “%(name)s” has more than %(most)s different values. Choose another"
                " column for the status.",
                name=_heading(found, Column.STATUS),
                most=MOST_STATUSES,
            )
        )
    return [value for value in values if moving.meaning(value.value) is StatusMeaning.UNKNOWN]


async def check_labels(connection: Connection, found: MemberImport) -> None:
    """Raises `TooManyValuesError` if a file has more different labels than somebody can look
    through."""
    if Column.LABELS not in found.columns:
        return
    rows = await connection.fetch(
        """
        select distinct lower(btrim(part)) as label
          from member_import_lines l, regexp_split_to_table(l.cells[$2], $3) as part
         where l.import_id = $1 and btrim(part) <> '' limit $4
        """,
        found.id,
        found.columns.index(Column.LABELS) + 1,
        f"[{found.layout.label_ends}]",
        MOST_LABELS + 1,
    )
    if len(rows) > MOST_LABELS:
        raise TooManyValuesError(
            _(
                "The column “%(name)s” has more than %(most)s different labels. Choose another"
                " column, or none.",
                name=_heading(found, Column.LABELS),
                most=MOST_LABELS,
            )
        )


async def choose_plans(
    connection: Connection,
    import_id: str,
    *,
    plans: Mapping[str, str | None],
    statuses: Mapping[str, StatusMeaning],
) -> None:
    """Say which product each plan is, and what unknown statuses mean; then every line is checked.
    Raises `WrongStepError`. The caller wakes the relay afterwards."""
    states = (ImportState.PLANS, ImportState.CHECKING, ImportState.READY)
    await locked(connection, import_id, states)
    await connection.execute(
        "update member_imports set plans = $2::jsonb, statuses = $3::jsonb where id = $1",
        import_id,
        dict(plans),
        {moving.plain_status(status): meaning.value for status, meaning in statuses.items()},
    )
    await work_on(connection, import_id, ImportState.CHECKING)


async def start(connection: Connection, import_id: str) -> None:
    """Have the import done. Raises `WrongStepError`. The caller wakes the relay afterwards."""
    await locked(connection, import_id, (ImportState.READY,))
    await connection.execute(
        "update member_imports set started_at = now() where id = $1", import_id
    )
    audit_draft.note(target=("import", import_id))
    await work_on(connection, import_id, ImportState.RUNNING)


async def mail(connection: Connection, import_id: str) -> None:
    """Have the welcome emails queued, once. Raises `WrongStepError`. The caller wakes the relay
    afterwards."""
    found = await locked(connection, import_id, (ImportState.DONE,))
    if found.mailed_at is not None or found.forgotten_at is not None:
        raise WrongStepError
    await connection.execute(
        "update member_imports set mails = 0, mailed_at = now() where id = $1", import_id
    )
    audit_draft.note(target=("import", import_id))
    await work_on(connection, import_id, ImportState.MAILING)


async def locked(
    connection: Connection, import_id: str, states: Sequence[ImportState]
) -> MemberImport:
    """The import, locked, where it is at one of the states. Raises `WrongStepError`."""
    found = await find(connection, import_id, lock=True)
    if found is None or found.state not in states:
        raise WrongStepError
    return found


async def work_on(connection: Connection, import_id: str, state: ImportState) -> None:
    """Have all lines gone through for a state. The caller wakes the relay afterwards."""
    run = await connection.fetchval(
        """
        update member_imports set state = $2, run = run + 1, position = 0, worked = 0
         where id = $1 returning run
        """,
        import_id,
        state.value,
    )
    await wakeups.add(connection, wakeups.MEMBER_IMPORT, [f"{import_id}/{run}"])


def reason_of(found: MemberImport) -> str:
    """The reason of the access that an import gives."""
    export = recognised(found.heading)
    return f"Imported from {export.name}" if export else "Imported from a file"


async def figures(connection: Connection, found: MemberImport) -> ImportFigures:
    """What the lines that were checked come to."""
    if found.figures is not None:
        known = ImportFigures.__dataclass_fields__
        return ImportFigures(**{name: n for name, n in found.figures.items() if name in known})
    return await counted(connection, found.id)


async def counted(connection: Connection, import_id: str) -> ImportFigures:
    people = await connection.fetchrow(
        """
        select count(distinct email_key) as people,
               count(distinct email_key) filter (where is_new) as new_people
          from member_import_lines where import_id = $1
        """,
        import_id,
    )
    assert people is not None, "an aggregate has one row"
    rows = await connection.fetch(
        """
        select outcome, stripe_match, count(*) as lines from member_import_lines
         where import_id = $1 and outcome is not null group by outcome, stripe_match
        """,
        import_id,
    )
    outcomes = dict.fromkeys(Outcome, 0)
    matches = dict.fromkeys(StripeMatch, 0)
    for row in rows:
        outcomes[Outcome(row["outcome"])] += row["lines"]
        if row["stripe_match"]:
            matches[StripeMatch(row["stripe_match"])] += row["lines"]
    return ImportFigures(
        **dict(people),
        **{outcome.value: lines for outcome, lines in outcomes.items()},
        by_subscription=matches[StripeMatch.SUBSCRIPTION],
        by_customer=matches[StripeMatch.CUSTOMER],
        by_address=matches[StripeMatch.ADDRESS],
        other_person=matches[StripeMatch.OTHER_PERSON],
    )


async def by_product(connection: Connection, import_id: str) -> list[ProductFigures]:
    """Who is given what, by product, most people first."""
    rows = await connection.fetch(
        """
        select product_id, count(distinct person) as people,
               count(distinct person) filter (where until is null) as without_end,
               max(until) as last_end
          from (select *, coalesce(email_key, grant_id::text) as person
                  from member_import_lines where import_id = $1 and outcome = 'given') given
         group by product_id order by people desc, product_id
        """,
        import_id,
    )
    return [ProductFigures(**dict(row)) for row in rows]


async def by_label(connection: Connection, found: MemberImport) -> list[LabelFigures]:
    """Who is given which label, most people first."""
    if Column.LABELS not in found.columns:
        return []
    rows = await connection.fetch(
        """
        select min(label) as label, count(distinct coalesce(l.email_key, l.line::text)) as people
          from member_import_lines l, unnest(l.labels) as label
         where l.import_id = $1 group by lower(label) order by people desc, min(label)
        """,
        found.id,
    )
    known = set(await labels.names(connection))
    return [LabelFigures(**dict(row), new=row["label"] not in known) for row in rows]


async def unlinked(connection: Connection, found: MemberImport) -> list[ProductLines]:
    """The products that people are given although their lines name a Stripe customer or
    subscription: they aren't linked, so nothing here knows whether these people pay."""
    places = [
        found.columns.index(column) + 1
        for column in (Column.CUSTOMER, Column.SUBSCRIPTION)
        if column in found.columns
    ]
    rows = await connection.fetch(
        """
        select product_id, count(*) as lines from member_import_lines
         where import_id = $1 and outcome = 'given'
           and exists (select from unnest($2::integer[]) at where cells[at] ~ '^(cus|sub)_')
         group by product_id order by lines desc, product_id
        """,
        found.id,
        places,
    )
    return [ProductLines(**dict(row)) for row in rows]


async def lines(
    connection: Connection,
    import_id: str,
    *,
    outcome: Outcome | None = None,
    match: StripeMatch | None = None,
    after: int | None = None,
    limit: int,
) -> list[ImportLine]:
    """Checked lines in the file's order, from the one after `after`."""
    rows = await connection.fetch(
        """
        select l.line, l.cells, l.email, l.product_id, l.until, l.outcome, l.problem_column,
               l.problem, l.stripe_match, l.is_new, coalesce(u.id, a.user_id) as user_id,
               coalesce(l.labels, '{}') as labels, l.undo, l.account,
               coalesce(l.undone_labels, '{}') as undone_labels
          from member_import_lines l
          left join users u on u.email_key = l.email_key
          left join user_addresses a on a.email_key = l.email_key
         where l.import_id = $1 and l.line > $2::bigint and l.outcome is not null
           and ($3::text is null or l.outcome = $3) and ($4::text is null or l.stripe_match = $4)
         order by l.line limit $5
        """,
        import_id,
        after or 0,
        outcome,
        match,
        limit,
    )
    return [ImportLine(**dict(row)) for row in rows]


async def all_lines(
    pool: Pool, import_id: str, *, outcome: Outcome | None = None
) -> AsyncIterator[list[ImportLine]]:
    """All checked lines, or those with an outcome, in chunks. Holds no connection between two."""
    after = None
    while True:
        async with pool.acquire() as connection:
            rows = await lines(connection, import_id, outcome=outcome, after=after, limit=AT_ONCE)
        if not rows:
            return
        yield rows
        after = rows[-1].line


async def to_welcome(connection: Connection, import_id: str) -> int:
    """How many people can be sent the welcome email: they still have what this import gave."""
    found: int = await connection.fetchval(
        """
        select count(distinct g.user_id) from member_import_lines l
          join live_grants g on g.id = l.grant_id
          join products p on p.id = g.product_id and p.status = 'live'
         where l.import_id = $1 and l.grant_id is not null
        """,
        import_id,
    )
    return found


async def keep_figures(connection: Connection, import_id: str) -> None:
    """Keep what came of an import beyond the life of its lines."""
    await connection.execute(
        "update member_imports set figures = $2::jsonb where id = $1",
        import_id,
        asdict(await counted(connection, import_id)),
    )


async def forget_old(pool: Pool) -> None:
    """Delete files that nobody went on with, and the lines of what was done long ago. Releases
    before 0.2.0 kept their files in `user_imports`."""
    await pool.execute("delete from user_imports where created_at < now() - interval '1 day'")
    await pool.execute(
        """
        delete from member_imports
         where state = any($1::text[]) and created_at < now() - $2::interval
        """,
        list(UNSTARTED),
        UNSTARTED_LIFE,
    )
    await pool.execute(
        """
        with old as (
            update member_imports set forgotten_at = now()
             where state in ('done', 'undone') and forgotten_at is null
               and coalesce(undone_at, finished_at) < now() - $1::interval
            returning id
        )
        delete from member_import_lines where import_id in (select id from old)
        """,
        LINES_LIFE,
    )


async def _values(
    connection: Connection, found: MemberImport, column: Column, *, most: int
) -> list[ColumnValue]:
    rows = await connection.fetch(
        """
        select coalesce(cells[$2], '') as value, count(*) as lines from member_import_lines
         where import_id = $1 group by 1 order by lines desc, value limit $3
        """,
        found.id,
        found.columns.index(column) + 1,
        most + 1,
    )
    return [ColumnValue(**dict(row)) for row in rows]


def _heading(found: MemberImport, column: Column) -> str:
    return found.heading[found.columns.index(column)]
