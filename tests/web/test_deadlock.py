"""What happens when Postgres rolls a transaction back because of a deadlock."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from latchkey.rules.vocabulary import AuditAction, AuditActor, TokenScope
from latchkey.store import site_settings
from latchkey.store.audit import Actor, AuditOrigin
from latchkey.store.audit_draft import AuditDraft
from latchkey.store.pool import Pool
from tests.harness import Latchkey
from tests.web.pages import visit
from web.api import registry
from web.api.registry import Call, Endpoint, Nothing
from web.site import Site

pytestmark = pytest.mark.anyio


async def two_users(site: Latchkey, name: str) -> tuple[int, int]:
    """A user to merge into, and the other one, who has the subscription `sub_<name>`."""
    product = await site.product("Deadlocked")
    ids = []
    for which in ("into", "other"):
        given = {"email": f"{which}@{name}.example", "mail": False}
        made = await site.call("POST", f"/products/{product}/grants", 201, json=given)
        ids.append(made["user_id"])
    await site.pool.execute(
        "insert into customers (id, account_id, livemode, ticket) values ($1, 'acct_x', false, 0)",
        f"cus_{name}",
    )
    await site.pool.execute(
        """
        insert into subscriptions
               (id, account_id, livemode, customer_id, user_id, status, created_at, ticket)
        values ($1, 'acct_x', false, $2, $3, 'canceled', now(), 0)
        """,
        f"sub_{name}",
        f"cus_{name}",
        ids[1],
    )
    return ids[0], ids[1]


async def amid_an_apply(
    site: Latchkey, name: str, other: int, merge: Callable[[], Awaitable[Any]]
) -> Any:
    """Merge while an apply holds the purchase and then needs its user: the merge holds the users
    and needs the purchase, and Postgres gives it up."""
    async with site.pool.acquire() as connection:
        applying = connection.transaction()
        await applying.start()
        await connection.execute("set local deadlock_timeout = '30s'")
        await connection.execute(
            "select from subscriptions where id = $1 for update", f"sub_{name}"
        )
        merging = asyncio.ensure_future(merge())
        async with site.pool.acquire() as onlooker:
            while not await onlooker.fetchval(
                "select exists (select from pg_locks where not granted)"
            ):
                await asyncio.sleep(0.02)
        await connection.execute("select from users where id = $1 for key share", other)
        await applying.commit()
    return await merging


async def test_a_rolled_back_call_is_retried(shared: Latchkey) -> None:
    into, other = await two_users(shared, "deadlock")
    moved = await amid_an_apply(
        shared,
        "deadlock",
        other,
        lambda: shared.call(
            "POST", f"/users/{into}/merge", json={"user": other, "reason": "same person"}
        ),
    )
    assert moved["moved"]["subscriptions.user_id"] == 1


async def test_a_rolled_back_form_asks_to_be_sent_again(shared: Latchkey) -> None:
    into, other = await two_users(shared, "crossed")
    given = {"email": "other@crossed.example", "reason": "same person"}
    async with visit(shared) as admin:
        await admin.sign_in()
        path = f"/admin/users/{into}/merge/now"
        answer = await amid_an_apply(
            shared, "crossed", other, lambda: admin.send(path, None, 409, **given)
        )
        assert "so nothing was saved" in answer.text
        await admin.send(path, None, 303, **given)
    owner = "select user_id from subscriptions where id = 'sub_crossed'"
    assert await shared.pool.fetchval(owner) == into


async def test_a_call_rolled_back_at_its_commit_leaves_one_line(pool: Pool) -> None:
    """The line is written before the commit. Where that fails, the repeated call writes it."""
    async with pool.acquire() as connection:
        await connection.execute(
            """
            create sequence commits;
            create function fail_once() returns trigger language plpgsql as $$
            begin
                if nextval('commits') = 1 then
                    raise exception using errcode = 'serialization_failure';
                end if;
                return null;
            end $$;
            create constraint trigger fail_once after insert on site_settings
                deferrable initially deferred for each row execute function fail_once();
            """
        )

    async def rename(call: Call) -> None:
        async with call.site.pool.acquire() as connection, connection.transaction():
            await site_settings.change(connection, name="Renamed")

    declared = Endpoint(
        "PUT", "/name", "", "", Nothing, None, None, 200, rename, TokenScope.EVERYTHING
    )
    site = cast(Site, SimpleNamespace(pool=pool))
    draft = AuditDraft(
        AuditAction.SETTINGS_CHANGED, AuditOrigin(), lambda: Actor(AuditActor.TOKEN, 1)
    )
    await registry._done(declared, Call(site, "1", {}, Nothing(), None, draft))
    assert await pool.fetchval("select last_value from commits") == 2
    lines = await pool.fetch("select action, outcome, after from audit_log")
    assert [(line["outcome"], line["after"]) for line in lines] == [("done", {"name": "Renamed"})]
