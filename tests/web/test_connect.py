"""Connect your site: steps with the site's own values, and a check that says what works."""

import asyncio
import html
import io
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from markupsafe import escape

from latchkey.outgoing_http import Answer
from latchkey.store import site_settings
from latchkey.store.oauth import connecting
from latchkey.store.oauth.connecting import ConnectionFacts
from tests.digest import digest
from tests.harness import Latchkey
from tests.web.pages import Visitor, visit
from tests.web.relying import FIELDS, register
from web.integration_files import CONFIGURATIONS
from web.pages.admin import connect
from web.pages.admin.connect import KINDS, SiteFinding

pytestmark = pytest.mark.anyio

SITE = "https://members.example.com"
NOW = datetime.now(UTC)
NOTHING = ConnectionFacts(*[None] * 9)


def led_to(address: str) -> Answer:
    return Answer(302, b"", {"location": address})


LET_IN = Answer(200, b"<h1>The course</h1>")
COURSE = "https://course.example.com"
SENT_HERE = led_to(f"{COURSE}/.latchkey/enter?to=%2F")


def tones(found: list[SiteFinding]) -> str:
    return " ".join(finding.tone for finding in found)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (NOTHING, "bad"),
        (replace(NOTHING, client_id="c", client_name="Forum"), "good warn"),
        (replace(NOTHING, client_id="c", client_name="Forum", signed_in_at=NOW), "good good"),
    ],
)
def test_signing_in_is_judged_by_the_client(facts: ConnectionFacts, expected: str) -> None:
    assert tones(connect.signing_in(facts)) == expected


@pytest.mark.parametrize(
    ("facts", "answer", "expected"),
    [
        (NOTHING, LET_IN, "bad"),
        (replace(NOTHING, protected_site_id=1), None, "good warn"),
        (replace(NOTHING, protected_site_id=1), LET_IN, "good bad warn"),
        (replace(NOTHING, protected_site_id=1), led_to("/login"), "good bad warn"),
        (
            replace(NOTHING, protected_site_id=1),
            led_to("https://course.example.com.evil.example/.latchkey/enter?to=%2F"),
            "good bad warn",
        ),
        (replace(NOTHING, protected_site_id=1), SENT_HERE, "good good warn"),
        (replace(NOTHING, protected_site_id=1, entered_at=NOW), SENT_HERE, "good good good"),
        (replace(NOTHING, protected_site_id=1, entered_at=NOW), Answer(403, b""), "good good"),
    ],
)
def test_a_web_server_has_to_send_strangers_here(
    facts: ConnectionFacts, answer: Answer | None, expected: str
) -> None:
    assert tones(connect.proxied(facts, answer, origin=COURSE)) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (NOTHING, "bad warn"),
        (replace(NOTHING, token_used_at=NOW), "good warn"),
        (replace(NOTHING, token_used_at=NOW, endpoint_id="we"), "good warn"),
        (replace(NOTHING, token_used_at=NOW, endpoint_id="we", delivered_at=NOW), "good good"),
        (replace(NOTHING, endpoint_id="we", delivered_at=NOW, failing_since=NOW), "bad bad"),
    ],
)
def test_a_program_has_to_use_a_token(facts: ConnectionFacts, expected: str) -> None:
    assert tones(connect.asking(facts)) == expected


@pytest.mark.parametrize(
    ("answer", "named", "expected"),
    [
        (None, False, "bad"),
        (LET_IN, True, "good warn"),
        (Answer(200, f'<script src="{SITE}/embed.js"'.encode()), True, "good good"),
    ],
)
def test_a_page_has_to_be_named_and_have_the_script(
    answer: Answer | None, named: bool, expected: str
) -> None:
    assert tones(connect.embedding(answer, SITE, named=named)) == expected


def test_moments_are_shown_as_html() -> None:
    """A template escapes what isn't."""
    facts = replace(
        NOTHING,
        client_id="c",
        client_name="<b>",
        signed_in_at=NOW,
        protected_site_id=1,
        entered_at=NOW,
        token_used_at=NOW,
        endpoint_id="we",
        delivered_at=NOW,
    )
    failing = replace(facts, failing_since=NOW)
    found = [
        *connect.signing_in(facts),
        *connect.proxied(facts, None, origin=COURSE),
        *connect.asking(facts),
        *connect.asking(failing),
    ]
    texts = [str(escape(finding.text)) for finding in found]
    assert sum("<time " in text for text in texts) == 6
    assert not any("&lt;time" in text or "<b>" in text for text in texts)


@asynccontextmanager
async def serving(body: str) -> AsyncIterator[str]:
    """Another site, with one page. Yields its origin."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        await made.sign_in()
        yield made


async def test_every_kind_has_steps_with_the_sites_own_values(
    shared: Latchkey, admin: Visitor
) -> None:
    slug = f"connected-{uuid4().hex[:8]}"
    await shared.product("Connected", slug=slug)
    listed = (await admin.get("/admin/connect")).text
    for kind in KINDS:
        assert f'href="/admin/connect/{kind.slug}"' in listed
        path = f"/admin/connect/{kind.slug}?product={slug}&address=https://Mine.example/"
        shown = (await admin.get(path)).text
        assert shared.url.partition("://")[2] in shown
        assert slug in shown
        assert "https://mine.example" in shown or kind.slug in ("wordpress", "openid-connect")
    await admin.get("/admin/connect/nothing", 404)


async def test_configurations_and_the_plugin_are_ready_to_use(
    shared: Latchkey, admin: Visitor
) -> None:
    slug = f"sailing-{uuid4().hex[:8]}"
    await shared.product("Connected", slug=slug)
    at = "latchkey_at=10.0.0.5:8000&site_at=[::1]:81"
    for server, files in CONFIGURATIONS.items():
        path = f"/admin/connect/{server}?product={slug}&address=https://Mine.example/&{at}"
        shown = html.unescape((await admin.get(path)).text)
        for file in files:
            link = re.search(f'href="(/admin/connect/{server}/{file}[^"]*)"', shown)
            assert link
            answer = await admin.get(link[1])
            assert answer.headers["content-disposition"] == f'attachment; filename="{file}"'
            assert answer.text.strip() in shown
            assert "example.com" not in answer.text
        assert all(own in shown for own in (slug, "10.0.0.5:8000", "[::1]:81", "mine.example"))
    await admin.get("/admin/connect/nginx/nothing.conf", 404)
    await admin.get("/admin/connect/wordpress/course.conf", 404)
    for wrong in ("10.0.0.5", "a b:80", "x:99999", "x:1;\n}"):
        path = f"/admin/connect/nginx?{urlencode({'site_at': wrong})}"
        refused = (await admin.get(path, 422)).text
        assert "Enter a host and a port, such as 127.0.0.1:3000." in refused
        assert "proxy_pass http://127.0.0.1:3000;" in refused
    await admin.get("/admin/connect/nginx?address=ftp://mine.example", 422)
    plugin = await admin.get("/admin/connect/wordpress/plugin")
    with zipfile.ZipFile(io.BytesIO(plugin.content)) as archive:
        assert "latchkey/latchkey.php" in archive.namelist()


async def test_a_check_says_what_works_and_changes_nothing(
    shared: Latchkey, admin: Visitor
) -> None:
    async with serving(f'<script src="{shared.url}/embed.js"></script>') as origin:
        async with shared.pool.acquire() as connection, connection.transaction():
            await site_settings.change(connection, embed_origins=[origin])
        await register(shared, replace(FIELDS, name="Mine", redirect_uris=(f"{origin}/back",)))
        before = await digest(shared, without={"tries"})
        page = (await admin.send("/admin/connect/page", expect=200, address=origin)).text
        assert "It answers with status 200." in page
        assert "The script is on its home page." in page
        other = await admin.send("/admin/connect/openid-connect", expect=200, address=origin)
        assert "The client “Mine” belongs to it." in other.text
        assert "Nobody has signed in there yet." in other.text
        missing = await admin.send("/admin/connect/nginx", expect=200, address=origin)
        assert "It isn&#39;t a protected site yet." in missing.text
        program = await admin.send("/admin/connect/express", expect=200, address=origin)
        assert "API token" in program.text
        assert await digest(shared, without={"tries"}) == before


async def test_wrong_addresses_are_refused(shared: Latchkey, admin: Visitor) -> None:
    for wrong in ("", "example.com", f"{SITE}/page", "http://example.com"):
        answer = await admin.send("/admin/connect/page", expect=422, address=wrong)
        assert "The address" in answer.text
    itself = await admin.send("/admin/connect/page", expect=200, address=shared.url)
    assert "It can&#39;t be checked from here: it is this site&#39;s own address." in itself.text
    closed = await admin.send("/admin/connect/page", expect=200, address="http://127.0.0.1:1")
    assert "It can&#39;t be reached from here" in closed.text


async def test_checks_are_bounded(
    shared: Latchkey, admin: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "CHECKS_PER_HOUR", 0)
    answer = await admin.send("/admin/connect/page", expect=429, address=shared.url)
    assert "Wait an hour" in answer.text


async def test_facts_belong_to_one_origin(shared: Latchkey) -> None:
    host = f"{uuid4().hex[:8]}.example"
    await register(shared, replace(FIELDS, redirect_uris=(f"https://{host}.evil.example/back",)))
    async with shared.pool.acquire() as connection:
        found = await connecting.facts(connection, origin=f"https://{host}", host=host)
    assert replace(found, token_used_at=None) == NOTHING
