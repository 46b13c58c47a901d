"""Discord's API, as far as roles need it: by the bot's token, or a member's for a moment.

The calls and codes are those of Discord's published OpenAPI description and documentation, version
10 of the API.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from latchkey import community_api
from latchkey.community_api import CommunityError, Member, RoleChoice, Turns
from latchkey.outgoing_http import Answer, OutgoingHttp
from latchkey.rules.deliveries import LONGEST_ASKED, SHORTEST_ASKED, asked_pause
from latchkey.texts import visible

SITE = "https://discord.com"
API = "/api/v10"
SCOPES = "identify guilds.join"

CREATE_INSTANT_INVITE, ADMINISTRATOR, MANAGE_ROLES = 1 << 0, 1 << 3, 1 << 28
BOT_PERMISSIONS = CREATE_INSTANT_INVITE | MANAGE_ROLES

UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_ROLE, UNKNOWN_USER = 10004, 10007, 10011, 10013
MISSING_ACCESS, MISSING_PERMISSIONS = 50001, 50013
LONGEST_NAME = 100
"""Discord's own limit, of servers and roles."""
LONGEST_REASON = 170
"""Bytes. Each is at most three characters in an address's encoding; Discord takes 512."""
_AGENT = f"DiscordBot (https://github.com/latchkey/latchkey, {metadata.version('latchkey')})"

_WORDS = {
    UNKNOWN_GUILD: "there is no such server, or the bot isn't on it any more: invite it again",
    UNKNOWN_ROLE: "this role doesn't exist any more",
    MISSING_ACCESS: "the bot isn't on the server any more, or isn't allowed to see it: invite it"
    " again",
    MISSING_PERMISSIONS: "the bot may not give this role: it needs the permission Manage Roles, and"
    " its own role has to be above this one, in Server Settings, Roles",
}
_REVOKED = "Discord doesn't accept the bot's token any more: enter a new one"


@dataclass(frozen=True)
class Guild:
    """A server that the bot is on."""

    id: str
    name: str


@dataclass(frozen=True)
class Bot:
    """Whose token it is: the bot's user, and its application, by which members are asked."""

    id: str
    name: str
    client_id: str


@dataclass
class Discord:
    """Discord by the token of a bot. All calls raise `CommunityError`.

    `calls` is what was called and answered, for the log: without anybody's id or name.
    """

    outgoing: OutgoingHttp
    token: str
    guild: str = ""
    bot: str = ""
    turns: Turns = field(default_factory=Turns)
    calls: list[str] = field(default_factory=list)

    async def whose_token(self) -> Bot:
        me = await self._call("GET", "/users/@me")
        application = await self._call("GET", "/applications/@me")
        with _as_published():
            return Bot(_id(me), _name(me["username"]), _id(application))

    async def guilds(self) -> list[Guild]:
        """The servers that the bot is on, up to 200."""
        found = await self._call("GET", "/users/@me/guilds?limit=200")
        with _as_published():
            return [Guild(_id(one), _name(one["name"])) for one in found]

    async def offers(self) -> list[RoleChoice]:
        """The server's roles, highest first, with what keeps the bot from giving each."""
        roles = await self._call("GET", "/guilds/{guild}/roles")
        me = await self._call("GET", "/guilds/{guild}/members/{member}", member=self.bot)
        with _as_published():
            return offers_among(roles, guild=self.guild, held=me["roles"])

    async def roles_of(self, member: str, *, given: frozenset[str]) -> set[str] | None:
        """What somebody has; None if they aren't on the server."""
        try:
            found = await self._call("GET", "/guilds/{guild}/members/{member}", member=member)
        except CommunityError as error:
            if error.no_member:
                return None
            raise
        with _as_published():
            return set(found["roles"])

    async def give(self, member: str, role: str, *, reason: str) -> None:
        route = "/guilds/{guild}/members/{member}/roles/{role}"
        await self._call("PUT", route, member=member, role=role, reason=reason)

    async def take(self, member: str, role: str, *, reason: str) -> None:
        route = "/guilds/{guild}/members/{member}/roles/{role}"
        await self._call("DELETE", route, member=member, role=role, reason=reason)

    async def join(self, member: str, *, access_token: str) -> None:
        """Have somebody join the server who allowed it; nothing if they are there already."""
        route = "/guilds/{guild}/members/{member}"
        await self._call("PUT", route, member=member, body={"access_token": access_token})

    async def _call(
        self,
        method: str,
        route: str,
        *,
        member: str = "",
        role: str = "",
        body: dict[str, Any] | None = None,
        reason: str = "",
    ) -> Any:
        path = route.format(guild=self.guild, member=quote(member, safe=""), role=role)
        headers = {"authorization": f"Bot {self.token}", "user-agent": _AGENT}
        if reason:
            headers["x-audit-log-reason"] = _encoded(reason)
        if body is not None:
            headers["content-type"] = "application/json"
        await self.turns.take(f"{method} {route}")
        answer = await community_api.ask(
            self.outgoing,
            method,
            f"{SITE}{API}{path}",
            body=orjson.dumps(body) if body is not None else b"",
            headers=headers,
        )
        shown = route.format(guild=self.guild, member="…", role=role)
        self.calls.append(f"{method} {shown}: {answer.status}")
        self.turns.heed(f"{method} {route}", answer.headers)
        return _read(answer)


def offers_among(roles: list[Any], *, guild: str, held: list[str]) -> list[RoleChoice]:
    """The roles of a server that products may give, highest first, by the roles that the bot has
    itself. The one of everybody isn't among them."""
    own = [role for role in roles if role["id"] in held or role["id"] == guild]
    allowed = 0
    for role in own:
        allowed |= int(role["permissions"])
    may = bool(allowed & (MANAGE_ROLES | ADMINISTRATOR))
    top = max((_rank(role) for role in own if role["id"] != guild), default=(0, 0))

    def problem(role: Any) -> str | None:
        if role["managed"]:
            return "belongs to an app or a subscription, and can't be given by hand"
        if not may:
            return "can't be given: the bot lacks the permission Manage Roles"
        if _rank(role) >= top:
            return "is above the bot's own role, or is that role: drag the bot's role above it"
        return None

    others = [role for role in roles if role["id"] != guild]
    return [
        RoleChoice(_id(role), _name(role["name"]), problem(role))
        for role in sorted(others, key=_rank, reverse=True)
    ]


def _rank(role: Any) -> tuple[int, int]:
    """Of two roles in the same position, the older one, with the lower id, is higher."""
    return role["position"], -int(role["id"])


def invitation(client_id: str) -> str:
    """Where an admin of a server adds the bot to it."""
    query = {"client_id": client_id, "scope": "bot", "permissions": BOT_PERMISSIONS}
    return f"{SITE}/oauth2/authorize?{urlencode(query)}"


def consent_address(*, client_id: str, redirect_uri: str, state: str, challenge: str) -> str:
    """Where a member agrees that we learn who they are and let them join."""
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": SCOPES,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "prompt": "consent",
    }
    return f"{SITE}/oauth2/authorize?{urlencode(query)}"


async def exchange(
    outgoing: OutgoingHttp,
    *,
    client_id: str,
    client_secret: str,
    code: str,
    redirect_uri: str,
    verifier: str,
) -> str:
    """A member's access token for the code that they came back with. Raises `CommunityError`."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
        "client_id": client_id,
        "client_secret": client_secret,
    }
    found = await _post_form(outgoing, "/oauth2/token", form)
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not (token and token.isascii() and token.isprintable()):
        raise CommunityError("Discord's answer has no access token")
    return token


async def identify(outgoing: OutgoingHttp, access_token: str) -> Member:
    """Whose token it is. Raises `CommunityError`."""
    answer = await community_api.ask(
        outgoing,
        "GET",
        f"{SITE}{API}/users/@me",
        body=b"",
        headers={"authorization": f"Bearer {access_token}", "user-agent": _AGENT},
    )
    found = _read(answer)
    with _as_published():
        return Member(_id(found), _name(found.get("global_name") or found["username"]))


async def revoke(
    outgoing: OutgoingHttp, *, client_id: str, client_secret: str, access_token: str
) -> None:
    """Give a member's token back: nothing needs it any more. Raises `CommunityError`."""
    form = {"token": access_token, "client_id": client_id, "client_secret": client_secret}
    await _post_form(outgoing, "/oauth2/token/revoke", form)


async def _post_form(outgoing: OutgoingHttp, path: str, form: dict[str, str]) -> Any:
    headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": _AGENT}
    answer = await community_api.ask(
        outgoing, "POST", f"{SITE}{API}{path}", body=urlencode(form).encode(), headers=headers
    )
    if answer.status == 401:
        raise CommunityError("Discord doesn't accept the client secret: enter it again", status=401)
    return _read(answer)


def _read(answer: Answer) -> Any:
    """What a call was answered. Raises `CommunityError`."""
    try:
        found = orjson.loads(answer.body) if answer.body else None
    except orjson.JSONDecodeError:
        found = None
    if answer.accepted and (found is not None or answer.status in (201, 204)):
        return found
    raise _error(answer, found if isinstance(found, dict) else {})


@contextmanager
def _as_published() -> Iterator[None]:
    """For reading an answer. Raises `CommunityError` if something is missing or of another type."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CommunityError("Discord's answer isn't as it publishes") from error


def _id(found: Any) -> str:
    """The id of a thing: digits, since it becomes a part of addresses. Raises `ValueError`."""
    id_: str = found["id"]
    if not (id_.isascii() and id_.isdecimal()):
        raise ValueError("an id of Discord's is digits")
    return id_


def _name(text: str) -> str:
    return visible(text, longest=LONGEST_NAME)


def _encoded(reason: str) -> str:
    """A reason for the header that Discord's audit log takes it from, cut between characters."""
    return quote(reason.encode()[:LONGEST_REASON].decode(errors="ignore"), safe="")


def _error(answer: Answer, found: dict[str, Any]) -> CommunityError:
    status, code = answer.status, found.get("code")
    if status == 401:
        return CommunityError(_REVOKED, status=status, hopeless=True)
    if status == 429:
        everything = "all calls" if found.get("global") else "this call"
        return CommunityError(
            f"Discord's limit for {everything} is reached",
            status=status,
            asked=_asked(answer, found),
        )
    if status >= 500 or answer.accepted:
        return CommunityError(f"Discord answered {status}", status=status)
    said = found.get("message") or found.get("error_description") or found.get("error")
    words = _WORDS.get(code) if isinstance(code, int) else None
    return CommunityError(
        words or f"Discord refused: {visible(str(said), longest=200) if said else status}",
        status=status,
        gone=code in (UNKNOWN_MEMBER, UNKNOWN_USER, UNKNOWN_ROLE),
        of_role=code in (UNKNOWN_ROLE, MISSING_PERMISSIONS),
    )


def _asked(answer: Answer, found: dict[str, Any]) -> timedelta:
    """How long to wait: the body is more exact than the header."""
    seconds = found.get("retry_after")
    if isinstance(seconds, int | float):
        least, most = SHORTEST_ASKED.total_seconds(), LONGEST_ASKED.total_seconds()
        return timedelta(seconds=min(max(seconds, least), most))
    header = answer.headers.get("retry-after")
    return asked_pause(answer.status, header, datetime.now(UTC)) or SHORTEST_ASKED
