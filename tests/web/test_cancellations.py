"""Cancellations: who, why, and in which words."""

import csv
import io
import re
from typing import Any

import pytest

from latchkey.store.users import erasure
from tests.harness import Latchkey, until
from tests.web.pages import user, visit
from tests.web.test_admin_users import buyer, shown

pytestmark = pytest.mark.anyio

WORDS = "Too dear <b>for me</b> ✂"


async def test_the_answer_that_was_given_in_the_portal_is_listed(shared: Latchkey) -> None:
    person, product, subscription = await buyer(shared, "dear@leaves.example", "Dear course")
    await shared.stripe.control(
        f"subscriptions/{subscription}/portal_cancel", feedback="too_expensive", comment=WORDS
    )

    async def comment() -> Any:
        return await shared.pool.fetchval(
            "select cancel_comment from subscriptions where id = $1", subscription
        )

    assert await until(comment, "the comment") == WORDS
    card = "select card_last4 from subscriptions where id = $1"
    assert await shared.pool.fetchval(card, subscription) == "4242"
    here = f"/admin/cancellations?product={product}"
    async with visit(shared) as admin:
        await admin.sign_in()
        assert 'href="/admin/cancellations"' in (await admin.get("/admin")).text
        page = (await admin.get(here)).text
        assert "&lt;b&gt;for me&lt;/b&gt;" in page
        assert f"/admin/users/{person}" in page
        text = await shown(admin, here)
        assert "1 cancellation" in text
        assert re.search(r"1 Too expensive .*Dear course .* Too expensive “Too dear", text)
        assert "by the customer" in text or "in the billing portal" in text
        assert "No results" in await shown(admin, f"{here}&state=no_answer")
        rows = csv.DictReader(io.StringIO((await admin.get(here.replace("?", ".csv?"))).text))
        [row] = rows
        assert (row["reason"], row["comment"], row["subscribed_again"]) == (
            "too_expensive",
            WORDS,
            "False",
        )
    owner = await user(shared, "owner@leaves.example", "owner")
    async with shared.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, person, actor=owner)
    assert await comment() is None
    assert await shared.pool.fetchval(card, subscription) is None
    read = "select ticket from subscriptions where id = $1"
    before = await shared.pool.fetchval(read, subscription)
    await shared.stripe.post(f"subscriptions/{subscription}", metadata={"changed": "yes"})

    async def again() -> bool:
        return bool(await shared.pool.fetchval(read, subscription) > before)

    await until(again, "another reading")
    assert await comment() is None
