"""A stand-in for Slack: one workspace with an app, whose calls are checked against what Slack
publishes. Only Sign in with Slack isn't published there; it is as OpenID Connect says."""

import asyncio
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

from latchkey import jose, slack
from tests.communities.slack_published import problems
from tests.harness import free_port, until

TEAM, BOT, CLIENT = "T0HARBOUR1", "U0LATCHKEY", "1234567890.0987654321"
SAILING, ROWING, CREW = "C0SAILING1", "C0ROWING01", "G0CREWONLY"
TOKEN, SECRET = "xoxb-token-of-the-stand-in", "secret-of-the-stand-in"
ADA, BOB = "U0ADALOVE1", "U0BOBHOPE1"
KEY = jose.SigningKey("slack", jose.generate().private)

Answered = tuple[int, dict[str, Any], dict[str, str]]
Fault = Callable[[str, dict[str, str]], "Answered | Awaitable[None] | None"]


def refusal(error: str, **more: str) -> Answered:
    return 200, {"ok": False, "error": error, **more}, {}


def channel(id_: str, name: str) -> dict[str, Any]:
    words = {"value": "", "creator": "", "last_set": 0}
    return {
        "id": id_, "name": name, "name_normalized": name, "created": 1449252889,
        "creator": "U061F7AUR", "is_archived": False, "is_channel": True, "is_general": False,
        "is_group": False, "is_im": False, "is_mpim": False, "is_org_shared": False,
        "is_shared": False, "is_private": True, "topic": words, "purpose": words,
    }  # fmt: skip


@dataclass
class SlackServer:
    """What there is in the workspace. `members` are who is in each private channel, `BOT` for the
    app; `people` are who is in the workspace. `refuse` may answer a call in place of the server;
    `wrong` lists what isn't as published."""

    url: str
    token: str = TOKEN
    team: str = TEAM
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=lambda: {ADA: "Ada", BOB: "Bob", BOT: "Keys"})
    guests: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    refuse: Fault | None = None
    consenting: str = ADA
    consenting_in: str = TEAM
    declined: bool = False
    claims: dict[str, Any] = field(default_factory=dict)
    page: int = 1000
    codes: dict[str, tuple[str, str]] = field(default_factory=dict)
    member_tokens: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for id_, name in ((SAILING, "sailing"), (ROWING, "rowing"), (CREW, "crew")):
            self.channels[id_] = channel(id_, name)
            self.members[id_] = {BOT}
        self.members[CREW] = set()

    def of(self, who: str) -> set[str]:
        """The channels that somebody is in."""
        return {id_ for id_, members in self.members.items() if who in members}

    async def call(self, request: Request) -> Response:
        path = request.url.path.removeprefix("/api")
        form = {name: str(value) for name, value in (await request.form()).items()}
        sent = dict(request.query_params) | form
        self.calls.append(" ".join([path.strip("/"), *_told(sent)]))
        refused = self.refuse(path, sent) if self.refuse else None
        if isinstance(refused, Awaitable):
            await refused
            refused = None
        status, answer, headers = refused or self._answer(request, path, sent)
        self.wrong += problems(request.method, path, sent, answer)
        return JSONResponse(answer, status, headers=headers)

    def _answer(self, request: Request, path: str, sent: dict[str, str]) -> Answered:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if path == "/auth.revoke" and token in self.member_tokens:
            self.member_tokens.discard(token)
            return 200, {"ok": True, "revoked": True}, {}
        if (scheme, token) != ("Bearer", self.token):
            return refusal("invalid_auth")
        match path:
            case "/auth.test":
                return 200, self._whose(), {}
            case "/users.conversations":
                return self._conversations(sent)
            case "/conversations.invite":
                return self._invite(sent["channel"], sent["users"])
            case "/conversations.kick":
                return self._kick(sent["channel"], sent["user"])
        return refusal("unknown_method")

    def _whose(self) -> dict[str, Any]:
        return {
            "ok": True, "url": "https://harbour.slack.com/", "team": "The quay", "user": "keys",
            "team_id": self.team, "user_id": BOT, "bot_id": "B0LATCHKEY",
        }  # fmt: skip

    def _conversations(self, sent: dict[str, str]) -> Answered:
        who = sent.get("user", BOT)
        if who not in self.people:
            return refusal("user_not_found")
        kinds = sent.get("types", "public_channel").split(",")
        seen = [id_ for id_ in sorted(self.of(who) & self.of(BOT)) if self._kind(id_) in kinds]
        start = int(sent.get("cursor") or 0)
        size = min(int(sent["limit"]), self.page)
        end = start + size
        found = [self.channels[id_] for id_ in seen[start:end]]
        cursor = str(end) if end < len(seen) else ""
        return (
            200,
            {"ok": True, "channels": found, "response_metadata": {"next_cursor": cursor}},
            {},
        )

    def _kind(self, id_: str) -> str:
        return "private_channel" if self.channels[id_]["is_private"] else "public_channel"

    def _problem(self, id_: str, who: str) -> str | None:
        if BOT not in self.members.get(id_, ()):
            return "channel_not_found"
        if self.channels[id_]["is_archived"]:
            return "is_archived"
        return None if who in self.people else "user_not_found"

    def _invite(self, id_: str, who: str) -> Answered:
        if problem := self._problem(id_, who):
            return refusal(problem)
        if who in self.guests:
            return refusal("ura_max_channels")
        if who in self.members[id_]:
            return refusal("already_in_channel")
        self.members[id_].add(who)
        return 200, {"ok": True, "channel": self.channels[id_]}, {}

    def _kick(self, id_: str, who: str) -> Answered:
        if problem := self._problem(id_, who):
            return refusal(problem)
        if who not in self.members[id_]:
            return refusal("not_in_channel")
        self.members[id_].discard(who)
        return 200, {"ok": True}, {}

    async def authorize(self, request: Request) -> Response:
        """The page on which a member agrees."""
        asked = request.query_params
        assert asked["client_id"] == CLIENT
        assert asked["response_type"] == "code"
        assert set(asked["scope"].split()) == {"openid", "profile"}
        assert asked["team"] == TEAM
        state = asked["state"]
        if self.declined:
            query = {"error": "access_denied", "state": state}
        else:
            code = f"code-{len(self.codes)}"
            self.codes[code] = (asked["redirect_uri"], asked["nonce"])
            query = {"code": code, "state": state}
        back = f"{asked['redirect_uri']}?{urlencode(query)}"
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(f'<title>Slack</title><a href="{back}">Allow</a>')
        return RedirectResponse(back, 303)

    async def exchange(self, request: Request) -> Response:
        sent = dict(await request.form())
        if (sent["client_id"], sent["client_secret"]) != (CLIENT, SECRET):
            return JSONResponse({"ok": False, "error": "bad_client_secret"})
        redirect_uri, nonce = self.codes.pop(str(sent["code"]), ("", ""))
        if not redirect_uri or sent["redirect_uri"] != redirect_uri:
            return JSONResponse({"ok": False, "error": "invalid_code"})
        token = f"xoxp-{self.consenting}"
        self.member_tokens.add(token)
        claims = {
            "iss": slack.ISSUER, "sub": self.consenting, "aud": CLIENT, "nonce": nonce,
            "name": self.people[self.consenting], slack.TEAM_CLAIM: self.consenting_in,
        }  # fmt: skip
        id_token = KEY.sign(claims | self.claims)
        known = {"ok": True, "access_token": token, "token_type": "Bearer", "id_token": id_token}
        return JSONResponse(known)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/openid/connect/authorize", self.authorize),
                Route("/api/openid.connect.token", self.exchange, methods=["POST"]),
                Route("/api/{method}", self.call, methods=["GET", "POST"]),
            ]
        )


def _told(sent: dict[str, str]) -> list[str]:
    return [sent[name] for name in ("channel", "user", "users") if name in sent]


@asynccontextmanager
async def run_slack() -> AsyncIterator[SlackServer]:
    """Run the stand-in, and have Latchkey take it for Slack. Fails at the end if a call or an
    answer wasn't as published."""
    port = free_port()
    made = SlackServer(f"http://127.0.0.1:{port}")
    config = uvicorn.Config(
        made.app(), host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the stand-in serves")
    real, slack.SITE = slack.SITE, made.url
    try:
        yield made
    finally:
        slack.SITE = real
        server.should_exit = True
        await task
    assert made.wrong == []
