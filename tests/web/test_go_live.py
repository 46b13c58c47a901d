"""The go-live checklist over a real site."""

import re
from datetime import UTC, datetime

import pytest

from latchkey.store import backups, mail_server
from tests.harness import Latchkey
from tests.web.pages import user, visit

pytestmark = pytest.mark.anyio

PAGE = "/admin/go-live"


def to_do(text: str) -> set[str]:
    """The steps that the page shows as not done."""
    steps = re.findall(r'<li id="(\w+)"( class="done")?>', text)
    return {name for name, done in steps if not done}


async def forget(site: Latchkey) -> None:
    """What was confirmed, and that there is a backup."""
    await site.pool.execute("delete from site_settings where key = 'go_live'")
    await site.pool.execute("delete from chores where name = 'backup'")


async def test_the_checklist_ticks_itself_off(shared: Latchkey) -> None:
    site = shared
    await forget(site)
    async with visit(site) as owner:
        await owner.sign_in()
        left = to_do((await owner.get(PAGE)).text)
        assert {"https", "mail", "factors", "secret", "mode"} <= left
        assert "key" not in left
        assert "Go-live checklist</a>" in (await owner.get("/admin")).text

        assert 'action="/admin/go-live/secret"' in (await owner.get(PAGE)).text
        await owner.send(PAGE, f"{PAGE}/secret")
        await owner.send(PAGE, f"{PAGE}/https", expect=404)
        async with site.pool.acquire() as connection:
            await backups.note(connection, datetime.now(UTC), 1)
        left = to_do((await owner.get(PAGE)).text)
        assert not left & {"secret", "backup"}
        assert {"https", "mail"} <= left

        stripe_product = await site.stripe.product("Live soon")
        price = await site.stripe.price(stripe_product)
        product = await site.product("Live soon")
        await site.link(product, stripe_product)
        await site.stripe.buy("first@golive.example", price)
        await site.has(product, "first@golive.example")
        assert not to_do((await owner.get(PAGE)).text) & {"product", "purchase", "webhook", "key"}
    await forget(site)


async def test_a_test_of_another_mail_server_does_not_count(shared: Latchkey) -> None:
    async with visit(shared) as owner:
        await owner.sign_in()
        try:
            async with shared.pool.acquire() as connection:
                await mail_server.note_test(connection, "another:25 (tls)")
            assert "mail" in to_do((await owner.get(PAGE)).text)
        finally:
            await shared.pool.execute("delete from mail_server")


async def test_support_reads_the_checklist_and_confirms_nothing(shared: Latchkey) -> None:
    helper = await user(shared, "helper@golive.example", "support")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(helper, "go-live: support")
        assert "I keep a copy" not in (await visitor.get(PAGE)).text
        await visitor.send("/account/settings", f"{PAGE}/secret", expect=403)
