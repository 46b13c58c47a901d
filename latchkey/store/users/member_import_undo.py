"""Takes an import of members back: the access that it gave, the ends that it made later and, if an
admin wants it, the accounts that it created and that nobody has used since.

Access by a purchase is never touched. Everybody is judged once more when their turn comes.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.rules.undoing import AccountOutcome
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store import audit_draft
from latchkey.store.feed import bulk
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups
from latchkey.store.users import erasure, labels, member_imports
from latchkey.store.users.member_imports import ImportState, MemberImport, WrongStepError

PREFIX = "undo_"
PREVIEW_SECONDS = 120
"""How long the preview of 200,000 lines may take; on an idle machine, it takes a few seconds."""

# Whom later imports name: with the product that they say they have, if they say so.
_OTHERS = """
others as materialized (
    select distinct coalesce(u.id, a.user_id) as user_id,
           case when l.outcome in ('given', 'has_it') then l.product_id end as product_id
      from member_imports mine
      join member_imports i on i.started_at >= mine.started_at and i.id <> mine.id
                           and i.state in ('running', 'done', 'mailing', 'undoing', 'deleting')
      join member_import_lines l on l.import_id = i.id
      left join users u on u.email_key = l.email_key
      left join user_addresses a on a.email_key = l.email_key
     where mine.id = $1 and coalesce(u.id, a.user_id) is not null
)
"""
# $1 the import, $2 the reason of the grants that it gave. `{chosen}` are the grants to judge. What
# an import gave is the longest of its lines about one grant. A line of the feed says which import
# made a grant: others may only have lengthened it, and the earliest end before that is the former
# one. Access whose former end has come would be over without the import, so it is taken back.
_JUDGED = """
judged as materialized (
    select m.grant_id, g.user_id, g.product_id, case
               when g.end_reason = 'import_undone' then 'taken_back'
               when g.id is null or g.ended_at is not null or g.until <= now() then 'ended'
               when m.restored then 'restored'
               when a.source_id is distinct from $1 and m.former_until is null then 'lengthened'
               when g.until is distinct from m.until
                    or g.reason is distinct from
                       case when a.source_id = $1 then $2 else m.former_reason end
                    then 'changed'
               when exists (select from grants x
                             where x.user_id = g.user_id and x.product_id = g.product_id
                               and x.source = 'manual' and x.end_reason = 'merged')
                    then 'merged'
               when o.user_id is not null then 'other_import'
               when a.source_id is distinct from $1 and m.former_until > now() then 'restored'
               else 'taken_back' end as outcome, m.former_until, m.restored
      from (select grant_id,
                   case when bool_or(until is null) then null else max(until) end as until,
                   min(former_until) as former_until, min(former_reason) as former_reason,
                   bool_or(undo = 'restored') is true as restored
              from member_import_lines
             where import_id = $1 and grant_id in ({chosen})
             group by grant_id) m
      left join grants g on g.id = m.grant_id
      left join activities a on a.fact = 'access_granted:' || m.grant_id
      left join others o on o.user_id = g.user_id and o.product_id = g.product_id
)
"""
# Which labels go, of those that the import gave in the lines that `{chosen}` says. Of two merged
# accounts, one may have had a label by something else.
_LABELS = """
later as materialized (
    select distinct coalesce(u.id, a.user_id) as user_id, label
      from member_imports mine
      join member_imports i on i.started_at >= mine.started_at and i.id <> mine.id
                           and i.state in ('running', 'done', 'mailing', 'undoing', 'deleting')
      join member_import_lines l on l.import_id = i.id
     cross join unnest(l.labels) as label
      left join users u on u.email_key = l.email_key
      left join user_addresses a on a.email_key = l.email_key
     where mine.id = $1
), going as (
    select t.user_id, t.label, t.import_line from user_labels t
     where t.import_id = $1 and {chosen}
       and not exists (select from later where later.user_id = t.user_id and later.label = t.label)
       and not exists (select from user_merges m
                        where m.into_user = t.user_id
                          and m.kept -> 'dropped' -> 'user_labels.user_id'
                              @> jsonb_build_array(jsonb_build_object('label', t.label)))
)
"""
# `{people}` are the keys of the addresses whose accounts to judge, and `judged` has all that the
# import gave them. `{traces}` are the ids of accounts that stay, each with the place of the reason
# in `TRACES`: the first reason counts.
_ACCOUNTS = """
candidates as materialized (
    select p.email_key, u.id as user_id,
           u.role <> 'member' or u.last_seen_at is not null or u.proven_at is not null
           or u.password_hash is not null as used
      from ({people}) p left join users u on u.email_key = p.email_key
), staying as (
    select user_id, min(place) as place from ({traces}) t group by user_id
), accounts as (
    select c.email_key, c.user_id,
           case when c.user_id is null then 'gone'
                else coalesce(({reasons})[s.place], 'deleted') end as outcome
      from candidates c left join staying s on s.user_id = c.user_id
)
"""

TRACES: Mapping[AccountOutcome, Sequence[tuple[str, str]]] = {
    AccountOutcome.USED: (
        ("authenticator_apps", "user_id"),
        ("claims", "user_id"),
        ("community_accounts", "user_id"),
        ("email_changes", "user_id"),
        ("lesson_marks", "user_id"),
        ("oauth_authorizations", "user_id"),
        ("oauth_consents", "user_id"),
        ("passkey_challenges", "user_id"),
        ("passkeys", "user_id"),
        ("recovery_codes", "user_id"),
        ("sessions", "user_id"),
        ("user_addresses", "user_id"),
    ),
    AccountOutcome.BOUGHT: (
        ("abandoned_checkouts", "user_id"),
        ("checkout_attempts", "user_id"),
        ("customers", "user_id"),
        ("customers", "email_key"),
        ("orders", "user_id"),
        ("orders", "email_key"),
        ("other_payers", "user_id"),
        ("other_payers", "email_key"),
        ("subscriptions", "user_id"),
    ),
    AccountOutcome.EMAILED: (("mails", "user_id"), ("mails", "to_email_key")),
    AccountOutcome.ACCESS: (("collection_holders", "user_id"),),
    AccountOutcome.OTHER_IMPORT: (),
    AccountOutcome.KNOWN: (
        ("claims", "email_key"),
        ("differences", "user_id"),
        ("email_changes", "email_key"),
        ("matches", "user_id"),
        ("matches", "other_id"),
        ("merge_requests", "into_user"),
        ("merge_requests", "other_user"),
        ("sessions", "acting_as"),
        ("user_labels", "user_id"),
        ("user_merges", "into_user"),
        ("user_notes", "user_id"),
    ),
}
"""By why an account stays: where it leaves traces, by its id or by the key of its address. The
columns that name somebody on the team aren't among them: those accounts stay anyway."""
_BUT = {"user_labels": "t.import_id is distinct from $1"}
"""Which rows of a table are traces, where not all are."""


class StalePreviewError(WrongStepError):
    """What the preview says has changed since."""


@dataclass(frozen=True)
class ProductUndo:
    """People who lose a product's complimentary access, and those of them who keep the product by a
    purchase or a collection."""

    product_id: str
    people: int
    by_purchase: int
    by_collection: int


@dataclass(frozen=True)
class UndoFigures:
    """`people` lose a product. `access` counts each person and product once, by what becomes of it;
    `accounts` counts those that the import created. Empty outcomes are left out. `labels` says how
    many people lose each label."""

    people: int
    products: list[ProductUndo]
    access: dict[str, int]
    accounts: dict[str, int]
    labels: dict[str, int]


def fingerprint(found: MemberImport, figures: UndoFigures) -> str:
    """Names a preview: it is another one once anything in it is."""
    text = json.dumps([found.id, found.run, asdict(figures)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def undo_id(found: MemberImport) -> str:
    """The id that the lines of the feed share."""
    return found.id.replace("imp_", PREFIX)


def possible(found: MemberImport, *, now: datetime) -> bool:
    """Whether an import can be taken back: it is done, for less than 30 days."""
    return (
        found.state == ImportState.DONE
        and found.forgotten_at is None
        and found.finished_at is not None
        and now < found.finished_at + member_imports.LINES_LIFE
    )


async def preview(connection: Connection, found: MemberImport) -> UndoFigures:
    """What taking the import back comes to at this moment."""
    row = await connection.fetchrow(
        f"""
        with {_OTHERS}, {
            _JUDGED.format(chosen="select grant_id from member_import_lines where import_id = $1")
        }, {
            _accounts(
                "select distinct email_key from member_import_lines where import_id = $1 and is_new"
            )
        }, {_LABELS.format(chosen="true")}, kept as (
            select j.*, case when j.outcome = 'taken_back' then (
                       select case when bool_or(g.source in ('subscription', 'order'))
                                   then 'purchase' when count(*) > 0 then 'collection' end
                         from live_grants g
                        where g.user_id = j.user_id and g.product_id = j.product_id
                          and g.id <> j.grant_id) end as kept_by
              from judged j
        ), products as (
            select product_id, count(distinct user_id) as people,
                   count(distinct user_id) filter (where kept_by = 'purchase') as by_purchase,
                   count(distinct user_id) filter (where kept_by = 'collection') as by_collection
              from kept where outcome = 'taken_back' group by product_id
        ), access as (
            select outcome, count(*) as n from judged group by outcome
        ), people as (
            select outcome, count(*) as n from accounts group by outcome
        ), labels as (
            select label, count(*) as n from going group by label
        )
        select (select count(distinct user_id) from kept
                 where outcome = 'taken_back' and kept_by is null) as people,
               (select coalesce(jsonb_agg(p order by people desc, product_id), '[]')
                  from products p) as products,
               (select coalesce(jsonb_object_agg(outcome, n), '{{}}') from access) as access,
               (select coalesce(jsonb_object_agg(outcome, n), '{{}}') from people) as accounts,
               (select coalesce(jsonb_object_agg(label, n), '{{}}') from labels) as labels
        """,
        found.id,
        member_imports.reason_of(found),
        timeout=PREVIEW_SECONDS,
    )
    assert row is not None, "it has one row"
    products = [ProductUndo(**product) for product in row["products"]]
    return UndoFigures(row["people"], products, row["access"], row["accounts"], row["labels"])


async def undo(
    connection: Connection, import_id: str, *, shown: str, accounts: bool, actor: int | None
) -> None:
    """Have an import taken back as the preview says that is `shown`, and with `accounts` the
    accounts deleted that nobody used. Raises `WrongStepError`. The caller wakes the relay
    afterwards."""
    found = await member_imports.locked(connection, import_id, (ImportState.DONE,))
    if not possible(found, now=datetime.now(UTC)):
        raise WrongStepError
    figures = await preview(connection, found)
    if fingerprint(found, figures) != shown:
        raise StalePreviewError
    await connection.execute(
        """
        update member_imports set undo_started_at = now(), undone_by = $2, undo_accounts = $3
         where id = $1
        """,
        import_id,
        actor,
        accounts,
    )
    audit_draft.note(
        target=("import", import_id), after={"accounts": accounts, "access": figures.access}
    )
    await member_imports.work_on(connection, import_id, ImportState.UNDOING)


async def take_back(
    connection: Connection, found: MemberImport, first: int, last: int, *, now: datetime
) -> None:
    """End what the lines from `first` to `last` gave, give access that they made longer its former
    end back, and note what became of it."""
    await _take_labels(connection, found, first, last)
    chosen = (
        "select grant_id from member_import_lines"
        " where import_id = $1 and grant_id is not null and line between $3 and $4"
    )
    place = (found.id, member_imports.reason_of(found), first, last)
    await connection.execute(
        f"""
        select from grants where id in ({chosen}) and $2::text is not null
         order by id for no key update
        """,
        *place,
    )
    touched = await connection.fetch(
        f"""
        with {_OTHERS}, {_JUDGED.format(chosen=chosen)}, noted as (
            update member_import_lines l set undo = j.outcome from judged j
             where l.import_id = $1 and l.line between $3 and $4 and l.grant_id = j.grant_id
        )
        update grants g
           set ended_at = case when j.outcome = 'taken_back' then now() end,
               end_reason = case when j.outcome = 'taken_back' then 'import_undone' end,
               until = case when j.outcome = 'restored' then j.former_until else g.until end
          from judged j
         where g.id = j.grant_id and g.ended_at is null
           and (j.outcome = 'taken_back' or j.outcome = 'restored' and not j.restored)
        returning g.id, g.user_id, g.product_id, g.ended_at is not null as ended
        """,
        *place,
    )
    ended = [row for row in touched if row["ended"]]
    if len(ended) < len(touched):
        await wakeups.add(connection, wakeups.ENDINGS, [""])
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_ended:{row['id']}",
                type=ActivityType.ACCESS_ENDED,
                at=now,
                cause=Cause.BULK,
                user_id=row["user_id"],
                product_id=row["product_id"],
                source_id=undo_id(found),
                actor_id=found.undone_by,
                data={"grant": row["id"], "reason": Reason.IMPORT_UNDONE.value},
            )
            for row in ended
        ],
    )
    await _sum_up(connection, found, _counts(touched))
    for product_id in sorted({row["product_id"] for row in touched}):
        await bulk.add(
            connection,
            undo_id(found),
            _counts([row for row in touched if row["product_id"] == product_id]),
            product_id=product_id,
            actor=found.undone_by,
        )


async def _take_labels(connection: Connection, found: MemberImport, first: int, last: int) -> None:
    """Take back the labels that the lines from `first` to `last` gave, and note which."""
    rows = await connection.fetch(
        "select distinct label from user_labels where import_id = $1"
        " and import_line between $2 and $3",
        found.id,
        first,
        last,
    )
    if not rows:
        return
    await labels.claim(connection, [row["label"] for row in rows])
    await connection.execute(
        f"""
        with {_LABELS.format(chosen="t.import_line between $2 and $3")}, taken as (
            delete from user_labels l using going g
             where l.user_id = g.user_id and l.label = g.label and l.import_id = $1
            returning l.import_line, l.label
        )
        update member_import_lines l set undone_labels = t.labels
          from (select import_line, array_agg(label order by label) as labels
                  from taken group by import_line) t
         where l.import_id = $1 and l.line = t.import_line
        """,
        found.id,
        first,
        last,
    )


async def delete_accounts(
    connection: Connection, found: MemberImport, first: int, last: int, *, now: datetime
) -> None:
    """Delete the accounts that the lines from `first` to `last` created and that nobody used, once
    all access has been taken back."""
    people = (
        "select distinct email_key from member_import_lines"
        " where import_id = $1 and is_new and line between $3 and $4"
    )
    chosen = (
        "select g.id from grants g join users u on u.id = g.user_id"
        f" where u.email_key in ({people})"
    )
    place = (found.id, member_imports.reason_of(found), first, last)
    await connection.execute(
        f"select from users where email_key in ({people}) and $2::text is not null"
        " order by id for update",
        *place,
    )
    rows = await connection.fetch(
        f"""
        with {_OTHERS}, {_JUDGED.format(chosen=chosen)}, {_accounts(people)}, noted as (
            update member_import_lines l set account = a.outcome from accounts a
             where l.import_id = $1 and l.is_new and l.line between $3 and $4
               and l.email_key = a.email_key
        )
        select user_id from accounts where outcome = 'deleted' order by user_id
        """,
        *place,
    )
    users = [row["user_id"] for row in rows]
    await erasure.erase_unused(
        connection, users, at=now, bulk_id=undo_id(found), actor=found.undone_by
    )
    await _sum_up(connection, found, BulkCounts(deleted=len(users)))


async def keep_figures(connection: Connection, import_id: str) -> None:
    """Keep what came of taking an import back beyond the life of its lines."""
    await connection.execute(
        """
        update member_imports set undone_at = now(), undo_figures = jsonb_build_object(
            'access', (select coalesce(jsonb_object_agg(undo, n), '{}') from (
                select undo, count(distinct grant_id) as n from member_import_lines
                 where import_id = $1 and undo is not null group by undo) s),
            'accounts', (select coalesce(jsonb_object_agg(account, n), '{}') from (
                select account, count(*) as n from member_import_lines
                 where import_id = $1 and account is not null group by account) s),
            'labels', (select coalesce(jsonb_object_agg(label, n), '{}') from (
                select label, count(*) as n from member_import_lines l
                  cross join unnest(l.undone_labels) as label
                 where import_id = $1 group by label) s))
         where id = $1
        """,
        import_id,
    )


def _counts(touched: Sequence[Any]) -> BulkCounts:
    """How many lost access, and how many have their former end again."""
    ended = sum(row["ended"] for row in touched)
    return BulkCounts(ended=ended, changed=len(touched) - ended)


async def _sum_up(connection: Connection, found: MemberImport, counts: BulkCounts) -> None:
    await bulk.add(
        connection,
        undo_id(found),
        counts,
        type_=ActivityType.IMPORT_UNDONE,
        actor=found.undone_by,
    )


def _accounts(people: str) -> str:
    """The query that judges accounts, with all the traces that it looks for."""
    places = {outcome: place for place, outcome in enumerate(TRACES, start=1)}
    traces = [
        f"select user_id, {places[AccountOutcome.USED]} as place from candidates where used",
        f"select g.user_id, {places[AccountOutcome.ACCESS]} from candidates c"
        " join grants g on g.user_id = c.user_id left join judged j on j.grant_id = g.id"
        " and j.outcome in ('taken_back', 'ended') where j.grant_id is null",
        f"select user_id, {places[AccountOutcome.OTHER_IMPORT]} from others",
    ]
    traces += [
        f"select c.user_id, {places[outcome]} from candidates c join {table} t"
        f" on t.{column} = c.{'email_key' if column.endswith('email_key') else 'user_id'}"
        f" and {_BUT.get(table, 'true')}"
        for outcome, columns in TRACES.items()
        for table, column in columns
    ]
    return _ACCOUNTS.format(
        people=people,
        traces=" union all ".join(traces),
        reasons=f"array{[outcome.value for outcome in TRACES]}",
    )
