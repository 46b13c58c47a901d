"""What staff do by the hundred or in hostile length doesn't hold up anybody else."""

import asyncio
import threading
from types import SimpleNamespace
from typing import cast

import pytest
from markupsafe import Markup

from latchkey.store.audit import AuditFilter
from latchkey.store.feed.lanes import FeedFilter
from latchkey.store.pool import create_pool
from latchkey.store.purchases.billing_lists import BillingFilter
from latchkey.store.users.listing import UserFilter
from tests.harness import PATIENCE, Latchkey, http_client
from tests.web.pages import user, visit
from web import markdown
from web.pages.admin import activity, audit_log, customers, users
from web.pages.guard import MAILS_BY_HAND
from web.site import Site

pytestmark = pytest.mark.anyio

HOSTILE = {
    "images": "![" * (10_000),
    "quotes": ">" * 20_000,
    "emphasis": "*a_" * (7_000),
    "brackets": "[" * 20_000,
}


async def test_markdown_is_formatted_and_sanitised() -> None:
    for text in ("*x*<script>alert(1)</script>", "*x*<script>alert(1)</script>\n" * 500):
        shown = await markdown.rendered(text)
        assert "<em>x</em>" in shown
        assert "<script" not in shown


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile_texts_are_rendered(kind: str) -> None:
    assert "can't be shown" not in await markdown.rendered(HOSTILE[kind])


async def test_a_text_beyond_the_bound_is_not_rendered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "_html", lambda text: pytest.fail("it is rendered"))
    assert "too long" in await markdown.rendered("![" * 480_000)


async def test_many_short_texts_are_not_formatted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sales page can have hundreds of answers."""
    here = threading.get_ident()
    threads: set[int] = set()
    real = markdown._html

    def watched(text: str) -> Markup:
        threads.add(threading.get_ident())
        return real(text)

    monkeypatch.setattr(markdown, "_html", watched)
    markdown._kept.cache_clear()
    several = [f"- *{number}*\n" * 100 for number in range(50)]
    shown = await markdown.all_rendered(several)
    assert [html.count(f"<em>{number}</em>") for number, html in enumerate(shown)] == [100] * 50
    assert here not in threads
    assert await markdown.all_rendered(["*a*", "*b*"]) == [
        "<p><em>a</em></p>\n",
        "<p><em>b</em></p>\n",
    ]
    assert here in threads, "a few of them are"


async def test_other_requests_are_answered_meanwhile(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = await shared.product("Hostile text", slug="hostile-text")
    began, finish = threading.Event(), threading.Event()

    def endless(text: str) -> object:
        began.set()
        assert finish.wait(PATIENCE)
        return markdown._TOO_SLOW

    monkeypatch.setattr(markdown, "_kept", endless)
    fields = {"content": "![" * 2000, "content_url": "", "do": "preview"}
    async with visit(shared) as owner, http_client(base_url=shared.url) as other:
        await owner.sign_in()
        path = f"/admin/products/{product}/content"
        previewing = asyncio.create_task(owner.send(path, expect=200, **fields))
        assert await asyncio.to_thread(began.wait, PATIENCE)
        assert (await other.get("/healthz", timeout=PATIENCE)).status_code == 200
        assert not previewing.done()
        finish.set()
        assert "can't be shown" in (await previewing).text


async def test_a_text_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = threading.Event()
    monkeypatch.setattr(markdown, "SECONDS", 0.05)
    monkeypatch.setattr(markdown, "_kept", lambda text: finish.wait(PATIENCE))
    assert "can't be shown" in await markdown.rendered("x" * (markdown.SHORT + 1))
    finish.set()


async def test_an_export_holds_no_connection_while_it_is_sent(shared: Latchkey) -> None:
    """Whoever reads slowly would keep it from everybody's pages."""
    await shared.pool.execute(
        "insert into customers (id, account_id, livemode, email, name)"
        " values ('cus_patient', 'acct_patient', false, 'patient@lists.example', $1)"
        " on conflict do nothing",
        "A name that is longer than all columns' names" * 5,
    )
    async with visit(shared) as owner:
        await owner.sign_in()
    async with await create_pool(shared.settings.require_database(), max_size=1) as pool:
        site = cast(Site, SimpleNamespace(pool=pool))
        for sent in (
            activity._csv(site, FeedFilter()),
            audit_log._csv(site, AuditFilter()),
            users._csv(site, UserFilter()),
            customers.LIST.csv(site, BillingFilter()),
        ):
            header, first = await anext(sent), await anext(sent)
            idle = pool.get_idle_size()
            async for _ in sent:
                pass
            assert len(first) > len(header)
            assert idle == 1


async def test_emails_by_hand_have_a_limit_for_each_person(shared: Latchkey) -> None:
    """However they are sent; somebody else can still send one."""
    supporter = await user(shared, "helper@byhand.example", "support")
    colleague = await user(shared, "colleague@byhand.example", "support")
    member = await user(shared, "member@byhand.example")
    page = f"/admin/users/{member}"

    async def mailed() -> int:
        count: int = await shared.pool.fetchval(
            "select count(*) from mails where user_id = $1", member
        )
        return count

    async with visit(shared) as helper, visit(shared) as other:
        await helper.sign_in_as(supporter, "helper by hand")
        for _ in range(MAILS_BY_HAND):
            await helper.send(page, f"{page}/link")
        refused = await helper.send(page, f"{page}/link", 429)
        assert "This one was not sent" in refused.text
        assert "Wait an hour" in refused.text
        assert await mailed() == MAILS_BY_HAND
        email = await shared.pool.fetchval("select max(id) from mails where user_id = $1", member)
        await helper.send(page, f"/admin/mails/{email}/resend", 429)
        await other.sign_in_as(colleague, "colleague by hand")
        await other.send(page, f"{page}/link")
        assert await mailed() == MAILS_BY_HAND + 1
