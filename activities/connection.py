"""Checks the Stripe key and sets up the webhook endpoint."""

from collections.abc import Mapping
from typing import Any

from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import retried
from activities.promotions import end_countdowns
from latchkey import contracts
from latchkey.contracts import KeyCheck, StripeCallInput, StripeCallResult
from latchkey.rules import endpoint as endpoint_rules
from latchkey.rules.key_permissions import PERMISSIONS, RESTRICTED, WRITE, KeyPermission
from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.connection import NotConnectedError, PermissionCheck
from latchkey.stripe_api import API_VERSION, CopyError, Json, StripeApi, StripeError
from latchkey.vault import Purpose


class ConnectionActivities:
    """Sets up the connection and its endpoint. `register` is off if the endpoint is managed by
    hand."""

    def __init__(self, deps: ActivityDeps, *, public_url: str, register: bool) -> None:
        self._deps = deps
        self._url = f"{public_url.rstrip('/')}/webhooks/stripe"
        self._register = register

    @activity.defn(name=contracts.CHECK_KEY)
    async def check_key(self) -> KeyCheck:
        """Read the account, try each permission and record the findings."""
        async with retried():
            await self._deps.keyring.reload()
            try:
                key = await self._deps.keyring.key()
                problem = prefix_problem(key)
            except NotConnectedError as error:
                return KeyCheck(False, str(error))
            if problem:
                return await self._refuse(problem)
            api = await self._deps.keyring.api()
            try:
                account = await api.account()
            except StripeError as error:
                if error.passing:
                    raise
                return await self._refuse(f"Stripe refused the key: {error.message}")
            restricted = key.startswith(RESTRICTED)
            findings = [await _tried(api, one, restricted=restricted) for one in PERMISSIONS]
        name = _account_name(account)
        livemode = "_live_" in key
        async with self._deps.pool.acquire() as connection:
            await connections.save_check(
                connection,
                account_id=account["id"],
                account_name=name,
                country=account.get("country"),
                livemode=livemode,
                findings=findings,
            )
        await self._deps.keyring.reload()
        missing = [one.area for one in findings if not (one.ok or one.optional)]
        state = f"Connected to {account['id']} in {'live' if livemode else 'test'} mode"
        return KeyCheck(True, f"{state}; missing: {', '.join(missing)}" if missing else state)

    @activity.defn(name=contracts.REGISTER_ENDPOINT)
    async def register_endpoint(self) -> str:
        """Find, repair or create our endpoint. Stripe shows its secret only at creation, so an
        endpoint whose secret we don't have or can't decrypt is replaced. The site's endpoint at an
        earlier address is deleted."""
        keyring = self._deps.keyring
        if keyring.secrets_by_hand or not self._register:
            async with self._deps.pool.acquire() as connection:
                await connections.save_endpoint(connection, state="manual", url=self._url)
            await keyring.reload()
            return "The webhook endpoint is managed by hand"
        async with retried():
            api = await keyring.api()
            try:
                return await self._ensure(api)
            except StripeError as error:
                if error.passing:
                    raise
                async with self._deps.pool.acquire() as connection:
                    await connections.save_endpoint(
                        connection, state="failed", url=self._url, error=error.message
                    )
                return f"The webhook endpoint couldn't be registered: {error}"

    @activity.defn(name=contracts.TRY_WEBHOOK)
    async def try_webhook(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """Create an archived product without a price and delete it, so that Stripe sends events
        about it: `made` with its id, `refused` if the key may not, `copy` on a copy of a site. The
        trial's `object_id` is a nonce, so that a retry creates no second one."""
        async with retried():
            api = await self._deps.keyring.api()
            try:
                made = await api.create_trial_product(
                    idempotency_key=f"latchkey-trial-{stripe_call.object_id}"
                )
                await api.delete_product(made["id"])
            except CopyError:
                return StripeCallResult("copy")
            except StripeError as error:
                if not error.refused:
                    raise
                return StripeCallResult("refused")
        return StripeCallResult("made", made["id"])

    @activity.defn(name=contracts.CHECK_ENDPOINT)
    async def check_endpoint(self) -> str:
        """What Stripe is asked each hour because no event that we get says it: how the endpoint
        that sends to us differs from what we need, and whether codes of countdowns have ended."""
        async with retried():
            api = await self._deps.keyring.api()
            await end_countdowns(self._deps.pool, api)
            return await self._look_at_endpoint(api)

    async def _look_at_endpoint(self, api: StripeApi) -> str:
        try:
            endpoints = await api.webhook_endpoints()
        except StripeError as error:
            if error.passing:
                raise
            return await self._note({"status": "unreadable", "message": error.message})
        keyring = self._deps.keyring
        secrets = await keyring.secrets() if await keyring.can_open_secrets() else []
        return await self._note(
            endpoint_rules.look(
                endpoints, url=self._url, wanted=HANDLED_EVENTS, secrets=len(secrets)
            )
        )

    async def _note(self, found: Json) -> str:
        async with self._deps.pool.acquire() as connection:
            await connections.save_endpoint_look(connection, found)
        return str(found["status"])

    async def _ensure(self, api: StripeApi) -> str:
        keyring = self._deps.keyring
        row, opens = await keyring.connection(), await keyring.can_open_secrets()
        made_here = [
            endpoint
            for endpoint in await api.webhook_endpoints()
            if endpoint.get("metadata", {}).get("latchkey")
        ]
        ours = [endpoint for endpoint in made_here if endpoint["url"] == self._url]
        former = [
            endpoint
            for endpoint in made_here
            if endpoint["url"] != self._url and endpoint["id"] == row.endpoint_id
        ]
        kept = next((e for e in ours if opens and e["id"] == row.endpoint_id), None)
        if kept and kept.get("api_version") == API_VERSION:
            if not _up_to_date(kept):
                await api.update_webhook_endpoint(kept["id"], events=HANDLED_EVENTS)
            stale = [endpoint for endpoint in ours if endpoint is not kept]
            sealed, endpoint_id = None, kept["id"]
        else:
            made = await api.create_webhook_endpoint(
                url=self._url, events=HANDLED_EVENTS, metadata={"latchkey": "1"}
            )
            sealed, endpoint_id = (
                keyring.vault.seal(made["secret"], Purpose.WEBHOOK_SECRETS),
                made["id"],
            )
            stale = ours
        async with self._deps.pool.acquire() as connection:
            await connections.save_endpoint(
                connection,
                state="registered",
                endpoint_id=endpoint_id,
                url=self._url,
                sealed_secrets=sealed,
            )
        await keyring.reload()
        for endpoint in [*stale, *former]:
            await api.delete_webhook_endpoint(endpoint["id"])
        await self._look_at_endpoint(api)
        return f"Webhook endpoint {endpoint_id} is registered"

    async def _refuse(self, problem: str) -> KeyCheck:
        async with self._deps.pool.acquire() as connection:
            await connections.save_refusal(connection, error=problem)
        await self._deps.keyring.reload()
        return KeyCheck(False, "The key was refused: see the Connectors page")


def prefix_problem(key: str) -> str | None:
    """Why a key can't be one, by how it begins."""
    if key.startswith("pk_"):
        return "this is a publishable key: enter a secret key (sk_…) or a restricted key (rk_…)"
    if key.startswith(("sk_org_", "rk_org_")):
        return (
            "organization keys (sk_org_…) aren't supported: enter a secret key (sk_…) or a"
            " restricted key (rk_…) of the account to connect"
        )
    if not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
        return (
            "this isn't a Stripe API key: it must begin with sk_test_, sk_live_, rk_test_ or"
            " rk_live_"
        )
    return None


def _account_name(account: Json) -> str | None:
    profile = account.get("business_profile") or {}
    settings = (account.get("settings") or {}).get("dashboard") or {}
    name = profile.get("name") or settings.get("display_name")
    return name if isinstance(name, str) else None


async def _tried(api: StripeApi, wanted: KeyPermission, *, restricted: bool) -> PermissionCheck:
    """Whether the key allows it. Only a restricted key may read and not write, so only its writes
    are tried; a site that is a copy writes nothing, not even that."""
    one = {"limit": 1} if wanted.exists else {}
    refusal = await _refusal(api, "get", wanted.path, one)
    if refusal is None and restricted and wanted.level == WRITE:
        refusal = await _refusal(api, "post", wanted.written, wanted.refused)
    return PermissionCheck(
        wanted.name,
        wanted.used_for,
        ok=refusal is None,
        message=refusal,
        level=wanted.level,
        optional=wanted.optional,
    )


async def _refusal(api: StripeApi, method: str, path: str, params: Mapping[str, Any]) -> str | None:
    """Why the key may not send a request, in Stripe's words; None if it may."""
    try:
        await api.call(method, path, params)
    except CopyError:
        return None
    except StripeError as error:
        if error.passing:
            raise
        if error.refused or (method == "get" and not error.missing):
            return error.message
    return None


def _up_to_date(endpoint: Json) -> bool:
    enabled = set(endpoint["enabled_events"])
    return endpoint["status"] == "enabled" and enabled == set(HANDLED_EVENTS)
