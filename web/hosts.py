"""Which host names the site answers to."""

from collections.abc import Awaitable
from urllib.parse import urlsplit

import orjson
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from latchkey.settings import Settings

LOCAL = {"localhost", "127.0.0.1", "::1"}
ANY_NAME = {"/healthz", "/readyz", "/metrics", "/webhooks/stripe"}
"""Paths that monitoring requests under any name or address; their answers don't depend on it."""


def allowed_hosts(settings: Settings) -> set[str]:
    """The host names of a site, in lower case and without ports. `*` allows any."""
    public = urlsplit(settings.public_url).hostname or ""
    return {public, *LOCAL, *(name.lower().strip("[]") for name in settings.hosts)}


class KnownHosts:
    """Refuses requests for unknown host names, so that no other site's page can read this one (DNS
    rebinding), and no address built from the name can mislead."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._hosts = allowed_hosts(settings)
        self._any = "*" in self._hosts
        self._public = settings.public_url

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http" or self._any or scope["path"] in ANY_NAME or self._known(scope):
            return self._app(scope, receive, send)
        detail = (
            f"this site doesn't answer to this host name: use {self._public}, or add the name to"
            " LATCHKEY_ALLOWED_HOSTS"
        )
        response: Response
        if scope["path"].startswith("/api/"):
            body = {"type": "about:blank", "title": "Unknown host", "status": 400}
            body |= {"code": "unknown_host", "detail": detail}
            kind = "application/problem+json"
            response = Response(orjson.dumps(body), 400, media_type=kind)
        else:
            response = PlainTextResponse(f"{detail[0].upper()}{detail[1:]}.\n", 400)
        return response(scope, receive, send)

    def _known(self, scope: Scope) -> bool:
        named = [value for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1:
            return False
        host = named[0].decode("latin-1")
        name, _, port = host.partition(":")
        plain = name in self._hosts and (not port or port.isdecimal())
        return plain or _name(host) in self._hosts


def _name(host: str) -> str:
    """The name in a Host header, without the port; empty if it isn't valid."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
