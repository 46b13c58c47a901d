"""Visitors behind proxies, and many of them in one network."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from latchkey import passwords
from latchkey.doctor_checks import expectations
from latchkey.settings import Settings
from latchkey.store.checks import health
from latchkey.store.checks.findings import FindingKind, findings
from latchkey.store.pool import Pool
from latchkey.store.users import signin
from tests.harness import ADMIN, PASSWORD, PATIENCE, Latchkey, http_client, until
from tests.web.pages import user
from web.brakes import Brake
from web.visitors import VisitorAddresses, address_of, network_of

pytestmark = pytest.mark.anyio

PROXY = "172.18.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "address", "network"),
    [
        (PROXY, "203.0.113.7", "203.0.113.7", "203.0.113.7"),
        (PROXY, "6.6.6.6, 203.0.113.7:4711", "203.0.113.7", "203.0.113.7"),
        (PROXY, "203.0.113.7, 172.18.0.9", "203.0.113.7", "203.0.113.7"),
        (PROXY, "6.6.6.6, 203.0.113.7, 172.18.0.9", "203.0.113.7", "203.0.113.7"),
        (PROXY, "203.0.113.7, 198.51.100.1", "198.51.100.1", "198.51.100.1"),
        (PROXY, "2001:db8:0:1::7", "2001:db8:0:1::7", "2001:db8:0:1::/64"),
        (PROXY, "[2001:db8:0:1:2::7]:80", "2001:db8:0:1:2::7", "2001:db8:0:1::/64"),
        (PROXY, "::ffff:203.0.113.7", "203.0.113.7", "203.0.113.7"),
        (PROXY, "<script>alert(1)</script>", PROXY, PROXY),
        (PROXY, "fe80::1%<script>", PROXY, PROXY),
        (PROXY, "6.6.6.6, nonsense", PROXY, PROXY),
        (PROXY, "x" * 5000, PROXY, PROXY),
        (PROXY, "", PROXY, PROXY),
        ("198.51.100.9", "203.0.113.7", "198.51.100.9", "198.51.100.9"),
    ],
)
async def test_a_proxy_is_believed_if_it_passes_on_an_address(
    peer: str, forwarded: str, address: str, network: str
) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((address_of(Request(scope)), network_of(Request(scope))))

    headers = [(b"x-forwarded-for", forwarded.encode())]
    scope = {"type": "http", "client": (peer, 1), "headers": headers, "scheme": "http"}
    await VisitorAddresses(app, trusted="172.16.0.0/12")(scope, None, None)  # type: ignore[arg-type]
    assert seen == [(address, network)]


def test_a_pause_grows_and_is_bounded() -> None:
    brake = Brake(free=100, step=0.5, longest=5, most=20)
    assert [brake.pause(tries) for tries in (1, 100, 101, 104, 110, 1_000_000)] == [
        0, 0, 0.5, 2, 5, 5,
    ]  # fmt: skip


async def test_few_of_one_network_wait_at_the_same_time() -> None:
    brake = Brake(free=0, step=PATIENCE, longest=PATIENCE, most=2)
    waiting = [asyncio.create_task(brake.wait("203.0.113.7", 9)) for _ in range(2)]
    await asyncio.sleep(0)
    assert await brake.wait("203.0.113.7", 9) is False
    elsewhere = asyncio.create_task(brake.wait("198.51.100.9", 9))
    await asyncio.sleep(0)
    assert not elsewhere.done(), "another network has places of its own"
    for task in (*waiting, elsewhere):
        task.cancel()
    await asyncio.gather(*waiting, elsewhere, return_exceptions=True)
    again = asyncio.create_task(brake.wait("203.0.113.7", 9))
    await asyncio.sleep(0)
    assert not again.done(), "those who left made room"
    again.cancel()


def browser(site: Latchkey, address: str) -> httpx.AsyncClient:
    """A browser of somebody at an address, behind a proxy that the site trusts."""
    return http_client(
        base_url=site.url,
        headers={"X-Forwarded-For": address},
    )


async def post(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    shown = (await client.get("/login")).text
    token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', shown)
    assert token
    return await client.post(path, data={"csrf_token": token[1], **fields})


async def test_a_classroom_behind_one_address_gets_its_links(shared: Latchkey) -> None:
    addresses = [f"pupil{number}@class.example" for number in range(44)]
    for address in addresses:
        await user(shared, address)
    async with browser(shared, "203.0.113.44") as client:
        for address in addresses:
            answer = await post(client, "/login/link", email=address)
            assert answer.headers["location"] == "/login?done=link-sent&next=/"

    async def queued() -> bool:
        count: int = await shared.pool.fetchval(
            """
            select count(*) from mails m join users u on u.id = m.user_id
             where u.email like '%@class.example' and m.kind = 'sign_in'
            """
        )
        return count == len(addresses)

    await until(queued, "everybody's link is in the outbox")
    waits = await shared.pool.fetch(
        """
        select extract(epoch from m.due_at - m.created_at)::float as wait
          from mails m join users u on u.id = m.user_id
         where u.email like '%@class.example' order by wait
        """
    )
    assert [round(row["wait"]) for row in waits] == [0] * 40 + [2, 4, 6, 8]


@pytest.mark.parametrize("known", [True, False])
async def test_whoever_asks_for_too_many_links_is_told(shared: Latchkey, known: bool) -> None:
    """Alike for known and unknown addresses: the answer doesn't say which it is."""
    address = f"many{known}@links.example".lower()
    if known:
        await user(shared, address)
    async with browser(shared, "203.0.113.45") as client:
        for _ in range(5):
            assert (await post(client, "/login/link", email=address)).status_code == 303
        for path in ("/login/link", "/login/recover"):
            refused = await post(client, path, email=address)
            assert refused.status_code == 429
            assert "spam folder" in refused.text
            assert "wait an hour" in refused.text


async def test_wrong_passwords_of_others_slow_a_network_down_only(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared._app is not None
    site = shared._app.state.site
    waited: list[float] = []

    class Noted(Brake):
        def pause(self, tries: int) -> float:
            waited.append(super().pause(tries))
            return 0.001 if waited[-1] else 0

    monkeypatch.setattr(site, "sign_ins", Noted(free=100, step=0.1, longest=5, most=20))
    async with shared.pool.acquire() as connection:
        for _ in range(120):
            await signin.count_try(connection, "password host 203.0.113.46", seconds=900)
    async with browser(shared, "203.0.113.46") as client:
        answer = await post(client, "/login", email=ADMIN, password="not it at all")
        assert answer.status_code == 401
        answer = await post(client, "/login", email=ADMIN, password=PASSWORD)
        assert answer.status_code == 303
    assert waited == pytest.approx([2.1, 2.2])
    async with browser(shared, "203.0.113.47") as client:
        assert (await post(client, "/login", email=ADMIN, password=PASSWORD)).status_code == 303
    assert waited[-1] == 0


async def test_a_crowd_is_told_how_to_get_in(
    shared: Latchkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shared._app is not None
    brake = Brake(free=0, step=1, longest=1, most=0)
    monkeypatch.setattr(shared._app.state.site, "sign_ins", brake)
    async with browser(shared, "203.0.113.48") as client:
        refused = await post(client, "/login", email=ADMIN, password=PASSWORD)
        assert refused.status_code == 429
        assert "from your network" in refused.text
        assert "sign-in link" in refused.text


async def test_an_account_is_still_protected(shared: Latchkey) -> None:
    async with browser(shared, "203.0.113.49") as client:
        for _ in range(10):
            answer = await post(client, "/login", email="guessed@x.example", password="wrong")
            assert answer.status_code == 401
        answer = await post(client, "/login", email="guessed@x.example", password="wrong")
        assert answer.status_code == 429
        assert "use a sign-in link" in answer.text


async def test_others_attempts_do_not_keep_out_who_signed_in_before(shared: Latchkey) -> None:
    """Wrong passwords and requested links for somebody's address, from all over the world."""
    email, other = "known@browsers.example", "known-other@browsers.example"
    hashed = await passwords.hash_password(PASSWORD)
    for address in (email, other):
        member = await user(shared, address)
        await shared.pool.execute(
            "update users set password_hash = $2 where id = $1", member, hashed
        )
    async with browser(shared, "203.0.113.50") as mine, browser(shared, "203.0.113.51") as new:
        assert (await post(mine, "/login", email=email, password=PASSWORD)).status_code == 303
        kept = mine.cookies["latchkey_known"]
        mine.cookies.clear()
        async with shared.pool.acquire() as connection:
            for address in (email, other):
                for _ in range(50):
                    await signin.count_try(connection, f"password address {address}", seconds=900)
                for _ in range(5):
                    await signin.count_try(connection, f"mail {address}", seconds=3600)
        assert (await post(new, "/login", email=email, password=PASSWORD)).status_code == 429
        assert (await post(new, "/login/link", email=email)).status_code == 429
        for forged in ("x" + kept, kept[:-1], kept.replace(".", "x.", 1)):
            new.cookies.set("latchkey_known", forged)
            assert (await post(new, "/login", email=email, password=PASSWORD)).status_code == 429
        mine.cookies.set("latchkey_known", kept)
        refused = await post(mine, "/login", email=other, password="x")
        assert refused.status_code == 429, "it is known for one address only"
        assert (await post(mine, "/login/link", email=email)).status_code == 303
        assert (await post(mine, "/login", email=email, password=PASSWORD)).status_code == 303
        mine.cookies.delete("latchkey_session")
        for _ in range(10):
            wrong = await post(mine, "/login", email=email, password="wrong")
            assert wrong.status_code == 401
        wrong = await post(mine, "/login", email=email, password="wrong")
        assert wrong.status_code == 429, "it has its own count"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://members.example.com", False),
        ("https://8.8.8.8", False),
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://192.168.1.5", True),
        ("http://[::1]:8000", True),
        ("http://latchkey", True),
        ("http://members.internal", True),
    ],
)
def test_a_public_address_is_known(url: str, local: bool) -> None:
    assert Settings.model_validate({"LATCHKEY_PUBLIC_URL": url}).is_local is local


async def test_visitors_who_all_seem_to_be_the_proxy_are_reported(pool: Pool) -> None:
    public = Settings.model_validate({"LATCHKEY_PUBLIC_URL": "https://members.example.com"})

    async def reported(settings: Settings = public) -> list[str]:
        async with pool.acquire() as connection:
            figures = await health.figures(connection)
        found = findings(figures, expectations(settings))
        return [one.detail for one in found if one.kind is FindingKind.VISITORS_ALIKE]

    async def session(number: int, ip: str) -> None:
        await pool.execute(
            """
            with person as (insert into users (email) values ($1) returning id)
            insert into sessions (token_hash, user_id, expires_at, ip)
            select decode(md5($1), 'hex'), id, now() + interval '1 day', $2 from person
            """,
            f"visitor{number}@alike.example",
            ip,
        )

    for number in range(4):
        await session(number, PROXY)
    assert await reported() == [], "few people may well sit in one office"
    await session(4, PROXY)
    assert await reported() == [PROXY]
    assert await reported(Settings()) == [], "nobody else can reach a local site"  # type: ignore[call-arg]
    await session(5, "203.0.113.7")
    assert await reported() == []


async def test_one_public_address_is_an_office_and_no_proxy(pool: Pool) -> None:
    public = Settings.model_validate({"LATCHKEY_PUBLIC_URL": "https://members.example.com"})
    await pool.execute(
        """
        with people as (
            insert into users (email) select n || '@office.example' from generate_series(1, 9) n
            returning id)
        insert into sessions (token_hash, user_id, expires_at, ip)
        select int8send(id), id, now() + interval '1 day', '8.8.8.8' from people
        """
    )
    async with pool.acquire() as connection:
        figures = await health.figures(connection)
    assert figures.only_address == "8.8.8.8"
    kinds = [one.kind for one in findings(figures, expectations(public))]
    assert FindingKind.VISITORS_ALIKE not in kinds
