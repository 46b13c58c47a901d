"""Roles at Discord follow access: what is given, taken, left alone, and said when it fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from latchkey.contracts import SendWebhooksResult
from latchkey.mail import letters
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.store.access import complimentary, grants
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.communities import accounts, communities
from latchkey.store.feed import mails
from latchkey.store.pool import Pool
from latchkey.store.site_settings import SiteSettings
from latchkey.store.users import erasure, merging, unmerging
from latchkey.store.webhooks import deliveries, endpoints
from latchkey.vault import Purpose
from tests.communities.server import (
    ADA,
    BOB,
    BOT,
    BOT_ROLE,
    GUILD,
    LOW,
    SECRET,
    TOKEN,
    DiscordServer,
    run_discord,
)
from tests.store.test_webhook_deliveries import VAULT, doing, end, give, sending, state

pytestmark = pytest.mark.anyio


Send = Callable[[str], Coroutine[None, None, SendWebhooksResult]]


@dataclass
class Harbour:
    """A site with a connected server, whose product `p` gives the role `LOW`."""

    pool: Pool
    send: Send
    discord: DiscordServer
    id: str

    async def user(self, email: str) -> int:
        found: int = await self.pool.fetchval("select id from users where email = $1", email)
        return found

    async def bind(self, user_id: int, account: str = ADA) -> None:
        await doing(
            self.pool,
            lambda c: accounts.bind(c, self.id, user_id=user_id, external_id=account, name="ada"),
        )

    async def member(self, email: str = "ada@x.example", account: str = ADA) -> tuple[int, int]:
        """Somebody with access, who is on the server and has connected the account; returns the
        user and the grant."""
        [grant] = await give(self.pool, email)
        user_id = await self.user(email)
        self.discord.members.setdefault(account, set())
        await self.bind(user_id, account)
        return user_id, grant

    def add_role(self) -> str:
        """Another role that the bot can give."""
        id_ = "200000000000000009"
        self.discord.roles.append(self.discord.roles[1] | {"id": id_, "name": "Mate"})
        return id_

    async def map(self, role: str = LOW, product: str = "p") -> None:
        await doing(
            self.pool,
            lambda c: communities.add_role(
                c, self.id, product_id=product, role_id=role, name="Sailor"
            ),
        )

    async def settle(self) -> SendWebhooksResult:
        result = await self.send(self.id)
        return result

    async def log(self) -> list[deliveries.LoggedDelivery]:
        async with self.pool.acquire() as connection:
            return await deliveries.listed(connection, self.id)

    async def problem(self) -> str | None:
        async with self.pool.acquire() as connection:
            [found] = await communities.roles(connection, self.id)
        return found.problem


@pytest.fixture
async def harbour(pool: Pool) -> AsyncIterator[Harbour]:
    async with run_discord() as discord, sending(pool) as send:
        yield await connected(pool, send, discord)


async def connected(pool: Pool, send: Send, discord: DiscordServer) -> Harbour:
    await pool.execute("insert into products (id, slug, name) values ('p', 'course', 'Course')")
    made = await doing(
        pool,
        lambda c: communities.create(
            c,
            kind=WebhookFormat.DISCORD_ROLES,
            name="The harbour",
            space_id=GUILD,
            bot_id=BOT,
            token=VAULT.seal(TOKEN, Purpose.COMMUNITY_TOKEN),
            client_id="1",
            client_secret=VAULT.seal(SECRET, Purpose.COMMUNITY_SECRET),
            actor=None,
        ),
    )
    found = Harbour(pool, send, discord, made)
    await found.map()
    return found


async def test_a_role_comes_with_access_and_goes_with_its_end(harbour: Harbour) -> None:
    _, grant = await harbour.member()
    assert (await harbour.settle()).failed == 0
    assert harbour.discord.members[ADA] == {LOW}
    assert "Course" in harbour.discord.reasons[-1]
    await end(harbour.pool, grant)
    await harbour.settle()
    assert harbour.discord.members[ADA] == set()
    before = len(harbour.discord.calls)
    await give(harbour.pool, "ada@x.example")
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}
    assert harbour.discord.calls[before:] == [
        f"GET /guilds/{GUILD}/members/{ADA}",
        f"PUT /guilds/{GUILD}/members/{ADA}/roles/{LOW}",
    ]


async def test_nobody_who_has_not_connected_an_account_is_looked_up(harbour: Harbour) -> None:
    await give(harbour.pool, "stranger@x.example")
    await harbour.settle()
    assert harbour.discord.calls == []
    assert await harbour.log() == []


async def test_late_and_repeated_events_do_no_harm(harbour: Harbour) -> None:
    """The truth of now counts: an event about access that has ended since gives nothing."""
    user_id, grant = await harbour.member()
    await end(harbour.pool, grant)
    await harbour.settle()
    assert harbour.discord.members[ADA] == set()
    assert not [call for call in harbour.discord.calls if not call.startswith("GET")]
    await give(harbour.pool, "ada@x.example")
    await harbour.settle()
    await harbour.pool.execute(
        "update webhook_deliveries set state = 'waiting', done_at = null where user_id = $1",
        user_id,
    )
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}


async def test_access_is_the_union_of_what_gives_it(harbour: Harbour) -> None:
    await harbour.pool.execute("insert into products (id, slug, name) values ('q', 'two', 'Two')")
    await harbour.map(product="q")
    _, grant = await harbour.member()
    gift = [ComplimentaryGrant("ada@x.example")]
    await doing(harbour.pool, lambda c: complimentary.give(c, "q", gift, actor=None, mail=False))
    await end(harbour.pool, grant)
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}, "the other product gives it, too"


async def test_what_somebody_else_gave_is_never_taken(harbour: Harbour) -> None:
    """Neither the role that a product gives, nor others that the bot could take."""
    mate = harbour.add_role()
    harbour.discord.members |= {ADA: {LOW, mate}, BOB: {mate}}
    _, first = await harbour.member()
    _, second = await harbour.member("bob@x.example", BOB)
    assert (await harbour.settle()).failed == 0
    assert harbour.discord.members[BOB] == {LOW, mate}
    await end(harbour.pool, first)
    await end(harbour.pool, second)
    await harbour.settle()
    assert (harbour.discord.members[ADA], harbour.discord.members[BOB]) == ({LOW, mate}, {mate})


async def test_a_crash_between_giving_and_noting_leaves_no_role_behind(harbour: Harbour) -> None:
    given = asyncio.Event()

    async def hang() -> None:
        harbour.discord.members[ADA].add(LOW)
        given.set()
        await asyncio.Event().wait()

    def refuse(method: str, path: str) -> Any:
        return hang() if method == "PUT" else None

    _, grant = await harbour.member()
    harbour.discord.refuse = refuse
    dying = asyncio.create_task(harbour.settle())
    await given.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    harbour.discord.refuse = None
    await end(harbour.pool, grant)
    await harbour.settle()
    assert harbour.discord.members[ADA] == set()


async def test_who_is_not_on_the_server_is_no_failure_and_is_given_it_later(
    harbour: Harbour,
) -> None:
    user_id, _ = await harbour.member()
    await harbour.settle()
    del harbour.discord.members[ADA]
    await doing(harbour.pool, lambda c: accounts.sync(c, user_id))
    assert (await harbour.settle()).failed == 0
    async with harbour.pool.acquire() as connection:
        [account] = (await accounts.of_users(connection, [user_id]))[user_id]
    assert account.away_since is not None
    assert account.roles == []
    assert await accounts.write_due(harbour.pool) == 0
    await harbour.pool.execute("update community_accounts set settled_at = now() - interval '2 h'")
    harbour.discord.members[ADA] = set()
    assert await accounts.write_due(harbour.pool) == 1
    assert await accounts.write_due(harbour.pool) == 0, "it waits already"
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}


async def test_who_was_never_settled_is_looked_at_again(harbour: Harbour) -> None:
    """Once all attempts of three days have failed."""
    await harbour.member()
    await harbour.pool.execute("update webhook_deliveries set state = 'failed', done_at = now()")
    assert await accounts.write_due(harbour.pool) == 0
    await harbour.pool.execute("update community_accounts set bound_at = now() - interval '2 days'")
    assert await accounts.write_due(harbour.pool) == 1
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}


async def test_another_mapping_is_brought_to_everybody(harbour: Harbour) -> None:
    await harbour.member()
    await harbour.member("bob@x.example", BOB)
    await harbour.settle()
    other = harbour.add_role()
    await harbour.map(other)
    await doing(
        harbour.pool,
        lambda c: communities.remove_role(c, harbour.id, product_id="p", role_id=LOW),
    )
    await harbour.settle()
    assert [harbour.discord.members[one] for one in (ADA, BOB)] == [{other}, {other}]


async def test_news_about_somebody_go_before_a_sync_of_everybody(harbour: Harbour) -> None:
    await harbour.member()
    await harbour.member("bob@x.example", BOB)
    await harbour.settle()
    await doing(harbour.pool, lambda c: communities.sync_all(c, harbour.id))
    bob = await harbour.user("bob@x.example")
    await doing(harbour.pool, lambda c: accounts.sync(c, bob))
    before = len(harbour.discord.calls)
    await harbour.settle()
    asked = [call.rpartition("/")[2] for call in harbour.discord.calls[before:]]
    assert asked == [BOB, ADA, BOB]


async def test_disconnecting_takes_the_roles_and_forgets_the_account(harbour: Harbour) -> None:
    user_id, _ = await harbour.member()
    await harbour.settle()
    account = await harbour.pool.fetchval("select id from community_accounts")
    await doing(harbour.pool, lambda c: accounts.unbind(c, account, user_id=user_id))
    await harbour.settle()
    assert harbour.discord.members[ADA] == set()
    assert await harbour.pool.fetchval("select count(*) from community_accounts") == 0


async def test_another_account_replaces_the_first(harbour: Harbour) -> None:
    user_id, _ = await harbour.member()
    await harbour.settle()
    harbour.discord.members[BOB] = set()
    await harbour.bind(user_id, BOB)
    await harbour.settle()
    assert (harbour.discord.members[ADA], harbour.discord.members[BOB]) == (set(), {LOW})


async def test_an_account_belongs_to_one_user(harbour: Harbour) -> None:
    user_id, _ = await harbour.member()
    await harbour.settle()
    await give(harbour.pool, "bob@x.example")
    bob = await harbour.user("bob@x.example")
    with pytest.raises(accounts.AccountTakenError):
        await harbour.bind(bob, ADA)
    account = await harbour.pool.fetchval("select id from community_accounts")
    await doing(harbour.pool, lambda c: accounts.unbind(c, account, user_id=user_id))
    await harbour.bind(bob, ADA)
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}, "it is Bob's now, who has access, too"


async def test_of_two_who_connect_an_account_at_once_one_is_refused(harbour: Harbour) -> None:
    for email in ("ada@x.example", "bob@x.example"):
        await give(harbour.pool, email)
    people = [await harbour.user(email) for email in ("ada@x.example", "bob@x.example")]
    results = await asyncio.gather(*map(harbour.bind, people), return_exceptions=True)
    assert sorted(map(type, results), key=str) == [type(None), accounts.AccountTakenError]
    rows = await harbour.pool.fetch("select user_id from community_accounts")
    assert [row["user_id"] for row in rows] == [people[results.index(None)]]


async def test_erasing_takes_the_roles_and_forgets_the_ids(harbour: Harbour) -> None:
    user_id, _ = await harbour.member()
    await harbour.settle()
    await doing(harbour.pool, lambda c: erasure.erase(c, user_id, actor=user_id))
    await harbour.settle()
    assert harbour.discord.members[ADA] == set()
    assert await harbour.pool.fetchval("select count(*) from community_accounts") == 0
    left = await harbour.pool.fetch("select request, answer from webhook_attempts")
    assert left
    assert ADA not in str([dict(row) for row in left])


async def test_who_is_erased_while_discord_is_asked_is_not_connected(harbour: Harbour) -> None:
    await give(harbour.pool, "ada@x.example")
    user_id = await harbour.user("ada@x.example")
    await doing(harbour.pool, lambda c: erasure.erase(c, user_id, actor=user_id))
    with pytest.raises(LookupError):
        await harbour.bind(user_id)
    assert await harbour.pool.fetchval("select count(*) from community_accounts") == 0


async def test_ids_of_the_erased_go_though_their_roles_cannot_be_taken(harbour: Harbour) -> None:
    user_id, _ = await harbour.member()
    await harbour.settle()
    harbour.discord.on_server = False
    await doing(harbour.pool, lambda c: erasure.erase(c, user_id, actor=user_id))
    await harbour.settle()
    for days, left in ((29, 1), (31, 0)):
        await harbour.pool.execute(
            "update users set erased_at = now() - make_interval(days => $1)", days
        )
        await doing(harbour.pool, accounts.forget_erased)
        assert await harbour.pool.fetchval("select count(*) from community_accounts") == left


async def test_merged_users_keep_one_account(harbour: Harbour) -> None:
    ada, _ = await harbour.member()
    bob, _ = await harbour.member("bob@x.example", BOB)
    await harbour.settle()
    await doing(
        harbour.pool, lambda c: merging.merge(c, into=ada, other=bob, reason=None, actor=None)
    )
    await harbour.settle()
    assert (harbour.discord.members[ADA], harbour.discord.members[BOB]) == ({LOW}, set())


async def test_the_account_moves_with_a_merge_and_back(harbour: Harbour) -> None:
    _, grant = await harbour.member("bob@x.example", BOB)
    await harbour.settle()
    bob = await harbour.user("bob@x.example")
    ada: int = await harbour.pool.fetchval(
        "insert into users (email) values ('ada@x.example') returning id"
    )
    await doing(
        harbour.pool, lambda c: merging.merge(c, into=ada, other=bob, reason=None, actor=None)
    )
    await harbour.settle()
    assert harbour.discord.members[BOB] == {LOW}
    await doing(harbour.pool, lambda c: unmerging.undo(c, from_user=bob, actor=None))
    await end(harbour.pool, grant)
    await harbour.settle()
    assert harbour.discord.members[BOB] == set()
    assert await harbour.pool.fetchval("select user_id from community_accounts") == bob


async def test_a_role_out_of_reach_is_said_and_given_once_it_is_within(harbour: Harbour) -> None:
    harbour.discord.members[BOT] = set()
    user_id, _ = await harbour.member()
    result = await harbour.settle()
    assert (result.failed, result.next_at is None) == (1, False)
    assert "Manage Roles" in str(await harbour.problem())
    async with harbour.pool.acquire() as connection:
        [account] = (await accounts.of_users(connection, [user_id]))[user_id]
    assert account.roles == [], "nobody is told that they have it"
    found = await state(harbour.pool, harbour.id)
    assert found.failing_since is None, "the rest of the server isn't concerned"
    harbour.discord.members[BOT] = {BOT_ROLE}
    await harbour.pool.execute("update webhook_deliveries set due_at = now()")
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}
    assert await harbour.problem() is None


async def test_a_role_that_is_gone_holds_up_nothing(harbour: Harbour) -> None:
    harbour.discord.roles = [one for one in harbour.discord.roles if one["id"] != LOW]
    await harbour.member()
    assert (await harbour.settle()).failed == 0
    assert await harbour.problem() == "this role doesn't exist any more"


async def test_a_revoked_token_switches_off_at_once_and_a_new_one_goes_on(
    harbour: Harbour,
) -> None:
    await harbour.pool.execute("insert into users (email, role) values ('o@x.example', 'owner')")
    harbour.discord.token = "another"
    await harbour.member()
    await harbour.settle()
    found = await state(harbour.pool, harbour.id)
    assert found.off_reason is not None
    assert "enter a new one" in found.off_reason
    async with harbour.pool.acquire() as connection:
        [mail] = await mails.listed(connection, kind="webhooks_off")
    said = letters.letter(mail, SiteSettings())
    assert said.subject == "Roles on The harbour are neither given nor taken any more"
    assert "enter a new one" in said.paragraphs[0]
    await doing(
        harbour.pool,
        lambda c: communities.change_keys(
            c,
            harbour.id,
            bot_id=BOT,
            token=VAULT.seal("another", Purpose.COMMUNITY_TOKEN),
            client_id="1",
            client_secret=None,
            invite_url=None,
        ),
    )
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ((429, {"code": 0, "message": "slow", "retry_after": 64.5, "global": False}, {}), 64.5),
        ((429, {"code": 0, "message": "slow", "retry_after": 0.1, "global": True}, {}), 1),
        ((503, None, {}), None),
    ],
    ids=["this call", "all calls", "away"],
)
async def test_discord_says_when_to_come_back(
    harbour: Harbour, answer: tuple[int, Any, dict[str, str]], seconds: float | None
) -> None:
    await harbour.member()
    harbour.discord.refuse = lambda *_: answer
    await harbour.settle()
    found = await state(harbour.pool, harbour.id)
    assert found.failing_since is not None
    if seconds is None:
        assert found.rests_until is None
    else:
        assert found.rests_until is not None
        assert found.rests_until - found.failing_since == timedelta(seconds=seconds)
    harbour.discord.refuse = None
    await doing(harbour.pool, lambda c: endpoints.resume(c, harbour.id))
    await harbour.settle()
    assert harbour.discord.members[ADA] == {LOW}


async def test_a_bucket_that_is_empty_is_waited_for(harbour: Harbour) -> None:
    """Without a call that would be refused."""
    await harbour.member()
    harbour.discord.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "900"}
    await harbour.settle()
    await harbour.member("bob@x.example", BOB)
    before = len(harbour.discord.calls)
    await harbour.settle()
    assert len(harbour.discord.calls) == before
    found = await state(harbour.pool, harbour.id)
    assert found.rests_until is not None
    assert found.rests_until > datetime.now(UTC) + timedelta(seconds=600)


async def test_the_bot_was_removed_from_the_server(harbour: Harbour) -> None:
    await harbour.member()
    harbour.discord.on_server = False
    await harbour.settle()
    [last, *_] = [row for row in await harbour.log() if row.attempts]
    assert "invite it again" in str(last.error)
    assert (await state(harbour.pool, harbour.id)).failing_since is not None


async def test_accounts_have_a_tab_while_there_is_a_server_to_connect_with(
    harbour: Harbour,
) -> None:
    async def shown() -> bool:
        async with harbour.pool.acquire() as connection:
            return await communities.any_open(connection)

    assert await shown()
    await harbour.pool.execute("update communities set leaving_at = now()")
    assert not await shown()
    await harbour.pool.execute("update communities set leaving_at = null, space_id = ''")
    assert not await shown()


async def test_leaving_takes_back_what_was_given_and_then_goes(harbour: Harbour) -> None:
    harbour.discord.members[BOB] = {LOW}
    await harbour.member()
    await harbour.member("bob@x.example", BOB)
    await harbour.settle()
    await doing(harbour.pool, lambda c: communities.leave(c, harbour.id))
    await harbour.settle()
    assert (harbour.discord.members[ADA], harbour.discord.members[BOB]) == (set(), {LOW})
    for table in ("communities", "community_accounts", "community_given", "webhook_endpoints"):
        assert await harbour.pool.fetchval(f"select count(*) from {table}") == 0


async def test_a_copy_of_the_site_gives_and_takes_nothing(pool: Pool) -> None:
    async with run_discord() as discord, sending(pool, public_url="https://copy.example") as send:
        await pool.execute(
            """
            insert into site_settings (key, value) values
            ('identity', '{"home": "https://real.example", "role": "original"}')
            """
        )
        harbour = await connected(pool, send, discord)
        await harbour.member()
        await harbour.settle()
        assert discord.calls == []
        assert discord.members[ADA] == set()


async def test_a_product_that_goes_takes_its_roles_along(harbour: Harbour) -> None:
    _, grant = await harbour.member()
    await harbour.settle()
    async with harbour.pool.acquire() as connection, connection.transaction():
        await grants.end(connection, grant, actor=None)
        await connection.execute("delete from grants")
        await connection.execute("delete from products where id = 'p'")
    await harbour.settle()
    assert harbour.discord.members[ADA] == set()
