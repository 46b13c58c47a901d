"""Many purchases at once: read by lists and applied together, with the same results as one by
one."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import burst_source
from activities.base import ActivityDeps
from activities.burst_source import Wanted
from activities.bursts import BurstActivities
from activities.purchases import PurchaseActivities
from activities.subscriptions import SubscriptionActivities
from latchkey import dispatch
from latchkey.contracts import BurstInput, BurstObject, BurstResult, SyncInput, SyncResult
from latchkey.keyring import Keyring
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Connection, Pool, create_pool
from latchkey.store.purchases import orders, subscriptions
from latchkey.store.stripe import inbox
from latchkey.store.stripe.context import Account
from latchkey.vault import Vault
from tests.harness import KEY, SECRETS, Json, Postgres, Stripe, new_namespace, until
from tests.hostile.truth import Truth
from web.webhooks import read_event

pytestmark = pytest.mark.anyio

TARGETS = (TargetKind.SUBSCRIPTION, TargetKind.PURCHASE)


@dataclass
class Desk:
    """A database that is connected to a sandbox, its inbox, and the Temporal activities."""

    pool: Pool
    stripe: Stripe
    account: Account
    client: Client
    deps: ActivityDeps

    async def linked(self, stripe_product: str) -> str:
        """A product that the Stripe product has opened since before anything was sold."""
        await self.pool.execute(
            """
            insert into products (id, slug, name, status) values ($1, $1, $1, 'live')
            on conflict do nothing
            """,
            f"for_{stripe_product}",
        )
        await self.pool.execute(
            """
            insert into links (product_id, account_id, livemode, stripe_product, state, created_at)
            values ($1, $2, $3, $4, 'listening', now() - interval '1 hour')
            """,
            f"for_{stripe_product}",
            self.account.id,
            self.account.livemode,
            stripe_product,
        )
        return f"for_{stripe_product}"

    async def delivered(self) -> None:
        """Put what happened at Stripe into the inbox."""
        events: list[Json] = []
        more = True
        while more:
            after = {"starting_after": events[-1]["id"]} if events else {}
            page = await self.stripe.get("events", limit=100, **after)
            events, more = events + page["data"], page["has_more"]
        for event in reversed(events):
            body = json.dumps(event).encode()
            await inbox.store(self.pool, [read_event(body, account=self.account)])

    async def waiting(self) -> list[BurstObject]:
        rows = await self.pool.fetch(
            """
            select target_kind, target_id, array_agg(id order by received_at) as ids,
                   max(checkout_session) as session
              from events
             where state in ('waiting', 'relayed') and target_kind = any($1::text[])
               and target_id not like 'in\\_%'
             group by 1, 2 order by min(received_at)
            """,
            [kind.value for kind in TARGETS],
        )
        return [
            BurstObject(row["target_kind"], row["target_id"], row["ids"], row["session"])
            for row in rows
        ]

    async def burst(self, objects: list[BurstObject]) -> BurstResult:
        apply = BurstActivities(self.deps, self.client).apply
        result: BurstResult = await ActivityEnvironment().run(apply, BurstInput(objects))
        return result

    async def reachable(self) -> None:
        """Wait until runs can be started in the new namespace."""

        async def starts() -> bool:
            try:
                await dispatch.nudge(self.client, Target(TargetKind.SUBSCRIPTION, "sub_none"), [])
            except dispatch.TemporalUnavailableError:
                return False
            await self.client.get_workflow_handle("subscription/sub_none").terminate()
            return True

        await until(starts, "Temporal starts runs")

    async def alone(self, found: BurstObject, **given: Any) -> SyncResult:
        job = SyncInput(
            found.id,
            datetime.now(UTC),
            found.event_ids,
            checkout_session=found.checkout_session,
            **given,
        )
        sync: Any = SubscriptionActivities(self.deps).sync
        if found.kind == TargetKind.PURCHASE:
            sync = PurchaseActivities(self.deps, self.client).sync
        result: SyncResult = await ActivityEnvironment().run(sync, job)
        return result

    async def reads(self) -> list[str]:
        """The paths of the calls to Stripe since the last question."""
        answer = await self.stripe.client.get("/_sandbox/requests")
        await self.stripe.client.delete("/_sandbox/requests")
        return [
            entry["path"] for entry in answer.json()["data"] if entry["path"].startswith("/v1/")
        ]

    async def close(self) -> None:
        await self.deps.keyring.close()
        await self.pool.close()


async def _desk(dsn: str, stripe: Stripe, client: Client) -> Desk:
    pool = await create_pool(dsn)
    account = Account((await stripe.get("account"))["id"], False)
    await pool.execute(
        "update stripe_connection set state = 'connected', account_id = $1, livemode = false",
        account.id,
    )
    keyring = Keyring(
        pool, Vault(SECRETS), key=KEY, secrets=[], api_base=stripe.url, address=stripe.url
    )
    return Desk(pool, stripe, account, client, ActivityDeps(pool, keyring, SECRETS))


@pytest.fixture
async def desk(dsn: str, stripe: Stripe, temporal_address: str) -> AsyncIterator[Desk]:
    made = await _desk(dsn, stripe, await new_namespace(temporal_address))
    yield made
    await made.close()


async def launch(desk: Desk) -> tuple[str, int]:
    """Many people buy at once: subscriptions, single purchases, carts of both; one has two. The
    product that they get, and how many there are."""
    stripe_product = await desk.stripe.product()
    product = await desk.linked(stripe_product)
    monthly = await desk.stripe.price(stripe_product)
    once = await desk.stripe.price(stripe_product, every=None)
    for number in range(8):
        await desk.stripe.buy(f"s{number}@launch.example", monthly)
    for number in range(5):
        await desk.stripe.buy(f"o{number}@launch.example", once, mode="payment")
    await desk.stripe.buy("cart@launch.example", monthly, once)
    await desk.stripe.buy("s0@launch.example", monthly)
    await desk.delivered()
    return product, 15


async def written(pool: Pool) -> dict[str, list[str]]:
    """What was bought, who has what, and what was said of it, without moments and numbers."""
    queries = {
        "subscriptions": "select id, status, state, checkout_session, wake from subscriptions",
        "orders": "select id, state, amount, payment_intent, email from orders",
        "grants": "select g.product_id, g.source_id, g.cause, u.email from grants g"
        " join users u on u.id = g.user_id",
        "activities": "select a.type, a.cause, a.source_id, u.email from activities a"
        " left join users u on u.id = a.user_id",
        "mails": "select m.kind, m.data ->> 'source_id', u.email from mails m"
        " join users u on u.id = m.user_id",
        "customers": "select c.id, c.email, c.bound_by, u.email from customers c"
        " left join users u on u.id = c.user_id",
    }
    return {
        name: sorted(str(tuple(row)) for row in await pool.fetch(query))
        for name, query in queries.items()
    }


async def test_a_burst_does_what_single_readings_do_with_few_calls(
    desk: Desk, postgres: Postgres
) -> None:
    other_dsn = await postgres.create()
    other = await _desk(other_dsn, desk.stripe, desk.client)
    try:
        product, count = await launch(desk)
        await other.linked(product.removeprefix("for_"))
        await other.delivered()
        objects = await desk.waiting()
        assert len(objects) == count
        await desk.reads()
        result = await desk.burst(objects)
        assert (result.applied, result.aside) == (count, 0)
        calls = await desk.reads()
        assert calls.count("/v1/checkout/sessions") == 1, "a list has all of them"
        assert len(calls) == 3, f"the cart's bill and payment are read by id: {calls}"
        for found in await other.waiting():
            await other.alone(found)
        assert await written(desk.pool) == await written(other.pool)
    finally:
        await other.close()
        await postgres.drop(other_dsn)
    assert await desk.waiting() == []
    causes = await desk.pool.fetch(
        """
        select a.source_id, e.target_id, e.checkout_session from activities a
          join events e on e.id = a.event_id where a.source_id is not null
        """
    )
    assert causes
    assert all(row["source_id"] in (row["target_id"], row["checkout_session"]) for row in causes)
    queued = {row["kind"] for row in await desk.pool.fetch("select kind from wakeups")}
    assert queued == {"lifecycles"}


async def test_bursts_follow_delayed_payments_as_single_readings_do(
    desk: Desk, postgres: Postgres
) -> None:
    """A debit that comes, one that fails, and one that comes although credit notes had left nothing
    to pay: that was never bought."""
    desk.stripe.never_settles()
    other_dsn = await postgres.create()
    other = await _desk(other_dsn, desk.stripe, desk.client)
    try:
        stripe_product = await desk.stripe.product()
        once = await desk.stripe.price(stripe_product, every=None)
        product = await desk.linked(stripe_product)
        await other.linked(stripe_product)
        bought = []
        for name in ("comes", "fails", "credited"):
            cart = await desk.stripe.checkout(
                once, mode="payment", customer_creation="always", invoice_creation={"enabled": True}
            )
            email = f"{name}@later.example"
            bought.append(await desk.stripe.pay(cart, email, card="sepa_debit"))

        async def applied() -> list[str]:
            await desk.delivered()
            await other.delivered()
            assert (await desk.burst(await desk.waiting())).aside == 0
            for found in await other.waiting():
                await other.alone(found)
            assert await written(desk.pool) == await written(other.pool)
            states = await desk.pool.fetch("select state, email from orders order by email")
            return [f"{row['email'].partition('@')[0]} {row['state']}" for row in states]

        assert await applied() == ["comes pending", "credited pending", "fails pending"]
        assert await desk.pool.fetchval("select count(*) from wakeups where kind = 'purchase'") == 3
        bill = await desk.stripe.get(f"invoices/{bought[2]['invoice']}")
        await desk.stripe.post("credit_notes", invoice=bill["id"], amount=bill["total"])
        for session, outcome in zip(bought, ("succeeded", "failed", "succeeded"), strict=True):
            await desk.stripe.control(f"checkout/{session['id']}/settle", outcome=outcome)
        assert await applied() == ["comes paid", "credited open", "fails failed"]
        judge = Truth(desk.stripe.url)
        paid = [(await judge.read(session["id"])).paid for session in bought]
        await judge.close()
        assert paid == [True, False, False], "the hostile lives' model agrees"
        granted = """
            select array_agg(u.email) from grants g join users u on u.id = g.user_id
             where g.product_id = $1
        """
        assert await desk.pool.fetchval(granted, product) == ["comes@later.example"]
    finally:
        await other.close()
        await postgres.drop(other_dsn)


async def test_a_burst_whose_result_was_lost_is_done_once(desk: Desk) -> None:
    await launch(desk)
    objects = await desk.waiting()
    await desk.burst(objects)
    before = await written(desk.pool)
    await desk.reads()
    assert await desk.burst(objects) == BurstResult(0, 0, 0)
    assert await desk.reads() == []
    assert await written(desk.pool) == before


async def test_a_burst_that_breaks_off_leaves_nothing_and_is_made_up_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Right before the commit, when all has been written."""
    product, _ = await launch(desk)
    objects = await desk.waiting()
    nothing = await written(desk.pool)

    async def breaks(*_: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr(inbox, "mark_handled", breaks)
        with pytest.raises(Exception, match="ConnectionResetError"):
            await desk.burst(objects)
    assert await written(desk.pool) == nothing
    await desk.burst(objects)
    granted = "select count(distinct user_id) from grants where product_id = $1"
    assert await desk.pool.fetchval(granted, product) == 14


async def test_poison_is_left_to_its_own_run_and_the_rest_goes_on(desk: Desk) -> None:
    product, count = await launch(desk)
    objects = await desk.waiting()
    poison = objects[3]
    await desk.reachable()
    await desk.pool.execute(
        f"""
        create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'poison'; end $$;
        create trigger refuse before insert on subscriptions for each row
          when (new.id = '{poison.id}') execute function refuse();
        """
    )
    result = await desk.burst(objects)
    assert (result.applied, result.aside) == (count - 1, 1)
    granted = "select count(*) from grants where product_id = $1"
    assert await desk.pool.fetchval(granted, product) == count
    run = desk.client.get_workflow_handle(f"subscription/{poison.id}")
    assert (await run.describe()).id == f"subscription/{poison.id}"
    states = await desk.pool.fetch(
        "select distinct state from events where id = any($1::text[])", poison.event_ids
    )
    assert [row["state"] for row in states] == ["waiting"]


async def test_an_id_that_temporal_refuses_fails_alone(desk: Desk) -> None:
    _, count = await launch(desk)
    await desk.reachable()
    endless = await desk.pool.fetchval(
        """
        insert into events (id, account_id, livemode, type, object_id, thin, created_at,
                            target_kind, target_id)
        values ('evt_endless', $1, false, 'customer.subscription.updated', '', false, now(),
                'subscription', repeat('x', 1200))
        returning target_id
        """,
        desk.account.id,
    )
    result = await desk.burst(await desk.waiting())
    assert (result.applied, result.aside) == (count, 1)
    states = await desk.pool.fetch(
        "select distinct target_id = $1 as odd, state, error is not null as why from events"
        " where target_kind = any($2::text[]) and target_id not like 'in\\_%'",
        endless,
        [kind.value for kind in TARGETS],
    )
    assert sorted(map(tuple, states)) == [(False, "handled", False), (True, "failed", True)]


async def test_a_run_takes_what_a_burst_applied_without_reading(desk: Desk) -> None:
    stripe_product = await desk.stripe.product()
    product = await desk.linked(stripe_product)
    price = await desk.stripe.price(stripe_product)
    made = (await desk.stripe.buy("told@launch.example", price))["subscription"]
    await desk.delivered()
    [found] = await desk.waiting()
    await desk.alone(found)
    assert await desk.pool.fetchval(
        "select lifecycle_at is not null and not untold from subscriptions"
    )
    await desk.stripe.post(f"subscriptions/{made}", metadata={"note": "noise"})
    await desk.delivered()
    assert (await desk.burst(await desk.waiting())).applied == 1
    assert await desk.pool.fetchval("select count(*) from wakeups where kind = 'applied'") == 0
    await desk.stripe.post(f"subscriptions/{made}", cancel_at_period_end=True)
    await desk.delivered()
    [found] = await desk.waiting()
    await desk.burst([found])
    told = await desk.pool.fetchval("select ref from wakeups where kind = 'applied'")
    assert told == f"{made}/{found.event_ids[0]}"
    await desk.reads()
    result = await desk.alone(found, only_events=True)
    assert await desk.reads() == []
    until_ = await desk.pool.fetchval("select until from grants where product_id = $1", product)
    assert (result.label, result.wake_at) == ("ending", until_)
    again = await desk.alone(found, only_events=True, ticket=result.ticket)
    assert again.unchanged, "it knows now"
    assert not (await desk.alone(found)).unchanged
    assert len(await desk.reads()) == 1, "whoever wants it read has it read"


async def test_a_result_that_a_run_never_got_is_given_again(desk: Desk) -> None:
    """A reading can be applied and its result lost: the worker died, or Temporal refused the
    workflow task because of a new signal."""
    stripe_product = await desk.stripe.product()
    product = await desk.linked(stripe_product)
    price = await desk.stripe.price(stripe_product)
    once = await desk.stripe.price(stripe_product, every=None)
    made = (await desk.stripe.buy("lost@launch.example", price))["subscription"]
    await desk.delivered()
    [found] = await desk.waiting()
    known = await desk.alone(found)
    await desk.stripe.post(f"subscriptions/{made}", cancel_at_period_end=True)
    await desk.delivered()
    [found] = await desk.waiting()
    lost = await desk.alone(found, only_events=True, ticket=known.ticket)
    given = await desk.alone(found, only_events=True, ticket=known.ticket)
    end = await desk.pool.fetchval("select until from grants where product_id = $1", product)
    assert (given.label, given.wake_at) == (lost.label, lost.wake_at) == ("ending", end)
    assert (await desk.alone(found, only_events=True, ticket=given.ticket)).unchanged

    await desk.stripe.buy("lost@once.example", once, mode="payment")
    await desk.delivered()
    [found] = await desk.waiting()
    lost = await desk.alone(found)
    given = await desk.alone(found, only_events=True)
    assert (given.label, given.state) == (lost.label, lost.state)
    assert (await desk.alone(found, only_events=True, ticket=given.ticket)).unchanged


async def test_what_is_applied_alone_is_not_planned_each_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A burst's page, which is planned for its size, is. The tests' server never plans again by
    itself, so this database is set as others are."""
    asked = "select current_setting('plan_cache_mode')"
    database = await desk.pool.fetchval("select current_database()")
    await desk.pool.execute(f"alter database {database} set plan_cache_mode = auto")
    await desk.pool.expire_connections()
    modes: list[str] = []
    for module, name in ((subscriptions, "apply_subscriptions"), (orders, "apply_orders")):

        async def noting(connection: Connection, *read: Any, real: Any, **given: Any) -> Any:
            modes.append(await connection.fetchval(asked))
            return await real(connection, *read, **given)

        monkeypatch.setattr(module, name, partial(noting, real=getattr(module, name)))
    stripe_product = await desk.stripe.product()
    await desk.linked(stripe_product)
    price = await desk.stripe.price(stripe_product)
    once = await desk.stripe.price(stripe_product, every=None)
    await desk.stripe.buy("planned@launch.example", price)
    await desk.stripe.buy("once@launch.example", once, mode="payment")
    await desk.delivered()
    waiting = await desk.waiting()
    for found in waiting:
        await desk.alone(found)
    assert modes == ["force_generic_plan"] * 2
    await desk.pool.execute("update events set state = 'waiting'")
    assert (await desk.burst(waiting)).applied == 2
    assert modes[2:] == ["auto"] * 2
    assert await desk.pool.fetchval(asked) == "auto"


async def test_an_event_that_came_after_a_burst_is_read(desk: Desk) -> None:
    stripe_product = await desk.stripe.product()
    await desk.linked(stripe_product)
    price = await desk.stripe.price(stripe_product)
    made = (await desk.stripe.buy("later@launch.example", price))["subscription"]
    await desk.delivered()
    [found] = await desk.waiting()
    await desk.alone(found)
    await desk.pool.execute("update subscriptions set untold = true")
    await desk.stripe.delete(f"subscriptions/{made}")
    await desk.delivered()
    await desk.reads()
    result = await desk.alone(found)
    assert result.label == "ended"
    assert len(await desk.reads()) == 1


async def test_objects_of_another_account_are_left_to_their_runs(desk: Desk) -> None:
    await launch(desk)
    objects = await desk.waiting()
    await desk.reachable()
    await desk.burst(objects[:1])
    await desk.pool.execute("update subscriptions set account_id = 'acct_other'")
    await desk.pool.execute("update events set state = 'waiting'")
    result = await desk.burst(objects)
    assert (result.applied, result.aside) == (len(objects) - 1, 1)


async def test_a_list_is_walked_as_far_as_that_may_save_reads(desk: Desk) -> None:
    """Others stand before and between those that are wanted."""
    api = await desk.deps.keyring.api()

    async def listed(price: str) -> list[Json]:
        rows: list[Json] = []
        for page in range(3):
            after = {"starting_after": rows[-1]["id"]} if page else {}
            found = await desk.stripe.get("subscriptions", price=price, limit=100, **after)
            rows += found["data"]
        return rows

    async def read(chosen: list[Json]) -> int:
        wanted = [
            Wanted(
                TargetKind.SUBSCRIPTION,
                row["id"],
                period=datetime.fromtimestamp(row["items"]["data"][0]["current_period_start"], UTC),
            )
            for row in chosen
        ]
        found = await burst_source.read(desk.deps, api, wanted)
        assert {p.id for p in found.purchases} == {row["id"] for row in chosen}
        return found.reads

    bulk = await desk.stripe.control("bulk", count=250)
    rows = await listed(bulk["monthly"])
    await desk.linked(bulk["product"])
    await desk.pool.execute("update links set stripe_product = 'prod_other'")
    assert await read(rows[:100]) == 1
    assert await read(rows[:3]) == 3, "too few for a list"
    assert await read(rows[150:250]) == 3, "the first page holds none of them"
    assert await read(rows[50:150]) == 2
    assert await read(rows[230:250]) == 2 + 20, "two pages hold none of so few"
    spread = await desk.stripe.control("bulk", count=250, within=60)
    rows = await listed(spread["monthly"])
    assert await read(rows) == 3, "100, 100 and 50 of a moment each"
    assert await read(rows[75:225]) == 2
    assert await read(rows[25:175]) == 3


async def test_waiting_objects_are_counted_and_claimed_whole(pool: Pool) -> None:
    async def arrived(number: int, target: str, state: str = "waiting") -> None:
        await pool.execute(
            """
            insert into events (id, livemode, type, object_id, thin, created_at, target_kind,
                                target_id, state, relayed_at, not_before)
            values ($1, false, 'customer.subscription.updated', $2, false, now(), 'subscription',
                    $2, $3, case when $3 = 'relayed' then now() end,
                    case when $1 = 'evt_0' then now() else now() + interval '1 hour' end)
            """,
            f"evt_{number}",
            target,
            state,
        )

    for number in range(3):
        await arrived(number, "sub_1")
    await arrived(3, "sub_2", "relayed")
    await arrived(4, "sub_2", "relayed")
    await arrived(5, "sub_3", "relayed")
    assert await inbox.awaited(pool, most=9) == 2
    assert await inbox.awaited(pool, most=1) == 1
    [due] = await inbox.claim(pool, limit=9)
    others = await inbox.claim_others(pool, [due.target], without=[due.id])
    assert sorted(event.id for event in others) == ["evt_1", "evt_2"]
    assert {event.target for event in others} == {Target(TargetKind.SUBSCRIPTION, "sub_1")}


async def test_lists_whose_pages_end_early_or_repeat_rows_are_walked_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(burst_source, "WORTHWHILE", 1)
    product, count = await launch(desk)
    objects = await desk.waiting()
    await desk.stripe.control("faults", short_page=1, shifting_page=1)
    assert (await desk.burst(objects)).applied == count
    await desk.stripe.control("faults", reset=True)
    assert (await desk.reads()).count("/v1/checkout/sessions") > 1
    granted = "select count(distinct user_id) from grants where product_id = $1"
    assert await desk.pool.fetchval(granted, product) == 14
