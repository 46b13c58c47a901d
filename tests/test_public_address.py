"""What is found at a site's public address, and said about it."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from latchkey import address_proof, public_address
from latchkey.doctor_checks import Check, expectations, of_address
from latchkey.rules.public_address import AddressFinding, AddressState, sentence
from latchkey.settings import Settings
from latchkey.store import site_identity
from latchkey.store.checks import health
from latchkey.store.checks.findings import Finding, FindingKind, findings
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


async def troubles(pool: Pool, url: str, minutes: int) -> list[Finding]:
    """What the pages and the doctor say of the address, so many minutes from now."""
    async with pool.acquire() as connection:
        figures = await health.figures(connection)
    later = replace(figures, now=datetime.now(UTC) + timedelta(minutes=minutes))
    expected = replace(expectations(Settings.model_validate({})), public_url=url, is_public=True)
    return [one for one in findings(later, expected) if one.kind is FindingKind.ADDRESS]


async def test_an_address_that_stops_leading_here_is_an_alarm(pool: Pool) -> None:
    async def here(url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        signature = await address_proof.answer(pool, Vault(SECRETS), url, proof)
        yield OK + b'{"signature": "%s"}' % signature.encode()

    async def gone(url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n"

    answers = [gone]

    async def answer(url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        async for part in answers[0](url, target, proof):
            yield part

    now = datetime.now(UTC)
    async with answering(answer) as url:
        settings = Settings.model_validate(
            {"LATCHKEY_PUBLIC_URL": url, "LATCHKEY_SECRET": SECRETS[0]}
        )
        assert await public_address.look_if_due(pool, settings, as_of=now)
        assert await troubles(pool, url, 30) == [], "this machine may never reach it"
        answers[0] = here
        assert not await public_address.look_if_due(pool, settings, as_of=now)
        soon = now + timedelta(minutes=11)
        assert await public_address.look_if_due(pool, settings, as_of=soon)
        assert not await public_address.look_if_due(pool, settings, as_of=soon), "it's fine"
        assert await troubles(pool, url, 30) == []
        answers[0] = gone
        begun = datetime.now(UTC)
        for hour in (2, 4):
            later = now + timedelta(hours=hour)
            assert await public_address.look_if_due(pool, settings, as_of=later)
        assert await troubles(pool, url, 5) == [], "a proxy may restart"
        (found,) = await troubles(pool, url, 30)
        assert found.since is not None
        assert begun <= found.since <= datetime.now(UTC)
        assert found.detail.startswith(f"Something else answers at {url} (status 502).")
        assert await troubles(pool, url, 60 * 4) == [], "nobody has looked since"
        assert await troubles(pool, "https://elsewhere.example", 30) == []
        assert [check.ok for check in await of_address(settings)] == [], "nobody else knows it"
        async with pool.acquire() as connection, connection.transaction():
            await site_identity.settle(connection, "https://another.example")
        assert not await public_address.look_if_due(pool, settings, as_of=now + timedelta(days=1))


async def test_the_doctor_asks_who_answers(
    pool: Pool, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "is_local", False)

    async def here(url: str, target: str, proof: str) -> AsyncIterator[bytes]:
        signature = await address_proof.answer(pool, Vault(SECRETS), url, proof)
        yield OK + b'{"signature": "%s"}' % signature.encode()

    async def checked(url: str) -> list[Check]:
        given = {"LATCHKEY_PUBLIC_URL": url, "LATCHKEY_SECRET": SECRETS[0], "DATABASE_URL": dsn}
        return await of_address(Settings.model_validate(given))

    async with answering(here) as url:
        assert [(check.ok, check.found) for check in await checked(url)] == [
            (True, f"{url} leads to this site")
        ]
    (check,) = await checked(f"http://127.0.0.1:{free_port()}")
    assert not check.ok
    assert "Nothing answers" in check.found


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
