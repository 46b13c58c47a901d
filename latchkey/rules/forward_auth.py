"""What a protected site's web server asks about, and which origins can be protected: pure
decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from latchkey.rules.oauth import unfit

LONGEST_TARGET = 4000
"""The longest path with query that people are led back to. Longer ones lead to the site's start."""

_PORTS = {"https": ":443", "http": ":80"}
_SCHEMES = {"https": "https", "wss": "https", "http": "http", "ws": "http"}


class WithoutAccess(StrEnum):
    """What happens to people without access."""

    BUY = "buy"
    REFUSE = "refuse"


class UnclearRequestError(Exception):
    """The proxy's headers don't say which address was requested. The message is for whoever set it
    up."""


@dataclass(frozen=True)
class OriginalRequest:
    """What somebody requested of a protected site. `target` is the path with the query; `page`
    says whether a browser opens a page, so that it can be led elsewhere. `redirects` says whether
    the proxy passes a redirect on; one that doesn't understands 401 alone."""

    origin: str
    target: str
    page: bool
    redirects: bool


def origin_of(address: str) -> str:
    """The origin of an address as it is stored: in lower case, without a default port, path or
    query. Only for addresses that `unfit_origin` finds fit, or of a request."""
    parts = urlsplit(address)
    return _origin(parts.scheme, parts.netloc)


def _origin(scheme: str, host: str) -> str:
    return f"{scheme}://{host.lower().removesuffix(_PORTS[scheme])}"


def unfit_origin(address: str) -> str | None:
    """What is wrong with the origin of a site that is to be protected; None if it is fit."""
    if wrong := unfit(address):
        return wrong
    parts = urlsplit(address)
    if parts.path not in ("", "/") or "?" in address:
        return "must be the scheme and host alone, without a path"
    named = set(parts.netloc) <= _HOST_CHARACTERS
    if not named or parts.port == 0 or parts.netloc.endswith((":", ".")):
        return "isn't a web address"
    return None


def original_request(headers: Mapping[str, str]) -> OriginalRequest:
    """What was requested, by the headers of a proxy that is trusted: `X-Original-URL` (nginx), or
    `X-Forwarded-Proto`, `-Host` and `-Uri`. Raises `UnclearRequestError`, also where both are given
    and differ: one of them came from the visitor."""
    forwarded = _forwarded(headers)
    whole = headers.get("x-original-url")
    if whole is None:
        if forwarded is None:
            raise UnclearRequestError(
                "The proxy doesn't say which address was requested: it has to send"
                " X-Forwarded-Proto and X-Forwarded-Host, or X-Original-URL."
            )
        origin, target = forwarded
    else:
        origin, target = _split(whole)
        if forwarded is not None and forwarded[0] != origin:
            raise UnclearRequestError(
                "X-Original-URL and X-Forwarded-Host differ: the proxy has to remove what visitors"
                " send."
            )
    return OriginalRequest(origin, target, _opens_page(headers), redirects=whole is None)


def _forwarded(headers: Mapping[str, str]) -> tuple[str, str] | None:
    scheme, host = headers.get("x-forwarded-proto"), headers.get("x-forwarded-host")
    if scheme is None or host is None:
        return None
    return _checked(scheme, host), safe_target(headers.get("x-forwarded-uri"))


def _split(address: str) -> tuple[str, str]:
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return _checked(scheme, host), safe_target(slash + path)


def _checked(scheme: str, host: str) -> str:
    """The origin, if scheme and host are one each."""
    known = _SCHEMES.get(scheme.lower())
    if known is None or not host or not set(host) <= _HOST_CHARACTERS:
        raise UnclearRequestError("The proxy names a scheme or host that isn't one.")
    return _origin(known, host)


_HOST_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]_")


def safe_target(path: str | None) -> str:
    """A path with query on the protected site to lead back to; its start for anything else."""
    if path is None or not path.startswith("/") or len(path) > LONGEST_TARGET:
        return "/"
    return path if all(33 <= ord(one) <= 126 for one in path) else "/"


def _opens_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser opens a page. Scripts, pictures, forms that are sent and sockets can't be
    led through a sign-in. Old browsers don't say what they want."""
    method = headers.get("x-original-method") or headers.get("x-forwarded-method") or "GET"
    if method.upper() not in ("GET", "HEAD"):
        return False
    if "sec-websocket-key" in headers or headers.get("upgrade", "").lower() == "websocket":
        return False
    return headers.get("sec-fetch-mode", "navigate") == "navigate"
