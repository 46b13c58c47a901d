"""Tells other sites that somebody has signed out here (OpenID Connect Back-Channel Logout)."""

import asyncio
import time
from datetime import timedelta
from secrets import token_urlsafe
from urllib.parse import urlencode

import structlog
from prometheus_client import Counter

from latchkey.outgoing_addresses import RefusedAddressError
from latchkey.outgoing_http import NoAnswerError, OutgoingHttp
from latchkey.settings import Settings
from latchkey.signing import SigningKeys
from latchkey.store import site_identity
from latchkey.store.oauth import logouts
from latchkey.store.oauth.logouts import LogoutNotice
from latchkey.store.pool import Pool
from latchkey.supervision import LoopSupervisor

BATCH = 10
POLL_SECONDS = 2.0
KIND = "logout+jwt"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
TOKEN_LIFE = timedelta(minutes=2)
PAUSES = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""How long to wait after each failed try. After the last one, a notice is given up."""

log = structlog.get_logger("logouts")
SENT = Counter("latchkey_logout_notices_total", "Logout notices by outcome.", ["outcome"])


async def run(
    pool: Pool,
    settings: Settings,
    signing: SigningKeys,
    http: OutgoingHttp,
    supervisor: LoopSupervisor,
) -> None:
    """Deliver due notices until the supervisor stops."""
    await supervisor.repeat(
        "logout notices",
        lambda: send_due(pool, settings, signing, http),
        every=POLL_SECONDS,
        patience=timedelta(minutes=5),
    )


async def send_due(
    pool: Pool, settings: Settings, signing: SigningKeys, http: OutgoingHttp
) -> bool:
    """Deliver one batch; True if there may be more. A copy of a site tells nobody."""
    async with pool.acquire() as connection:
        identity = await site_identity.read(connection, settings.public_url)
        if not identity.notifies_sites:
            return False
        due = await logouts.claim(connection, limit=BATCH)
    await asyncio.gather(
        *(_send(pool, settings.public_url, signing, http, notice) for notice in due)
    )
    return len(due) == BATCH


async def _send(
    pool: Pool, issuer: str, signing: SigningKeys, http: OutgoingHttp, notice: LogoutNotice
) -> None:
    token = await logout_token(signing, issuer, notice)
    try:
        answer = await http.post(
            notice.address,
            body=urlencode({"logout_token": token}).encode(),
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        error = None if answer.accepted else f"it answered with status {answer.status}"
    except (RefusedAddressError, NoAnswerError) as refused:
        error = str(refused)
    SENT.labels("failed" if error else "delivered").inc()
    async with pool.acquire() as connection:
        if error is None:
            await logouts.delivered(connection, notice.id)
            return
        tries_left = notice.attempts <= len(PAUSES)
        again = PAUSES[notice.attempts - 1] if tries_left else None
        log.warning(
            "a logout notice wasn't delivered",
            client=notice.client_id,
            attempts=notice.attempts,
            given_up=again is None,
        )
        await logouts.failed(connection, notice.id, error[:300], again=again)


async def logout_token(signing: SigningKeys, issuer: str, notice: LogoutNotice) -> str:
    """What says to a client that a session has ended."""
    now = int(time.time())
    claims = {
        "iss": issuer,
        "sub": notice.subject,
        "aud": notice.client_id,
        "iat": now,
        "exp": now + int(TOKEN_LIFE.total_seconds()),
        "jti": token_urlsafe(16),
        "sid": notice.sid,
        "events": {EVENT: {}},
    }
    return await signing.sign(claims, kind=KIND)
