"""Temporal is emptied: the next worker says so and starts what was lost."""

import pytest
import temporalio.api.operatorservice.v1 as operator
from prometheus_client import REGISTRY

from latchkey import dispatch, doctor_temporal, lost_runs
from latchkey.settings import SettingsError
from latchkey.store.pool import Pool
from latchkey.store.purchases import subscription_mirror
from latchkey.store.stripe import wakeups
from tests.harness import Latchkey, http_client, register_namespace, until
from tests.life.play import linked

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


def lost() -> float:
    return REGISTRY.get_sample_value("latchkey_runs_lost_total") or 0


async def running(site: Latchkey) -> set[str]:
    return {run.id async for run in site.temporal.list_workflows(lost_runs.RUNNING)}


async def test_what_temporal_lost_is_started_again(site: Latchkey) -> None:
    product, _, price = await linked(site)
    made = [await site.stripe.subscribe(f"lost{n}@runs.example", price) for n in range(3)]
    for n in range(3):
        await site.has(product, f"lost{n}@runs.example")
    await site.settled()
    wanted = {f"subscription/{one['id']}" for one in made} | {f"product-link/{product}"}

    async def all_run() -> bool:
        return wanted <= await running(site)

    await until(all_run, "every object has its run")
    assert await lost_runs.mend(site.pool, site.temporal) == 0
    assert await dispatch.is_running(site.temporal, f"product-link/{product}")
    assert not await dispatch.is_running(site.temporal, "product-link/of another site")
    async with site.pool.acquire() as connection:
        [lifecycle] = await subscription_mirror.lifecycles(connection, [made[0]["id"]])
    assert not await dispatch.start_lifecycle(site.temporal, lifecycle), "it runs already"
    await site.stop_worker()
    await site.terminate(lost_runs.RUNNING)

    async def none_runs() -> bool:
        return not await running(site)

    await until(none_runs, "Temporal has lost everything")
    await site.call("PUT", "/policy", json={"unpaid": True})

    async def shown() -> bool:
        return bool(await running(site))

    await until(shown, "the change of the policy is handed to Temporal")
    await site.terminate(lost_runs.RUNNING)
    await until(none_runs, "Temporal has lost that, too")
    assert not await dispatch.is_running(site.temporal, f"product-link/{product}")
    await site.pool.execute(
        "update events set state = 'relayed', relayed_at = now(), not_before = now() + '1 day'"
        " where target_id = $1",
        made[1]["id"],
    )
    await site.pool.execute(
        """
        insert into member_imports (id, file_name, encoding, delimiter, heading, lines, columns,
                                    state, run)
        values ('imp_lost', 'a.csv', 'utf-8', ',', '{email}', 1, '{email}', 'running', 3);
        insert into member_import_lines (import_id, line, cells)
        values ('imp_lost', 2, '{moved@runs.example}');
        """
    )
    before = lost()
    await site.start_worker()
    await until(all_run, "what was lost runs again")
    assert lost() == before + 6, "three subscriptions, a link, a policy and an import"

    async def applied() -> bool:
        done = await site.pool.fetchval("select bool_and(state = 'done') from policy_changes")
        moved = await site.pool.fetchval("select state = 'done' from member_imports")
        handled = await site.pool.fetchval("select bool_and(state = 'handled') from events")
        return bool(done and moved and handled)

    await until(applied, "what was being done goes on, without waiting for its events' next turn")
    await site.stripe.delete(f"subscriptions/{made[0]['id']}")
    await site.has(product, "lost0@runs.example", access=False)


async def test_whatever_else_was_under_way_is_roused(pool: Pool) -> None:
    """Where runs were lost, the rest may be as well: what has no list of its own is started again,
    and events whose run is there are left to it."""
    await pool.execute(
        "insert into webhook_endpoints (id, format) values ('owed', 'json'), ('quiet', 'json')"
    )
    await pool.execute(
        """
        with event as (
            insert into webhook_events (message_id, type, at) values ('msg_1', 'test', now())
            returning id)
        insert into webhook_deliveries (endpoint_id, event_id, due_at)
        select 'owed', id, now() - interval '1 second' from event
        """
    )
    await pool.execute(
        """
        insert into events (id, livemode, type, object_id, thin, created_at, target_kind, target_id,
                            state, relayed_at, not_before)
        select 'evt_' || target, false, 'customer.subscription.updated', target, false, now(), kind,
               target, 'relayed', now(), now() + interval '1 hour'
          from (values ('subscription', 'sub_lost'), ('subscription', 'sub_runs'),
                       ('payment', 'pi_1')) found (kind, target)
        """
    )
    async with pool.acquire() as connection, connection.transaction():
        await lost_runs._rouse_the_rest(connection, {"subscription/sub_runs"})
        waiting = await wakeups.waiting(connection, limit=10)
    assert {(each.kind, each.ref) for each in waiting} == {
        (wakeups.ENDINGS, ""),
        (wakeups.LIFECYCLES, ""),
        (wakeups.WEBHOOKS, "owed"),
    }
    again = await pool.fetch("select id from events where state = 'waiting'")
    assert {row["id"] for row in again} == {"evt_sub_lost", "evt_pi_1"}


async def test_a_deleted_namespace_loses_nothing(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Access and webhooks are answered meanwhile, whoever looks learns why nothing else moves, and
    a namespace with its name takes everything over."""
    product, _, price = await linked(site)
    first = await site.stripe.subscribe("before@deleted.example", price)
    await site.has(product, "before@deleted.example")
    await site.quiet()
    await site.stop_worker()
    await site.temporal.operator_service.delete_namespace(
        operator.DeleteNamespaceRequest(namespace=site.namespace)
    )
    says = f"the Temporal namespace '{site.namespace}' doesn't exist"

    async def known() -> bool:
        async with http_client() as client:
            return says in (await client.get(f"{site.url}/readyz")).text

    await until(known, "the web process says so")
    await site.stripe.subscribe("meanwhile@deleted.example", price)
    await site.stripe.delivered()
    assert (await site.access(product, "before@deleted.example"))["access"] is True
    states = await site.pool.fetch("select distinct state from events")
    assert {row["state"] for row in states} == {"waiting", "handled"}
    await site.start_worker()
    assert site._worker is not None
    with pytest.raises(SettingsError, match=says):
        await site._worker
    monkeypatch.setenv("TEMPORAL_NAMESPACE", site.namespace)
    told = await doctor_temporal.of_temporal(site.settings)
    assert [(check.ok, says in check.advice) for check in told] == [(False, True)]

    await register_namespace(site.temporal, site.namespace)

    async def back() -> bool:
        async with http_client() as client:
            return (await client.get(f"{site.url}/readyz?full=1")).status_code == 200

    await until(back, "the web process sees the new namespace")
    await site.start_worker()

    async def taken_over() -> bool:
        """Parts of Temporal don't know a new namespace at once: a worker that is started too early
        ends again, and whatever keeps it running starts it again."""
        assert site._worker is not None
        if site._worker.done():
            assert isinstance(site._worker.exception(), SettingsError)
            await site.start_worker()
        return bool((await site.access(product, "meanwhile@deleted.example"))["access"])

    await until(taken_over, "a worker takes over what came meanwhile")

    async def runs() -> bool:
        return f"subscription/{first['id']}" in await running(site)

    await until(runs, "what ran in the deleted one runs again")
    await site.settled()
    assert await site.pool.fetchval("select count(*) from events where state = 'failed'") == 0
