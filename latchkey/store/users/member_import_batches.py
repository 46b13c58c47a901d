"""Works through the lines of an import in batches: checks what each of them brings about, does it,
queues the welcome emails, or takes it back. A batch is one transaction with the progress, so
repeating a batch does nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from latchkey import imported_lines
from latchkey.imported_lines import Layout
from latchkey.rules import moving
from latchkey.rules.moving import ImportedMember, Known, Outcome, Refusal, StripeMatch
from latchkey.rules.vocabulary import ActivityType, Cause, GrantSource
from latchkey.store.feed import bulk
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.stripe import wakeups
from latchkey.store.users import labels, member_import_undo, member_imports
from latchkey.store.users.labels import LineLabel
from latchkey.store.users.member_imports import ImportState, MemberImport

BATCH = 1000

_KNOWN = """
with asked as (
    select * from jsonb_to_recordset($1::jsonb) as q (
        line integer, email_key text, product_id text, customer_id text, subscription_id text)
), who as (
    select q.*, coalesce(u.id, a.user_id) as user_id
      from asked q
      left join users u on u.email_key = q.email_key
      left join user_addresses a on a.email_key = q.email_key
), site as (
    select account_id, livemode from stripe_connection
)
select w.line, w.user_id,
       exists (select from links l join site on site.account_id = l.account_id
                                            and site.livemode = l.livemode
                where l.product_id = w.product_id and l.removed_at is null) as linked,
       exists (select from live_grants g
                where g.user_id = w.user_id and g.product_id = w.product_id
                  and g.source in ('subscription', 'order'))
       or exists (select from held_subscriptions h
                   where h.user_id = w.user_id and h.product_id = w.product_id)
       or exists (select from held_subscriptions h
                   where h.id = w.subscription_id and h.product_id = w.product_id) as bought,
       m.id is not null as complimentary, m.until as complimentary_until,
       s.id is not null as has_subscription, coalesce(s.user_id, sc.user_id) as subscription_user,
       sc.email_key as subscription_key,
       c.id is not null as has_customer, c.user_id as customer_user, c.email_key as customer_key,
       exists (select from customers x
                where x.email_key = w.email_key and not x.deleted) as has_address
  from who w
  left join live_grants m on m.user_id = w.user_id and m.product_id = w.product_id
                         and m.source = 'manual'
  left join subscriptions s on s.id = w.subscription_id
  left join customers sc on sc.id = s.customer_id
  left join customers c on c.id = w.customer_id
"""


@dataclass(frozen=True)
class Worked:
    """How many lines the run has gone through, and whether there are more. `wanted` is False if
    the import was removed, or works on something else now."""

    lines: int
    more: bool
    wanted: bool = True


@dataclass(frozen=True)
class _Given:
    """The grant that a line made, or made longer: then `until` and `reason` are what it had."""

    grant_id: int
    until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True)
class _Checked:
    """What comes of one line. `user_id` is who has the address already."""

    line: int
    member: ImportedMember | None
    outcome: Outcome
    refusal: Refusal | None = None
    match: StripeMatch | None = None
    user_id: int | None = None


async def work(connection: Connection, import_id: str, run: int, *, now: datetime) -> Worked:
    """Work through the next lines, for what the import is at. The caller opens the transaction."""
    found = await member_imports.find(connection, import_id, lock=True)
    if found is None or found.run != run or not found.working:
        return Worked(0, more=False, wanted=False)
    rows = await connection.fetch(
        """
        select line, cells, grant_id from member_import_lines
         where import_id = $1 and line > $2 order by line limit $3
        """,
        import_id,
        found.position,
        BATCH,
    )
    if rows:
        match found.state:
            case ImportState.CHECKING:
                await _check(connection, found, rows, now=now)
            case ImportState.RUNNING:
                await _apply(connection, found, rows, now=now)
            case ImportState.MAILING:
                await _mail(connection, found, rows)
            case ImportState.UNDOING:
                await member_import_undo.take_back(connection, found, *_place(rows), now=now)
            case ImportState.DELETING:
                await member_import_undo.delete_accounts(connection, found, *_place(rows), now=now)
        await connection.execute(
            "update member_imports set position = $2, worked = worked + $3 where id = $1",
            import_id,
            rows[-1]["line"],
            len(rows),
        )
    more = len(rows) == BATCH or not await _finish(connection, found)
    return Worked(found.worked + len(rows), more)


def _place(rows: Sequence[Any]) -> tuple[int, int]:
    return rows[0]["line"], rows[-1]["line"]


async def _finish(connection: Connection, found: MemberImport) -> bool:
    """All lines have been gone through; False if they are gone through once more for what is
    next."""
    done = ImportState.DONE
    match found.state:
        case ImportState.CHECKING:
            done = ImportState.READY
        case ImportState.RUNNING:
            await member_imports.keep_figures(connection, found.id)
        case ImportState.UNDOING if found.undo_accounts:
            done = ImportState.DELETING
        case ImportState.UNDOING | ImportState.DELETING:
            await member_import_undo.keep_figures(connection, found.id)
            done = ImportState.UNDONE
    again = done is ImportState.DELETING
    await connection.execute(
        """
        update member_imports set state = $2,
               finished_at = case when state = 'running' then now() else finished_at end,
               position = case when $3 then 0 else position end,
               worked = case when $3 then 0 else worked end
         where id = $1
        """,
        found.id,
        done.value,
        again,
    )
    return not again


async def _check(
    connection: Connection, found: MemberImport, rows: Sequence[Any], *, now: datetime
) -> None:
    checked = await _judge(connection, found, rows, now=now)
    names_of = await labels.written(connection, _labels(checked))
    await _write(connection, found.id, checked, grants={}, labels_as=names_of)


async def _judge(
    connection: Connection, found: MemberImport, rows: Sequence[Any], *, now: datetime
) -> list[_Checked]:
    """What comes of each line, by what the site knows at this moment."""
    layout = await _layout(connection, found)
    read = {row["line"]: imported_lines.read(row["cells"], layout) for row in rows}
    members = {line: each for line, each in read.items() if isinstance(each, ImportedMember)}
    asked = [
        {
            "line": line,
            "email_key": each.email_key,
            "product_id": each.product_id,
            "customer_id": each.customer_id,
            "subscription_id": each.subscription_id,
        }
        for line, each in members.items()
    ]
    known = {row["line"]: row for row in await connection.fetch(_KNOWN, asked)}
    checked = []
    for line, each in read.items():
        if isinstance(each, Refusal):
            checked.append(_Checked(line, None, Outcome.REFUSED, refusal=each))
            continue
        about = known[line]
        gets = moving.outcome(
            each,
            Known(
                linked=about["linked"],
                bought=about["bought"],
                complimentary=about["complimentary"],
                complimentary_until=about["complimentary_until"],
            ),
            now=now,
        )
        checked.append(
            _Checked(line, each, gets, match=_match(each, about), user_id=about["user_id"])
        )
    return checked


async def _layout(connection: Connection, found: MemberImport) -> Layout:
    """How the file is read; a product that was deleted since is nothing."""
    rows = await connection.fetch("select id from products")
    products = {row["id"] for row in rows}
    plans = {plan: product for plan, product in found.plans.items() if product in products}
    return replace(found.layout, plans=plans)


def _match(member: ImportedMember, about: Any) -> StripeMatch | None:
    """Which customer of Stripe's the line belongs to, by what. The ids in a file may be somebody
    else's here: they decide nothing."""
    for kind, match in (
        ("subscription", StripeMatch.SUBSCRIPTION),
        ("customer", StripeMatch.CUSTOMER),
    ):
        if about[f"has_{kind}"]:
            owner, key = about[f"{kind}_user"], about[f"{kind}_key"]
            same = owner == about["user_id"] if owner else key in (None, member.email_key)
            return match if same else StripeMatch.OTHER_PERSON
    return StripeMatch.ADDRESS if about["has_address"] else None


async def _apply(
    connection: Connection, found: MemberImport, rows: Sequence[Any], *, now: datetime
) -> None:
    """Create the people of these lines, and give them what they get now: somebody may have bought
    it since the preview."""
    checked = await _judge(connection, found, rows, now=now)
    people = [each for each in checked if each.member is not None]
    await labels.claim(connection, _labels(checked))
    users, created = await _people(connection, found, people, now=now)
    grants = await _give(connection, found, people, users, now=now)
    given = [
        LineLabel(each.line, users[each.member.email_key], label)
        for each in people
        if each.member
        for label in each.member.labels
    ]
    names_of = await labels.give_imported(connection, found.id, given)
    await _write(connection, found.id, checked, grants=grants, labels_as=names_of, created=created)


def _labels(checked: Sequence[_Checked]) -> list[str]:
    """All labels that lines have, as the file writes them."""
    return [label for each in checked if each.member for label in each.member.labels]


async def _people(
    connection: Connection, found: MemberImport, people: Sequence[_Checked], *, now: datetime
) -> tuple[dict[str, int], set[int]]:
    """The user ids by address key, and the lines whose people are new. Known people only get what
    they lack: a name, a language."""
    first = {each.member.email_key: each.member for each in reversed(people) if each.member}
    rows = [
        {"email": one.email, "key": key, "name": one.name, "locale": one.locale}
        for key, one in sorted(first.items())
    ]
    created = await connection.fetch(
        """
        insert into users (email, email_key, name, locale)
        select email, key, name, locale
          from jsonb_to_recordset($1::jsonb) as g (email text, key text, name text, locale text)
         where not exists (select from user_addresses a where a.email_key = g.key)
         order by key
        on conflict (email_key) do nothing returning id, email_key
        """,
        rows,
    )
    await connection.execute(
        """
        update users u set name = coalesce(u.name, g.name), locale = coalesce(u.locale, g.locale)
          from jsonb_to_recordset($1::jsonb) as g (key text, name text, locale text)
         where u.email_key = g.key
           and (u.name is null and g.name is not null
                or u.locale is null and g.locale is not null)
        """,
        rows,
    )
    known = await connection.fetch(
        """
        select email_key, user_id from user_addresses where email_key = any($1::text[])
        union all
        select email_key, id from users where email_key = any($1::text[])
        """,
        list(first),
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"user_created:{row['id']}",
                type=ActivityType.USER_CREATED,
                at=now,
                cause=Cause.BULK,
                user_id=row["id"],
                source_id=found.id,
                actor_id=found.created_by,
            )
            for row in created
        ],
        mail=False,
    )
    await bulk.add(
        connection,
        found.id,
        BulkCounts(created=len(created)),
        type_=ActivityType.USERS_IMPORTED,
        actor=found.created_by,
    )
    new = {row["email_key"] for row in created}
    return (
        {row["email_key"]: row["user_id"] for row in known},
        {each.line for each in people if each.member and each.member.email_key in new},
    )


async def _give(
    connection: Connection,
    found: MemberImport,
    people: Sequence[_Checked],
    users: Mapping[str, int],
    *,
    now: datetime,
) -> dict[int, _Given]:
    """What each line gave. A person who stands in several lines has the longest access of them, and
    what somebody has already is never shortened."""
    wanted: list[dict[str, Any]] = [
        {
            "line": each.line,
            "user_id": users[each.member.email_key],
            "product_id": each.member.product_id,
            "until": each.member.until,
        }
        for each in people
        if each.member and each.outcome is Outcome.GIVEN
    ]
    if not wanted:
        return {}
    had = await connection.fetch(
        """
        select g.id, g.until, g.reason
          from (select distinct user_id, product_id
                  from jsonb_to_recordset($1::jsonb) as w (user_id bigint, product_id text)) w
          join grants g on g.user_id = w.user_id and g.product_id = w.product_id
                       and g.source = 'manual' and g.ended_at is null
         order by g.user_id, g.product_id for no key update of g
        """,
        wanted,
    )
    made = await connection.fetch(
        """
        with given as (
            select * from jsonb_to_recordset($1::jsonb) as g (
                line integer, user_id bigint, product_id text, until timestamptz)
        )
        insert into grants as g (user_id, product_id, source, source_id, since, until, cause,
                                 reason, granted_by)
        select distinct on (user_id, product_id) user_id, product_id, 'manual', '', now(), until,
               'bulk', $2::text, $3::bigint
          from given order by user_id, product_id, until desc nulls first
        on conflict (user_id, product_id, source, source_id) where ended_at is null
           do update set until = case when g.until is null or excluded.until is null then null
                                      else greatest(g.until, excluded.until) end
        returning id, user_id, product_id, (xmax = 0) as inserted
        """,
        wanted,
        member_imports.reason_of(found),
        found.created_by,
    )
    await write_facts(
        connection,
        [
            Fact(
                key=f"access_granted:{row['id']}",
                type=ActivityType.MANUAL_GRANT,
                at=now,
                cause=Cause.BULK,
                user_id=row["user_id"],
                product_id=row["product_id"],
                source_id=found.id,
                actor_id=found.created_by,
                data={"grant": row["id"]},
            )
            for row in made
            if row["inserted"]
        ],
    )
    for product_id in sorted({row["product_id"] for row in made}):
        inserted = [row["inserted"] for row in made if row["product_id"] == product_id]
        counts = BulkCounts(granted=sum(inserted), changed=len(inserted) - sum(inserted))
        await bulk.add(connection, found.id, counts, product_id=product_id, actor=found.created_by)
    if any(row["until"] for row in wanted):
        await wakeups.add(connection, wakeups.ENDINGS, [""])
    before = {row["id"]: _Given(row["id"], row["until"], row["reason"]) for row in had}
    by_both = {
        (row["user_id"], row["product_id"]): before.get(row["id"], _Given(row["id"]))
        for row in made
    }
    return {row["line"]: by_both[row["user_id"], row["product_id"]] for row in wanted}


async def _mail(connection: Connection, found: MemberImport, rows: Sequence[Any]) -> None:
    """Queue the welcome emails for these lines: one for all that a person was given by them and
    still has. They go out gradually."""
    grants = await connection.fetch(
        """
        select g.id, g.user_id, g.product_id from live_grants g
          join products p on p.id = g.product_id and p.status = 'live'
         where g.id = any($1::bigint[]) and g.source = $2 order by g.user_id, g.id
        """,
        [row["grant_id"] for row in rows if row["grant_id"]],
        GrantSource.MANUAL.value,
    )
    by_user: dict[int, list[Any]] = {}
    for grant in grants:
        by_user.setdefault(grant["user_id"], []).append(grant)
    queued = await write_mails(
        connection,
        [
            Mail(
                key=f"product_access:{user_id}:import:{found.id}:{given[0]['id']}",
                kind="product_access",
                user_id=user_id,
                product_id=given[0]["product_id"],
                data={
                    "grant": given[0]["id"],
                    "bulk": found.id,
                    "products": [grant["product_id"] for grant in given],
                },
                spread=True,
            )
            for user_id, given in by_user.items()
        ],
    )
    await connection.execute(
        "update member_imports set mails = coalesce(mails, 0) + $2 where id = $1",
        found.id,
        queued,
    )


async def _write(
    connection: Connection,
    import_id: str,
    checked: Sequence[_Checked],
    *,
    grants: Mapping[int, _Given],
    labels_as: Mapping[str, str],
    created: set[int] | None = None,
) -> None:
    """Write what comes of lines, their labels as they are written. Their people are new if the
    lines `created` them; before that, if nobody has their address."""
    rows = [
        {
            "line": each.line,
            "email": each.member.email if each.member else None,
            "email_key": each.member.email_key if each.member else None,
            "product_id": each.member.product_id if each.member else None,
            "until": each.member.until if each.member else None,
            "outcome": each.outcome,
            "problem_column": each.refusal.column if each.refusal else None,
            "problem": each.refusal.problem if each.refusal else None,
            "stripe_match": each.match,
            "is_new": each.member is not None
            and (each.user_id is None if created is None else each.line in created),
            "labels": [labels_as[label] for label in each.member.labels] if each.member else [],
        }
        | _given(grants.get(each.line))
        for each in checked
    ]
    await connection.execute(
        """
        update member_import_lines l
           set email = g.email, email_key = g.email_key, product_id = g.product_id,
               until = g.until, outcome = g.outcome, problem_column = g.problem_column,
               problem = g.problem, stripe_match = g.stripe_match, is_new = g.is_new,
               grant_id = g.grant_id, former_until = g.former_until,
               former_reason = g.former_reason, labels = g.labels
          from jsonb_to_recordset($2::jsonb) as g (
            line integer, email text, email_key text, product_id text, until timestamptz,
            outcome text, problem_column text, problem text, stripe_match text, is_new boolean,
            grant_id bigint, former_until timestamptz, former_reason text,
            labels text[])
         where l.import_id = $1 and l.line = g.line
        """,
        import_id,
        rows,
    )


def _given(given: _Given | None) -> dict[str, Any]:
    return {
        "grant_id": given and given.grant_id,
        "former_until": given and given.until,
        "former_reason": given and given.reason,
    }
