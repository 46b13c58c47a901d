"""Finds out whether a site's own address leads to its database, or to another copy of it.

Copies that were made of the files of a server or of a whole machine know nothing that their
original doesn't know. So the asking program writes something new to its database, and asks whoever
answers at the public URL whether they have it. The answer is signed with LATCHKEY_SECRET, which
copies share and nobody else has, and for the public URL of who answers: a copy that has another one
says nothing about this site, even where requests are led to it.
"""

import asyncio
import re
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


async def leads_here(pool: Pool, settings: Settings) -> bool | None:
    """Whether the public URL leads to the database of `pool`. None if nobody answers there who has
    the site's secret."""
    if settings.secret is None:
        return None
    proof = token_urlsafe(24)
    async with pool.acquire() as connection:
        await site_identity.prove(connection, proof)
    try:
        return await _ask(settings, proof)
    finally:
        async with pool.acquire() as connection:
            await site_identity.forget_proof(connection, proof)


async def _ask(settings: Settings, proof: str) -> bool | None:
    url = settings.public_url
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            signature = orjson.loads(await _get(f"{url.rstrip('/')}{PATH}", proof))["signature"]
    except (httpx.HTTPError, OSError, ValueError, TypeError, KeyError):
        return None
    vault = Vault(settings.require_secrets())
    for here in (True, False):
        valid = vault.signatures(_statement(url, proof, here=here), Purpose.ADDRESS_PROOF)
        if signature in valid:
            return here
    return None


async def _get(address: str, proof: str) -> bytes:
    """The beginning of what an address answers. Redirects aren't followed."""
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
    return bytes(body)


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
