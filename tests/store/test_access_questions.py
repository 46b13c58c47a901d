"""Questions about access that are asked at the same time are answered together, each for itself."""

import pytest

from latchkey.store.access import grants
from latchkey.store.access.grants import AccessQuestion
from latchkey.store.pool import Pool

pytestmark = pytest.mark.anyio

SETUP = """
insert into products (id, slug, name, status) values
    ('prd_a', 'a', 'A', 'live'), ('prd_b', 'b', 'B', 'live');
insert into users (id, email) overriding system value values
    (1, 'one@shop.example'), (2, 'two@shop.example');
insert into user_addresses (email, email_key, user_id, source)
values ('also.two@shop.example', 'also.two@shop.example', 2, 'claim');
insert into user_merges (from_user, into_user, email, kept)
values (9, 2, 'nine@shop.example', '{}');
insert into grants (id, user_id, product_id, source, source_id, since, cause)
overriding system value values
    (11, 1, 'prd_a', 'manual', '', now(), 'admin'),
    (12, 2, 'prd_a', 'subscription', 'sub_1', now(), 'webhook'),
    (13, 2, 'prd_a', 'manual', '', now(), 'admin');
"""


async def test_each_question_gets_its_own_answer(pool: Pool) -> None:
    await pool.execute(SETUP)
    questions = {
        AccessQuestion("a", "ONE@shop.example"): [11],
        AccessQuestion("prd_a", "also.two@shop.example"): [12, 13],
        AccessQuestion("b", "two@shop.example"): [None],
        AccessQuestion("prd_a", user_id=9): [12, 13],
        AccessQuestion("a", user_id=1): [11],
        AccessQuestion("a", "nobody@shop.example"): [None],
        AccessQuestion("a", user_id=404): [None],
        AccessQuestion("none", user_id=1): [],
    }
    answers = await grants.answer(pool, list(questions))
    found = [sorted((row["id"] for row in rows), key=str) for rows in answers]
    assert found == list(questions.values())
    alone = [
        await grants.access_rows(pool, one.product, email=one.email, user_id=one.user_id)
        for one in questions
    ]
    assert [[row["id"] for row in rows] for rows in alone] == [
        [row["id"] for row in rows] for rows in answers
    ]
