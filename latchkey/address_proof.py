"""Finds out whether a site's own address leads to its database, or to another copy of it.

Copies that were made of the files of a server or of a whole machine know nothing that their
original doesn't know. So the asking program writes something new to its database, and asks whoever
answers at the public URL whether they have it. The answer is signed with LATCHKEY_SECRET, which
copies share and nobody else has, and for the public URL of who answers: a copy that has another one
says nothing about this site, even where requests are led to it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_urlsafe

import httpx
import orjson

from latchkey.settings import Settings
from latchkey.store import site_identity
from latchkey.store.pool import Pool
from latchkey.vault import Purpose, Vault

PATH = "/.well-known/latchkey"
PATIENCE_SECONDS = 5.0
"""For the whole answer, however slowly it comes."""
LONGEST_ANSWER = 1024
"""In bytes. What answers at the address may be anything."""
_PROOF = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class AddressAnswer:
    """What answers at an address: its status, the beginning of its body, and where it redirects
    to."""

    status: int
    body: bytes
    location: str = ""


async def leads_here(pool: Pool, settings: Settings) -> bool | None:
    """Whether the public URL leads to the database of `pool`. None if nobody answers there who has
    the site's secret."""
    if settings.secret is None:
        return None
    async with proving(pool) as proof:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await ask(settings.public_url, proof)
        except (httpx.HTTPError, OSError, ValueError):
            return None
        return read(settings, proof, answer)


@asynccontextmanager
async def proving(pool: Pool) -> AsyncIterator[str]:
    """A proof that is in the database meanwhile."""
    proof = token_urlsafe(24)
    async with pool.acquire() as connection:
        await site_identity.prove(connection, proof)
    try:
        yield proof
    finally:
        async with pool.acquire() as connection:
            await site_identity.forget_proof(connection, proof)


def read(settings: Settings, proof: str, answer: AddressAnswer) -> bool | None:
    """Whether an answer says that the proof is in the database. None if it isn't signed with the
    site's secret."""
    try:
        signature = orjson.loads(answer.body)["signature"]
    except (ValueError, TypeError, KeyError):
        return None
    vault = Vault(settings.require_secrets())
    for here in (True, False):
        statement = _statement(settings.public_url, proof, here=here)
        if signature in vault.signatures(statement, Purpose.ADDRESS_PROOF):
            return here
    return None


async def ask(url: str, proof: str) -> AddressAnswer:
    """Ask whoever answers at a site's address. Redirects aren't followed. Raises
    `httpx.HTTPError`."""
    address = f"{url.rstrip('/')}{PATH}"
    encrypted = address.startswith("https:")
    """Loading certificates takes longer than the request."""
    body = bytearray()
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS, verify=encrypted) as client,
        client.stream(
            "GET", address, params={"proof": proof}, headers={"Accept-Encoding": "identity"}
        ) as response,
    ):
        async for part in response.aiter_raw():
            body += part
            if len(body) > LONGEST_ANSWER:
                break
        return AddressAnswer(
            response.status_code, bytes(body), response.headers.get("location", "")
        )


def is_proof(text: str) -> bool:
    """Whether a text can be a proof."""
    return _PROOF.fullmatch(text) is not None


async def answer(pool: Pool, vault: Vault, url: str, proof: str) -> str:
    """The signed answer, of the site at a public URL, to whether a proof is in the database of
    `pool`."""
    async with pool.acquire() as connection:
        here = await site_identity.is_here(connection, proof)
    return vault.sign(_statement(url, proof, here=here), Purpose.ADDRESS_PROOF)


def _statement(url: str, proof: str, *, here: bool) -> str:
    return f"{proof} {'is' if here else 'is not'} in the database of {url}"
