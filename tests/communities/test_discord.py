"""Which roles a bot can give, by Discord's rules of the order of roles; and what comes of answers
that aren't as Discord publishes."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote

import orjson
import pytest

from latchkey import discord
from latchkey.community_api import CommunityError
from latchkey.discord import ADMINISTRATOR, MANAGE_ROLES, Discord, offers_among
from latchkey.outgoing_http import Answer, OutgoingHttp
from tests.communities.server import GUILD, role


def problems(*roles: Any, held: str) -> dict[str, str | None]:
    found = offers_among([role(GUILD, "@everyone", 0), *roles], guild=GUILD, held=[held])
    return {offer.name: offer.problem for offer in found}


def test_roles_below_the_bots_own_can_be_given() -> None:
    found = problems(
        role("1", "Low", 1),
        role("2", "Bot", 2, permissions=MANAGE_ROLES),
        role("3", "High", 3),
        role("4", "App", 1, managed=True),
        held="2",
    )
    assert list(found) == ["High", "Bot", "Low", "App"], "highest first, the older one of two"
    assert found["Low"] is None
    assert "above the bot's own role" in str(found["High"])
    assert "that role" in str(found["Bot"])
    assert "belongs to an app" in str(found["App"])


def test_of_two_roles_in_one_position_the_older_is_higher() -> None:
    bot = role("20", "Bot", 1, permissions=MANAGE_ROLES)
    found = problems(role("3", "Older", 1), bot, role("100", "Newer", 1), held="20")
    assert found["Newer"] is None
    assert found["Older"] is not None


@pytest.mark.parametrize(("permissions", "may"), [(0, False), (ADMINISTRATOR, True)])
def test_a_permission_is_needed(permissions: int, may: bool) -> None:
    bot = role("2", "Bot", 2, permissions=permissions)
    assert (problems(role("1", "Low", 1), bot, held="2")["Low"] is None) is may


def test_what_everybody_may_the_bot_may_too() -> None:
    everybody = role(GUILD, "@everyone", 0, permissions=MANAGE_ROLES)
    [low] = [
        offer
        for offer in offers_among(
            [everybody, role("1", "Low", 1), role("2", "Bot", 2)], guild=GUILD, held=["2"]
        )
        if offer.name == "Low"
    ]
    assert low.problem is None


class Answering:
    """Answers every request in the same way, and keeps the headers of the last one."""

    def __init__(self, body: Any, status: int = 200) -> None:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        self.answer, self.headers = Answer(status, raw), dict[str, str]()

    async def request(self, *_: str, headers: Mapping[str, str], **__: Any) -> Answer:
        self.headers = dict(headers)
        return self.answer

    @property
    def outgoing(self) -> OutgoingHttp:
        return cast("OutgoingHttp", self)

    @property
    def discord(self) -> Discord:
        return Discord(self.outgoing, "token", guild=GUILD, bot="1")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        b"<html>Just a moment...</html>",
        b"[" * 5000,
        "text",
        5,
        [],
        {},
        [{}],
        {"id": 5, "username": "ada", "roles": 5},
        {"id": "../1", "username": "ada", "roles": None},
        {"id": "1", "username": None, "roles": [[]]},
        [{"id": "x", "name": "Role", "permissions": "0", "position": 1, "managed": False}],
    ],
)
async def test_an_answer_of_another_kind_is_a_failed_call(body: Any) -> None:
    """Not an error of pages, and not one that a settler doesn't expect."""
    server = Answering(body)
    calls = [
        server.discord.whose_token(),
        server.discord.roles_of("1", given=frozenset()),
        server.discord.offers(),
        discord.identify(server.outgoing, "token"),
    ]
    for call in calls:
        with pytest.raises(CommunityError):
            await call


@pytest.mark.anyio
async def test_names_and_messages_of_discord_fit_on_a_line() -> None:
    """Without NUL, which Postgres can't hold, and what turns the direction of writing."""
    odd = "<b>\0Ada\u202e\nLovelace</b>" + "x" * 10_000
    member = await discord.identify(Answering({"id": "1", "username": odd}).outgoing, "token")
    assert member.name.startswith("<b> Ada Lovelace</b>x")
    assert len(member.name) == discord.LONGEST_NAME
    [guild] = await Answering([{"id": "1", "name": odd}]).discord.guilds()
    assert guild.name == member.name
    with pytest.raises(CommunityError) as caught:
        await Answering({"message": odd}, 400).discord.guilds()
    assert "refused: <b> Ada Lovelace</b>x" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("asked", "seconds"), [(-5, 1), (0, 1), (1e9, 86400), (1e300, 86400), ("nan", 1), (None, 1)]
)
async def test_a_pause_that_discord_asks_for_has_bounds(asked: object, seconds: int) -> None:
    with pytest.raises(CommunityError) as caught:
        await Answering({"retry_after": asked}, 429).discord.guilds()
    assert caught.value.asked is not None
    assert caught.value.asked.total_seconds() == seconds


@pytest.mark.anyio
@pytest.mark.parametrize(
    "name",
    ["nine of x " * 100, "Курс " * 100, "🚢" * 200, "x" * 169 + "ж\n"],
    ids=["ends in a space", "two bytes", "four bytes", "cut within a character"],
)
async def test_a_reason_of_any_length_fits_its_header(name: str) -> None:
    server = Answering(b"", 204)
    await server.discord.give("1", "2", reason=name)
    sent = server.headers["x-audit-log-reason"]
    assert len(sent) <= 512
    assert sent == sent.strip()
    assert name.startswith(unquote(sent, errors="strict"))


@pytest.mark.anyio
@pytest.mark.parametrize("token", ["a\nb", "ключ", "", 5, None])
async def test_a_token_that_no_header_can_hold_is_refused(token: object) -> None:
    known = {"client_id": "1", "client_secret": "s", "redirect_uri": "r", "verifier": "v"}
    with pytest.raises(CommunityError):
        await discord.exchange(Answering({"access_token": token}).outgoing, code="c", **known)
