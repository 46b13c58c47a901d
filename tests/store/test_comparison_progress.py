"""What a repair leaves of a comparison's report, and what it adds."""

import pytest

from latchkey.store.checks import reconciliations
from latchkey.store.pool import Pool

pytestmark = pytest.mark.anyio


async def test_a_later_repair_keeps_what_was_read(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into reconciliations (id, repair, cause, state, progress)
            values ('rec_1', false, 'admin', 'running',
                    '{"subscriptions": 5, "orders": 2, "repaired": 0}');
            insert into differences (reconciliation_id, kind, class, reason, source_id, state)
            select 'rec_1', 'missing_grant', 'safe', 'r', n, case when n = '3' then 'failed'
                                                              else 'repaired' end
              from unnest(array['1', '2', '3']) n;
            """
        )
        for _ in range(2):
            await reconciliations.write_repaired(connection, "rec_1")
        found = await reconciliations.find(connection, "rec_1")
    assert found is not None
    assert found.progress == {"subscriptions": 5, "orders": 2, "repaired": 2}


async def test_a_repaired_line_names_the_buyer_whom_the_repair_found(pool: Pool) -> None:
    async with pool.acquire() as connection:
        user = await connection.fetchval(
            "insert into users (email) values ('found@repair.example') returning id"
        )
        await connection.execute(
            """
            insert into orders (id, account_id, livemode, user_id, state, created_at, ticket)
            values ('cs_1', 'acct_1', false, (select id from users), 'paid', now(), 1);
            insert into reconciliations (id, repair, cause, state)
            values ('rec_1', false, 'admin', 'running');
            insert into differences (reconciliation_id, kind, class, reason, source, source_id)
            values ('rec_1', 'missing_grant', 'safe', 'r', 'order', 'cs_1');
            """
        )
        ids = [await connection.fetchval("select id from differences")]
        assert await reconciliations.mark_repaired(connection, "rec_1", ids=ids) == 1
        line = await connection.fetchrow("select type, user_id from activities")
    assert line is not None
    assert (line["type"], line["user_id"]) == ("repaired", user)
