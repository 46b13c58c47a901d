"""Protected sites: who is let in, what ends that, and everything that mustn't work."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from latchkey import passwords, signin_links
from latchkey.rules.forward_auth import WithoutAccess
from latchkey.signin_links import SitePass
from latchkey.store import site_identity
from latchkey.store.forward_auth import sites, standings
from latchkey.store.pool import Pool
from latchkey.store.site_identity import SiteRole
from latchkey.store.users import erasure, sessions, users
from tests.harness import SECRETS, Latchkey, free_port
from tests.web.pages import Visitor, left_for, user, visit
from tests.web.protected import ProtectedVisitor, protect
from web.visitors import VisitorAddresses, from_trusted_proxy

pytestmark = pytest.mark.anyio

PASSWORD = "purple anvils sing"


@dataclass
class Course:
    """A protected site, its product, and a member who has it, at both addresses."""

    site: Latchkey
    there: ProtectedVisitor
    id: int
    product: str
    slug: str
    user: int
    email: str

    @property
    def here(self) -> Visitor:
        return self.there.visitor

    async def sign_in(self) -> None:
        await self.here.send("/login", email=self.email, password=PASSWORD)

    async def give(self, until: datetime | None = None) -> int:
        body = {"email": self.email, "until": until.isoformat() if until else None}
        given = await self.site.call("POST", f"/products/{self.product}/grants", 201, json=body)
        return int(given["id"])


@pytest.fixture
async def course(shared: Latchkey) -> AsyncIterator[Course]:
    number = free_port()
    origin, slug = f"https://course-{number}.example", f"course-{number}"
    email = f"ada-{number}@course.example"
    product = await shared.product("A course", slug=slug)
    member = await user(shared, email)
    hashed = await passwords.hash_password(PASSWORD)
    await shared.pool.execute("update users set password_hash = $2 where id = $1", member, hashed)
    site_id = await protect(shared, origin, product)
    async with visit(shared) as visitor:
        there = ProtectedVisitor(visitor, origin)
        yield Course(shared, there, site_id, product, slug, member, email)


async def test_a_member_signs_in_and_comes_back_to_where_they_were(course: Course) -> None:
    await course.give()
    target = "/week/1?part=a%2Fb&next=https://x.example"
    entry = await course.there.comes_to(target, course.slug)
    leads = await course.here.goes(entry)
    assert leads == f"/login?{urlsplit(leads).query}"
    assert parse_qs(urlsplit(leads).query)["next"] == [entry]
    sent = await course.here.send(
        leads, "/login", 200, email=course.email, password=PASSWORD, next=entry
    )
    assert left_for(sent) == entry, "the form leads on by a page, since this leads to another site"
    back = await course.there.goes_back(entry)
    assert back.headers["location"] == course.there.origin + target
    for product in (course.slug, course.product, None):
        let_in = await course.there.asks(200, target, product=product)
        assert let_in.headers["x-latchkey-user"] == str(course.user)
        assert let_in.headers["x-latchkey-email"] == course.email
        assert let_in.headers["x-latchkey-products"] == course.slug
        assert let_in.content == b""


async def test_cookies_are_of_this_host_alone_and_scripts_cannot_read_them(
    course: Course,
) -> None:
    await course.give()
    await course.sign_in()
    asked = await course.there.asks(302)
    entering = await course.there.passed_on(course.there.path(asked), 302)
    ticket = await course.here.get(urlsplit(entering.headers["location"]).path, 303)
    back = await course.there.passed_on(course.there.path(ticket), 303)
    for answer, name, life in (
        (entering, "__Host-latchkey_entry", 86_400),
        (back, "__Host-latchkey_pass", 43_200),
    ):
        [cookie] = answer.headers.get_list("set-cookie")
        assert cookie.startswith(f"{name}="), cookie
        wanted = {"HttpOnly", "Secure", "SameSite=lax", "Path=/", f"Max-Age={life}"}
        assert set(cookie.split("; ")[1:]) == wanted
    for answer in (asked, entering, ticket, back):
        assert answer.headers["cache-control"] == "no-store"
    for answer in (entering, ticket, back):
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_without_https_cookies_have_plain_names(course: Course) -> None:
    await course.give()
    await course.sign_in()
    origin = f"http://localhost:{free_port()}"
    await protect(course.site, origin, course.product)
    there = ProtectedVisitor(course.here, origin)
    await there.enters()
    assert set(there.cookies) == {"latchkey_entry", "latchkey_pass"}


async def test_nginx_is_told_by_a_401_where_to_lead_people(course: Course) -> None:
    await course.give()
    await course.sign_in()
    asked = await course.there.asks(401, "/a?b=c", nginx=True, product=course.slug)
    there = urlsplit(course.there.path(asked))
    assert there.path == "/.latchkey/enter"
    assert parse_qs(there.query) == {"product": [course.slug], "to": ["/a?b=c"]}
    await course.there.enters("/a?b=c", course.slug)
    await course.there.asks(200, "/a?b=c", nginx=True, product=course.slug)


async def test_one_query_answers(course: Course) -> None:
    """Beside what each process reads every few seconds."""
    await course.give()
    await course.sign_in()
    await course.there.enters()
    app = course.site._app
    assert app is not None
    await app.state.site.refresh_look()
    pool = CountingPool(app.state.site.pool)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app.state.site, "pool", pool)
        patched.setattr(app.state.site, "_look_until", float("inf"))
        await course.there.asks(200)
        await course.there.asks(302, product=course.slug, headers={"Cookie": ""})
    assert pool.count == 2


@dataclass
class CountingPool:
    """A pool that can do nothing but answer one query, and counts them."""

    pool: Pool
    count: int = 0

    async def fetch(self, query: str, *values: Any) -> Any:
        self.count += 1
        return await self.pool.fetch(query, *values)


async def sign_out(course: Course) -> None:
    await course.here.send("/account", "/logout")


async def end_grant(course: Course) -> None:
    grant = await course.site.pool.fetchval(
        "select id from grants where user_id = $1 and ended_at is null", course.user
    )
    await course.site.call("DELETE", f"/grants/{grant}")


async def run_out(course: Course) -> None:
    """The end comes by the clock, whoever has or hasn't noted it."""
    await course.site.pool.execute(
        "update grants set until = now() - interval '1 second' where user_id = $1", course.user
    )


async def change_password(course: Course) -> None:
    """In another browser, as somebody does who fears that this one was stolen."""
    async with visit(course.site) as other:
        await other.sign_in(course.email, PASSWORD)
        await other.send(
            "/account/settings",
            "/account/password",
            current=PASSWORD,
            password="orange anvils sing",
            again="orange anvils sing",
        )


async def sign_out_by_team(course: Course) -> None:
    async with visit(course.site) as admin:
        await admin.sign_in()
        here = f"/admin/users/{course.user}"
        await admin.send(here, f"{here}/sessions/end")


async def erase(course: Course) -> None:
    async with course.site.pool.acquire() as connection, connection.transaction():
        await erasure.erase(connection, course.user, actor=1)


async def idle(course: Course) -> None:
    await course.site.pool.execute(
        "update sessions set last_seen_at = now() - interval '31 days' where user_id = $1",
        course.user,
    )


async def lose_the_secret(course: Course) -> None:
    """The cookie was signed with a secret that was taken out of the settings."""
    value = course.there.cookies["__Host-latchkey_pass"]
    found = signin_links.read_pass(value, secrets=SECRETS)
    assert found is not None
    signed = signin_links.sign_pass(found, secrets=("another secret, long enough",))
    course.there.cookies["__Host-latchkey_pass"] = signed


async def wait_half_a_day(course: Course) -> None:
    found = signin_links.read_pass(course.there.cookies["__Host-latchkey_pass"], secrets=SECRETS)
    assert found is not None
    begun = (datetime.now(UTC) - timedelta(hours=12, seconds=1)).timestamp()
    signed = signin_links.sign_pass(found, secrets=SECRETS, issued_at=begun)
    course.there.cookies["__Host-latchkey_pass"] = signed


ENDINGS = [sign_out, end_grant, run_out, change_password, sign_out_by_team, erase, idle]


@pytest.mark.parametrize("ending", [*ENDINGS, lose_the_secret, wait_half_a_day])
async def test_what_ends_access_ends_it_at_the_next_request(
    course: Course, ending: Callable[[Course], Awaitable[None]]
) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters(product=course.slug)
    await ending(course)
    await course.there.asks(302, product=course.slug)
    await course.there.asks(401, product=course.slug, nginx=True)
    status = 403 if ending in (end_grant, run_out) else 401
    refused = await course.there.asks(
        status, product=course.slug, headers={"X-Forwarded-Method": "POST"}
    )
    assert "location" not in refused.headers
    assert "x-latchkey-user" not in refused.headers


async def test_a_site_that_is_removed_or_renamed_lets_nobody_in(course: Course) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters()
    old, new = course.there.origin, f"https://new-{free_port()}.example"
    async with visit(course.site) as admin:
        await admin.sign_in()
        here = f"/admin/protected-sites/{course.id}"
        fields: Any = {"products": course.product, "without_access": "buy"}
        await admin.send(here, origin=new, **fields)
        await course.there.asks(403)
        course.there.origin = new
        await course.there.asks(200), "the browser wouldn't send the cookie to the new host"
        await admin.send(here, origin=old, **fields)
        course.there.origin = old
        await admin.send(f"{here}/delete")
    assert "isn't one of the protected sites" in (await course.there.asks(403)).text


async def test_a_cookie_of_another_site_lets_nobody_in(course: Course) -> None:
    """Whoever runs a protected site sees its visitors' cookies."""
    await course.give()
    await course.sign_in()
    await course.there.enters()
    origin = f"https://other-{free_port()}.example"
    await protect(course.site, origin, course.product)
    thief = ProtectedVisitor(course.here, origin, dict(course.there.cookies))
    await thief.asks(302)
    await thief.asks(401, nginx=True)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        "x",
        "W10.x",
        signin_links.sign_pass(SitePass(1, 1), secrets=("not the secret of this site",)),
        signin_links.sign_unsubscribe(1, "x", secrets=SECRETS),
        signin_links.sign(1, "nonce", secrets=SECRETS),
    ],
    ids=["nothing", "a letter", "no signature", "another secret", "another purpose", "a link"],
)
async def test_a_forged_cookie_lets_nobody_in(course: Course, forged: str) -> None:
    course.there.cookies["__Host-latchkey_pass"] = forged
    await course.there.asks(302)


async def test_products_that_do_not_open_the_site(course: Course) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters()
    other = await course.site.product("Another", slug=f"another-{free_port()}")
    for unknown in (other, "nothing", "x" * 3000):
        refused = await course.there.asks(403, product=unknown)
        assert "isn't one of those" in refused.text
        path = f"/.latchkey/enter?to=/&product={unknown}"
        await course.there.passed_on(path, 403)


async def test_each_of_several_products_opens_the_site(course: Course) -> None:
    await course.give()
    await course.sign_in()
    slug = f"another-{free_port()}"
    other = await course.site.product("Another", slug=slug)
    origin = f"https://both-{free_port()}.example"
    await protect(course.site, origin, course.product, other)
    there = ProtectedVisitor(course.here, origin)
    await there.enters()
    assert (await there.asks(200)).headers["x-latchkey-products"] == course.slug
    await there.asks(302, product=slug)
    body = {"email": course.email}
    await course.site.call("POST", f"/products/{other}/grants", 201, json=body)
    both = (await there.asks(200, product=slug)).headers["x-latchkey-products"]
    assert both == ",".join(sorted((slug, course.slug)))


async def test_a_product_for_everybody_who_signs_in(course: Course) -> None:
    free = await course.site.product("Free", access_mode="signed_in")
    origin = f"https://free-{free_port()}.example"
    await protect(course.site, origin, free)
    there = ProtectedVisitor(course.here, origin)
    await there.asks(302)
    await course.sign_in()
    await there.enters()


async def test_a_ticket_works_once(course: Course) -> None:
    await course.give()
    await course.sign_in()
    entry = await course.there.comes_to("/week/2")
    ticket = course.there.path(await course.here.get(entry, 303))
    await course.there.passed_on(ticket, 303)
    pass_cookie = course.there.cookies.pop("__Host-latchkey_pass")
    again = await course.there.passed_on(ticket, 303)
    assert again.headers["location"] == f"{course.there.origin}/week/2", "a page that is reloaded"
    assert "set-cookie" not in again.headers
    await course.there.asks(302)
    later = await course.here.get(entry, 303)
    assert later.headers["location"] == f"{course.there.origin}/week/2", "no other ticket is given"
    course.there.cookies["__Host-latchkey_pass"] = pass_cookie
    await course.there.asks(200)


async def test_a_ticket_works_in_the_browser_alone_that_began(course: Course) -> None:
    """Neither does a stolen one, nor one that somebody is made to use: they would be signed in as
    somebody else. Whoever tries uses it up."""
    await course.give()
    await course.sign_in()
    ticket = course.there.path(await course.here.get(await course.there.comes_to(), 303))
    fresh = ProtectedVisitor(course.here, course.there.origin)
    for thief in (fresh, replace(fresh, cookies={"__Host-latchkey_entry": "x" * 43})):
        refused = await thief.passed_on(ticket, 403)
        assert "began in another browser" in refused.text
        assert "__Host-latchkey_pass" not in thief.cookies
    await course.there.passed_on(ticket, 303)
    assert "__Host-latchkey_pass" not in course.there.cookies
    await course.there.enters()


async def test_an_entry_of_somebody_elses_browser_leads_to_nothing(course: Course) -> None:
    """Somebody begins, and has a member go on: the ticket is the member's, and it isn't taken."""
    await course.give()
    await course.sign_in()
    async with visit(course.site) as other:
        attacker = ProtectedVisitor(other, course.there.origin)
        ticket = course.there.path(await course.here.get(await attacker.comes_to(), 303))
    await course.there.passed_on(ticket, 403)
    await attacker.asks(302)


@pytest.mark.parametrize("wrong", ["late", "unknown", "elsewhere", "signed out", "missing"])
async def test_a_ticket_that_does_not_fit(course: Course, wrong: str) -> None:
    await course.give()
    await course.sign_in()
    there = course.there
    ticket = there.path(await course.here.get(await there.comes_to(), 303))
    if wrong == "late":
        await course.site.pool.execute(
            "update site_entries set ticket_expires_at = now() where site_id = $1", course.id
        )
    elif wrong == "unknown":
        ticket = ticket[:-4] + "AAAA"
    elif wrong == "elsewhere":
        there = replace(there, origin=f"https://other-{free_port()}.example")
        await protect(course.site, there.origin, course.product)
    elif wrong == "signed out":
        await sign_out(course)
    else:
        ticket = "/.latchkey/ticket"
    assert "This sign-in is over" in (await there.passed_on(ticket, 403)).text
    assert "__Host-latchkey_pass" not in there.cookies


async def test_tickets_are_neither_stored_nor_guessed(course: Course) -> None:
    await course.give()
    await course.sign_in()
    ticket = course.there.path(await course.here.get(await course.there.comes_to(), 303))
    [secret] = parse_qs(urlsplit(ticket).query)["t"]
    assert len(secret) == 43
    row = str(await course.site.pool.fetchrow("select * from site_entries order by id limit 1"))
    assert secret not in row
    assert course.there.cookies["__Host-latchkey_entry"] not in row


async def test_addresses_that_nobody_named(course: Course) -> None:
    """No redirect and no ticket leads there."""
    stranger = replace(course.there, origin="https://evil.example")
    assert "isn't one of the protected sites" in (await stranger.asks(403)).text
    await stranger.passed_on("/.latchkey/enter?to=/", 403)
    await course.give()
    await course.sign_in()
    for target in ("//evil.example/x", "/\\evil.example", "https://evil.example", "/a%0d%0ab"):
        course.there.cookies.pop("__Host-latchkey_pass", None)
        back = await course.there.goes_back(await course.there.comes_to(target))
        assert back.headers["location"].startswith(f"{course.there.origin}/")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Original-URL": "https://evil.example/"}, 400),
        ({"X-Forwarded-Host": "a.example, b.example"}, 400),
        ({"X-Forwarded-Proto": "ftp"}, 400),
        ({"X-Forwarded-Host": "évil.example".encode()}, 400),
    ],
)
async def test_headers_that_do_not_fit_each_other(
    course: Course, headers: dict[str, Any], status: int
) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters()
    await course.there.asks(status, headers=headers)


async def test_a_header_that_comes_twice_is_refused(course: Course) -> None:
    host = course.there.origin.removeprefix("https://")
    twice = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", host)]
    answer = await course.here.client.get(
        "/auth/verify", headers=[*twice, ("X-Forwarded-Host", "evil.example")]
    )
    assert answer.status_code == 400
    assert "sent twice" in answer.text


async def test_only_trusted_proxies_say_what_was_requested(course: Course) -> None:
    for path in ("/auth/verify", "/.latchkey/enter", "/.latchkey/ticket"):
        answer = await course.here.get(path, 403)
        assert "FORWARDED_ALLOW_IPS" in answer.text
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(from_trusted_proxy(Request(scope)))

    trusting = VisitorAddresses(app, trusted="172.16.0.0/12")
    for peer in ("172.18.0.1", "198.51.100.9"):
        headers = [(b"x-original-url", b"https://course.example/")]
        scope = {"type": "http", "client": (peer, 1), "headers": headers, "scheme": "http"}
        await trusting(scope, None, None)  # type: ignore[arg-type]
    assert seen == [True, False]


async def test_what_opens_no_page_is_refused_without_a_way(course: Course) -> None:
    for headers in (
        {"X-Forwarded-Method": "POST"},
        {"Sec-Fetch-Mode": "cors"},
        {"Sec-WebSocket-Key": "x", "Sec-Fetch-Mode": "websocket"},
    ):
        refused = await course.there.asks(401, headers=headers)
        assert "location" not in refused.headers
        assert "Open the page again" in refused.text
    await course.there.asks(302, headers={"X-Forwarded-Method": "HEAD"})
    await course.here.get("/auth/verify/", 308)
    answer = await course.here.client.post("/auth/verify")
    assert answer.status_code in (404, 405)


@pytest.mark.parametrize(
    ("asked", "language", "said"),
    [("de-AT, en;q=0.5", "de", "Bitte melde dich an"), ("ar", "ar", "يُرجى تسجيل الدخول")],
)
async def test_refusals_are_in_the_language_of_the_browser(
    course: Course, asked: str, language: str, said: str
) -> None:
    headers = {"Sec-Fetch-Mode": "cors", "Accept-Language": asked}
    refused = (await course.there.asks(401, headers=headers)).text
    direction = "rtl" if language == "ar" else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in refused
    assert f"<h1>{said}</h1>" in refused


async def test_nobody_is_let_in_while_the_database_is_away(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters()

    async def away(*_: object, **__: object) -> None:
        raise OSError("no route to it")

    monkeypatch.setattr(standings, "answer", away)
    answer = await course.there.asks(503)
    assert answer.headers["retry-after"] == "5"
    assert "x-latchkey-user" not in answer.headers
    monkeypatch.setattr(sites, "by_origin", away)
    await course.there.passed_on("/.latchkey/enter?to=/", 503)

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("select secret from somewhere")

    monkeypatch.setattr(standings, "answer", broken)
    assert "secret" not in (await course.there.asks(500)).text


async def test_a_copy_lets_nobody_in(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    await course.give()
    await course.sign_in()
    entry = await course.there.comes_to()
    app = course.site._app
    assert app is not None

    async def unchanged(*_: object) -> None:
        return None

    copied = site_identity.SiteIdentity("https://members.example", SiteRole.COPY)
    monkeypatch.setattr(app.state.site, "refresh_look", unchanged)
    monkeypatch.setattr(app.state.site, "identity", copied)
    assert "copy of a site" in (await course.there.asks(503)).text
    await course.there.passed_on("/.latchkey/enter?to=/", 503)
    await course.here.get(entry, 404)


async def test_a_member_without_the_second_factor_that_is_required(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters()
    app = course.site._app
    assert app is not None

    async def unchanged(*_: object) -> None:
        return None

    monkeypatch.setattr(app.state.site, "refresh_look", unchanged)
    required = replace(app.state.site.look, member_second_factor=True)
    monkeypatch.setattr(app.state.site, "look", required)
    assert await course.here.goes(await course.there.comes_to()) == "/account/security"
    await course.site.pool.execute(
        "update sessions set second_factor = 'app' where user_id = $1", course.user
    )
    await course.there.asks(200)


async def test_an_admin_who_views_the_site_as_a_member_is_not_them_elsewhere(
    course: Course,
) -> None:
    await course.give()
    async with visit(course.site) as admin:
        await admin.sign_in()
        there = ProtectedVisitor(admin, course.there.origin)
        entry = await there.comes_to()
        await admin.see_as(course.user)
        assert "You don&#39;t have permission" in (await admin.get(entry, 403)).text


async def test_using_the_site_keeps_the_session_here_alive(course: Course) -> None:
    await course.give()
    await course.sign_in()
    await course.there.enters()
    await course.site.pool.execute(
        "update sessions set last_seen_at = now() - interval '29 days' where user_id = $1",
        course.user,
    )
    await course.there.asks(200)
    seen = await course.site.pool.fetchval(
        "select last_seen_at > now() - interval '1 day' from sessions where user_id = $1",
        course.user,
    )
    assert seen


async def test_admins_see_when_a_site_last_asked(course: Course) -> None:
    """Noted every five minutes, and not for the address that the site had before."""

    async def asked(*, minutes: int) -> bool:
        await course.site.pool.execute(
            "update protected_sites set asked_at = now() - make_interval(mins => $2) where id = $1",
            course.id,
            minutes,
        )
        await course.there.asks(302)
        found: bool = await course.site.pool.fetchval(
            "select asked_at > now() - interval '1 minute' from protected_sites where id = $1",
            course.id,
        )
        return found

    here = f"/admin/protected-sites/{course.id}"
    async with visit(course.site) as admin:
        await admin.sign_in()
        assert "the web server of" in (await admin.get(here)).text
        await course.there.asks(302)
        assert "to within five minutes" in (await admin.get(here)).text
        assert await asked(minutes=6)
        assert not await asked(minutes=4)
        moved = f"https://moved-{free_port()}.example"
        await admin.send(here, origin=moved, products=course.product, without_access="buy")
        assert "the web server of" in (await admin.get(here)).text


async def test_who_has_no_access_is_led_to_the_buy_page(course: Course) -> None:
    entry = await course.there.comes_to(product=course.slug)
    login = (await course.here.get(await course.here.goes(entry))).text
    assert f'href="{entry}/buy"' in login, "whoever has no account gets one by buying"
    assert await course.here.goes(f"{entry}/buy") == f"/buy/{course.slug}"
    await course.sign_in()
    assert await course.here.goes(entry) == f"/buy/{course.slug}"
    await course.give()
    back = await course.there.goes_back(entry)
    assert back.headers["location"] == f"{course.there.origin}/week/1"


async def test_whoever_buys_without_an_account_goes_on_by_the_link_in_the_email(
    course: Course,
) -> None:
    entry = await course.there.comes_to(product=course.slug)
    await course.here.get(f"{entry}/buy", 303)
    await course.give()
    bought = f"/products/{course.slug}"
    query = "select link_epoch from users where id = $1"
    epoch = await course.site.pool.fetchval(query, course.user)

    def link() -> str:
        token = signin_links.sign(
            course.user, f"bought-{free_port()}", secrets=SECRETS, epoch=epoch, kind="access"
        )
        return f"/login/{token}?next={bought}"

    async with visit(course.site) as elsewhere:
        sent = await elsewhere.send(link())
        assert sent.headers["location"].startswith(bought), "another browser"
    assert left_for(await course.here.send(link(), expect=200)) == entry
    back = await course.there.goes_back(entry)
    assert back.headers["location"] == f"{course.there.origin}/week/1"
    sent = await course.here.send(link())
    assert sent.headers["location"].startswith(bought), "nobody waits any more"


async def test_several_products_are_offered_and_a_site_may_offer_none(course: Course) -> None:
    await course.sign_in()
    slug = f"another-{free_port()}"
    other = await course.site.product("Another", slug=slug)
    origins = [f"https://{name}-{free_port()}.example" for name in ("both", "none")]
    await protect(course.site, origins[0], course.product, other)
    await protect(course.site, origins[1], course.product, without_access=WithoutAccess.REFUSE)
    both = ProtectedVisitor(course.here, origins[0])
    shown = (await course.here.get(await both.comes_to())).text
    assert re.findall(r'href="/buy/([\w-]+)"', shown) == [course.slug, slug]
    none = ProtectedVisitor(course.here, origins[1])
    entry = await none.comes_to()
    assert course.email in (await course.here.get(entry, 403)).text
    async with visit(course.site) as stranger:
        login = (await stranger.get(await stranger.goes(entry))).text
        assert "/buy" not in login
        await stranger.get(f"{entry}/buy", 403)


async def test_an_entry_is_over_after_a_day(course: Course) -> None:
    entry = await course.there.comes_to()
    await course.site.pool.execute(
        "update site_entries set expires_at = now() where site_id = $1", course.id
    )
    for path in (entry, f"{entry}/buy", "/auth/enter/nothing"):
        assert "Go back to the site" in (await course.here.get(path, 404)).text
    await course.there.comes_to()
    left = await course.site.pool.fetchval(
        "select count(*) from site_entries where site_id = $1", course.id
    )
    assert left == 1, "expired ones are deleted"


async def test_ways_in_are_bounded_for_each_network(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.forward_auth.protected_host.ENTRIES_BY_NETWORK", 2)
    address = {"X-Forwarded-For": "203.0.113.77"}
    for status in (302, 302, 429):
        await course.there.passed_on("/.latchkey/enter?to=/", status, address)
    other = {"X-Forwarded-For": "203.0.113.78"}
    await course.there.passed_on("/.latchkey/enter?to=/", 302, other)


async def test_browsers_are_not_told_to_stay_on_https_elsewhere(course: Course) -> None:
    """Whether a protected site is reached by https alone is its own affair."""
    from web.security import ELSEWHERE, SecurityHeaders

    given: Any = {"LATCHKEY_HSTS": "subdomains", "LATCHKEY_PUBLIC_URL": "https://x.example"}
    sent: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append({name for name, _ in message["headers"]})

    wrapped = SecurityHeaders(app, type(course.site.settings).model_validate(given))
    for path in (*ELSEWHERE, "/login"):
        await wrapped({"type": "http", "path": path}, None, send)  # type: ignore[arg-type]
    assert [b"strict-transport-security" in names for names in sent] == [False, False, True]


async def test_what_admins_enter_is_checked_and_recorded(course: Course) -> None:
    origin = f"https://new-{free_port()}.example"
    fields: Any = {"origin": origin, "products": course.product, "without_access": "buy"}
    new = "/admin/protected-sites/new"
    async with visit(course.site) as admin:
        await admin.sign_in()
        for change, says in (
            ({"origin": "http://course.example"}, "must start with https://"),
            ({"origin": "https://course.example/x"}, "without a path"),
            ({"origin": course.there.origin.upper().replace("HTTPS", "https")}, "already"),
            ({"origin": course.site.url}, "own address"),
            ({"products": "nothing"}, "exist any more"),
            ({"products": []}, "at least one product"),
            ({"without_access": "other"}, "Choose what happens"),
        ):
            shown = await admin.send(new, expect=422, **(fields | change))
            assert says in shown.text, shown.text
        made = await admin.send(new, **(fields | {"origin": f"{origin}/"}))
        here = made.headers["location"].partition("?")[0]
        page = (await admin.get(here)).text
        assert f"/auth/verify?product={course.slug}" in page
        taken = await admin.send(here, expect=422, **(fields | {"origin": course.there.origin}))
        assert "already" in taken.text
        await admin.send(here, **(fields | {"without_access": "refuse"}))
        assert origin in (await admin.get("/admin/protected-sites")).text
        await admin.send(f"{here}/delete")
        await admin.get(here, 404)
    lines = await course.site.pool.fetch(
        """
        select action, before, after from audit_log
         where target_kind = 'protected_site' and target_id = $1 and outcome = 'done'
         order by id
        """,
        here.rpartition("/")[2],
    )
    assert [line["action"] for line in lines] == [
        "protected_site_added",
        "protected_site_changed",
        "protected_site_removed",
    ]
    assert lines[0]["after"]["origin"] == origin
    assert lines[1]["before"] == {"without_access": "buy"}


async def test_a_product_that_is_deleted_opens_nothing(course: Course) -> None:
    await course.sign_in()
    await course.site.call("DELETE", f"/products/{course.product}", 204)
    entry = await course.there.comes_to()
    await course.here.get(entry, 403)
    async with course.site.pool.acquire() as connection:
        found = await sites.find(connection, course.id)
        assert found is not None
        assert found.products == ()
        someone = await users.by_id(connection, course.user)
        assert someone is not None
        assert await sessions.end_all(connection, course.user) == 1
