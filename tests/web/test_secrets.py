"""Rotating LATCHKEY_SECRET: what continues, what ends, and what is repaired."""

import orjson
import pytest
from pydantic import SecretStr

from latchkey.rotation import rotate
from latchkey.store.sealed import SEALED_COLUMNS
from latchkey.vault import Purpose, Vault
from tests.harness import SECRET, Latchkey, until
from tests.truth.test_operating import said
from tests.web.pages import Visitor, visit
from tests.web.test_webhooks import event, post, secret, signed

pytestmark = pytest.mark.anyio

NEXT = "the next secret for the tests of latchkey"


async def restart(site: Latchkey, *secrets: str) -> None:
    """Restart web and worker with these secrets."""
    await site.stop_worker()
    await site.stop_web()
    site.settings = site.settings.model_copy(update={"secret": SecretStr(",".join(secrets))})
    await site.start_web()
    await site.start_worker()


async def signed_in(visitor: Visitor) -> bool:
    return (await visitor.client.get("/admin/products")).status_code == 200


async def test_rotating_keeps_sessions_and_encrypted_secrets(
    site: Latchkey,
) -> None:
    headers = {"Idempotency-Key": "once"}
    made = await site.api.post("/products", json={"name": "Kept"}, headers=headers)
    kept = await site.pool.fetchval("select body from idempotency_keys where key = 'once'")
    assert "Kept" not in kept, "answers are sealed: some of them open something"
    async with visit(site) as visitor:
        await visitor.sign_in()
        await restart(site, NEXT, SECRET)
        assert await signed_in(visitor), "an earlier secret still opens"
        body = orjson.dumps(event(site))
        assert (await post(site, body, signed(body, await secret(site)))).status_code == 200

        done = await rotate(site.settings.require_database(), site.settings.require_secrets())
        assert [column.unreadable for column in done] == [0] * len(SEALED_COLUMNS)
        assert sum(column.renewed for column in done) >= 2
        again = await rotate(site.settings.require_database(), site.settings.require_secrets())
        assert not any(column.renewed for column in again), "rotating is idempotent"

        await restart(site, NEXT)
        assert not await signed_in(visitor), "sessions end with the secret they began under"
        await visitor.sign_in()
        assert await signed_in(visitor)
    repeated = await site.api.post("/products", json={"name": "Kept"}, headers=headers)
    assert repeated.json() == made.json(), "the answer was sealed again"


async def test_an_endpoint_whose_secret_cannot_be_decrypted_is_replaced(site: Latchkey) -> None:
    """The key comes from the environment and LATCHKEY_SECRET has changed: webhooks still work."""
    before = await site.pool.fetchval("select endpoint_id from stripe_connection")
    await restart(site, NEXT)

    async def replaced() -> bool:
        return bool(
            await site.pool.fetchval(
                "select endpoint_id <> $1 and endpoint_state = 'registered' from stripe_connection",
                before,
            )
        )

    await until(replaced, "the worker's start replaces the endpoint")

    async def accepted() -> bool:
        body = orjson.dumps(event(site))
        return (await post(site, body, signed(body, await newest_secret(site)))).status_code == 200

    await until(accepted, "webhooks are accepted under the new endpoint's secret")
    after = await site.pool.fetchval("select endpoint_id from stripe_connection")
    assert after != before

    async def alone() -> bool:
        listed = await site.stripe.get("webhook_endpoints")
        return [endpoint["id"] for endpoint in listed["data"]] == [after]

    await until(alone, "the endpoint of before is deleted, once the new one is known")


async def test_doctor_says_which_secrets_are_missing(
    site: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def secrets_line(*secrets: str) -> str:
        changed = {"secret": SecretStr(",".join(secrets))}
        site.settings = site.settings.model_copy(update=changed)
        _, text = await said(site, monkeypatch)
        return next(line for line in text.splitlines() if " secrets: " in line)

    assert "everything stored is sealed under the first one" in await secrets_line(SECRET)
    assert "`latchkey rotate` seals them again" in await secrets_line(NEXT, SECRET)
    assert "stored texts that none of them opens: 1" in await secrets_line(NEXT)
    assert "1 of 2 shorter than 32 characters" in await secrets_line(SECRET, "only twenty letters!")


async def newest_secret(site: Latchkey) -> str:
    """The signing secret as the vault of the running site opens it."""
    sealed = await site.pool.fetchval("select secrets_encrypted from stripe_connection")
    return Vault(site.settings.require_secrets()).open(sealed, Purpose.WEBHOOK_SECRETS)
