"""Challenges that only their browser answers, once and in time; authenticators that count."""

import pytest

from latchkey.store.pool import Pool
from latchkey.store.users import passkeys, users

pytestmark = pytest.mark.anyio

HERE, ELSEWHERE = b"this browser", b"another browser"


async def test_a_challenge_is_taken_once_by_whom_it_was_for(pool: Pool) -> None:
    async with pool.acquire() as connection:
        ada, _ = await users.find_or_create(connection, "ada@example.com")

        async def kept(challenge: bytes, *, user_id: int | None, seconds: int = 60) -> None:
            await passkeys.keep_challenge(
                connection, challenge, browser=HERE, user_id=user_id, seconds=seconds
            )

        async def taken(challenge: bytes, browser: bytes, user_id: int | None) -> bool:
            return await passkeys.take_challenge(
                connection, challenge, browser=browser, user_id=user_id
            )

        await kept(b"sign in", user_id=None)
        assert not await taken(b"sign in", ELSEWHERE, None)
        assert not await taken(b"sign in", HERE, ada.id), "it doesn't add a passkey"
        assert await taken(b"sign in", HERE, None)
        assert not await taken(b"sign in", HERE, None)
        await kept(b"add", user_id=ada.id)
        assert not await taken(b"add", HERE, None), "it doesn't sign in"
        assert not await taken(b"add", HERE, ada.id + 1)
        assert await taken(b"add", HERE, ada.id)
        await kept(b"late", user_id=None, seconds=0)
        assert not await taken(b"late", HERE, None)
        await kept(b"next", user_id=None)
        left = await connection.fetch("select challenge from passkey_challenges")
        assert [row["challenge"] for row in left] == [b"next"], "expired ones are deleted"


@pytest.mark.parametrize(
    ("before", "now", "accepted"),
    [(0, 0, True), (0, 1, True), (4, 5, True), (5, 5, False), (5, 4, False), (5, 0, False)],
)
async def test_a_count_that_does_not_grow_is_refused(
    pool: Pool, before: int, now: int, accepted: bool
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        ada, _ = await users.find_or_create(connection, "ada@example.com")
        await passkeys.add(
            connection,
            ada.id,
            name="Phone",
            credential_id=b"id",
            public_key=b"key",
            sign_count=before,
        )
        known = await passkeys.find(connection, b"id")
        assert known is not None
        assert await passkeys.use(connection, known.id, sign_count=now) is accepted


async def test_passkeys_are_unique_and_limited(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        ada, _ = await users.find_or_create(connection, "ada@example.com")
        bob, _ = await users.find_or_create(connection, "bob@example.com")

        async def added(user_id: int, credential_id: bytes) -> None:
            await passkeys.add(
                connection,
                user_id,
                name="Key",
                credential_id=credential_id,
                public_key=b"key",
                sign_count=0,
            )

        await added(ada.id, b"0")
        with pytest.raises(passkeys.PasskeyNotAddedError, match="already been added"):
            await added(bob.id, b"0")
        for n in range(1, passkeys.MOST):
            await added(ada.id, b"%d" % n)
        with pytest.raises(passkeys.PasskeyNotAddedError, match="Remove one"):
            await added(ada.id, b"one more")
