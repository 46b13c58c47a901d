"""Looks at a site's public address as a visitor does: by DNS and TLS, without following redirects.

It asks from the machine that the site runs on, so a name or a route that only this machine knows
isn't noticed. An event that Stripe delivers proves the rest.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import orjson

from latchkey import address_proof
from latchkey.rules.public_address import AddressFinding, AddressState
from latchkey.settings import Settings
from latchkey.store import site_identity
from latchkey.store.checks import public_address as findings
from latchkey.store.pool import Pool
from latchkey.store.site_identity import SiteRole
from latchkey.supervision import LoopSupervisor
from latchkey.texts import made_storable

LONGEST_DETAIL = 200
EVERY, AGAIN = timedelta(hours=1), timedelta(minutes=10)
"""How often the address is looked at by itself, and how soon again if something is in the way."""
UNKNOWN_HOST = b"This site doesn't answer to this host name"
"""How `web/hosts.py` begins its answer to a request for another name."""


async def watch(pool: Pool, settings: Settings, supervisor: LoopSupervisor) -> None:
    """Look at the address now and then until the supervisor stops, if the internet can reach it."""
    if settings.is_local:
        return

    async def round_() -> bool:
        await look_if_due(pool, settings, as_of=datetime.now(UTC))
        return False

    await supervisor.repeat("address", round_, every=AGAIN.total_seconds())


async def look_if_due(pool: Pool, settings: Settings, *, as_of: datetime) -> bool:
    """Look and record what is found, if no process has done so lately; whether it was due. A copy
    leaves the address alone, which is its original's."""
    url = settings.public_url
    async with pool.acquire() as connection:
        identity = await site_identity.read(connection, url)
        last = await findings.last(connection, url)
    if identity.role is not SiteRole.ORIGINAL:
        return False
    if last is not None:
        pause = EVERY if last.state is AddressState.HERE else AGAIN
        if as_of < last.at + pause - timedelta(seconds=5):
            return False
    await look_and_note(pool, settings)
    return True


async def look_and_note(pool: Pool, settings: Settings) -> AddressFinding:
    """Look, and record what is found."""
    finding = await look(pool, settings)
    async with pool.acquire() as connection, connection.transaction():
        await findings.note(connection, settings.public_url, finding)
    return finding


async def look(pool: Pool, settings: Settings) -> AddressFinding:
    """What answers at the public URL, within some seconds."""
    async with address_proof.proving(pool) as proof:
        state, detail = await _look(settings, proof)
    return AddressFinding(state, datetime.now(UTC), made_storable(detail)[:LONGEST_DETAIL])


async def _look(settings: Settings, proof: str) -> tuple[AddressState, str]:
    parts = urlsplit(settings.public_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(address_proof.PATIENCE_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(parts.hostname, port)
            answer = await address_proof.ask(settings.public_url, proof)
    except TimeoutError:
        return AddressState.NO_ANSWER, f"within {address_proof.PATIENCE_SECONDS:g} seconds"
    except (socket.gaierror, UnicodeError) as error:
        return AddressState.NO_NAME, getattr(error, "strerror", None) or str(error)
    except httpx.TimeoutException:
        return AddressState.NO_ANSWER, f"within {address_proof.PATIENCE_SECONDS:g} seconds"
    except (httpx.HTTPError, OSError) as error:
        return _failure(error)
    return judged(settings, proof, answer)


def judged(
    settings: Settings, proof: str, answer: address_proof.AddressAnswer
) -> tuple[AddressState, str]:
    """What an answer at the public URL says."""
    if 300 <= answer.status < 400:
        return AddressState.REDIRECTED, answer.location or "nowhere"
    here = address_proof.read(settings, proof, answer)
    if here is None:
        if answer.body.startswith(UNKNOWN_HOST):
            return AddressState.OTHER_HOST, ""
        return AddressState.OTHER_SITE, f"status {answer.status}"
    if not here:
        return AddressState.OTHER_DATABASE, ""
    forwarded = None
    with suppress(ValueError, TypeError, AttributeError):
        forwarded = orjson.loads(answer.body).get("forwarded")
    if forwarded is False and settings.public_url.startswith("https:"):
        return AddressState.VISITORS_HIDDEN, ""
    return AddressState.HERE, ""


def _failure(error: Exception) -> tuple[AddressState, str]:
    """Why there was no answer; the first cause says it best."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AddressState.CERTIFICATE, cause.verify_message
        if isinstance(cause, ssl.SSLError):
            return AddressState.CERTIFICATE, cause.reason or str(cause)
        cause = cause.__cause__ or cause.__context__
    return AddressState.NO_ANSWER, str(error) or type(error).__name__
