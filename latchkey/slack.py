"""Slack's API, as far as channels need it: by the token of an app's bot, and for a moment by a
member's.

The calls and errors are those of Slack's published OpenAPI description and documentation. Only
private channels are looked at: everybody in a workspace may join a public one.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from latchkey import community_api, jose
from latchkey.community_api import CommunityError, Member, RoleChoice, Turns
from latchkey.jose import TokenRefusedError
from latchkey.outgoing_http import Answer, OutgoingHttp
from latchkey.rules.deliveries import SHORTEST_ASKED, asked_pause
from latchkey.texts import visible

SITE = "https://slack.com"
APPS = "https://api.slack.com/apps"
ISSUER = "https://slack.com"
TEAM_CLAIM = "https://slack.com/team_id"
BOT_SCOPES = ("groups:read", "groups:write")
LONGEST_NAME = 100
PAGE = 200
MOST_PAGES = 20

_REVOKED = "Slack doesn't accept the bot's token any more: enter a new one"
_UNSEEN = (
    "the app can't see this channel: it was removed from it, or the channel was deleted. Add the"
    " app to the channel again"
)
_WORDS_OF_CHANNEL = {
    "channel_not_found": _UNSEEN,
    "not_in_channel": _UNSEEN,
    "is_archived": "this channel is archived: unarchive it",
    "method_not_supported_for_channel_type": "members of this channel can't be added by apps",
    "restricted_action": "a setting of the workspace keeps the app from changing who is in this"
    " channel: in Slack, under Permissions, let everybody remove members from private channels",
    "cant_kick_from_general": "nobody can be removed from this channel, which everybody is in",
}
_WORDS_OF_MEMBER = {
    "cant_invite": "Slack doesn't let this account be added to the channel, as can be with guests",
    "ura_max_channels": "this guest is already in as many channels as a guest may be in",
    "cant_invite_self": "this account is the app's own",
    "cant_kick_self": "this account is the app's own",
    "not_supported": "Slack doesn't let this account be removed from the channel",
}
_TOKEN_ERRORS = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_allowed_token_type",
        "not_authed",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
    }
)


@dataclass(frozen=True)
class Workspace:
    """Whose token it is: the bot's user, and the workspace that the app is installed in."""

    id: str
    name: str
    bot_id: str


@dataclass
class Slack:
    """Slack by the token of an app's bot. All calls raise `CommunityError`.

    `calls` is what was called and answered, for the log: without anybody's id or name.
    """

    outgoing: OutgoingHttp
    token: str
    turns: Turns = field(default_factory=Turns)
    calls: list[str] = field(default_factory=list)

    async def whose_token(self) -> Workspace:
        found = await self._call("GET", "auth.test", {})
        with _as_published():
            if found.get("is_enterprise_install"):
                raise CommunityError(
                    "the app is installed in a whole organization: install it in one workspace"
                )
            name = visible(found["team"], longest=LONGEST_NAME)
            return Workspace(_id(found["team_id"]), name, _id(found["user_id"]))

    async def offers(self) -> list[RoleChoice]:
        """The private channels that the app is in, by name."""
        found = [one for one in await self._channels() if not one.get("is_archived")]
        with _as_published():
            named = [(f"#{visible(one['name'], longest=LONGEST_NAME)}", one) for one in found]
            return [RoleChoice(_id(one["id"]), name) for name, one in sorted(named, key=_first)]

    async def roles_of(self, member: str, *, given: frozenset[str]) -> set[str] | None:
        """The channels that somebody is in; None if they aren't in the workspace.

        A channel that the app was removed from isn't listed, so whoever was let into it is still
        in there.
        """
        try:
            found = {_id(one["id"]) for one in await self._channels(user=member)}
        except CommunityError as error:
            if error.gone:
                return None
            raise
        if given - found:
            seen = {_id(one["id"]) for one in await self._channels()}
            found |= given - seen
        return found

    async def give(self, member: str, role: str, *, reason: str) -> None:
        """Add somebody to a channel. Slack takes no reason."""
        await self._change("conversations.invite", role, {"users": member}, "already_in_channel")

    async def take(self, member: str, role: str, *, reason: str) -> None:
        """Remove somebody from a channel. Slack takes no reason."""
        await self._change("conversations.kick", role, {"user": member}, "not_in_channel")

    async def _change(
        self, method: str, channel: str, who: Mapping[str, str], done_already: str
    ) -> None:
        with suppress(_DoneAlreadyError):
            await self._call(
                "POST",
                method,
                {"channel": channel, **who},
                shown=channel,
                done_already=done_already,
            )

    async def _channels(self, *, user: str | None = None) -> list[dict[str, Any]]:
        """The private channels that somebody is in and the app, too; the app's without `user`."""
        query = {"types": "private_channel", "limit": str(PAGE)}
        if user is not None:
            query["user"] = user
        channels: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            found = await self._call("GET", "users.conversations", query)
            with _as_published():
                channels += [dict(one) for one in found["channels"] if _id(one["id"])]
                cursor = (found.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return channels
            query["cursor"] = str(cursor)
        raise CommunityError(f"there are more than {PAGE * MOST_PAGES} channels to look through")

    async def _call(
        self,
        verb: str,
        method: str,
        values: Mapping[str, str],
        *,
        shown: str = "",
        done_already: str = "",
    ) -> Any:
        await self.turns.take(method)
        try:
            found, error = await _ask(self.outgoing, verb, method, values, token=self.token)
        except CommunityError as failure:
            self.calls.append(f"{method} {shown}".strip() + f": {failure.status or 'no answer'}")
            if failure.asked is not None:
                self.turns.rest(method, failure.asked)
            raise
        self.calls.append(f"{method} {shown}".strip() + f": {error or 'ok'}")
        if not error:
            return found
        if error == done_already:
            raise _DoneAlreadyError
        raise _refusal(error, found)


class _DoneAlreadyError(Exception):
    """What a call was to do is so already."""


def creation_address(*, name: str, redirect_uri: str) -> str:
    """Where an admin creates the app, with all that it needs filled in."""
    manifest = {
        "display_information": {"name": visible(name, longest=35) or "Latchkey"},
        "features": {"bot_user": {"display_name": "Latchkey", "always_online": False}},
        "oauth_config": {"redirect_urls": [redirect_uri], "scopes": {"bot": list(BOT_SCOPES)}},
        "settings": {
            "org_deploy_enabled": False,
            "socket_mode_enabled": False,
            "token_rotation_enabled": False,
        },
    }
    query = {"new_app": "1", "manifest_json": orjson.dumps(manifest).decode()}
    return f"{APPS}?{urlencode(query)}"


def consent_address(
    *, client_id: str, workspace: str, redirect_uri: str, state: str, nonce: str
) -> str:
    """Where a member agrees that we learn who they are in this workspace."""
    query = {
        "client_id": client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": "openid profile",
        "state": state,
        "nonce": nonce,
        "team": workspace,
    }
    return f"{SITE}/openid/connect/authorize?{urlencode(query)}"


async def identify(
    outgoing: OutgoingHttp,
    *,
    client_id: str,
    client_secret: str,
    workspace: str,
    code: str,
    redirect_uri: str,
    nonce: str,
) -> Member:
    """Who came back with a code; their access token is given back. Raises `CommunityError`.

    The ID token comes from Slack itself over TLS, which stands for its signature (OpenID Connect
    Core, 3.1.3.7); the nonce binds it to this attempt.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "client_id": client_id,
        "client_secret": client_secret,
    }
    found, error = await _ask(outgoing, "POST", "openid.connect.token", form)
    if error in ("bad_client_secret", "invalid_client_id"):
        raise CommunityError("Slack doesn't accept the client ID and secret: enter them again")
    if error:
        raise _refusal(error, found)
    with _as_published():
        token, claims = str(found["access_token"]), jose.unverified(found["id_token"])
        about = (claims["iss"], claims["aud"], claims.get("nonce"))
        member = Member(_id(claims["sub"]), _name(claims))
        at = _id(claims[TEAM_CLAIM])
    if token.isascii() and token.isprintable():
        with suppress(CommunityError):
            await _ask(outgoing, "GET", "auth.revoke", {}, token=token)
    if about != (ISSUER, client_id, nonce):
        raise CommunityError("Slack's answer isn't for this attempt")
    if at != workspace:
        raise CommunityError("this is an account of another workspace", of_member=True)
    return member


async def _ask(
    outgoing: OutgoingHttp,
    verb: str,
    method: str,
    values: Mapping[str, str],
    *,
    token: str | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Make one call; returns what was answered, and Slack's name of the error if it is one. Raises
    `CommunityError` if it isn't an answer of Slack's."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    url, body = f"{SITE}/api/{method}", b""
    if verb == "POST":
        headers["content-type"] = "application/x-www-form-urlencoded"
        body = urlencode(values).encode()
    elif values:
        url = f"{url}?{urlencode(values)}"
    answer = await community_api.ask(outgoing, verb, url, body=body, headers=headers)
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    error = found.get("error") if isinstance(found, dict) else None
    if answer.status == 429 or error == "ratelimited":
        raise _busy(answer)
    if not answer.accepted or not isinstance(found, dict):
        raise CommunityError(f"Slack answered {answer.status}", status=answer.status)
    if found.get("ok") is True:
        return found, None
    return found, visible(str(error or "no reason"), longest=100)


def _busy(answer: Answer) -> CommunityError:
    header = answer.headers.get("retry-after")
    return CommunityError(
        "Slack's limit of calls is reached",
        status=429,
        asked=asked_pause(429, header, datetime.now(UTC)) or SHORTEST_ASKED,
    )


def _refusal(error: str, found: Mapping[str, Any]) -> CommunityError:
    """What an error of Slack's says, by its published name."""
    if error in _TOKEN_ERRORS:
        return CommunityError(_REVOKED, hopeless=True)
    if error == "missing_scope":
        needed = visible(str(found.get("needed") or "groups:write"), longest=100)
        return CommunityError(
            f"the app lacks the scope {needed}: add it under OAuth & Permissions, and install the"
            " app again",
            hopeless=True,
        )
    if error == "user_not_found":
        return CommunityError("this account isn't in the workspace any more", gone=True)
    if error in _WORDS_OF_CHANNEL:
        return CommunityError(_WORDS_OF_CHANNEL[error], of_role=True)
    if error in _WORDS_OF_MEMBER:
        return CommunityError(_WORDS_OF_MEMBER[error], of_member=True)
    return CommunityError(f"Slack refused: {error}")


@contextmanager
def _as_published() -> Iterator[None]:
    """For reading an answer. Raises `CommunityError` if something is missing or of another type."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, TokenRefusedError) as error:
        raise CommunityError("Slack's answer isn't as it publishes") from error


def _id(found: Any) -> str:
    """An id of Slack's: capital letters and digits. Raises `ValueError`."""
    if not (isinstance(found, str) and found.isascii() and found.isalnum() and found.isupper()):
        raise ValueError("an id of Slack's is capital letters and digits")
    return found


def _name(claims: Mapping[str, Any]) -> str:
    return visible(str(claims.get("name") or claims["sub"]), longest=LONGEST_NAME)


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]
