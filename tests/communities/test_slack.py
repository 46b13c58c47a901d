"""Channels on Slack follow access, and every answer of Slack's leads to something definite. What
Slack shares with Discord is tested with Discord."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from activities import webhooks
from latchkey import slack
from latchkey.community_api import CommunityError, Member, Turns
from latchkey.outgoing_http import Answer, OutgoingHttp
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.slack import Slack
from latchkey.store.access import complimentary
from latchkey.store.access.complimentary import ComplimentaryGrant
from latchkey.store.communities import accounts, communities
from latchkey.store.pool import Pool
from latchkey.vault import Purpose
from tests.communities.slack_server import (
    ADA,
    BOB,
    BOT,
    CLIENT,
    CREW,
    KEY,
    ROWING,
    SAILING,
    SECRET,
    TEAM,
    TOKEN,
    SlackServer,
    channel,
    refusal,
    run_slack,
)
from tests.communities.test_settling import Send
from tests.store.test_webhook_deliveries import VAULT, doing, end, give, sending, state

pytestmark = pytest.mark.anyio


@dataclass
class Quay:
    """A site with a connected workspace, whose product `p` gives the channel `SAILING`."""

    pool: Pool
    send: Send
    slack: SlackServer
    id: str

    async def map(self, channel: str, product: str = "p") -> None:
        await doing(
            self.pool,
            lambda c: communities.add_role(
                c, self.id, product_id=product, role_id=channel, name="#sailing"
            ),
        )

    async def member(self, email: str = "ada@x.example", account: str = ADA) -> int:
        """Somebody with access who has connected the account; returns the grant."""
        [grant] = await give(self.pool, email)
        user_id: int = await self.pool.fetchval("select id from users where email = $1", email)
        await doing(
            self.pool,
            lambda c: accounts.bind(c, self.id, user_id=user_id, external_id=account, name="ada"),
        )
        return grant

    async def settle(self) -> int:
        """Settles what is due; returns how many failed."""
        return (await self.send(self.id)).failed

    async def again(self) -> int:
        """Has everybody looked at now; returns how many failed."""
        await self.pool.execute("update webhook_deliveries set due_at = now()")
        await doing(self.pool, lambda c: communities.sync_all(c, self.id))
        return await self.settle()

    async def problem(self) -> str | None:
        async with self.pool.acquire() as connection:
            [found] = await communities.roles(connection, self.id)
        return found.problem

    async def given(self) -> list[str]:
        rows = await self.pool.fetch("select role_id from community_given order by 1")
        return [row["role_id"] for row in rows]


@pytest.fixture
async def quay(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quay]:
    monkeypatch.setitem(webhooks.BETWEEN, WebhookFormat.SLACK_CHANNELS, 0.0)
    async with run_slack() as running, sending(pool) as send:
        await pool.execute("insert into products (id, slug, name) values ('p', 'course', 'Course')")
        made = await doing(
            pool,
            lambda c: communities.create(
                c,
                kind=WebhookFormat.SLACK_CHANNELS,
                name="The quay",
                space_id=TEAM,
                bot_id=BOT,
                token=VAULT.seal(TOKEN, Purpose.COMMUNITY_TOKEN),
                client_id=CLIENT,
                client_secret=VAULT.seal(SECRET, Purpose.COMMUNITY_SECRET),
                actor=None,
            ),
        )
        found = Quay(pool, send, running, made)
        await found.map(SAILING)
        yield found


async def test_a_channel_comes_with_access_and_goes_with_its_end(quay: Quay) -> None:
    grant = await quay.member()
    assert await quay.settle() == 0
    assert quay.slack.of(ADA) == {SAILING}
    await end(quay.pool, grant)
    before = len(quay.slack.calls)
    assert await quay.settle() == 0
    assert quay.slack.of(ADA) == set()
    assert quay.slack.calls[before:] == [
        f"users.conversations {ADA}",
        f"conversations.kick {SAILING} {ADA}",
    ]
    attempts = await quay.pool.fetch("select request, answer from webhook_attempts")
    assert ADA not in str([dict(row) for row in attempts]), "the log has nobody's id"


async def test_of_two_products_with_one_channel_each_is_enough(quay: Quay) -> None:
    await quay.pool.execute("insert into products (id, slug, name) values ('q', 'two', 'Two')")
    await quay.map(SAILING, "q")
    grant = await quay.member()
    gift = [ComplimentaryGrant("ada@x.example")]
    await doing(quay.pool, lambda c: complimentary.give(c, "q", gift, actor=None, mail=False))
    await end(quay.pool, grant)
    assert await quay.settle() == 0
    assert quay.slack.of(ADA) == {SAILING}


async def test_who_was_in_the_channel_already_stays_in_it(quay: Quay) -> None:
    quay.slack.members[SAILING].add(ADA)
    grant = await quay.member()
    await quay.settle()
    await end(quay.pool, grant)
    assert await quay.settle() == 0
    assert quay.slack.of(ADA) == {SAILING}


async def test_whoever_left_the_channel_is_added_again_at_the_next_look(quay: Quay) -> None:
    await quay.member()
    await quay.settle()
    quay.slack.members[SAILING].discard(ADA)
    assert await quay.again() == 0
    assert quay.slack.of(ADA) == {SAILING}


async def test_an_addition_and_a_removal_that_happened_meanwhile_are_no_failures(
    quay: Quay,
) -> None:
    """Somebody does the same by hand between the look and the change."""

    def by_hand(path: str, sent: dict[str, str]) -> None:
        if path == "/conversations.invite":
            quay.slack.members[SAILING].add(ADA)
        if path == "/conversations.kick":
            quay.slack.members[SAILING].discard(ADA)

    quay.slack.refuse = by_hand
    grant = await quay.member()
    assert await quay.settle() == 0
    await end(quay.pool, grant)
    assert await quay.settle() == 0
    assert await quay.given() == []


async def test_channels_are_looked_through_page_by_page(quay: Quay) -> None:
    quay.slack.page = 1
    quay.slack.members[ROWING].add(ADA)
    quay.slack.members[SAILING].add(ADA)
    await quay.member()
    assert await quay.settle() == 0
    assert await quay.given() == [], "the second page has the channel"


async def test_an_app_that_left_the_channel_lets_nobody_stay_in_it_unnoticed(quay: Quay) -> None:
    """It can't see any more who is in there, so nobody counts as removed."""
    grant = await quay.member()
    await quay.settle()
    quay.slack.members[SAILING].discard(BOT)
    assert await quay.again() == 0, "who may stay needs nothing"
    await end(quay.pool, grant)
    assert await quay.settle() == 1
    assert await quay.given() == [SAILING]
    assert (await state(quay.pool, quay.id)).off_at is None
    quay.slack.members[SAILING].add(BOT)
    assert await quay.again() == 0
    assert quay.slack.of(ADA) == set()


async def test_a_channel_that_cannot_be_given_says_why_and_hinders_no_other(quay: Quay) -> None:
    await quay.map(CREW)
    await doing(
        quay.pool,
        lambda c: communities.remove_role(c, quay.id, product_id="p", role_id=SAILING),
    )
    await quay.member()
    assert await quay.settle() > 0
    assert "the app can't see this channel" in str(await quay.problem())
    await quay.map(SAILING)
    await quay.again()
    assert quay.slack.of(ADA) == {SAILING}
    assert (await state(quay.pool, quay.id)).failing_since is None
    quay.slack.members[CREW].add(BOT)
    await quay.again()
    assert quay.slack.of(ADA) == {SAILING, CREW}


async def test_a_guest_who_cannot_be_added_is_no_fault_of_the_channel(quay: Quay) -> None:
    quay.slack.guests.add(ADA)
    await quay.member()
    await quay.member("bob@x.example", BOB)
    assert await quay.settle() == 1
    assert quay.slack.of(BOB) == {SAILING}
    assert await quay.problem() is None
    assert (await state(quay.pool, quay.id)).failing_since is None
    assert await quay.pool.fetchval("select count(*) from community_given") == 1


async def test_whoever_left_the_workspace_waits_to_come_back(quay: Quay) -> None:
    await quay.member()
    await quay.settle()
    del quay.slack.people[ADA]
    quay.slack.members[SAILING].discard(ADA)
    assert await quay.again() == 0
    away = "select count(*) from community_accounts where away_since is not null"
    assert await quay.pool.fetchval(away) == 1
    quay.slack.people[ADA] = "Ada"
    assert await quay.again() == 0
    assert quay.slack.of(ADA) == {SAILING}


async def test_whoever_leaves_between_the_look_and_the_change_is_no_failure(quay: Quay) -> None:
    """Deactivated accounts are listed, but can't be added."""

    def gone(path: str, sent: dict[str, str]) -> Any:
        return refusal("user_not_found") if path == "/conversations.invite" else None

    quay.slack.refuse = gone
    await quay.member()
    assert await quay.settle() == 0
    assert await quay.given() == []


async def test_a_crash_between_adding_and_noting_leaves_nobody_behind(quay: Quay) -> None:
    added = asyncio.Event()

    async def hang() -> None:
        quay.slack.members[SAILING].add(ADA)
        added.set()
        await asyncio.Event().wait()

    def refuse(path: str, sent: dict[str, str]) -> Any:
        return hang() if path == "/conversations.invite" else None

    grant = await quay.member()
    quay.slack.refuse = refuse
    dying = asyncio.create_task(quay.settle())
    await added.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    quay.slack.refuse = None
    await end(quay.pool, grant)
    await quay.settle()
    assert quay.slack.of(ADA) == set()


@pytest.mark.parametrize("error", ["token_revoked", "account_inactive", "missing_scope"])
async def test_a_token_that_is_refused_switches_it_off(quay: Quay, error: str) -> None:
    quay.slack.refuse = lambda path, sent: refusal(error)
    await quay.member()
    await quay.settle()
    found = await state(quay.pool, quay.id)
    assert found.off_reason is not None
    quay.slack.wrong.clear()


async def test_a_limit_is_waited_out(quay: Quay) -> None:
    busy = 429, {"ok": False, "error": "ratelimited"}, {"retry-after": "30"}
    quay.slack.refuse = lambda path, sent: busy if path == "/conversations.invite" else None
    await quay.member()
    assert await quay.settle() == 1
    found = await state(quay.pool, quay.id)
    assert found.rests_until is not None
    before = len(quay.slack.calls)
    await quay.settle()
    assert len(quay.slack.calls) == before, "nothing is asked before"


class Answering:
    """Answers every request in the same way."""

    def __init__(
        self, body: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        self.answer = Answer(status, raw, headers=headers or {})
        self.asked: list[str] = []

    async def request(self, method: str, url: str, **_: Any) -> Answer:
        self.asked.append(url)
        return self.answer

    @property
    def outgoing(self) -> OutgoingHttp:
        return cast("OutgoingHttp", self)


def known(**more: Any) -> dict[str, Any]:
    return {
        "client_id": CLIENT, "client_secret": SECRET, "workspace": TEAM, "code": "c",
        "redirect_uri": "r", "nonce": "n",
    } | more  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Just a moment...</html>",
        b"[" * 5000,
        "text",
        5,
        [],
        {},
        {"ok": "true"},
        {"ok": True},
        {"ok": True, "team": 5, "team_id": "T1", "user_id": "U1"},
        {"ok": True, "team": "x", "team_id": "../T1", "user_id": "U1"},
        {"ok": True, "channels": 5},
        {"ok": True, "channels": [5]},
        {"ok": True, "channels": [{"id": "c/1", "name": "x"}]},
        {"ok": True, "channels": [{"id": "C1"}]},
        {"ok": True, "access_token": "t", "id_token": "no.token.at all"},
        {"ok": True, "access_token": "t", "id_token": 5},
        {"ok": False, "error": {"not": "a text"}},
    ],
)
async def test_an_answer_of_another_kind_is_a_failed_call(body: Any) -> None:
    """Not an error of pages, and not one that a settler doesn't expect."""
    outgoing = Answering(body).outgoing
    calls = [
        Slack(outgoing, TOKEN).whose_token(),
        Slack(outgoing, TOKEN).offers(),
        slack.identify(outgoing, **known()),
    ]
    for call in calls:
        with pytest.raises(CommunityError):
            await call


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://slack.example"},
        {"aud": "another"},
        {"nonce": "another"},
        {"nonce": None},
        {slack.TEAM_CLAIM: "T0ANOTHER"},
        {slack.TEAM_CLAIM: None},
        {"sub": "../U1"},
    ],
)
async def test_an_identity_counts_only_for_the_attempt_and_workspace_it_is_for(
    wrong: dict[str, Any],
) -> None:
    right = {
        "iss": slack.ISSUER, "aud": CLIENT, "nonce": "n", "sub": ADA, slack.TEAM_CLAIM: TEAM,
        "name": "A\u202eda\n",
    }  # fmt: skip

    def answering(claims: dict[str, Any]) -> OutgoingHttp:
        found = {"ok": True, "access_token": "t", "id_token": KEY.sign(claims)}
        return Answering(found).outgoing

    assert await slack.identify(answering(right), **known()) == Member(ADA, "A da")
    with pytest.raises(CommunityError):
        await slack.identify(answering(right | wrong), **known())


async def test_channels_are_offered_by_name() -> None:
    body = {"ok": True, "channels": [channel("C1", "b"), channel("C2", "a")]}
    offers = await Slack(Answering(body).outgoing, TOKEN).offers()
    assert [offer.name for offer in offers] == ["#a", "#b"]


async def test_a_list_without_an_end_is_given_up() -> None:
    body = {"ok": True, "channels": [], "response_metadata": {"next_cursor": "again"}}
    endless = Answering(body)
    with pytest.raises(CommunityError, match="more than 4000 channels"):
        await Slack(endless.outgoing, TOKEN).offers()
    assert len(endless.asked) == slack.MOST_PAGES


async def test_after_a_limit_no_such_call_is_made_before_its_time() -> None:
    body = {"ok": False, "error": "ratelimited"}
    busy, turns = Answering(body, 429, {"retry-after": "30"}), Turns()
    for _ in range(2):
        with pytest.raises(CommunityError) as limited:
            await Slack(busy.outgoing, TOKEN, turns=turns).offers()
        assert limited.value.asked is not None
    assert len(busy.asked) == 1


async def test_a_token_that_no_header_can_hold_is_not_sent() -> None:
    claims = {
        "iss": slack.ISSUER, "aud": CLIENT, "nonce": "n", "sub": ADA, slack.TEAM_CLAIM: TEAM,
    }  # fmt: skip
    odd = Answering({"ok": True, "access_token": "a\nb", "id_token": KEY.sign(claims)})
    assert (await slack.identify(odd.outgoing, **known())).id == ADA
    assert [url.rpartition("/")[2] for url in odd.asked] == ["openid.connect.token"]


async def test_an_app_of_a_whole_organization_is_refused() -> None:
    body = {
        "ok": True,
        "team": "x",
        "team_id": "T1",
        "user_id": "U1",
        "is_enterprise_install": True,
    }
    with pytest.raises(CommunityError, match="install it in one workspace"):
        await Slack(Answering(body).outgoing, TOKEN).whose_token()


def test_the_app_is_created_with_what_it_needs() -> None:
    made = slack.creation_address(name="Sailing & more " * 9, redirect_uri="https://x.example/back")
    manifest = orjson.loads(parse_qs(urlsplit(made).query)["manifest_json"][0])
    assert manifest["oauth_config"]["redirect_urls"] == ["https://x.example/back"]
    assert manifest["oauth_config"]["scopes"] == {"bot": ["groups:read", "groups:write"]}
    assert len(manifest["display_information"]["name"]) <= 35, "Slack's limit"
