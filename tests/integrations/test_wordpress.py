"""WordPress with our plugin: who has the product reads, everybody else reads a sentence."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
import uvicorn
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.harness import Json, Latchkey, free_port, http_client, shortly, until
from tests.integrations.conftest import PASSWORD, Member
from tests.integrations.test_authlib import sign_in_here
from tests.integrations.wordpress import (
    OWNER,
    OWNER_EMAIL,
    OWNER_PASSWORD,
    WordPress,
    running,
)
from tests.web.pages import Visitor, user, visit

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

HIDDEN = "the winds of the strait"
UNCHECKED = "check at the moment"
FOR_MEMBERS = "This part is for members."


@pytest.fixture(scope="module")
async def installed(shared: Latchkey) -> AsyncIterator[WordPress]:
    async with running(shared) as wordpress:
        yield wordpress
        assert wordpress.complaints() == []


@pytest.fixture
async def wordpress(installed: WordPress, shared: Latchkey) -> WordPress:
    """WordPress with the settings that the plugin begins with."""
    await installed.configure(shared)
    return installed


@dataclass
class Reader:
    """Somebody with one browser at both sites. `http` is at WordPress, `here` at Latchkey."""

    wordpress: WordPress
    latchkey: Latchkey
    http: httpx.AsyncClient
    here: Visitor

    async def begin(self, **query: str) -> str:
        """Where WordPress leads to, to sign in."""
        answer = await self.http.get("/wp-login.php", params={"action": "latchkey", **query})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def callback(self, **query: str) -> str:
        """Where Latchkey leads back to."""
        address = (await self.begin(**query)).removeprefix(self.latchkey.url)
        return await self.here.goes(address)

    async def sign_in(self, **query: str) -> str:
        """Sign in; where WordPress goes on."""
        return await self.comes_back(await self.callback(**query))

    async def comes_back(self, address: str) -> str:
        answer = await self.http.get(address)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def reads(self, address: str) -> str:
        answer = await self.http.get(address)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def known(self) -> bool:
        """Whether WordPress knows who it is."""
        answer = await self.http.get("/wp-admin/profile.php")
        return answer.status_code == 200


@asynccontextmanager
async def reading(wordpress: WordPress, latchkey: Latchkey) -> AsyncIterator[Reader]:
    async with http_client(base_url=wordpress.url) as http, visit(latchkey) as here:
        yield Reader(wordpress, latchkey, http, here)


@pytest.fixture
async def reader(wordpress: WordPress, shared: Latchkey, member: Member) -> AsyncIterator[Reader]:
    """The member, signed in at Latchkey alone."""
    async with reading(wordpress, shared) as found:
        await found.here.sign_in(member.email, PASSWORD)
        yield found


def problem(address: str) -> str | None:
    """What a sign-in failed by, as the sign-in page is told."""
    return parse_qs(urlsplit(address).query).get("latchkey", [None])[0]


async def account(wordpress: WordPress, member: Member) -> Json:
    found = await wordpress.account(member.id)
    assert found is not None, "they have an account"
    return found


async def roles(wordpress: WordPress, member: Member) -> list[str]:
    found: list[str] = (await account(wordpress, member))["roles"]
    return found


async def lesson(wordpress: WordPress, slug: str) -> str:
    """A post with a part for who has the product."""
    content = f'<p>For all.</p>\n[latchkey product="{slug}"]<p>{HIDDEN}</p>[/latchkey]\n<p>End.</p>'
    return await wordpress.post(f"Lesson {slug}", content)


async def closed_at(end: float, read: Callable[[], Awaitable[str]]) -> str:
    """Read until the end has come. What is hidden is there until then, and not from that second on;
    the text without it."""
    shown = ""

    async def over() -> bool:
        nonlocal shown
        begun = time.time()
        shown = await read()
        if begun < end:
            assert HIDDEN in shown or time.time() >= end
            return False
        assert HIDDEN not in shown, "let out at the second"
        return True

    await until(over, "the end has come")
    return shown


async def sold(latchkey: Latchkey, slug: str, *, every: str | None = "month") -> tuple[str, str]:
    """A product that is sold at a price."""
    stripe_product = await latchkey.stripe.product("Navigation")
    price = await latchkey.stripe.price(stripe_product, 2900, every=every)
    product = await latchkey.product("Navigation", slug=slug)
    await latchkey.link(product, stripe_product)
    body = {"enabled": True, "price": price}
    await latchkey.call("PUT", f"/products/{product}/checkout", json=body)
    return product, price


async def test_a_member_buys_reads_cancels_and_is_let_out_at_the_second(
    shared: Latchkey, wordpress: WordPress, page: Page, member: Member
) -> None:
    slug = f"navigation-{member.id}"
    product, _ = await sold(shared, slug)
    await wordpress.configure(shared, roles=[{"product": slug, "role": "navigator"}])
    post = await lesson(wordpress, slug)

    await page.goto(post)
    closed = page.locator(".latchkey-closed")
    await expect(closed).to_contain_text(FOR_MEMBERS)
    await closed.get_by_role("link", name="Sign in").click()
    await sign_in_here(page, member)
    await page.wait_for_url(post)
    await expect(closed).to_contain_text(FOR_MEMBERS)
    await expect(closed.get_by_role("link", name="Sign in")).to_have_count(0)
    assert HIDDEN not in await page.content()
    assert await roles(wordpress, member) == ["subscriber"]

    await closed.get_by_role("link", name="Get access").click()
    await page.wait_for_url(f"{shared.stripe.url}/**")
    await page.get_by_label("Card number").fill("4242424242424242")
    await page.get_by_label("Name").fill("Ada")
    await page.locator("button.pay").click()
    await page.wait_for_url(post)
    await expect(page.get_by_text(HIDDEN)).to_be_visible()
    assert await roles(wordpress, member) == ["subscriber", "navigator"]

    subscriptions = await shared.call(
        "GET", "/subscriptions", params={"product": product, "limit": 10}
    )
    subscription = subscriptions["data"][0]["id"]
    end = int(time.time()) + shortly()
    await shared.stripe.post(f"subscriptions/{subscription}", cancel_at=end)

    async def ending() -> bool:
        found = await shared.access(product, member.email)
        return found["until"] is not None or not found["access"]

    await until(ending, "the end is known")
    await wordpress.a_minute_passes(member.id)

    async def read() -> str:
        return await (await page.request.get(post)).text()

    assert FOR_MEMBERS in await closed_at(end, read)
    await page.goto(post)
    await expect(closed.get_by_role("link", name="Get access")).to_be_visible()
    assert await roles(wordpress, member) == ["subscriber"]


async def test_who_is_new_is_led_to_the_checkout(
    shared: Latchkey, wordpress: WordPress, page: Page, member: Member
) -> None:
    slug = f"new-{member.id}"
    await sold(shared, slug)
    await page.goto(await lesson(wordpress, slug))
    await page.get_by_role("link", name="Get access").click()
    await page.wait_for_url(f"{shared.stripe.url}/**")


async def test_who_is_refunded_is_let_out_within_a_minute(
    shared: Latchkey, wordpress: WordPress, member: Member, reader: Reader
) -> None:
    slug = f"refund-{member.id}"
    product, price = await sold(shared, slug, every=None)
    post = await lesson(wordpress, slug)
    await wordpress.configure(shared, roles=[{"product": slug, "role": "navigator"}])
    session = await shared.stripe.buy(member.email, price, mode="payment")
    await shared.has(product, member.email)
    begun = time.time()
    assert await reader.sign_in(redirect_to=post) == post
    assert HIDDEN in await reader.reads(post)
    intent = await shared.stripe.get(f"payment_intents/{session['payment_intent']}")
    await shared.stripe.post("refunds", charge=intent["latest_charge"])
    await shared.has(product, member.email, access=False)
    text = await reader.reads(post)
    assert HIDDEN in text or time.time() - begun >= 60, "it asks once a minute"
    await wordpress.a_minute_passes(member.id)
    assert HIDDEN not in await reader.reads(post)
    assert await roles(wordpress, member) == ["subscriber"]


async def test_while_latchkey_is_away_what_is_known_counts_to_its_end(
    shared: Latchkey, wordpress: WordPress, member: Member, reader: Reader
) -> None:
    post = await lesson(wordpress, member.slug)
    await reader.sign_in()
    assert HIDDEN in await reader.reads(post)
    soon = datetime.now(UTC) + timedelta(seconds=shortly())
    await shared.pool.execute("update grants set until = $1 where user_id = $2", soon, member.id)
    await wordpress.a_minute_passes(member.id)
    await reader.reads(post)
    await shared.stop_web()
    try:
        await wordpress.a_minute_passes(member.id)
        text = await closed_at(soon.timestamp(), lambda: reader.reads(post))
        assert UNCHECKED in text
        async with reading(wordpress, shared) as other:
            assert FOR_MEMBERS in await other.reads(post)
            await wordpress.php("delete_transient( 'latchkey_metadata' );")
            assert problem(await other.begin()) == "away"
            assert "isn’t possible at the moment" in await other.reads(
                "/wp-login.php?latchkey=away"
            )
    finally:
        await shared.start_web()
    await wordpress.a_minute_passes(member.id)
    text = await reader.reads(post)
    assert FOR_MEMBERS in text
    assert UNCHECKED not in text


async def test_what_was_learned_long_ago_is_not_believed(
    shared: Latchkey, wordpress: WordPress, member: Member, reader: Reader
) -> None:
    post = await lesson(wordpress, member.slug)
    await reader.sign_in()
    code = """
        $user = Latchkey\\Accounts\\find( (string) $given['subject'] );
        $until = array( $given['slug'] => null );
        $record = array( 'asked' => time() - $given['ago'], 'until' => $until );
        update_user_meta( $user->ID, 'latchkey_access', $record );
        set_transient( 'latchkey_away', 'away', 600 );
    """
    await wordpress.php(code, subject=member.id, slug=member.slug, ago=86_300)
    assert HIDDEN in await reader.reads(post)
    await wordpress.php(code, subject=member.id, slug=member.slug, ago=86_400)
    assert UNCHECKED in await reader.reads(post)


async def test_a_callback_that_is_wrong_signs_nobody_in(
    shared: Latchkey, wordpress: WordPress, member: Member, reader: Reader
) -> None:
    back = await reader.callback()
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    where = back.partition("?")[0]

    def changed(**changes: str | None) -> str:
        kept = {name: value for name, value in {**query, **changes}.items() if value is not None}
        return f"{where}?{urlencode(kept)}"

    async with reading(wordpress, shared) as other:
        assert problem(await other.comes_back(back)) == "stale", "it is another browser's"
    assert problem(await reader.comes_back(changed(state="0" * 64))) == "stale"
    assert problem(await reader.comes_back(changed(state=None))) == "stale"
    assert not await reader.known()
    assert problem(await reader.comes_back(changed(iss="https://other.example"))) == "invalid"
    assert problem(await reader.comes_back(back)) == "stale", "the sign-in is used up"
    for iss, code, expected in ((None, "code", "invalid"), (shared.url, "made-up", "stale")):
        back = await reader.callback()
        query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
        assert problem(await reader.comes_back(changed(iss=iss, code=code))) == expected
    back = await reader.callback()
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    assert problem(await reader.comes_back(changed(code=None, error="access_denied"))) == "denied"
    assert not await reader.known()
    assert await wordpress.account(member.id) is None


async def test_a_code_that_is_used_twice_ends_what_it_gave(
    shared: Latchkey, wordpress: WordPress, member: Member, reader: Reader
) -> None:
    post = await lesson(wordpress, member.slug)
    first = await reader.callback()
    assert problem(await reader.comes_back(first)) is None
    assert await reader.known()
    async with reading(wordpress, shared) as thief:
        code = parse_qs(urlsplit(first).query)["code"][0]
        begun = parse_qs(urlsplit(await thief.begin()).query)
        stolen = {"code": code, "state": begun["state"][0], "iss": shared.url}
        address = f"{begun['redirect_uri'][0]}&{urlencode(stolen)}"
        assert problem(await thief.comes_back(address)) == "stale"
        assert not await thief.known()
    await wordpress.a_minute_passes(member.id)
    assert HIDDEN not in await reader.reads(post)
    assert not await reader.known(), "Latchkey has ended the sign-in whose code was stolen"


async def test_it_never_leads_to_another_site(reader: Reader, wordpress: WordPress) -> None:
    for evil in ("https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil"):
        assert (await reader.sign_in(redirect_to=evil)).startswith(wordpress.url)


@dataclass
class Liar:
    """A provider that says what a test wants it to."""

    url: str
    names: str
    claims: dict[str, Any] = field(default_factory=dict)
    nonce: str = ""
    asked: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.metadata),
                Route("/token", self.token, methods=["POST"]),
                Route("/revoke", self.revoke, methods=["POST"]),
                Route("/i", self.introspect, methods=["POST"]),
            ]
        )

    async def metadata(self, request: Request) -> Response:
        paths = {"authorization": "a", "introspection": "i", "end_session": "e"}
        paths |= {"token": "token", "revocation": "revoke"}
        ends = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in paths.items()}
        return JSONResponse({"issuer": self.names, **ends})

    async def revoke(self, request: Request) -> Response:
        return JSONResponse({})

    async def introspect(self, request: Request) -> Response:
        self.asked += 1
        return JSONResponse({"error": "invalid_client"}, 401)

    async def token(self, request: Request) -> Response:
        now = int(time.time())
        right = {"iss": self.url, "sub": "666", "aud": "client_1", "nonce": self.nonce}
        claims = {**right, "iat": now, "exp": now + 3600, **self.claims}
        kept = {name: value for name, value in claims.items() if value is not None}
        payload = base64.urlsafe_b64encode(json.dumps(kept).encode()).rstrip(b"=").decode()
        return JSONResponse({"id_token": f"e30.{payload}.x", "refresh_token": "r"})


@asynccontextmanager
async def lying() -> AsyncIterator[Liar]:
    port = free_port()
    liar = Liar(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}")
    server = uvicorn.Server(
        uvicorn.Config(liar.app(), host="127.0.0.1", port=port, log_level="error")
    )
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the liar serves")
    yield liar
    server.should_exit = True
    await serving


WRONG: tuple[Json, ...] = (
    {"iss": "https://other.example"},
    {"iss": None},
    {"aud": "client_2"},
    {"aud": ["client_1", "client_2"]},
    {"aud": None},
    {"azp": "client_2"},
    {"nonce": "another"},
    {"nonce": None},
    {"sub": None},
    {"sub": ""},
    {"sub": 666},
    {"exp": 1},
    {"exp": None},
    {"exp": "never"},
    {"iat": int(time.time()) + 86_400},
)


async def answered(liar: Liar, somebody: Reader, claims: Json) -> str | None:
    """What a sign-in fails by whose ID token has these claims."""
    begun = parse_qs(urlsplit(await somebody.begin()).query)
    liar.claims, liar.nonce = claims, begun["nonce"][0]
    fields = {"code": "c", "state": begun["state"][0], "iss": liar.url}
    return problem(await somebody.comes_back(f"{begun['redirect_uri'][0]}&{urlencode(fields)}"))


async def test_an_id_token_with_a_wrong_claim_signs_nobody_in(
    shared: Latchkey, wordpress: WordPress
) -> None:
    async with lying() as liar, reading(wordpress, shared) as somebody:
        await wordpress.configure(
            shared, issuer=liar.url, client_id="client_1", client_secret="secret"
        )
        for claims in WRONG:
            assert await answered(liar, somebody, claims) == "invalid", claims
            assert not await somebody.known()
        assert await answered(liar, somebody, {"azp": "client_1", "aud": ["client_1"]}) is None
        assert await somebody.known()
        await wordpress.a_minute_passes(666)
        for _ in range(2):
            assert await somebody.known(), "what was learned counts"
        assert liar.asked == 1, "after no answer, nobody asks for a while"
        await wordpress.php("delete_transient( 'latchkey_metadata' );")
        liar.names = shared.url
        async with reading(wordpress, shared) as other:
            assert problem(await other.begin()) == "away", "it says it is somebody else"


async def test_an_email_address_alone_gives_nobody_an_account(
    shared: Latchkey, wordpress: WordPress, reader: Reader, member: Member
) -> None:
    made = """
        $id = wp_insert_user( array( 'user_login' => $given['login'], 'user_pass' => 'x',
                                     'user_email' => $given['email'], 'role' => $given['role'] ) );
        answer( $id );
    """
    theirs = await wordpress.php(made, login=member.slug, email=member.email, role="subscriber")
    await shared.pool.execute("update users set proven_at = now() where id = $1", member.id)
    assert problem(await reader.sign_in()) == "taken", "nobody has allowed it"
    await wordpress.configure(shared, link_accounts=True)
    role = "( new WP_User( $given['id'] ) )->set_role( $given['role'] );"
    for powerful in ("administrator", "editor", "author", "contributor"):
        await wordpress.php(role, id=theirs, role=powerful)
        assert problem(await reader.sign_in()) == "taken", powerful
    await wordpress.php(role, id=theirs, role="subscriber")
    await shared.pool.execute("update users set proven_at = null where id = $1", member.id)
    assert problem(await reader.sign_in()) is None
    assert await reader.known()
    other = await account(wordpress, member)
    assert (other["id"] != theirs, other["email"]) == (True, ""), "the address isn't verified"
    await wordpress.php(
        "require_once ABSPATH . 'wp-admin/includes/user.php';wp_delete_user( $given['id'] );",
        id=other["id"],
    )
    await shared.pool.execute("update users set proven_at = now() where id = $1", member.id)
    assert problem(await reader.sign_in()) is None
    assert (await account(wordpress, member))["id"] == theirs
    await wordpress.php(role, id=theirs, role="administrator")
    assert problem(await reader.sign_in()) == "administrator", "who became one later stays out"


async def test_an_administrators_account_is_never_taken(
    shared: Latchkey, wordpress: WordPress, member: Member
) -> None:
    await wordpress.configure(shared, link_accounts=True)
    thief = await user(shared, OWNER_EMAIL)
    await shared.pool.execute("update users set proven_at = now() where id = $1", thief)
    async with reading(wordpress, shared) as somebody:
        await somebody.here.sign_in_as(thief, "wordpress")
        assert problem(await somebody.sign_in()) == "taken"
        assert not await somebody.known()


async def test_a_new_address_is_followed_if_it_is_verified(
    shared: Latchkey, wordpress: WordPress, reader: Reader, member: Member
) -> None:
    await shared.pool.execute("update users set proven_at = now() where id = $1", member.id)
    await reader.sign_in()
    before = await account(wordpress, member)
    assert before["email"] == member.email
    new = f"new-{member.email}"
    await shared.pool.execute("update users set email = $2 where id = $1", member.id, new)
    await reader.sign_in()
    assert await account(wordpress, member) == {**before, "email": new}


async def test_what_is_protected_reaches_nobody_else(
    shared: Latchkey, wordpress: WordPress, reader: Reader, member: Member
) -> None:
    number = member.id
    word = f"zephyr{number}"
    tag = f'[latchkey product="{member.slug}"]'
    hidden = f"{HIDDEN} {word}"
    shapes = {
        "right": f"{tag}<p>{hidden}</p>[/latchkey]<p>bye</p>",
        "inline": f"One {tag}{hidden}[/latchkey] two.",
        "unclosed": f"<p>Before</p>{tag}<p>{hidden}</p>",
        "nested": f"{tag}a{tag}b[/latchkey]<p>{hidden}</p>[/latchkey]",
        "stray": f"<p>{hidden}</p>[/latchkey]",
        "closed": f'[latchkey product="{member.slug}" /]<p>{hidden}</p>[/latchkey]',
        "half": f'[latchkey product="{member.slug}"a[/latchkey]<p>{hidden}</p>[/latchkey]',
        "paged": f"{tag}<p>a</p><!--nextpage--><p>{hidden}</p><!--nextpage-->[/latchkey]",
        "more": f"{tag}<p>{hidden}</p><!--more--><p>{hidden}</p>[/latchkey]",
        "nothing": f"[latchkey]<p>{hidden}</p>[/latchkey]",
        "blocks": "<!-- wp:shortcode -->" + tag + "<!-- /wp:shortcode --><!-- wp:paragraph -->"
        f"<p>{hidden}</p><!-- /wp:paragraph --><!-- wp:shortcode -->[/latchkey]"
        "<!-- /wp:shortcode -->",
    }
    posts = {name: await wordpress.post(f"{name} {number}", text) for name, text in shapes.items()}
    async with http_client(base_url=wordpress.url, follow_redirects=True) as stranger:
        for name, post in posts.items():
            for path in (post, f"{post}2/", f"{post}feed/", f"{post}embed/"):
                assert word not in (await stranger.get(path)).text, (name, path)
            shown = await stranger.get(post)
            assert "no-store" in shown.headers["cache-control"]
        rest = ("/wp-json/wp/v2/posts?per_page=50", f"/wp-json/wp/v2/posts?search={word}")
        for path in ("/", "/feed/", "/feed/atom/", "/?feed=rdf", f"/?s={number}", *rest):
            answer = await stranger.get(path)
            assert answer.status_code == 200, path
            assert word not in answer.text.replace(f"search={word}", ""), path
        assert (await stranger.get(rest[1])).json() == [], "a search doesn't tell what is in it"
        assert posts["right"] not in (await stranger.get(f"/?s={word}")).text
        titled = f"/wp-json/wp/v2/posts?per_page=50&search={number}"
        found = (await stranger.get(titled)).json()
        assert len(found) == len(posts), "titles are searched"
    await reader.sign_in()
    for name in ("right", "inline", "blocks", "more", "paged"):
        assert word in await reader.reads(posts[name]), name
    for name in ("unclosed", "stray", "closed", "half", "nothing"):
        assert word not in await reader.reads(posts[name]), name
    assert word not in await reader.reads(f"{posts['right']}feed/"), "feeds are kept elsewhere"


async def test_signing_out_there_signs_out_here(
    shared: Latchkey, wordpress: WordPress, reader: Reader, member: Member
) -> None:
    post = await lesson(wordpress, member.slug)
    await reader.sign_in()
    assert HIDDEN in await reader.reads(post)

    async def told(**claims: str) -> int:
        payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()
        async with http_client() as client:
            answer = await client.post(
                f"{wordpress.url}/wp-json/latchkey/v1/logout",
                data={"logout_token": f"e30.{payload}.x"},
            )
        return answer.status_code

    sid = str(await shared.pool.fetchval("select sid from sessions where user_id = $1", member.id))
    claims = {"iss": shared.url, "sub": str(member.id), "sid": sid}
    assert await told(**claims) == 200
    assert await reader.known(), "a forged notice ends nothing"
    assert await told(**{**claims, "iss": "https://other.example"}) == 400
    assert await told() == 400
    await reader.here.send("/account", "/logout")

    async def out() -> bool:
        return not await reader.known()

    await until(out, "WordPress was told")
    assert HIDDEN not in await reader.reads(post)


async def test_signing_out_here_signs_out_there(
    shared: Latchkey, wordpress: WordPress, page: Page, member: Member
) -> None:
    await wordpress.post(f"Door {member.id}", "[latchkey_sign_in]")
    door = f"{wordpress.url}/door-{member.id}/"
    await page.goto(door)
    await page.get_by_role("link", name="Sign in with your membership").click()
    await sign_in_here(page, member)
    await page.get_by_role("link", name="Sign out").click()
    await page.wait_for_url(f"{wordpress.url}/")
    await page.goto(f"{shared.url}/account")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto(door)
    await expect(page.get_by_role("link", name="Sign in with your membership")).to_be_visible()


async def test_passwords_can_be_for_administrators_alone(
    shared: Latchkey, wordpress: WordPress, member: Member
) -> None:
    made = "wp_insert_user( array( 'user_login' => $given['name'], 'user_pass' => 'sesame' ) );"
    await wordpress.php(made, name=member.slug)

    async def signs_in(name: str, password: str) -> int:
        async with http_client(base_url=wordpress.url) as client:
            fields = {"log": name, "pwd": password}
            return (await client.post("/wp-login.php", data=fields)).status_code

    assert await signs_in(member.slug, "sesame") == 302
    await wordpress.configure(shared, password_form=False)
    assert await signs_in(member.slug, "sesame") == 200, "the form again"
    assert await signs_in(OWNER, OWNER_PASSWORD) == 302


async def test_the_owner_sets_it_up_and_removes_it(
    shared: Latchkey, wordpress: WordPress, page: Page, member: Member, reader: Reader
) -> None:
    await wordpress.php("delete_option( 'latchkey' );")
    await page.goto(f"{wordpress.url}/wp-admin/options-general.php?page=latchkey")
    await page.get_by_label("Username or Email Address").fill(OWNER)
    await page.get_by_role("textbox", name="Password").fill(OWNER_PASSWORD)
    await page.get_by_role("button", name="Log In").click()
    await expect(page.get_by_text("wp-login.php?action=latchkey-callback")).to_be_visible()
    await page.get_by_label("Issuer").fill(f"{shared.url}/")
    await page.get_by_label("Client ID").fill(wordpress.client)
    await page.get_by_label("Client secret").fill("wrong")
    await page.get_by_role("button", name="Save Changes").click()
    await expect(page.get_by_text("doesn’t accept the client ID and secret")).to_be_visible()
    await page.get_by_label("Client secret").fill(wordpress.secret)
    await page.get_by_label("Product (slug)").first.fill(member.slug)
    await page.get_by_label("Role", exact=True).first.select_option("Navigator")
    await page.get_by_role("button", name="Save Changes").click()
    await expect(page.get_by_text("Latchkey is there and knows this site.")).to_be_visible()
    assert wordpress.secret not in await page.content()
    offered = await page.get_by_label("Role", exact=True).first.locator("option").all_inner_texts()
    assert "Subscriber" in offered
    assert not {"Administrator", "Editor"} & set(offered)

    await reader.sign_in()
    assert await roles(wordpress, member) == ["subscriber", "navigator"]
    left = """
        define( 'WP_UNINSTALL_PLUGIN', 'latchkey/latchkey.php' );
        $user = Latchkey\\Accounts\\find( (string) $given['subject'] );
        require WP_PLUGIN_DIR . '/latchkey/uninstall.php';
        global $wpdb;
        answer( array(
            $wpdb->get_var( "select count(*) from $wpdb->options where option_name like '%latchkey%'
                             and option_name not in ('active_plugins', 'cron')" ),
            $wpdb->get_var( "select count(*) from $wpdb->usermeta where meta_key like 'latchkey%'
                             or meta_value like '%refresh_token%'" ),
            ( new WP_User( $user->ID ) )->roles,
            wp_next_scheduled( 'latchkey_take_roles' ),
        ) );
    """
    assert await wordpress.php(left, subject=member.id) == ["0", "0", ["subscriber"], False]
    assert not await reader.known()
