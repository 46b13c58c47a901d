"""Sends outgoing webhooks: in order for each user, side by side for different ones."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata

import structlog
from prometheus_client import Counter
from temporalio import activity

from activities.base import ActivityDeps
from activities.communities import CommunitySettler
from activities.errors import discreet
from latchkey import contracts, webhook_messages, webhook_signing
from latchkey.contracts import SendWebhooksResult
from latchkey.outgoing_addresses import RefusedAddressError
from latchkey.outgoing_http import NoAnswerError, OutgoingHttp
from latchkey.rules import deliveries as rules
from latchkey.rules.deliveries import DeliveryStanding
from latchkey.rules.vocabulary import COMMUNITIES, WebhookFormat
from latchkey.store import site_identity, site_settings
from latchkey.store.communities.communities import Community
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.webhooks import deliveries, endpoints
from latchkey.store.webhooks.deliveries import Attempt, Delivery
from latchkey.store.webhooks.endpoints import Endpoint
from latchkey.vault import Purpose

ONE_ROUND = timedelta(seconds=10)
"""A round begins nothing new after so long, so that the workflow can look at what it was told."""
BATCH = 100
AT_ONCE = {WebhookFormat.JSON: 8}
"""Requests at once to one endpoint; chats get one, and so do communities: an account that goes from
one member to another is never settled twice at a time."""
BETWEEN = {
    WebhookFormat.SLACK: 1.0,
    WebhookFormat.DISCORD: 1.0,
    WebhookFormat.DISCORD_ROLES: 0.1,
    WebhookFormat.SLACK_CHANNELS: 1.25,
}
"""Seconds between messages, which is what chats take, and between members of a community: some
three calls each, of Discord's 50 a second, or one of each kind, of Slack's 50 a minute."""
LONGEST_ANSWER = 1000
VERSION = metadata.version("latchkey")

log = structlog.get_logger("webhooks")
SENT = Counter("latchkey_outgoing_webhooks_total", "Attempts at outgoing webhooks.", ["outcome"])


@dataclass
class _Round:
    """One round at an endpoint: what came of it so far, and its failures in a row."""

    endpoint: Endpoint
    url: str
    secrets: list[str]
    site: str
    failures: int
    community: Community | None = None
    delivered: int = 0
    failed: int = 0
    over: bool = False


class WebhookActivities:
    """Delivers what waits for an endpoint."""

    def __init__(self, deps: ActivityDeps, outgoing: OutgoingHttp, *, public_url: str) -> None:
        self._deps = deps
        self._outgoing = outgoing
        self._public_url = public_url
        self._settler = CommunitySettler(deps.pool, deps.keyring.vault, outgoing)

    @activity.defn(name=contracts.SEND_WEBHOOKS)
    async def send(self, endpoint_id: str) -> SendWebhooksResult:
        """Send what is due for a while. A copy of a site sends nothing."""
        async with discreet():
            return await self._send(endpoint_id)

    async def _send(self, endpoint_id: str) -> SendWebhooksResult:
        delivered = failed = 0
        until = time.monotonic() + ONE_ROUND.total_seconds()
        while time.monotonic() < until:
            round_ = await self._begin(endpoint_id)
            if round_ is None:
                return SendWebhooksResult(delivered, failed)
            rests_until = round_.endpoint.rests_until
            if rests_until is not None and rests_until > datetime.now(UTC):
                return SendWebhooksResult(delivered, failed, next_at=rests_until)
            probe = rules.rests(round_.failures)
            async with self._deps.pool.acquire() as connection:
                due = await deliveries.due(
                    connection, endpoint_id, limit=1 if probe else BATCH, probe=probe
                )
                next_at = None if due else await deliveries.next_due(connection, endpoint_id)
            if not due:
                if round_.community is not None and next_at is None:
                    await self._settler.finish_leaving(endpoint_id)
                return SendWebhooksResult(delivered, failed, next_at=next_at)
            await self._deliver(round_, due, until)
            delivered, failed = delivered + round_.delivered, failed + round_.failed
        return SendWebhooksResult(delivered, failed, more=True)

    async def _begin(self, endpoint_id: str) -> _Round | None:
        """A round at an endpoint, None if it mustn't be sent anything."""
        async with self._deps.pool.acquire() as connection:
            identity = await site_identity.read(connection, self._public_url)
            endpoint = await endpoints.find(connection, endpoint_id)
            site = await site_settings.read(connection)
        if not identity.sends_webhooks or endpoint is None or not endpoint.active:
            return None
        if endpoint.format in COMMUNITIES:
            community = await self._settler.find(endpoint_id)
            return _Round(endpoint, "", [], site.name, endpoint.failures, community)
        if endpoint.format is WebhookFormat.DIGEST or endpoint.url is None:
            return None
        vault = self._deps.keyring.vault
        signing = [endpoint.secret] if endpoint.secret else []
        earlier = endpoint.earlier_until
        if endpoint.earlier_secret and earlier and earlier > datetime.now(UTC):
            signing.append(endpoint.earlier_secret)
        return _Round(
            endpoint,
            url=vault.open(endpoint.url, Purpose.WEBHOOK_URL),
            secrets=[vault.open(secret, Purpose.OUTGOING_SECRET) for secret in signing],
            site=site.name,
            failures=endpoint.failures,
        )

    async def _deliver(self, round_: _Round, due: list[Delivery], until: float) -> None:
        """Send a batch, each event to be followed by the next as soon as one is through."""
        left = iter(due)
        senders = AT_ONCE.get(round_.endpoint.format, 1)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(senders, len(due))):
                group.create_task(self._deliver_some(round_, left, until))

    async def _deliver_some(self, round_: _Round, left: Iterator[Delivery], until: float) -> None:
        for delivery in left:
            attempt = await self._attempt(round_, delivery)
            await self._note(round_, delivery, attempt)
            if round_.over or time.monotonic() >= until:
                return
            await asyncio.sleep(BETWEEN.get(round_.endpoint.format, 0))

    async def _attempt(self, round_: _Round, delivery: Delivery) -> Attempt:
        """Try once; whatever goes wrong is in the result."""
        if round_.community is not None:
            return await self._settler.attempt(round_.community, delivery)
        begun = time.monotonic()
        request, status, answer, error, asked, accepted = "", None, None, None, None, False
        try:
            request = webhook_messages.body(delivery, round_.endpoint.format, site=round_.site)
            got = await self._outgoing.post(
                round_.url, body=request.encode(), headers=_headers(round_, delivery, request)
            )
            status, accepted = got.status, got.accepted
            asked = rules.asked_pause(status, got.headers.get("retry-after"), datetime.now(UTC))
            answer = got.body.decode(errors="replace").replace("\0", "")[:LONGEST_ANSWER]
        except (RefusedAddressError, NoAnswerError) as refusal:
            error = str(refusal)
        except Exception as fault:
            log.exception("webhook can't be written", delivery=delivery.id)
            error = f"it can't be written ({type(fault).__name__})"
        took = round((time.monotonic() - begun) * 1000)
        return Attempt(request, status, answer, error, took, asked, accepted=accepted)

    async def _note(self, round_: _Round, delivery: Delivery, attempt: Attempt) -> None:
        endpoint_id = round_.endpoint.id
        if attempt.accepted:
            SENT.labels("delivered").inc()
            round_.delivered, round_.failures = round_.delivered + 1, 0
            async with self._deps.pool.acquire() as connection:
                await deliveries.mark_delivered(connection, endpoint_id, delivery, attempt)
            return
        SENT.labels("failed").inc()
        round_.failed += 1
        try:
            async with self._deps.pool.acquire() as connection, connection.transaction():
                await self._note_failure(connection, round_, delivery, attempt)
        except LookupError:
            round_.over = True

    async def _note_failure(
        self, connection: Connection, round_: _Round, delivery: Delivery, attempt: Attempt
    ) -> None:
        endpoint_id = round_.endpoint.id
        failures, since, now = await deliveries.count_failure(
            connection, endpoint_id, alone=attempt.alone
        )
        standing = DeliveryStanding(
            delivery.attempts + 1, delivery.first_tried_at or now, failures, since
        )
        then = rules.after_failure(
            standing,
            status=attempt.status,
            now=now,
            asked=attempt.asked,
            hopeless=attempt.hopeless,
        )
        reason = attempt.error or f"it answered {attempt.status}"
        off = await deliveries.mark_tried(
            connection, endpoint_id, delivery, attempt, then, reason=reason
        )
        round_.failures = failures
        round_.over = round_.over or then.rests_until is not None or then.switch_off
        if off:
            log.error("endpoint of outgoing webhooks switched off", endpoint=endpoint_id)
            await _tell_staff(connection, round_.endpoint, since, reason=reason)


def _headers(round_: _Round, delivery: Delivery, request: str) -> dict[str, str]:
    common = {"content-type": "application/json", "user-agent": f"Latchkey/{VERSION}"}
    if round_.endpoint.format is not WebhookFormat.JSON:
        return common
    return common | webhook_signing.headers(
        request,
        message_id=delivery.message_id,
        at=datetime.now(UTC),
        signing=round_.secrets,
    )


async def _tell_staff(
    connection: Connection, endpoint: Endpoint, since: datetime, *, reason: str
) -> None:
    """Email the site's owners and admins that an endpoint was switched off."""
    staff = await endpoints.in_charge(connection)
    await write_mails(
        connection,
        [
            Mail(
                key=f"webhooks_off:{endpoint.id}:{since:%Y%m%d%H%M%S%f}:{user_id}",
                kind="webhooks_off",
                user_id=user_id,
                data={
                    "host": endpoint.host,
                    "endpoint": endpoint.id,
                    "since": since.isoformat(),
                    "format": endpoint.format,
                    "reason": reason,
                },
            )
            for user_id in staff
        ],
    )
