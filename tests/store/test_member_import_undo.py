"""Imports of members taken back: what ends, what stays and why, that batches resume, and what is
left of the accounts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.undoing import AccountOutcome, UndoOutcome
from latchkey.rules.vocabulary import ActivityType
from latchkey.store.access import collections, complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.feed import lines
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.pool import Connection, Pool
from latchkey.store.users import (
    erasure,
    labels,
    member_import_batches,
    member_import_undo,
    member_imports,
    merging,
    unmerging,
    users,
)
from latchkey.store.users.member_import_batches import work
from latchkey.store.users.member_import_undo import ProductUndo, StalePreviewError, UndoFigures
from latchkey.store.users.member_imports import ImportState, MemberImport, WrongStepError
from tests.store.test_member_imports import check, owner, product, read, run, upload, work_off
from web.wording.progress import line_people

pytestmark = pytest.mark.anyio


async def imported(
    connection: Connection,
    text: str,
    plans: dict[str, str | None],
    *,
    began: timedelta = timedelta(),
) -> MemberImport:
    """An import that is done, and that began some time ago, so that others began later."""
    found = await upload(connection, text)
    await check(connection, found, plans)
    await run(connection, found)
    await connection.execute(
        "update member_imports set started_at = now() - $2::interval where id = $1",
        found.id,
        began,
    )
    return await read(connection, found.id)


async def undo(
    connection: Connection, found: MemberImport, *, accounts: bool = True
) -> MemberImport:
    figures = await member_import_undo.preview(connection, found)
    shown = member_import_undo.fingerprint(found, figures)
    await member_import_undo.undo(
        connection, found.id, shown=shown, accounts=accounts, actor=found.created_by
    )
    await work_off(connection, found.id)
    return await read(connection, found.id)


async def became(
    connection: Connection, found: MemberImport
) -> list[tuple[str | None, str | None]]:
    """What became of each line's access and account."""
    rows = await member_imports.lines(connection, found.id, limit=200)
    return [(row.undo, row.account) for row in rows]


async def id_of(connection: Connection, name: str) -> int:
    found: int = await connection.fetchval(
        "select id from users where email = $1 || '@undone.example'", name
    )
    return found


def members(*names: str) -> str:
    return "email\n" + "".join(f"{name}@undone.example\n" for name in names)


async def live(connection: Connection) -> Sequence[str]:
    rows = await connection.fetch(
        """
        select split_part(u.email, '@', 1) || ' ' || g.source as held
          from live_grants g join users u on u.id = g.user_id order by 1
        """
    )
    return [row["held"] for row in rows]


async def test_what_an_import_gave_ends_and_its_accounts_go(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", 2)
    async with pool.acquire() as connection:
        gold, silver = await product(connection, "Gold"), await product(connection, "Silver")
        await users.find_or_create(connection, "known@undone.example")
        text = "email,plan\n" + "".join(
            f"{name}@undone.example,{plan}\n"
            for name, plan in (
                ("ann", "Gold"),
                ("bob", "Gold"),
                ("ann", "Silver"),
                ("known", "Gold"),
                ("cy", "None"),
            )
        )
        found = await imported(connection, text, {"Gold": gold, "Silver": silver, "None": None})
        assert await member_import_undo.preview(connection, found) == UndoFigures(
            people=3,
            products=[ProductUndo(gold, 3, 0, 0), ProductUndo(silver, 1, 0, 0)],
            access={UndoOutcome.TAKEN_BACK: 4},
            accounts={AccountOutcome.DELETED: 3},
            labels={},
        )
        mails = await connection.fetchval("select count(*) from mails")
        ann = await id_of(connection, "ann")
        done = await undo(connection, found)
        assert done.state == ImportState.UNDONE
        assert done.undone_at is not None
        assert done.undo_figures == {
            "access": {"taken_back": 4},
            "accounts": {"deleted": 3},
            "labels": {},
        }
        assert await live(connection) == []
        assert await became(connection, found) == [
            ("taken_back", "deleted"),
            ("taken_back", "deleted"),
            ("taken_back", None),
            ("taken_back", None),
            (None, "deleted"),
        ]
        left = await connection.fetch("select email from users where erased_at is null order by id")
        assert [row["email"] for row in left] == ["known@undone.example", "owner@moving.example"]
        assert await connection.fetchval("select count(*) from mails") == mails
        products = await member_imports.by_product(connection, found.id)
        assert [(row.product_id, row.people) for row in products] == [(gold, 3), (silver, 1)]
        stored = await connection.fetchval(
            "select string_agg(l::text, ' ') from member_import_lines l"
        )
        assert "ann@" not in stored
        assert "known@" in stored
        folded = await lines.filtered(connection, FeedFilter(folded=True), limit=3)
        heads = {(row.type, row.product_id): row for row in folded}
        head = heads[ActivityType.IMPORT_UNDONE, None]
        assert (head.data["ended"], head.data["deleted"]) == (4, 3)
        assert head.actor_id == found.created_by
        assert heads[ActivityType.BULK_CHANGE, gold].data["ended"] == 3
        assert heads[ActivityType.BULK_CHANGE, silver].data["ended"] == 1
        beneath = await lines.filtered(connection, FeedFilter(search=head.source_id, cause="bulk"))
        assert sorted(row.type for row in beneath) == ["access_ended"] * 4 + ["user_erased"] * 3
        [ended] = [row for row in beneath if row.user_id == ann and row.product_id == gold]
        assert ended.data["reason"] == "import_undone"
        again = await upload(connection, members("ann"))
        figures = await check(connection, again, {"": gold})
        assert (figures.new_people, figures.given) == (1, 1)


async def test_only_what_is_still_as_the_import_made_it_ends(pool: Pool) -> None:
    later = datetime.now(UTC) + timedelta(days=90)
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        given = [ComplimentaryGrant("longer@undone.example", later)]
        await complimentary.give(connection, gold, given, actor=None)
        found = await imported(
            connection,
            members("plain", "longer", "changed", "ended", "due", "twice", "bought", "held"),
            {"": gold},
            began=timedelta(hours=1),
        )
        by_a_release_before = "update member_import_lines set former_until = null"
        await connection.execute(by_a_release_before)
        changed = [ComplimentaryGrant("changed@undone.example", later, "A friend")]
        await complimentary.give(connection, gold, changed, actor=None)
        for name in ("ended", "due"):
            grant = await connection.fetchval(
                "select id from grants where user_id = $1", await id_of(connection, name)
            )
            if name == "ended":
                await grants.end(connection, grant, actor=None)
            else:
                await connection.execute("update grants set until = now() where id = $1", grant)
        await imported(connection, members("twice"), {"": gold})
        await connection.execute(
            """
            insert into grants (user_id, product_id, source, source_id, since, cause)
            values ($1, $2, 'subscription', 'sub_1', now(), 'stripe')
            """,
            await id_of(connection, "bought"),
            gold,
        )
        everything = await collections.create(connection, name="All", products=[gold])
        holder = [ComplimentaryGrant("held@undone.example")]
        await collections.give(connection, everything.id, holder, actor=None)
        figures = await member_import_undo.preview(connection, found)
        assert figures.people == 1
        assert figures.products == [ProductUndo(gold, 3, by_purchase=1, by_collection=1)]
        assert figures.access == {
            UndoOutcome.TAKEN_BACK: 3,
            UndoOutcome.LENGTHENED: 1,
            UndoOutcome.CHANGED: 1,
            UndoOutcome.ENDED: 2,
            UndoOutcome.OTHER_IMPORT: 1,
        }
        assert figures.accounts == {AccountOutcome.DELETED: 3, AccountOutcome.ACCESS: 4}
        done = await undo(connection, found, accounts=False)
        assert done.undo_figures == {"access": figures.access, "accounts": {}, "labels": {}}
        assert await live(connection) == [
            "bought subscription", "changed manual", "held collection", "longer manual",
            "twice manual",
        ]  # fmt: skip
        assert (
            await connection.fetchval("select count(*) from users where erased_at is not null") == 0
        )


async def ends(connection: Connection) -> dict[str, datetime | None]:
    rows = await connection.fetch(
        """
        select split_part(u.email, '@', 1) as name, g.until
          from live_grants g join users u on u.id = g.user_id
        """
    )
    return {row["name"]: row["until"] for row in rows}


@pytest.mark.parametrize("batch", [1, 2, 20])
async def test_what_an_import_made_longer_has_its_former_end_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", batch)
    now = datetime.now(UTC)
    before, later = now + timedelta(days=30), now + timedelta(days=90)
    names = ("had", "had", "past", "again", "reason", "shorter", "later", "endless")
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        given = [ComplimentaryGrant(f"{name}@undone.example", before, "Ours") for name in names[1:]]
        given[-1] = ComplimentaryGrant("endless@undone.example", None, "Ours")
        await complimentary.give(connection, gold, given, actor=None)
        text = "email,until\nhad@undone.example,2131-01-01\n" + "".join(
            f"{name}@undone.example,\n" for name in names[1:]
        )
        found = await imported(connection, text, {"": gold}, began=timedelta(hours=1))
        assert set((await ends(connection)).values()) == {None}
        await connection.execute(
            "update member_import_lines set former_until = now() where email like 'past@%'"
        )
        changed = [
            ComplimentaryGrant("again@undone.example", later, "Ours"),
            ComplimentaryGrant("reason@undone.example", None, "Theirs"),
            ComplimentaryGrant("shorter@undone.example", before, "Ours"),
        ]
        await complimentary.give(connection, gold, changed, actor=None)
        second = await imported(connection, members("later", "new"), {"": gold})
        figures = await member_import_undo.preview(connection, found)
        assert figures.products == [ProductUndo(gold, 1, 0, 0)]
        assert figures.access == {
            UndoOutcome.RESTORED: 1,
            UndoOutcome.TAKEN_BACK: 1,
            UndoOutcome.CHANGED: 3,
            UndoOutcome.OTHER_IMPORT: 1,
        }
        await connection.execute("delete from wakeups")
        done = await undo(connection, found)
        assert done.undo_figures == {"access": figures.access, "accounts": {}, "labels": {}}
        assert await ends(connection) == {
            "had": before,
            "again": later,
            "reason": None,
            "shorter": before,
            "later": None,
            "endless": None,
            "new": None,
        }
        outcomes = ["restored", "restored", "taken_back", "changed", "changed", "changed"]
        assert [access for access, _ in await became(connection, found)] == [
            *outcomes, "other_import", None,
        ]  # fmt: skip
        woken = await connection.fetchval("select count(*) from wakeups where kind = 'endings'")
        assert woken == 1
        folded = await lines.filtered(connection, FeedFilter(folded=True), limit=9)
        mine = member_import_undo.undo_id(found)
        heads = {row.product_id: row for row in folded if row.source_id == mine}
        assert [(heads[one].data["ended"], heads[one].data["changed"]) for one in (None, gold)] == [
            (1, 1), (1, 1),
        ]  # fmt: skip
        assert "former end again" in line_people(heads[None])[0]
        assert "1 person has the former end again" in line_people(heads[gold])[0]
        await undo(connection, second)
        assert "new" not in await ends(connection)
        assert (await ends(connection))["later"] is None


async def test_an_end_that_was_changed_while_it_is_undone_stays(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", 1)
    now = datetime.now(UTC)
    before, later = now + timedelta(days=30), now + timedelta(days=90)
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        given = [ComplimentaryGrant("had@undone.example", before)]
        await complimentary.give(connection, gold, given, actor=None)
        text = "email,until\nhad@undone.example,2131-01-01\nhad@undone.example,\n"
        found = await imported(connection, text, {"": gold})
        shown = member_import_undo.fingerprint(
            found, await member_import_undo.preview(connection, found)
        )
        await member_import_undo.undo(
            connection, found.id, shown=shown, accounts=False, actor=found.created_by
        )
        undoing = await read(connection, found.id)
        async with connection.transaction():
            await work(connection, found.id, undoing.run, now=now)
        assert await ends(connection) == {"had": before}
        given = [ComplimentaryGrant("had@undone.example", later)]
        await complimentary.give(connection, gold, given, actor=None)
        await work_off(connection, found.id)
        assert await ends(connection) == {"had": later}


async def test_what_was_held_before_a_merge_isnt_lost(pool: Pool) -> None:
    later = datetime.now(UTC) + timedelta(days=90)
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        given = [ComplimentaryGrant("had@undone.example", later)]
        await complimentary.give(connection, gold, given, actor=None)
        bare, _ = await users.find_or_create(connection, "bare@undone.example")
        found = await imported(connection, members("one", "two", "three"), {"": gold})
        one, two, three = [await id_of(connection, name) for name in ("one", "two", "three")]
        had = await id_of(connection, "had")
        async with connection.transaction():
            await merging.merge(connection, into=had, other=one, reason=None, actor=None)
            await merging.merge(connection, into=bare.id, other=two, reason=None, actor=None)
            await erasure.erase(connection, three, actor=found.created_by or 0)
        figures = await member_import_undo.preview(connection, found)
        assert figures.access == {UndoOutcome.MERGED: 1, UndoOutcome.TAKEN_BACK: 1}
        assert figures.accounts == {AccountOutcome.GONE: 2}
        await undo(connection, found)
        assert await live(connection) == ["had manual"]
        assert await connection.fetchval("select erased_at from users where id = $1", had) is None
        async with connection.transaction():
            await unmerging.undo(connection, from_user=two, actor=None)
        assert await live(connection) == ["had manual"]


async def labelled(connection: Connection) -> dict[str, str]:
    """The labels of everybody who has some."""
    rows = await connection.fetch(
        """
        select split_part(u.email, '@', 1) as name,
               string_agg(l.label, ' ' order by l.label) as labels
          from user_labels l join users u on u.id = l.user_id group by 1
        """
    )
    return {row["name"]: row["labels"] for row in rows}


async def test_only_labels_that_the_import_gave_are_taken_back(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", 2)
    text = "email,labels\n" + "".join(
        f"{name}@undone.example,{given}\n"
        for name, given in (
            ("had", "VIP"),
            ("given", "vip; Early"),
            ("given", "Early"),
            ("again", "Early"),
            ("later", "Early"),
            ("moved", "Early"),
            ("other", "Early"),
        )
    )
    async with pool.acquire() as connection:
        had, _ = await users.find_or_create(connection, "had@undone.example")
        both, _ = await users.find_or_create(connection, "both@undone.example")
        await labels.add(connection, "VIP", [had.id])
        await labels.add(connection, "Early", [both.id])
        found = await imported(connection, text, {"": None}, began=timedelta(hours=1))
        assert await labelled(connection) == {
            "had": "VIP", "given": "Early VIP", "both": "Early",
            **dict.fromkeys(("again", "later", "moved", "other"), "Early"),
        }  # fmt: skip
        again, moved, other = [await id_of(connection, n) for n in ("again", "moved", "other")]
        await labels.remove(connection, "Early", [again])
        await labels.add(connection, "Early", [again])
        await imported(connection, "email,labels\nlater@undone.example,EARLY\n", {"": None})
        async with connection.transaction():
            await merging.merge(connection, into=had.id, other=moved, reason=None, actor=None)
            await merging.merge(connection, into=other, other=both.id, reason=None, actor=None)
        figures = await member_import_undo.preview(connection, found)
        assert figures.labels == {"Early": 2, "VIP": 1}
        assert figures.accounts == {
            AccountOutcome.DELETED: 1,
            AccountOutcome.GONE: 1,
            AccountOutcome.OTHER_IMPORT: 1,
            AccountOutcome.USED: 1,
            AccountOutcome.KNOWN: 1,
        }
        done = await undo(connection, found)
        assert done.undo_figures is not None
        assert done.undo_figures["labels"] == figures.labels
        assert await labelled(connection) == {
            "had": "VIP",
            **dict.fromkeys(("again", "later", "other"), "Early"),
        }
        taken = await member_imports.lines(connection, found.id, limit=9)
        assert [row.undone_labels for row in taken] == [
            [], ["Early", "VIP"], [], [], [], ["Early"], [],
        ]  # fmt: skip


async def leave(connection: Connection, table: str, column: str, user_id: int) -> None:
    """A row in a table that names a user, with examples where the columns need something."""
    email = await connection.fetchval("select email from users where id = $1", user_id)
    columns = await connection.fetch(
        """
        select column_name as name, data_type as type, column_default is not null
               or is_identity = 'YES' or is_generated = 'ALWAYS' or is_nullable = 'YES' as free
          from information_schema.columns where table_schema = 'public' and table_name = $1
        """,
        table,
    )
    examples = {
        "text": "'x'", "bigint": "1", "integer": "1", "boolean": "false", "jsonb": "'{}'",
        "bytea": "'x'", "uuid": "gen_random_uuid()", "timestamp with time zone": "now()",
        "ARRAY": "'{}'",
    }  # fmt: skip
    values = {row["name"]: examples[row["type"]] for row in columns if not row["free"]}
    values[column] = f"'{email}'" if column.endswith("_key") else str(user_id)
    if column.endswith("_key"):
        values[column.removesuffix("_key")] = f"'{email}'"
    checks = await connection.fetch(
        "select conname from pg_constraint where contype = 'c' and conrelid = $1::text::regclass",
        table,
    )
    for row in checks:
        await connection.execute(f"alter table {table} drop constraint {row['conname']}")
    await connection.execute("set local session_replication_role = replica")
    await connection.execute(
        f"insert into {table} ({', '.join(values)}) values ({', '.join(values.values())})"
    )


STAFF = {
    ("activities", "actor_id"), ("api_tokens", "created_by"), ("collection_holders", "granted_by"),
    ("events", "ignored_by"), ("grants", "granted_by"), ("links", "created_by"),
    ("matches", "decided_by"), ("member_imports", "created_by"), ("member_imports", "undone_by"),
    ("merge_requests", "asked_by"), ("policy_changes", "created_by"),
    ("reconciliations", "requested_by"), ("user_imports", "created_by"),
    ("user_merges", "merged_by"), ("user_notes", "author_id"), ("webhook_endpoints", "created_by"),
}  # fmt: skip
"""Columns that name people for what they did on the team."""
JUDGED_BY_ITSELF = {("activities", "user_id"), ("grants", "user_id")}
WITHOUT_KEY = {("merge_requests", "into_user"), ("merge_requests", "other_user")}
"""Columns that hold the id of a user whose row may be gone."""


async def test_every_trace_of_a_person_keeps_their_account(pool: Pool) -> None:
    async with pool.acquire() as connection:
        traces = [trace for columns in member_import_undo.TRACES.values() for trace in columns]
        by_id = {trace for trace in traces if not trace[1].endswith("_key")}
        named = by_id - WITHOUT_KEY | STAFF | JUDGED_BY_ITSELF
        assert named == set(await merging.references(connection))
        found = await imported(connection, members("a"), {"": None})
        user = await id_of(connection, "a")
        for outcome, columns in member_import_undo.TRACES.items():
            for table, column in columns:
                trace = connection.transaction()
                await trace.start()
                await leave(connection, table, column, user)
                figures = await member_import_undo.preview(connection, found)
                assert figures.accounts == {outcome: 1}, (table, column)
                await trace.rollback()
        for change in (
            "last_seen_at = now()", "proven_at = now()", "password_hash = 'x'", "role = 'support'",
        ):  # fmt: skip
            seen = connection.transaction()
            await seen.start()
            await connection.execute(f"update users set {change} where id = $1", user)
            figures = await member_import_undo.preview(connection, found)
            assert figures.accounts == {AccountOutcome.USED: 1}, change
            await seen.rollback()


async def test_it_is_undone_once_and_by_what_was_shown(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", 2)
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        actor = await owner(connection)
        waiting = await upload(connection, members("a", "b", "c"))
        await check(connection, waiting, {"": gold})
        for state in ("ready", "running", "mailing", "checking"):
            await connection.execute("update member_imports set state = $1", state)
            with pytest.raises(WrongStepError):
                await member_import_undo.undo(
                    connection, waiting.id, shown="", accounts=False, actor=actor
                )
        await connection.execute("update member_imports set state = 'ready'")
        await run(connection, waiting)
        found = await read(connection, waiting.id)
        shown = member_import_undo.fingerprint(
            found, await member_import_undo.preview(connection, found)
        )
        await complimentary.give(
            connection, gold, [ComplimentaryGrant("a@undone.example", reason="!")], actor=None
        )
        with pytest.raises(StalePreviewError):
            await member_import_undo.undo(
                connection, found.id, shown=shown, accounts=True, actor=actor
            )
        figures = await member_import_undo.preview(connection, found)
        shown = member_import_undo.fingerprint(found, figures)
        await member_import_undo.undo(connection, found.id, shown=shown, accounts=True, actor=actor)
        with pytest.raises(WrongStepError):
            await member_import_undo.undo(
                connection, found.id, shown=shown, accounts=True, actor=actor
            )
        running = await read(connection, found.id)
        assert running.state == ImportState.UNDOING
        now = datetime.now(UTC)
        stopped = connection.transaction()
        await stopped.start()
        await work(connection, found.id, running.run, now=now)
        await stopped.rollback()
        assert len(await live(connection)) == 3
        await member_imports.forget_old(pool)
        await work_off(connection, found.id)
        assert await live(connection) == ["a manual"]
        done = await read(connection, found.id)
        assert done.undo_figures == {
            "access": {"changed": 1, "taken_back": 2},
            "accounts": {"access": 1, "deleted": 2},
            "labels": {},
        }
        assert not (await work(connection, found.id, done.run, now=now)).wanted
        with pytest.raises(WrongStepError):
            await member_imports.mail(connection, found.id)


async def test_after_30_days_it_is_too_late(pool: Pool) -> None:
    async with pool.acquire() as connection:
        found = await imported(connection, members("a"), {"": None})
        now = datetime.now(UTC)
        assert member_import_undo.possible(found, now=now + timedelta(days=29, hours=23))
        assert not member_import_undo.possible(found, now=now + timedelta(days=30, hours=1))
        await connection.execute(
            "update member_imports set finished_at = finished_at - interval '31 days'"
        )
        with pytest.raises(WrongStepError):
            await undo(connection, await read(connection, found.id))
        await connection.execute("update member_imports set finished_at = now()")
        await undo(connection, await read(connection, found.id))
        await connection.execute(
            """
            update member_imports set finished_at = finished_at - interval '59 days',
                   undone_at = undone_at - interval '29 days'
            """
        )
        await member_imports.forget_old(pool)
        assert await connection.fetchval("select count(*) from member_import_lines") == 1
        await connection.execute("update member_imports set undone_at = now() - interval '31 days'")
        await member_imports.forget_old(pool)
        assert await connection.fetchval("select count(*) from member_import_lines") == 0
        kept = await read(connection, found.id)
        assert kept.undo_figures == {"access": {}, "accounts": {"deleted": 1}, "labels": {}}


@pytest.mark.parametrize("batch", [1, 10])
async def test_access_by_several_lines_is_as_the_longest_gave_it(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(member_import_batches, "BATCH", batch)
    text = "email,until\n" + "".join(
        f"{name}@undone.example,{until}\n"
        for name, until in (
            ("a", "2131-01-01"),
            ("a", ""),
            ("b", "2131-01-01"),
            ("b", "2132-01-01"),
        )
    )
    async with pool.acquire() as connection:
        gold = await product(connection, "Gold")
        found = await imported(connection, text, {"": gold})
        figures = await member_import_undo.preview(connection, found)
        assert figures.access == {UndoOutcome.TAKEN_BACK: 2}
        await undo(connection, found)
        assert await live(connection) == []
        assert [access for access, _ in await became(connection, found)] == ["taken_back"] * 4
