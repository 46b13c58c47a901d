"""`latchkey roll-webhook-secret`: gives the registered webhook endpoint another signing secret.

Stripe has no call for that, so a second endpoint takes over from the first. For a while both
deliver each event, which the inbox stores once.
"""

import asyncio

from latchkey.keyring import FRESH_SECONDS, Keyring
from latchkey.languages import _
from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.rules.vocabulary import AuditAction
from latchkey.settings import Settings
from latchkey.store import audit_draft
from latchkey.store.pool import Pool, create_pool
from latchkey.store.stripe import connection as connections
from latchkey.stripe_api import StripeApi
from latchkey.vault import Purpose, Vault

QUIET = ("product.deleted",)
"""What the second endpoint is sent until every web process knows its secret: next to nothing."""


class RollError(Exception):
    """The secret can't be rolled here. The message says what to do instead."""


async def roll(settings: Settings, *, overlap: float) -> str:
    """Replace the endpoint, with both in service for `overlap` seconds; returns the new one's id.

    Interrupted, it leaves the old secret valid beside the new one: roll again. Raises `RollError`,
    `NotConnectedError` and `StripeError`.
    """
    if settings.webhook_secrets or settings.register_webhook == "off":
        raise RollError(
            _(
                "the endpoint is managed by hand: roll its secret in Stripe's Dashboard, and set"
                " STRIPE_WEBHOOK_SECRET to the new and the old one, separated by a comma"
            )
        )
    pool = await create_pool(settings.require_database(), max_size=1)
    keyring = Keyring(
        pool,
        Vault(settings.require_secrets()),
        key=settings.stripe_secret_key.get_secret_value() if settings.stripe_secret_key else None,
        secrets=(),
        api_base=settings.stripe_api_base,
        address=settings.public_url,
    )
    try:
        return await _roll(pool, keyring, f"{settings.public_url}/webhooks/stripe", overlap)
    finally:
        await keyring.close()
        await pool.close()


async def _roll(pool: Pool, keyring: Keyring, url: str, overlap: float) -> str:
    api = await keyring.api()
    present = await keyring.connection()
    if present.endpoint_id is None or not await keyring.can_open_secrets():
        raise RollError(
            _(
                "no endpoint with a known secret is registered: press Repair under Health, or start"
                " a worker, which makes one with a secret of its own"
            )
        )
    old = (await keyring.secrets())[0]
    made = await api.create_webhook_endpoint(url=url, events=QUIET, metadata={"latchkey": "1"})
    new, endpoint_id = made["secret"], made["id"]
    with audit_draft.recording(
        audit_draft.of_command("latchkey roll-webhook-secret", AuditAction.SECRETS_ROTATED)
    ):
        audit_draft.note(after={"endpoint": endpoint_id})
        await _save(pool, keyring.vault, endpoint_id, url, f"{new},{old}")
    await asyncio.sleep(FRESH_SECONDS)
    await api.update_webhook_endpoint(endpoint_id, events=HANDLED_EVENTS)
    await asyncio.sleep(overlap)
    for endpoint in await _others(api, endpoint_id, url):
        await api.delete_webhook_endpoint(endpoint)
    await asyncio.sleep(FRESH_SECONDS)
    await _save(pool, keyring.vault, endpoint_id, url, new)
    return str(endpoint_id)


async def _save(pool: Pool, vault: Vault, endpoint_id: str, url: str, secrets: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connections.save_endpoint(
            connection,
            state="registered",
            endpoint_id=endpoint_id,
            url=url,
            sealed_secrets=vault.seal(secrets, Purpose.WEBHOOK_SECRETS),
        )


async def _others(api: StripeApi, endpoint_id: str, url: str) -> list[str]:
    """Endpoints that were made here for this address, without the new one. A worker that has
    started meanwhile may have deleted them."""
    return [
        endpoint["id"]
        for endpoint in await api.webhook_endpoints()
        if endpoint.get("metadata", {}).get("latchkey")
        and endpoint["url"] == url
        and endpoint["id"] != endpoint_id
    ]
