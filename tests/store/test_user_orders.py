"""The list of users: each order, page by page."""

from datetime import UTC, datetime

import pytest

from latchkey.store.pool import Pool
from latchkey.store.users import listing
from latchkey.store.users.listing import ListedUser, UserFilter

pytestmark = pytest.mark.anyio

NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def seen(row: ListedUser) -> tuple[datetime, int]:
    return (row.last_seen_at or NEVER, row.id)


async def test_each_order_is_kept_through_pages(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "CHUNK", 2)
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into users (email, last_seen_at)
            select chr(97 + n * 7 % 10) || '@order.example',
                   case when n % 3 > 0 then now() - n * 5 % 4 * interval '1 day' end
              from generate_series(1, 9) n
            """
        )
        everyone = await listing.listed(connection, UserFilter(), limit=100)
    assert len(everyone) == 9
    orders = {
        "": sorted(everyone, key=lambda row: row.id, reverse=True),
        "oldest": sorted(everyone, key=lambda row: row.id),
        "email": sorted(everyone, key=lambda row: row.email),
        "email-desc": sorted(everyone, key=lambda row: row.email, reverse=True),
        "seen": sorted(everyone, key=seen, reverse=True),
        "unseen": sorted(everyone, key=seen),
    }
    assert orders.keys() == listing.ORDERS.keys()
    for order, wanted in orders.items():
        found: list[ListedUser] = []
        async for rows in listing.everybody(pool, UserFilter(), order=order):
            found += rows
        assert found == wanted, order


@pytest.mark.parametrize("order", listing.ORDERS)
async def test_nobody_is_lost_or_listed_twice_if_the_last_of_a_page_changes(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr(listing, "CHUNK", 2)
    async with pool.acquire() as connection:
        await connection.execute(
            """
            insert into users (email, last_seen_at)
            select chr(97 + n * 7 % 10) || '@order.example',
                   case when n % 3 > 0 then now() - n * interval '1 day' end
              from generate_series(1, 9) n
            """
        )
        wanted = await listing.listed(connection, UserFilter(), limit=100, order=order)
    found: list[int] = []
    async for rows in listing.everybody(pool, UserFilter(), order=order):
        found += [row.id for row in rows]
        change = (
            "delete from users where id = $1" if len(found) == 4
            else "update users set last_seen_at = now(), email = 'zz' || email where id = $1"
        )  # fmt: skip
        if len(found) < 6:
            await pool.execute(change, found[-1])
    moved = {"email": 1, "unseen": 1}.get(order, 0)
    assert found[: len(wanted)] == [row.id for row in wanted]
    assert len(found) == len(wanted) + moved, "only who moved further down comes again"
