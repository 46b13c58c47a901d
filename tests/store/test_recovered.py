"""Money that came back, against a plain count of what was written."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.store.pool import Pool
from latchkey.store.purchases import recovered
from tests.store.test_billing_lists import SHOP

pytestmark = pytest.mark.anyio

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
AMOUNTS = {"sub_1": 8700, "sub_2": None, "sub_3": 9900}


def spells(chance: random.Random) -> list[dict[str, Any]]:
    """Payments that failed, one after the other for each subscription."""
    found: list[dict[str, Any]] = []
    for subscription in AMOUNTS:
        at = NOW - timedelta(days=chance.randrange(30, 200))
        for number in range(chance.randrange(6)):
            failed, at = at, at + chance.randrange(40, 400) * HOUR
            found.append(
                {
                    "subscription": subscription,
                    "number": number,
                    "failed": failed,
                    "mailed": failed + HOUR if chance.random() < 0.5 else None,
                    "paid": failed + 30 * HOUR if chance.random() < 0.7 else None,
                    "products": chance.choice((1, 2)),
                }
            )
    return [spell for spell in found if spell["failed"] + 40 * HOUR < NOW]


@pytest.mark.parametrize("seed", range(5))
async def test_each_payment_counts_once_in_its_month(pool: Pool, seed: int) -> None:
    made = spells(random.Random(seed))
    expected: dict[tuple[datetime, bool], list[int]] = {}
    async with pool.acquire() as connection:
        await connection.execute(SHOP)
        for one in made:
            for product in range(one["products"]):
                named = f"{one['subscription']}:prd_{product}:{one['number']}"
                lines = [("payment_failed", one["failed"])]
                lines += [("payment_recovered", one["paid"])] if one["paid"] else []
                for type_, at in lines:
                    await connection.execute(
                        "insert into activities (fact, type, at, cause, source_id)"
                        " values ($1, $2, $3, 'stripe', $4)",
                        f"{type_}:{named}",
                        type_,
                        at,
                        one["subscription"],
                    )
            if one["mailed"]:
                await connection.execute(
                    """
                    insert into activities (fact, type, at, cause, source_id, data)
                    values ($1, 'mail_sent', $2, 'timer', $3, '{"kind": "payment_reminder"}')
                    """,
                    f"mail_sent:{one['subscription']}:{one['number']}",
                    one["mailed"],
                    one["subscription"],
                )
            if one["paid"]:
                month = one["paid"].replace(day=1, hour=0, minute=0, second=0, microsecond=0)
                key = (month, one["subscription"] != "sub_3")
                sums = expected.setdefault(key, [0, 0, 0, 0])
                amount = AMOUNTS[one["subscription"]] or 0
                parts = (1, amount, int(bool(one["mailed"])), amount if one["mailed"] else 0)
                expected[key] = [a + b for a, b in zip(sums, parts, strict=True)]
        rows = await recovered.by_month(connection)
    found: dict[tuple[datetime, bool], list[int]] = {}
    for row in rows:
        sums = found.setdefault((row.month, row.livemode), [0, 0, 0, 0])
        parts = (row.count, row.amount, row.mailed, row.mailed_amount)
        found[row.month, row.livemode] = [a + b for a, b in zip(sums, parts, strict=True)]
    assert found == expected
