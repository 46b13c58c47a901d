"""`POST /webhooks/stripe`: what is accepted, what is refused, and that refusals change nothing."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg
import httpx
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latchkey import keyring
from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.store.pool import Pool
from latchkey.store.stripe.context import Account
from latchkey.vault import Purpose, Vault
from tests.digest import digest
from tests.harness import Json, Latchkey, http_client, until
from web.webhooks import RefusedError, WebhookEndpoint, read_event

pytestmark = pytest.mark.anyio


async def secret(site: Latchkey) -> str:
    endpoint = (await site.stripe.get("webhook_endpoints"))["data"][0]["id"]
    kept: list[str] = site.stripe.box.shop.world.private[endpoint]["secrets"]
    return kept[0]


def signed(body: bytes, key: str, *, at: int | None = None) -> dict[str, str]:
    moment = int(time.time()) if at is None else at
    digest = hmac.new(key.encode(), b"%d.%s" % (moment, body), hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={digest}", "Content-Type": "application/json"}


async def post(site: Latchkey, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with http_client() as client:
        return await client.post(f"{site.url}/webhooks/stripe", content=body, headers=headers)


async def send(site: Latchkey, event: Any, **options: Any) -> httpx.Response:
    body = event if isinstance(event, bytes) else orjson.dumps(event)
    return await post(site, body, signed(body, await secret(site), **options))


async def state(site: Latchkey) -> dict[str, str]:
    """Everything in the database but the inbox itself, what looking for missed events notes, and
    the traces of readings that are not recorded."""
    return await digest(site, without={"passed_over"})


async def everything(site: Latchkey) -> dict[str, Any]:
    """Everything in the database, and the events in the inbox that the sandbox never sent."""
    sent = [event["id"] for event in site.stripe.box.shop.world.table("event").values()]
    forged = await site.pool.fetch("select id from events where id <> all($1) order by id", sent)
    return {**await digest(site), "forged": [row["id"] for row in forged]}


def event(site: Latchkey, **given: Any) -> Json:
    """A valid event about an unknown customer."""
    return {
        "id": f"evt_{time.monotonic_ns()}",
        "object": "event",
        "type": "customer.updated",
        "livemode": False,
        "created": int(time.time()),
        "api_version": "2026-10-28.dahlia",
        "data": {"object": {"id": "cus_nobody", "object": "customer"}},
        **given,
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"livemode": True}, "wrong_mode"),
        ({"account": "acct_another"}, "wrong_account"),
        ({"object": "list"}, "malformed"),
        ({"id": None}, "malformed"),
        ({"id": ""}, "malformed"),
        ({"type": 7}, "malformed"),
        ({"created": "yesterday"}, "malformed"),
        ({"created": 10**18}, "malformed"),
        ({"livemode": None}, "malformed"),
        ({"data": {"object": []}}, "malformed"),
        ({"data": [1]}, "malformed"),
        ({"data": {"object": {"id": "cus_1", "object": {}}}}, "malformed"),
        ({"data": {"object": {"id": "cus_\u0000", "object": "customer"}}}, "malformed"),
        ({"data": {"object": {"id": "c" * 9000, "object": "customer"}}}, "malformed"),
        ({"id": "evt_\u0000"}, "malformed"),
        ({"id": "e" * 9000}, "malformed"),
        ({"type": "customer\u0000"}, "malformed"),
        (
            {
                "type": "invoice.paid",
                "data": {"object": {"id": "in_1", "object": "invoice", "parent": "text"}},
            },
            "malformed",
        ),
    ],
)
async def test_a_wrong_event_is_refused(shared: Latchkey, change: Json, code: str) -> None:
    before = await everything(shared)
    answer = await send(shared, event(shared, **change))
    assert answer.status_code == 400
    assert answer.json()["code"] == code
    assert answer.json()["detail"]
    assert await everything(shared) == before


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe{}", b"[" * 5000])
async def test_anything_but_a_json_object_is_refused(shared: Latchkey, body: bytes) -> None:
    before = await everything(shared)
    answer = await send(shared, body)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("malformed", "bad_signature")
    assert await everything(shared) == before


async def test_signatures_are_checked(shared: Latchkey) -> None:
    before = await everything(shared)
    body = orjson.dumps(event(shared))
    key = await secret(shared)
    good = signed(body, key)
    cases: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, {"Stripe-Signature": ""}),
        (body, {"Stripe-Signature": "nonsense"}),
        (body, {"Stripe-Signature": "t=1"}),
        (body, {"Stripe-Signature": good["Stripe-Signature"].replace("v1=", "v0=")}),
        (body, signed(body, "whsec_wrong")),
        (body, signed(body, key, at=int(time.time()) - 3600)),
        (body, signed(body, key, at=int(time.time()) + 3600)),
        (body + b" ", good),
    ]
    for content, headers in cases:
        answer = await post(shared, content, headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert await everything(shared) == before


async def test_a_large_body_is_refused_before_it_is_read(shared: Latchkey) -> None:
    before = await everything(shared)
    answer = await send(shared, b" " * (2 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert await everything(shared) == before


async def test_unknown_types_and_unlinked_products_are_accepted_and_change_nothing(
    shared: Latchkey,
) -> None:
    unknown = await send(shared, event(shared, type="moon.landed"))
    assert unknown.status_code == 200
    price = await shared.stripe.price(await shared.stripe.product())
    await shared.settled()
    before = await state(shared)
    made = await shared.stripe.subscribe("unlinked@hook.example", price)
    await shared.settled()
    after = await state(shared)
    assert after == before, "an unlinked purchase makes no user and no line"
    stored = await shared.pool.fetchval(
        "select count(*) from events where target_id = $1", made["id"]
    )
    assert stored > 0


async def test_an_object_unknown_to_stripe_changes_nothing(shared: Latchkey) -> None:
    await shared.settled()
    before = await state(shared)
    invented = event(
        shared,
        type="customer.subscription.updated",
        data={"object": {"id": "sub_invented", "object": "subscription", "status": "active"}},
    )
    assert (await send(shared, invented)).status_code == 200
    await shared.settled()
    assert await state(shared) == before


async def test_duplicates_and_any_order_change_nothing(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    product = await shared.product()
    await shared.link(product, stripe_product)
    session = await shared.stripe.buy("again@hook.example", price)
    await shared.has(product, "again@hook.example")
    await shared.settled()
    before = await state(shared)
    bodies = await shared.pool.fetch(
        "select body from events where target_id = $1 order by seq desc", session["subscription"]
    )
    for row in bodies:
        for _ in range(2):
            assert (await send(shared, row["body"].encode())).status_code == 200
    await shared.settled()
    assert await state(shared) == before


async def test_a_resent_event_is_handled_again_without_effect(shared: Latchkey) -> None:
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    product = await shared.product()
    await shared.link(product, stripe_product)
    await shared.stripe.buy("resend@hook.example", price)
    await shared.has(product, "resend@hook.example")
    await shared.settled()
    before = await state(shared)
    listed = await shared.call("GET", "/events", params={"state": "handled", "limit": 5})
    for entry in listed["data"]:
        again = await shared.call("POST", f"/events/{entry['id']}/resend", 202)
        assert again["state"] in ("waiting", "relayed", "handled")
    await shared.settled()
    assert await state(shared) == before


async def test_thin_events_have_the_same_effect(site: Latchkey) -> None:
    """Catch-up is paused, because Stripe's list doesn't contain thin events."""
    schedule = site.temporal.get_schedule_handle("catch-up")
    await schedule.pause()

    async def idle() -> bool:
        return not (await schedule.describe()).info.running_actions

    await until(idle, "the first look is over")
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    endpoint = (await site.stripe.get("webhook_endpoints"))["data"][0]["id"]
    await site.stripe.control(f"webhook_endpoints/{endpoint}", thin=True)
    made = await site.stripe.subscribe("thin@hook.example", price)
    await site.has(product, "thin@hook.example")
    thin = await site.pool.fetchval(
        "select bool_and(thin) from events where target_id = $1", made["id"]
    )
    assert thin is True
    await site.stripe.delete(f"subscriptions/{made['id']}")
    await site.has(product, "thin@hook.example", access=False)


async def test_both_secrets_work_during_a_roll(site: Latchkey) -> None:
    body = orjson.dumps(event(site))
    old = await secret(site)
    answer = await post(
        site,
        body,
        {
            "Stripe-Signature": signed(body, "whsec_new")["Stripe-Signature"]
            + ","
            + signed(body, old)["Stripe-Signature"].split(",")[1]
        },
    )
    assert answer.status_code == 200


@contextlib.asynccontextmanager
async def database_away(site: Latchkey) -> AsyncIterator[None]:
    """Take the site's database away: cut its connections and refuse new ones."""
    address = urlsplit(site.settings.require_database())
    admin = await asyncpg.connect(address._replace(path="/postgres").geturl())
    name = address.path.strip("/")
    try:
        await admin.execute(f"alter database {name} with allow_connections false")
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
        )
        yield
    finally:
        await admin.execute(f"alter database {name} with allow_connections true")
        await admin.close()


async def test_without_the_database_stripe_gets_a_503(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also once the secrets that were read before have grown old; then it is taken."""
    await site.quiet()
    await site.stop_worker()
    monkeypatch.setattr(keyring, "FRESH_SECONDS", 0.0)
    body = orjson.dumps(event(site))
    headers = signed(body, await secret(site))
    async with database_away(site):
        answer = await post(site, body, headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_stored")
        wrong = await post(site, body, signed(body, "whsec_wrong"))
        assert (wrong.status_code, wrong.json()["code"]) == (503, "not_stored")

    async def counted() -> bool:
        return bool(
            await site.pool.fetchval(
                "select sum(count) = 2 from webhook_refusals where code = 'not_stored'"
            )
        )

    async def taken() -> bool:
        return (await post(site, body, headers)).status_code == 200

    await site.pool.expire_connections()
    await until(counted, "the refusals are counted")
    await until(taken, "once the connections that died are replaced, it is taken")


async def test_undecryptable_secrets_answer_503(
    site: Latchkey,
) -> None:
    body = orjson.dumps(event(site))
    headers = signed(body, await secret(site))
    sealed = Vault(("another secret",)).seal("whsec_sealed", Purpose.WEBHOOK_SECRETS)
    await site.pool.execute("update stripe_connection set secrets_encrypted = $1", sealed)

    async def refused() -> bool:
        answer = await post(site, body, headers)
        assert answer.status_code in (200, 503)
        return answer.status_code == 503 and answer.json()["code"] == "not_stored"

    await until(refused, "the sealed secret is read")


async def test_webhooks_are_answered_without_a_worker(site: Latchkey) -> None:
    """Stored and answered; the effects follow when a worker is back."""
    stripe_product = await site.stripe.product()
    price = await site.stripe.price(stripe_product)
    product = await site.product()
    await site.link(product, stripe_product)
    await site.stop_worker()
    made = await site.stripe.subscribe("away@hook.example", price)
    await site.stripe.delivered()
    delivered = await site.stripe.client.get("/_sandbox/deliveries")
    assert {row["state"] for row in delivered.json()["data"]} == {"delivered"}
    assert (await site.access(product, "away@hook.example"))["access"] is False
    await site.start_worker()
    await site.has(product, "away@hook.example")

    async def handled() -> bool:
        waiting = await site.pool.fetchval(
            "select count(*) from events where target_id = $1 and state <> 'handled'", made["id"]
        )
        return bool(waiting == 0)

    await until(handled, "every event is handled")


_WORDS = st.sampled_from(
    ["event", "v2.core.event", "subscription", "checkout.session", "invoice", "charge", "customer"]
)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | _WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "object", "type", "parent", "subscription", "data", "payment_intent"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    changed=st.dictionaries(
        st.sampled_from(
            ["id", "type", "created", "data", "object", "related_object", "livemode", "account"]
        ),
        _JSON,
        max_size=3,
    ),
    source=_JSON,
    type_=st.sampled_from([*HANDLED_EVENTS, "v1.customer.updated"]),
)
@pytest.mark.slow
async def test_any_json_is_read_or_refused(changed: Json, source: Any, type_: str) -> None:
    given = {
        "id": "evt_1",
        "object": "v2.core.event" if type_.startswith("v1") else "event",
        "type": type_,
        "livemode": False,
        "created": 1795556851,
        "data": {"object": source},
        "related_object": source,
        **changed,
    }
    with contextlib.suppress(RefusedError):
        found = read_event(orjson.dumps(given), account=Account("acct_1", livemode=False))
        assert found.id.isprintable()
        assert len(found.target.id) <= 255


async def test_a_fault_of_ours_is_answered_and_says_nothing_of_the_cause() -> None:
    """Nothing around the endpoint would answer."""

    class Broken:
        async def secrets(self) -> list[str]:
            raise RuntimeError("a secret")

    keys: Any = Broken()
    endpoint = WebhookEndpoint(cast(Pool, None), keys, lambda pause: None)
    transport = httpx.ASGITransport(endpoint)
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:
        answer = await client.post("/webhooks/stripe", content=b"{}")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text


async def test_events_that_come_together_are_checked_by_a_secret_that_is_new() -> None:
    """The first reads it, and the others wait for that. A flood of others' signatures doesn't make
    them read it each."""
    body, old, new = b"{}", "whsec_old", "whsec_new"

    class Keys:
        def __init__(self) -> None:
            self.known, self.reads = old, 0

        async def secrets(self) -> list[str]:
            return [self.known]

        async def account(self) -> None:
            return None

        async def reload(self) -> None:
            self.reads += 1
            await asyncio.sleep(0)
            self.known = new

    keys: Any = Keys()
    endpoint = WebhookEndpoint(cast(Pool, None), keys, lambda pause: None)
    transport = httpx.ASGITransport(endpoint)
    async with httpx.AsyncClient(transport=transport, base_url="http://site") as client:

        async def send(secret: str) -> str:
            answer = await client.post(
                "/webhooks/stripe", content=body, headers=signed(body, secret)
            )
            return str(answer.json()["code"])

        assert await asyncio.gather(*(send(new) for _ in range(5))) == ["not_connected"] * 5
        strangers = await asyncio.gather(*(send("whsec_none") for _ in range(5)))
        assert (set(strangers), keys.reads) == ({"bad_signature"}, 1)
