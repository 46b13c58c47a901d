"""Which object a reference in place of an id stands for."""

import pytest

from latchkey.store.pool import Pool
from latchkey.store.stripe import inbox
from latchkey.stripe_ids import reference

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("odd", ["anna@old.example", "Gold #1", "müller", "a?b=c&d"])
async def test_a_customer_whose_events_are_gone_is_found_in_the_mirror(
    pool: Pool, odd: str
) -> None:
    target = f"customer/{reference(odd)}"
    async with pool.acquire() as connection:
        assert await inbox.named(connection, target) is None
        await connection.execute(
            "insert into customers (id, account_id, livemode) values ($1, 'acct_1', false)", odd
        )
        assert await inbox.named(connection, target) == f"customer/{odd}"
        assert await inbox.named(connection, f"invoice/{reference(odd)}") is None
