"""Looks at a site's public address as a visitor does: by DNS and TLS, without following redirects.

It asks from the machine that the site runs on, so a name or a route that only this machine knows
isn't noticed. An event that Stripe delivers proves the rest.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import orjson

from latchkey import address_proof
from latchkey.rules.public_address import AddressFinding, AddressState
from latchkey.settings import Settings
from latchkey.store.pool import Pool
from latchkey.texts import made_storable

LONGEST_DETAIL = 200
UNKNOWN_HOST = b"This site doesn't answer to this host name"
"""How `web/hosts.py` begins its answer to a request for another name."""


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
