"""Nobody is emailed a link to a product that isn't shown yet."""

import pytest

from latchkey.mail import letters
from latchkey.rules.vocabulary import Cause
from latchkey.store import site_settings
from latchkey.store.feed import mails
from latchkey.store.pool import Pool
from latchkey.store.purchases.subscriptions import apply_subscriptions
from latchkey.store.stripe.context import ApplyContext
from tests.store.test_removed_links import ACCOUNT, NOW, linked, subscription

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("status", "sent"), [("live", 1), ("draft", 0)])
async def test_only_a_live_product_sends_its_access_email(
    pool: Pool, status: str, sent: int
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "course", {})
        await connection.execute("update products set status = $1", status)
        context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
        await apply_subscriptions(connection, [subscription(1, "active")], context=context)
        assert await connection.fetchval("select count(*) from live_grants") == 1
        assert await connection.fetchval("select count(*) from mails") == sent


async def test_an_email_about_a_product_that_became_a_draft_leads_to_the_library(
    pool: Pool,
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await linked(connection, "course", {})
        context = ApplyContext(ACCOUNT, 1, NOW, Cause.STRIPE)
        await apply_subscriptions(connection, [subscription(1, "active")], context=context)
        settings = await site_settings.read(connection)
        for status, path in (("live", "/products/course"), ("draft", "/library")):
            await connection.execute("update products set status = $1", status)
            mail_id = await connection.fetchval("select id from mails")
            mail = await mails.find(connection, mail_id)
            assert mail is not None
            assert letters.letter(mail, settings).path == path
