"""Labels: who has which, for one person, several, and everybody whom a filter finds."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from latchkey.store.pool import Connection, Pool
from latchkey.store.users import erasure, labels, listing, merging, profile, unmerging, users
from latchkey.store.users.listing import UserFilter
from tests.harness import until

pytestmark = pytest.mark.anyio


async def people(connection: Connection, *names: str) -> list[int]:
    rows = await connection.fetch(
        "insert into users (email) select unnest($1::text[]) || '@labels.example' returning id",
        list(names),
    )
    return [row["id"] for row in rows]


async def test_labels_are_given_taken_and_filtered_by(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        anna, bo, jo = await people(connection, "anna", "bo", "jo")
        assert await labels.add(connection, "VIP", [anna, bo, bo]) == 2
        assert await labels.add(connection, "vip", [anna, jo]) == 1, "it is the same label"
        assert await labels.add(connection, "early", [anna]) == 1
        assert await labels.names(connection) == ["early", "VIP"]
        assert await labels.of_users(connection, [anna, jo]) == {
            anna: ["early", "VIP"],
            jo: ["VIP"],
        }
        rows = await listing.listed(connection, UserFilter(label="VIP"), limit=9)
        assert [(row.id, row.labels) for row in rows] == [
            (jo, ["VIP"]), (bo, ["VIP"]), (anna, ["early", "VIP"]),
        ]  # fmt: skip
        by_api = await users.listed(connection, label="VIP", search="bo@")
        assert [user.id for user in by_api] == [bo]
        assert await labels.remove(connection, "Vip", [anna, bo]) == 2
        assert await labels.remove(connection, "unknown", [anna]) == 0
        assert await labels.remove(connection, "early", [anna]) == 1
        assert await labels.names(connection) == ["VIP"], "nobody has the other one any more"


async def test_everybody_whom_a_filter_finds_gets_a_label(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        made = await people(connection, *(f"p{n}" for n in range(120)), "other")
        found = UserFilter(search="p1")
        wanted = {row.id for row in await listing.listed(connection, found, limit=500)}
        assert 1 < len(wanted) < len(made)
        assert await labels.add_to_all(connection, "found", found) == len(wanted)
        assert await labels.add_to_all(connection, "found", found) == 0
        labelled = await listing.listed(connection, UserFilter(label="found"), limit=500)
        assert {row.id for row in labelled} == wanted
        both = UserFilter(label="found", search="p11")
        taken = await labels.remove_from_all(connection, "FOUND", both)
        left = await listing.listed(connection, UserFilter(label="found"), limit=500)
        assert len(left) == len(wanted) - taken
        assert await labels.remove_from_all(connection, "found", UserFilter()) == len(left)


async def test_replacing_keeps_only_what_is_given(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        anna, bo = await people(connection, "anna", "bo")
        await labels.add(connection, "Press", [bo])
        await labels.add(connection, "old", [anna])
        assert await labels.replace(connection, anna, ["press", "New", "new"]) == ["New", "Press"]
        assert await labels.replace(connection, anna, []) == []


async def test_labels_go_with_a_merge_and_end_with_the_person(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        owner = await connection.fetchval(
            "insert into users (email, role) values ('o@labels.example', 'owner') returning id"
        )
        anna, other = await people(connection, "anna", "other")
        await labels.add(connection, "both", [anna, other])
        await labels.add(connection, "theirs", [other])
        await merging.merge(connection, into=anna, other=other, reason=None, actor=None)
        assert (await labels.of_users(connection, [anna]))[anna] == ["both", "theirs"]
        await unmerging.undo(connection, from_user=other, actor=None)
        assert await labels.of_users(connection, [anna, other]) == {
            anna: ["both"],
            other: ["both", "theirs"],
        }
        exported = json.loads(await profile.export(connection, other))
        assert [row["label"] for row in exported["labels"]] == ["both", "theirs"]
        await erasure.erase(connection, other, actor=owner)
        assert (await labels.of_users(connection, [other]))[other] == []
        assert await labels.add(connection, "both", [other]) == 0, "nor do they get new ones"


async def waiting(
    pool: Pool, change: Callable[[Connection], Awaitable[object]]
) -> asyncio.Future[None]:
    """A change in a transaction of its own that waits for another one."""
    backend: asyncio.Future[int] = asyncio.Future()

    async def changed() -> None:
        async with pool.acquire() as other, other.transaction():
            backend.set_result(other.get_server_pid())
            await change(other)

    async def waits() -> bool:
        return bool(await pool.fetchval("select pg_blocking_pids($1) <> '{}'", await backend))

    begun = asyncio.ensure_future(changed())
    await until(waits, "the other change waits")
    return begun


async def test_two_who_begin_a_label_write_it_alike(pool: Pool) -> None:
    async with pool.acquire() as connection:
        anna, bo, jo = await people(connection, "anna", "bo", "jo")
        async with connection.transaction():
            await labels.add(connection, "Meeting", [anna, bo])
            replaced = await waiting(
                pool, lambda other: labels.replace(other, jo, ["meeting", "Alone"])
            )
        await replaced
        assert await labels.names(connection) == ["Alone", "Meeting"]
        assert (await labels.of_users(connection, [jo]))[jo] == ["Alone", "Meeting"]


@pytest.mark.parametrize("many", [False, True])
async def test_who_is_being_erased_or_merged_gets_no_label(pool: Pool, many: bool) -> None:
    async def label(other: Connection) -> int:
        if many:
            return await labels.add_to_all(other, "Late", UserFilter(search="@labels.example"))
        return await labels.add(other, "Late", [anna, bo, jo])

    async with pool.acquire() as connection:
        owner = await connection.fetchval(
            "insert into users (email, role) values ('o@labels.owner', 'owner') returning id"
        )
        anna, bo, jo = await people(connection, "anna", "bo", "jo")
        async with connection.transaction():
            await erasure.erase(connection, anna, actor=owner)
            await merging.merge(connection, into=jo, other=bo, reason=None, actor=None)
            labelled = await waiting(pool, label)
        await labelled
        rows = await connection.fetch("select user_id from user_labels")
        assert [row["user_id"] for row in rows] == [jo]
