"""A stand-in for Discord: one server with a bot, whose calls are checked against what Discord
publishes. Only the token endpoints aren't published; they are as RFC 6749 and 7636 say."""

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from latchkey import discord
from tests.communities.published import problems
from tests.harness import free_port, until

GUILD, BOT, APP = "41771983423143937", "80351110224678912", "102938475610293847"
BOT_ROLE, LOW, HIGH, MANAGED = (
    "200000000000000001",
    "200000000000000002",
    "200000000000000003",
    "200000000000000004",
)
TOKEN, SECRET = "bot-token-of-the-stand-in", "client-secret-of-the-stand-in"
ADA, BOB = "300000000000000001", "300000000000000002"

Answered = tuple[int, Any, dict[str, str]]
Fault = Callable[[str, str], "Answered | Awaitable[None] | None"]


def user(id_: str, name: str) -> dict[str, Any]:
    return {
        "id": id_, "username": name, "avatar": None, "discriminator": "0", "public_flags": 0,
        "flags": 0, "global_name": name.title(), "primary_guild": None,
    }  # fmt: skip


def role(id_: str, name: str, position: int, *, permissions: int = 0, managed: bool = False) -> Any:
    colors = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
    return {
        "id": id_, "name": name, "permissions": str(permissions), "position": position, "color": 0,
        "colors": colors, "hoist": False, "managed": managed, "mentionable": False, "icon": None,
        "unicode_emoji": None, "flags": 0,
    }  # fmt: skip


def error(status: int, code: int, message: str) -> Answered:
    return status, {"code": code, "message": message}, {}


@dataclass
class DiscordServer:
    """What there is on the server. `members` have roles; `refuse` may answer a call in place of the
    server. `consenting` is who agrees to be connected. `wrong` lists what isn't as published."""

    url: str
    token: str = TOKEN
    roles: list[Any] = field(default_factory=list)
    members: dict[str, set[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=lambda: {ADA: "ada", BOB: "bob", BOT: "keeper"})
    calls: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    refuse: Fault | None = None
    headers: dict[str, str] = field(default_factory=dict)
    consenting: str = ADA
    declined: bool = False
    on_server: bool = True
    codes: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    member_tokens: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roles = [
            role(GUILD, "@everyone", 0),
            role(LOW, "Sailor", 1),
            role(MANAGED, "Booster", 2, managed=True),
            role(BOT_ROLE, "Keeper", 3, permissions=discord.BOT_PERMISSIONS),
            role(HIGH, "Captain", 4),
        ]
        self.members[BOT] = {BOT_ROLE}

    async def call(self, request: Request) -> Response:
        path = request.url.path.removeprefix(discord.API)
        body = await request.body()
        sent = json.loads(body) if body else None
        self.calls.append(f"{request.method} {path}")
        if reason := request.headers.get("x-audit-log-reason"):
            self.reasons.append(reason)
        refused = self.refuse(request.method, path) if self.refuse else None
        if isinstance(refused, Awaitable):
            await refused
            refused = None
        status, answer, headers = refused or self._answer(request, path, sent)
        query = dict(request.query_params)
        self.wrong += problems(request.method, path, query, sent, status, answer)
        if not (request.headers.get("user-agent") or "").startswith("DiscordBot ("):
            self.wrong.append("Discord wants a user agent that begins with DiscordBot")
        given = self.headers | headers
        if answer is None:
            return Response(status_code=status, headers=given)
        return JSONResponse(answer, status, headers=given)

    def _answer(self, request: Request, path: str, sent: Any) -> Answered:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme == "Bearer" and path == "/users/@me":
            who = self.member_tokens.get(credential)
            if who is None:
                return error(401, 0, "401: Unauthorized")
            return 200, self._me(who), {}
        if (scheme, credential) != ("Bot", self.token):
            return error(401, 0, "401: Unauthorized")
        match request.method, path.strip("/").split("/"):
            case "GET", ["users", "@me"]:
                return 200, self._me(BOT), {}
            case "GET", ["applications", "@me"]:
                return 200, _application(), {}
            case "GET", ["users", "@me", "guilds"]:
                return 200, [_guild()] if self.on_server else [], {}
            case _, ["guilds", _, *_] if not self.on_server:
                return error(403, discord.MISSING_ACCESS, "Missing Access")
            case _, ["guilds", guild, *_] if guild != GUILD:
                return error(404, discord.UNKNOWN_GUILD, "Unknown Guild")
            case method, ["guilds", _, *rest]:
                return self._of_guild(method, rest, sent)
        return error(404, 0, "404: Not Found")

    def _of_guild(self, method: str, rest: list[str], sent: Any) -> Answered:
        match method, rest:
            case "GET", ["roles"]:
                return 200, self.roles, {}
            case "GET", ["members", member]:
                return self._member(member)
            case "PUT", ["members", member]:
                if self.member_tokens.get(sent["access_token"]) != member:
                    return error(403, 50025, "Invalid OAuth2 access token")
                if member in self.members:
                    return 204, None, {}
                self.members[member] = set()
                return 201, self._member(member)[1], {}
            case (("PUT" | "DELETE"), ["members", member, "roles", id_]):
                return self._change(method, member, id_)
        return error(404, 0, "404: Not Found")

    def _me(self, who: str) -> Any:
        return user(who, self.names[who]) | {"mfa_enabled": True, "locale": "en-US"}

    def _member(self, member: str) -> Answered:
        if member not in self.members:
            return error(404, discord.UNKNOWN_MEMBER, "Unknown Member")
        roles = sorted(self.members[member])
        known = {
            "avatar": None, "banner": None, "communication_disabled_until": None, "flags": 0,
            "joined_at": "2026-01-01T00:00:00+00:00", "nick": None, "pending": False,
            "premium_since": None, "roles": roles, "user": user(member, self.names[member]),
            "mute": False, "deaf": False,
        }  # fmt: skip
        return 200, known, {}

    def _change(self, method: str, member: str, id_: str) -> Answered:
        found = next((one for one in self.roles if one["id"] == id_), None)
        if found is None:
            return error(404, discord.UNKNOWN_ROLE, "Unknown Role")
        if member not in self.members:
            return error(404, discord.UNKNOWN_MEMBER, "Unknown Member")
        offer = next(
            one
            for one in discord.offers_among(
                self.roles, guild=GUILD, held=list(self.members.get(BOT, ()))
            )
            if one.id == id_
        )
        if offer.problem:
            return error(403, discord.MISSING_PERMISSIONS, "Missing Permissions")
        if method == "PUT":
            self.members[member].add(id_)
        else:
            self.members[member].discard(id_)
        return 204, None, {}

    async def authorize(self, request: Request) -> Response:
        """The page on which a member agrees."""
        asked = request.query_params
        assert asked["client_id"] == APP
        assert asked["response_type"] == "code"
        assert set(asked["scope"].split()) == {"identify", "guilds.join"}
        assert asked["code_challenge_method"] == "S256"
        state = asked["state"]
        if self.declined:
            query = {"error": "access_denied", "state": state}
        else:
            code = f"code-{len(self.codes)}"
            self.codes[code] = (asked["redirect_uri"], asked["code_challenge"], self.consenting)
            query = {"code": code, "state": state}
        back = f"{asked['redirect_uri']}?{urlencode(query)}"
        if request.query_params.get("prompt") == "consent" and "text/html" in request.headers.get(
            "accept", ""
        ):
            return HTMLResponse(f'<title>Discord</title><a href="{back}">Authorize</a>')
        return RedirectResponse(back, 303)

    async def exchange(self, request: Request) -> Response:
        sent = dict(await request.form())
        redirect_uri, challenge, who = self.codes.pop(str(sent["code"]), ("", "", ""))
        digest = hashlib.sha256(str(sent["code_verifier"]).encode()).digest()
        proven = base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
        right = (sent["client_id"], sent["client_secret"]) == (APP, SECRET)
        if not right:
            return JSONResponse({"error": "invalid_client"}, 401)
        if not proven or sent["redirect_uri"] != redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = f"member-token-{who}"
        self.member_tokens[token] = who
        scope = "identify guilds.join"
        known = {"access_token": token, "token_type": "Bearer", "expires_in": 604800}
        return JSONResponse(known | {"refresh_token": "refresh", "scope": scope})

    async def revoke(self, request: Request) -> Response:
        sent = dict(await request.form())
        self.member_tokens.pop(str(sent["token"]), None)
        return JSONResponse({})

    def app(self) -> Starlette:
        methods = ["GET", "PUT", "POST", "DELETE", "PATCH"]
        return Starlette(
            routes=[
                Route("/oauth2/authorize", self.authorize),
                Route(f"{discord.API}/oauth2/token", self.exchange, methods=["POST"]),
                Route(f"{discord.API}/oauth2/token/revoke", self.revoke, methods=["POST"]),
                Route(f"{discord.API}/{{path:path}}", self.call, methods=methods),
            ]
        )


def _guild() -> Any:
    return {
        "id": GUILD, "name": "The harbour", "icon": None, "banner": None, "owner": False,
        "permissions": str(discord.BOT_PERMISSIONS), "features": [],
    }  # fmt: skip


def _application() -> Any:
    return {
        "id": APP, "name": "Keeper", "icon": None, "description": "", "type": None,
        "verify_key": "0" * 64, "flags": 0, "flags_new": "0", "redirect_uris": [],
        "interactions_endpoint_url": None, "role_connections_verification_url": None,
        "owner": user(BOB, "bob"), "approximate_guild_count": 1,
        "approximate_user_install_count": 0, "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0, "team": None, "eligible_oauth2_scopes": [],
    }  # fmt: skip


@asynccontextmanager
async def run_discord() -> AsyncIterator[DiscordServer]:
    """Run the stand-in, and have Latchkey take it for Discord. Fails at the end if a call or an
    answer wasn't as published."""
    port = free_port()
    made = DiscordServer(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(
        made.app(), host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the stand-in serves")
    real, discord.SITE = discord.SITE, made.url
    try:
        yield made
    finally:
        discord.SITE = real
        server.should_exit = True
        await task
    assert made.wrong == []
