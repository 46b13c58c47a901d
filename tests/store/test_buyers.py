"""Who is behind the buyers of one page, whatever their order."""

from dataclasses import replace

import pytest

from latchkey.rules.identity import Reference
from latchkey.rules.vocabulary import GrantSource
from latchkey.store.pool import Pool
from latchkey.store.purchases import buyers
from latchkey.store.purchases.buyers import Buyer
from tests.store.test_concurrency import NOW, context

pytestmark = pytest.mark.anyio

OLD, NEW = "old@x.example", "new@x.example"


def buyer(key: str, email: str | None, *, named: int | None = None) -> Buyer:
    reference = Reference(named, "prd_1", NOW) if named else None
    return Buyer(key, GrantSource.ORDER, "cus_1", email, "A", reference, ("prd_1",), NOW)


@pytest.mark.parametrize("known", [None, OLD, NEW])
@pytest.mark.parametrize("addresses", [(OLD, NEW), (None, OLD, NEW), (OLD, None, NEW)])
async def test_a_customer_is_one_user(
    pool: Pool, known: str | None, addresses: tuple[str | None, ...]
) -> None:
    if known:
        await pool.execute("insert into users (email) values ($1)", known)
    paying = [buyer(f"cs_{n}", email) for n, email in enumerate(addresses)]
    async with pool.acquire() as connection, connection.transaction():
        found = await buyers.resolve(connection, paying, context=context(1))
    users = {person.user_id for person in found.values()}
    assert len(users) == 1
    made = await pool.fetch("select id from users where email_key is distinct from $1", known)
    lines = await pool.fetch("select user_id from activities where type = 'user_created'")
    assert {row["id"] for row in made} == {row["user_id"] for row in lines}


async def test_a_reference_moves_only_its_own_purchase_of_another_users_customer(
    pool: Pool,
) -> None:
    other = await pool.fetchval("insert into users (email) values ('o@x.example') returning id")
    async with pool.acquire() as connection, connection.transaction():
        first = await buyers.resolve(connection, [buyer("cs_1", OLD)], context=context(1))
        page = [buyer("cs_2", OLD, named=other), buyer("cs_3", OLD)]
        found = await buyers.resolve(connection, page, context=context(2))
    assert found["cs_2"].user_id == other
    assert found["cs_3"].user_id == first["cs_1"].user_id


async def test_new_users_read_the_language_that_they_bought_in(pool: Pool) -> None:
    asked = {"de-AT": "de", "pt": "pt-BR", "auto": None, "nl": None, None: None}
    paying = [
        replace(buyer(f"cs_{n}", f"b{n}@x.example"), customer_id=None, language=language)
        for n, language in enumerate(asked)
    ]
    async with pool.acquire() as connection, connection.transaction():
        found = await buyers.resolve(connection, paying, context=context(1))
    for n, locale in enumerate(asked.values()):
        user_id = found[f"cs_{n}"].user_id
        known = await pool.fetchval("select locale from users where id = $1", user_id)
        assert known == locale
