"""What is found at a site's public address, and said about it."""

import ssl
from collections.abc import AsyncIterator

import httpx
import pytest

from latchkey import address_proof, public_address
from latchkey.rules.public_address import AddressFinding, AddressState, sentence
from latchkey.settings import Settings
from latchkey.store.pool import Pool
from latchkey.vault import Vault
from tests.harness import SECRETS, Latchkey, free_port
from tests.life.test_copies import OK, Impostor, answering
from tests.test_outgoing import ANSWER, forged, serving
from tests.web.pages import visit

__all__ = ["forged"]

pytestmark = pytest.mark.anyio


async def found(pool: Pool, url: str) -> AddressFinding:
    settings = Settings.model_validate({"LATCHKEY_PUBLIC_URL": url, "LATCHKEY_SECRET": SECRETS[0]})
    finding = await public_address.look(pool, settings)
    assert not await pool.fetchval("select count(*) from address_proofs")
    return finding


async def test_what_answers_instead_of_the_site_is_named(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    impostor = Impostor(pool)

    async def proxied(url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
        yield public_address.UNKNOWN_HOST + b": use https://a.example."

    async def here(url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        signature = await address_proof.answer(pool, Vault(SECRETS), url, proof)
        yield OK + b'{"signature": "%s"}' % signature.encode()

    for answers, state, detail in (
        (here, AddressState.HERE, ""),
        (impostor.other_database, AddressState.OTHER_DATABASE, ""),
        (impostor.redirect, AddressState.REDIRECTED, "/there?proof="),
        (impostor.replayed, AddressState.OTHER_SITE, "status 200"),
        (impostor.huge, AddressState.OTHER_SITE, "status 200"),
        (impostor.odd, AddressState.OTHER_SITE, "status 200"),
        (proxied, AddressState.OTHER_HOST, ""),
    ):
        async with answering(answers) as url:
            finding = await found(pool, url)
        assert finding.state is state, answers.__name__
        assert finding.detail.startswith(detail)
        assert url in sentence(finding, url)
    nobody = await found(pool, f"http://127.0.0.1:{free_port()}")
    assert nobody.state is AddressState.NO_ANSWER
    unknown = await found(pool, "https://nowhere.invalid")
    assert unknown.state is AddressState.NO_NAME
    assert unknown.detail
    monkeypatch.setattr(address_proof, "PATIENCE_SECONDS", 0.5)
    async with answering(impostor.trickling) as url:
        assert (await found(pool, url)).detail == "within 0.5 seconds"


async def test_a_certificate_that_nobody_vouches_for_is_named(
    pool: Pool, forged: ssl.SSLContext
) -> None:
    async with serving(ANSWER, forged) as (url, got):
        finding = await found(pool, url)
    assert finding.state is AddressState.CERTIFICATE
    assert "self-signed" in finding.detail
    assert got == []


async def test_a_proxy_that_hides_visitors_is_named(pool: Pool) -> None:
    url = "https://members.example.com"
    settings = Settings.model_validate({"LATCHKEY_PUBLIC_URL": url, "LATCHKEY_SECRET": SECRETS[0]})
    async with address_proof.proving(pool) as proof:
        signature = await address_proof.answer(pool, Vault(SECRETS), url, proof)
        for forwarded, state in (
            (b"false", AddressState.VISITORS_HIDDEN),
            (b"true", AddressState.HERE),
            (b"null", AddressState.HERE),
        ):
            body = b'{"signature": "%s", "forwarded": %s}' % (signature.encode(), forwarded)
            answer = address_proof.AddressAnswer(200, body)
            assert public_address.judged(settings, proof, answer) == (state, "")


async def test_the_checklist_looks_at_the_address(shared: Latchkey) -> None:
    async with visit(shared) as owner:
        await owner.sign_in()
        try:
            page = "/admin/go-live"
            assert 'id="address"' in (await owner.get(page)).text
            sent = await owner.send(page, f"{page}/address/look")
            assert sent.headers["location"] == f"{page}#address"
            shown = (await owner.get(page)).text
            assert '<li id="address" class="done">' in shown
            assert f"{shared.url} leads to this site." in shown
        finally:
            await shared.pool.execute("delete from site_settings where key = 'public_address'")


async def test_the_site_refuses_other_names_in_the_words_that_are_looked_for(
    shared: Latchkey,
) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(shared.url, headers={"Host": "internal.example"})
    assert answer.content.startswith(public_address.UNKNOWN_HOST)
