"""Events about somebody who was erased are stored without what they say."""

from datetime import UTC, datetime

import pytest

from latchkey.rules.routing import NOWHERE
from latchkey.store.pool import Pool
from latchkey.store.stripe import inbox
from latchkey.store.stripe.context import Account
from latchkey.store.users import erasure

pytestmark = pytest.mark.anyio


async def test_an_event_that_names_what_was_theirs_has_no_body(pool: Pool) -> None:
    """However it names them: by customer, subscription, checkout or payment."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            """
            insert into users (email) values ('gone@x.example'), ('stays@x.example');
            insert into customers (id, account_id, livemode, user_id)
            select 'cus_' || id, 'acct_1', false, id from users;
            insert into subscriptions (id, account_id, livemode, customer_id, user_id, status,
                                       created_at, ticket)
            select 'sub_' || id, 'acct_1', false, 'cus_' || id, id, 'active', now(), 1 from users;
            insert into orders (id, account_id, livemode, user_id, state, payment_intent,
                                created_at, ticket)
            select 'cs_' || id, 'acct_1', false, id, 'paid', 'pi_' || id, now(), 1 from users;
            """
        )
        await erasure.erase(connection, 1, actor=2)
    for kind in ("cus", "sub", "cs", "pi"):
        for user in (1, 2):
            name = f"{kind}_{user}"
            arrival = inbox.Arrival(
                id=f"evt_{name}",
                account=Account("acct_1", False),
                type="charge.succeeded",
                object_id="ch_1",
                thin=False,
                api_version=None,
                created_at=datetime.now(UTC),
                target=NOWHERE,
                body='{"email": "typed@x.example"}',
                names=frozenset({"ch_1", name}),
            )
            await inbox.store(pool, [arrival])
    kept = await pool.fetch("select id from events where body like '%typed@%' order by id")
    assert [row["id"] for row in kept] == ["evt_cs_2", "evt_cus_2", "evt_pi_2", "evt_sub_2"]
