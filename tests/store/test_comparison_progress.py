"""A repair that is begun later leaves what the comparison counted."""

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
