"""What a merge ends of the user who goes, and answers to requests that have users in common."""

import asyncio

import pytest

from latchkey.rules.vocabulary import TokenScope
from latchkey.store.pool import Connection, Pool
from latchkey.store.users import account, api_tokens, claims, merge_requests, merging
from latchkey.store.users.merge_requests import MergeRequest, RequestRefusedError
from tests.harness import until

pytestmark = pytest.mark.anyio


async def user(connection: Connection, name: str, *, role: str = "member") -> int:
    found: int = await connection.fetchval(
        """
        insert into users (email, email_key, role, proven_at) values ($1, $1, $2, now())
        returning id
        """,
        f"{name}@meeting.example",
        role,
    )
    return found


async def test_answers_about_the_same_users_wait_for_each_other(pool: Pool) -> None:
    """Three accounts go each into the next, at the same moment: one merge is made, the others are
    refused."""
    async with pool.acquire() as asking, pool.acquire() as holding:
        ring = [await user(asking, name) for name in ("first", "second", "third")]
        pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
        requests = []
        for stays, goes in pairs:
            match_id = await asking.fetchval(
                """
                insert into matches (key, kind, user_id, other_id, email)
                values ($1, 'reference_and_address', $2, $3, $1) returning id
                """,
                f"match-{stays}",
                stays,
                goes,
            )
            requests.append(
                await merge_requests.ask(asking, stays, goes, actor=None, match_id=match_id)
            )
        assert [(one.into_user, one.other_user) for one in requests] == pairs

        async def agree(request: MergeRequest) -> str:
            async with pool.acquire() as connection, connection.transaction():
                agreed = await merge_requests.agree(
                    connection, request.id, user_id=request.other_user
                )
                return agreed.state

        async def all_wait() -> bool:
            waiting = "select count(distinct pid) from pg_locks where not granted"
            return bool(await pool.fetchval(waiting) == len(requests))

        held = holding.transaction()
        await held.start()
        await holding.execute("select from matches for update")
        answers = [asyncio.ensure_future(agree(request)) for request in requests]
        await until(all_wait, "three answers wait")
        await held.rollback()
        outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert outcomes.count("merged") == 1
    refused = [outcome for outcome in outcomes if outcome != "merged"]
    assert [type(outcome) for outcome in refused] == [RequestRefusedError] * 2
    assert await pool.fetchval("select count(*) from users") == 2


@pytest.mark.parametrize("what", ["claim", "change"])
async def test_a_confirmation_waits_for_a_merge_of_its_user(pool: Pool, what: str) -> None:
    async with (
        pool.acquire() as holding,
        pool.acquire() as merging_one,
        pool.acquire() as confirming,
    ):
        into, other = await user(holding, "into"), await user(holding, "other")
        if what == "claim":
            claim_id = await claims.ask(holding, other, "further@meeting.example")
        else:
            await account.ask_change(holding, other, "changed@meeting.example")
            claim_id = await holding.fetchval("select id from email_changes")

        async def merge() -> None:
            async with merging_one.transaction():
                await merging.merge(merging_one, into=into, other=other, reason=None, actor=None)

        async def confirm() -> None:
            async with confirming.transaction():
                if what == "claim":
                    await claims.confirm(confirming, claim_id, user_id=other)
                else:
                    await account.confirm_change(confirming, claim_id, user_id=other)

        async def waits(connection: Connection) -> bool:
            backend = connection.get_server_pid()
            blocking = "select pg_blocking_pids($1) <> '{}'"
            return bool(await pool.fetchval(blocking, backend))

        held = holding.transaction()
        await held.start()
        await holding.execute("select from users where id = $1 for update", other)
        merges = asyncio.ensure_future(merge())
        await until(lambda: waits(merging_one), "the merge waits for its user")
        confirms = asyncio.ensure_future(confirm())
        await until(lambda: waits(confirming), "the confirmation waits, too")
        await held.rollback()
        await merges
        with pytest.raises((claims.ClaimRefusedError, account.ChangeRefusedError)):
            await confirms


async def test_tokens_of_who_left_the_team_stay_invalid_after_a_merge(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        owner = await user(connection, "owner", role="owner")
        left = await user(connection, "left", role="admin")
        token = await api_tokens.create(
            connection, name="theirs", actor=left, scope=TokenScope.EVERYTHING
        )
        await connection.execute("update users set role = 'member' where id = $1", left)
        assert await api_tokens.valid(connection, token) is None
        await merging.merge(connection, into=owner, other=left, reason=None, actor=None)
        assert await api_tokens.valid(connection, token) is None
