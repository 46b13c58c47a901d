"""The pages of outgoing webhooks: endpoints, their secrets, the log."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey import doctor_checks
from latchkey.store.checks import health
from tests.harness import Latchkey, until
from tests.receiver import answering, receiving
from tests.web.pages import Visitor, user, visit
from tests.web.test_admin_users import shown, words

pytestmark = pytest.mark.anyio

NEW = "/admin/webhooks/new"


@pytest.fixture
async def owner(shared: Latchkey) -> AsyncIterator[Visitor]:
    """An owner who is signed in, of a site without endpoints. Theirs go afterwards: other tests
    share the site."""
    await shared.pool.execute("delete from webhook_endpoints")
    async with visit(shared) as visitor:
        await visitor.sign_in()
        yield visitor
    await shared.pool.execute("delete from webhook_endpoints")
    shared.forget_alarms()


async def secret_of(visitor: Visitor, **fields: Any) -> tuple[str, str]:
    """Adds an endpoint; returns its page and its secret."""
    made = await visitor.send(NEW, expect=200, format="json", **fields)
    secret = re.search(r'<code id="secret"[^>]*>(whsec_[\w+/=]+)<', made.text)
    where = re.search(r'href="(/admin/webhooks/we_\w+)"', made.text)
    assert secret
    assert where
    return where[1], secret[1]


async def test_an_endpoint_is_added_tried_paused_and_deleted(
    shared: Latchkey, owner: Visitor
) -> None:
    await shared.settled()
    async with receiving(answering("500 Oops", "200 OK")) as receiver:
        here, secret = await secret_of(owner, url=receiver.url, description="Forum <b>")
        for page in (here, "/admin/webhooks", f"{here}/change"):
            assert secret not in (await owner.get(page)).text
        assert receiver.url in await shown(owner, here)
        sent = await owner.send(here, f"{here}/test")
        log = sent.headers["location"].partition("?")[0]
        [request] = await receiver.got(1)
        assert request.verified(secret)["type"] == "test"

        async def noted(what: str) -> bool:
            return what in words((await owner.get(log)).text)

        await until(lambda: noted("500"), "the log has the failed attempt")
        await owner.send(log, f"{log}/resend")
        await until(lambda: noted("Delivered"), "the log has the delivery")
        again = receiver.received[-1]
        assert again.headers["webhook-id"] == request.headers["webhook-id"]
        told = words((await owner.get(log)).text)
        assert "the answer is 200 OK" in told
        assert '"type":"test"' in told

        await owner.send(here, f"{here}/pause")
        product = await shared.product("Hooked")
        grant = {"email": "ada@hooks.example"}
        await shared.call("POST", f"/products/{product}/grants", 201, json=grant)

        async def waits() -> bool:
            return "Waiting" in words((await owner.get(here)).text).partition("Log")[2]

        await until(waits, "the event waits")
        before = len(receiver.received)
        await owner.send(here, f"{here}/resume")
        for told_of in ((await receiver.got(before + 2))[before:],):
            assert {r.json["type"] for r in told_of} == {"user.created", "access.granted"}
            assert {r.json["data"]["user"]["email"] for r in told_of} == {"ada@hooks.example"}

        renewed = await owner.send(here, f"{here}/secret", 200)
        other = re.search(r"whsec_[\w+/=]+", renewed.text)
        assert other
        since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()[:16]
        before = len(receiver.received)
        await owner.send(here, f"{here}/replay", since=since, zone="UTC")
        replayed = (await receiver.got(before + 2))[before]
        assert replayed.verified(secret) == replayed.verified(other[0])

        assert "can't be undone" in await shown(owner, f"{here}/delete")
        await owner.send(f"{here}/delete")
        await owner.get(here, 404)
        await owner.get(log, 404)
    actions = await shared.pool.fetch(
        "select distinct action from audit_log where target_kind = 'webhook_endpoint'"
    )
    assert {row["action"] for row in actions} >= {
        "webhook_added", "webhook_changed", "webhook_secret_renewed", "webhook_deleted",
        "webhooks_resent",
    }  # fmt: skip


async def test_bad_input_is_explained_and_changes_nothing(shared: Latchkey, owner: Visitor) -> None:
    wrong = {
        "": "Enter the address",
        "http://93.184.216.34/": "has to begin with https://",
        "https://10.0.0.1/hook": "isn't an address on the internet",
        "https://user:pass@127.0.0.1/": "name or password",
        f"{shared.settings.public_url}/hook": "this site's own address",
        "https://nowhere.invalid/": "can't be resolved",
    }
    for url, why in wrong.items():
        answer = await owner.send(NEW, expect=422, format="json", url=url)
        assert why in words(answer.text), url
    fine = "http://127.0.0.1:9/"
    refused: list[tuple[dict[str, Any], str]] = [
        ({"format": "pigeon"}, "Choose how to send them."),
        ({"types": ["access.granted", "access.taken"]}, "Choose from the list."),
        ({"types": ["test"]}, "Choose from the list."),
        ({"description": "x" * 201}, "Enter one line"),
    ]
    for fields, why in refused:
        answer = await owner.send(NEW, expect=422, **{"format": "json", "url": fine} | fields)
        assert why in words(answer.text)
    assert await shared.pool.fetchval("select count(*) from webhook_endpoints") == 0
    here, _ = await secret_of(owner, url=fine)
    answer = await owner.send(here, f"{here}/replay", 422, since="yesterday")
    assert "isn't a date and time" in words(answer.text)
    await owner.send(here, f"{here}/replay", 422, since="")
    await owner.send(f"{here}/change", expect=422, url="https://10.0.0.1/")
    await owner.send(f"{here}/change", url="http://127.0.0.1:8/", types=["access.ended"])
    types = await shared.pool.fetchval("select types from webhook_endpoints")
    assert types == ["access.ended"]
    await owner.get(f"{here}/deliveries/999999", 404)
    await owner.get("/admin/webhooks/we_nothing", 404)


async def test_support_reads_and_changes_nothing(shared: Latchkey, owner: Visitor) -> None:
    here, _ = await secret_of(owner, url="http://127.0.0.1:9/secret-path")
    helper = await user(shared, "support@hooks.example", "support")
    member = await user(shared, "member@hooks.example")
    async with visit(shared) as support:
        await support.sign_in_as(helper, "webhooks: support")
        for page in ("/admin/webhooks", here, f"{here}/change", f"{here}/delete", NEW):
            assert "secret-path" not in (await support.get(page)).text
        for act in ("change", "secret", "pause", "resume", "test", "replay", "delete"):
            await support.send("/admin/mails", f"{here}/{act}", 403)
        await support.send("/admin/mails", NEW, 403, url="http://127.0.0.1:8/", format="json")
    async with visit(shared) as visitor:
        await visitor.sign_in_as(member, "webhooks: member")
        for page in ("/admin/webhooks", here, f"{here}/change"):
            await visitor.get(page, 403)
    assert await shared.pool.fetchval("select count(*) from webhook_endpoints") == 1


async def test_the_address_of_a_chat_is_a_secret(shared: Latchkey, owner: Visitor) -> None:
    async with receiving() as receiver:
        url = f"{receiver.url}/T000/B000/hidden"
        answer = await owner.send(NEW, format="slack", url=url, types=["access.granted"])
        here = answer.headers["location"].partition("?")[0]
        for page in ("/admin/webhooks", here):
            assert "B000" not in (await owner.get(page)).text
        assert "New secret" not in (await owner.get(here)).text
        await owner.get(f"{here}/secret", 404)
        await owner.send(f"{here}/change", url="", types=["access.ended"])
        assert "B000" not in (await owner.get(f"{here}/change")).text
        await owner.send(here, f"{here}/test")
        [request] = await receiver.got(1)
    assert request.json["text"].endswith("This is a test. Webhooks arrive here.")
    stored = await shared.pool.fetchval("select url from webhook_endpoints")
    assert b"B000" not in stored


async def test_an_endpoint_that_was_switched_off_is_loud(shared: Latchkey, owner: Visitor) -> None:
    here, _ = await secret_of(owner, url="http://127.0.0.1:9/")
    await shared.pool.execute(
        "update webhook_endpoints set off_at = now(), off_reason = 'it answered 500'"
    )

    async def loud() -> bool:
        text = words((await owner.get("/admin/health")).text)
        return "Webhooks failed for three days and were switched off: 127.0.0.1" in text

    await until(loud, "every admin page says so")
    assert "it answered 500" in words((await owner.get(here)).text)
    checks = await doctor_checks.of_database(shared.settings)
    found = [check for check in checks if check.name == "webhooks"]
    assert [check.found for check in found] == [
        "switched off after three days of failures: 127.0.0.1"
    ]
    await owner.send(here, f"{here}/resume")
    async with shared.pool.acquire() as connection:
        assert (await health.figures(connection)).webhooks_off == []


async def test_a_digest_is_added_without_an_address(shared: Latchkey, owner: Visitor) -> None:
    await owner.send(NEW, expect=422, format="digest", every="minute")
    answer = await owner.send(NEW, format="digest", every="hour", types=["access.granted"])
    here = answer.headers["location"].partition("?")[0]
    assert "the mailbox of whoever added it" in await shown(owner, here)
    await owner.send(here, f"{here}/test", 404)
    await owner.send(f"{here}/change", every="day")
    row = await shared.pool.fetchrow(
        "select url, secret, every, array_length(types, 1) as types from webhook_endpoints"
    )
    assert row is not None
    assert tuple(row) == (None, None, "day", None)
