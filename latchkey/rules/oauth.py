"""What other sites may ask of the OpenID provider, and what happens next: pure decisions."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

LONGEST_ADDRESS = 1000
LONGEST_PARAMETER = 2000

_HINT = "id_token_hint"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Scope(StrEnum):
    """What a client can ask to know or do."""

    OPENID = "openid"
    PROFILE = "profile"
    EMAIL = "email"
    ACCESS = "access"
    OFFLINE_ACCESS = "offline_access"


class Prompt(StrEnum):
    """What the client wants the user to be asked."""

    NONE = "none"
    LOGIN = "login"
    CONSENT = "consent"
    SELECT_ACCOUNT = "select_account"


class ResponseMode(StrEnum):
    """How the answer reaches the client."""

    QUERY = "query"
    FORM_POST = "form_post"


class Step(StrEnum):
    """What comes next for an authorization request. The last five ask something of the user."""

    ANSWER = "answer"
    SIGN_IN = "sign_in"
    SIGN_IN_AGAIN = "sign_in_again"
    SELECT_ACCOUNT = "select_account"
    CONSENT = "consent"
    BUY = "buy"


class UnprovenClientError(Exception):
    """Who asks, or where the answer should go, isn't proven: the answer must not be sent there. The
    message is for whoever set up the client."""


class AuthorizationError(Exception):
    """An authorization request that can't be granted. `error` is one of OAuth's codes."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


@dataclass(frozen=True)
class ClientRules:
    """What a client may do."""

    id: str
    confidential: bool
    first_party: bool
    pkce: bool
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str]


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid authorization request. `max_age` is in seconds. `product`, a parameter of our own, is
    the id or slug of what the user has to have: who doesn't have it buys it on the way."""

    client_id: str
    redirect_uri: str
    scopes: tuple[Scope, ...]
    response_mode: ResponseMode
    state: str | None
    nonce: str | None
    prompts: frozenset[Prompt]
    max_age: int | None
    login_hint: str | None
    id_token_hint: str | None
    code_challenge: str | None
    product: str | None


def once_each(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], frozenset[str]]:
    """Parameters by name, without empty ones, which count as left out; and the names of those that
    appear twice, which OAuth forbids."""
    parameters: dict[str, str] = {}
    twice = set()
    for name, value in pairs:
        if not value:
            continue
        if name in parameters:
            twice.add(name)
        parameters[name] = value
    return parameters, frozenset(twice)


def unfit(address: str, *, fragment: bool = False) -> str | None:
    """What is wrong with an address that a client is to be registered with; None if it is fit. Only
    addresses of the same machine may do without https."""
    if len(address) > LONGEST_ADDRESS:
        return f"is longer than {LONGEST_ADDRESS} characters"
    if not address.isascii() or not all(33 <= ord(letter) <= 126 for letter in address):
        return "has blanks, control characters or letters beyond ASCII"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "isn't a web address"
    if parts.scheme not in ("https", "http") or not host:
        return "must start with https://"
    if parts.scheme == "http" and host not in _LOOPBACK:
        return "must start with https://, unless it leads to the same machine (http://127.0.0.1)"
    if parts.username is not None or parts.password is not None:
        return "must not contain a user name or password"
    if "#" in address and not fragment:
        return "must not have a part after #"
    if "*" in host or "\\" in address:
        return "must be one exact address"
    return None


def redirect_allowed(client: ClientRules, address: str) -> bool:
    """Whether an answer may go to an address: one that is registered, character for character. An
    app on the user's own machine (a public client) may listen on any port (RFC 8252)."""
    if address in client.redirect_uris:
        return True
    if client.confidential:
        return False
    bare = _without_port(address)
    return bare is not None and bare in map(_without_port, client.redirect_uris)


def _without_port(address: str) -> str | None:
    """A loopback address without its port; None for any other."""
    if unfit(address) is not None:
        return None
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1"):
        return None
    host = "[::1]" if parts.hostname == "::1" else "127.0.0.1"
    return urlunsplit(parts._replace(netloc=host))


def redirect_uri_of(
    client: ClientRules, parameters: Mapping[str, str], twice: frozenset[str]
) -> str:
    """Where to answer. Raises `UnprovenClientError`."""
    if twice & {"client_id", "redirect_uri"}:
        raise UnprovenClientError("The client or its address was named twice.")
    address = parameters.get("redirect_uri")
    if address is None:
        raise UnprovenClientError("The request doesn't say where to answer (redirect_uri).")
    if not redirect_allowed(client, address):
        raise UnprovenClientError(
            "The address to answer to (redirect_uri) isn't one of those that are registered for"
            " this client. It has to be the same, character for character."
        )
    return address


def response_mode_of(parameters: Mapping[str, str]) -> ResponseMode:
    """How an answer travels, errors included: as asked, or in the query."""
    return (
        ResponseMode.FORM_POST
        if parameters.get("response_mode") == "form_post"
        else (ResponseMode.QUERY)
    )


def parse(
    client: ClientRules, parameters: Mapping[str, str], twice: frozenset[str]
) -> AuthorizationRequest:
    """The request that parameters make, once client and address are proven. Unknown parameters and
    scopes are ignored, as OpenID Connect asks. Raises `AuthorizationError`."""
    if twice:
        raise _invalid("a parameter was given twice")
    if any(len(value) > LONGEST_PARAMETER for name, value in parameters.items() if name != _HINT):
        raise _invalid(f"a parameter is longer than {LONGEST_PARAMETER} characters")
    for name in ("request", "request_uri", "registration"):
        if name in parameters:
            raise AuthorizationError(f"{name}_not_supported", f"{name} isn't supported")
    _check_response(parameters)
    return AuthorizationRequest(
        client_id=client.id,
        redirect_uri=parameters["redirect_uri"],
        scopes=_scopes(client, parameters),
        response_mode=response_mode_of(parameters),
        state=parameters.get("state"),
        nonce=parameters.get("nonce"),
        prompts=_prompts(parameters),
        max_age=_max_age(parameters),
        login_hint=parameters.get("login_hint"),
        id_token_hint=parameters.get("id_token_hint"),
        code_challenge=_challenge(client, parameters),
        product=parameters.get("product"),
    )


def _invalid(description: str) -> AuthorizationError:
    return AuthorizationError("invalid_request", description)


def _check_response(parameters: Mapping[str, str]) -> None:
    kind = parameters.get("response_type")
    if kind is None:
        raise _invalid("response_type is missing")
    if kind != "code":
        raise AuthorizationError("unsupported_response_type", "response_type has to be code")
    if parameters.get("response_mode", "query") not in tuple(ResponseMode):
        raise _invalid("response_mode has to be query or form_post")


def _scopes(client: ClientRules, parameters: Mapping[str, str]) -> tuple[Scope, ...]:
    asked = set(parameters.get("scope", "").split(" "))
    if Scope.OPENID not in asked:
        raise AuthorizationError("invalid_scope", "scope has to contain openid")
    allowed = client.scopes | {Scope.OPENID}
    return tuple(scope for scope in Scope if scope in asked and scope in allowed)


def _prompts(parameters: Mapping[str, str]) -> frozenset[Prompt]:
    asked = set(parameters.get("prompt", "").split())
    if asked - set(Prompt):
        raise _invalid(f"prompt can be made of {', '.join(Prompt)} only")
    if Prompt.NONE in asked and len(asked) > 1:
        raise _invalid("prompt can't be none and something else")
    return frozenset(map(Prompt, asked))


def _max_age(parameters: Mapping[str, str]) -> int | None:
    text = parameters.get("max_age")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _invalid("max_age isn't a number of seconds")
    return int(text)


def _challenge(client: ClientRules, parameters: Mapping[str, str]) -> str | None:
    challenge = parameters.get("code_challenge")
    if challenge is None:
        if "code_challenge_method" in parameters:
            raise _invalid("code_challenge is missing")
        if client.pkce or not client.confidential:
            raise _invalid("code_challenge is missing: this client has to use PKCE with S256")
        return None
    if parameters.get("code_challenge_method") != "S256":
        raise _invalid("code_challenge_method has to be S256")
    if not _CHALLENGE.fullmatch(challenge):
        raise _invalid("code_challenge isn't the base64url of a SHA-256")
    return challenge


def verifier_fits(verifier: str | None, challenge: str | None) -> bool:
    """Whether a code may be exchanged: its verifier gives the challenge that came with the request.
    A verifier without a challenge doesn't fit: somebody may have removed the challenge."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


@dataclass(frozen=True)
class Situation:
    """How things stand for a request: who is signed in since when, whom the client meant, what the
    user chose and agreed to on our pages for this request or earlier, and whether they have the
    products that the client and the request are for. Times are aware."""

    signed_in_at: datetime | None
    began_at: datetime
    now: datetime
    lacks_factor: bool = False
    somebody_else: bool = False
    chosen: bool = False
    agreed: bool = False
    remembered: frozenset[str] = frozenset()
    has_product: bool = True


def next_step(client: ClientRules, asked: AuthorizationRequest, situation: Situation) -> Step:
    """What comes next. With `prompt=none`, whatever would ask the user something raises
    `AuthorizationError`."""
    step = _step(client, asked, situation)
    if Prompt.NONE in asked.prompts and step in _SILENT_ERRORS:
        error, description = _SILENT_ERRORS[step]
        raise AuthorizationError(error, description)
    return step


_SILENT_ERRORS = {
    Step.SIGN_IN: ("login_required", "nobody is signed in"),
    Step.SIGN_IN_AGAIN: ("login_required", "the user has to sign in again"),
    Step.SELECT_ACCOUNT: ("login_required", "somebody else is signed in"),
    Step.CONSENT: ("consent_required", "the user has to agree first"),
    Step.BUY: ("access_denied", "the user doesn't have the product that this is for"),
}


def _step(client: ClientRules, asked: AuthorizationRequest, situation: Situation) -> Step:
    if situation.signed_in_at is None:
        return Step.BUY if asked.product and not asked.prompts else Step.SIGN_IN
    picks = Prompt.SELECT_ACCOUNT in asked.prompts or situation.somebody_else
    if picks and not situation.chosen:
        return Step.SELECT_ACCOUNT
    if situation.lacks_factor or not _recent(asked, situation, situation.signed_in_at):
        return Step.SIGN_IN_AGAIN
    if not situation.has_product:
        return Step.BUY
    if Prompt.CONSENT in asked.prompts and not situation.agreed:
        return Step.CONSENT
    known = situation.agreed or client.first_party or situation.remembered >= set(asked.scopes)
    return Step.ANSWER if known else Step.CONSENT


def _recent(asked: AuthorizationRequest, situation: Situation, signed_in_at: datetime) -> bool:
    """Whether the user has proven who they are as recently as the client wants. Doing so for this
    request always counts."""
    if signed_in_at >= situation.began_at:
        return True
    if Prompt.LOGIN in asked.prompts:
        return False
    return asked.max_age is None or situation.now - signed_in_at <= timedelta(seconds=asked.max_age)


def with_query(address: str, parameters: Mapping[str, str | None]) -> str:
    """An address with further parameters; those that are None are left out."""
    parts = urlsplit(address)
    kept = parse_qsl(parts.query, keep_blank_values=True)
    added = [(name, value) for name, value in parameters.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode([*kept, *added])))


def methods_of(via: str, second_factor: str | None) -> list[str]:
    """How somebody signed in, as `amr` (RFC 8176). An emailed link has no name there."""
    names = {"password": "pwd", "link": "email", "passkey": "pop", "app": "otp"}
    names["recovery_code"] = "otp"
    methods = [names[way] for way in (via, second_factor) if way in names]
    strong = via == "passkey" or second_factor is not None
    return list(dict.fromkeys([*methods, *(["mfa"] if strong else [])]))


AUTHENTICATION_CONTEXTS = ("aal1", "aal2")


def context_of(via: str, second_factor: str | None) -> str:
    """How sure it is who signed in, as `acr`: `aal2` with a second factor or a passkey."""
    return "aal2" if via == "passkey" or second_factor is not None else "aal1"


def granted_scopes(scope: str | None, had: Sequence[str]) -> tuple[str, ...]:
    """The scopes of a refreshed access token: those asked for, which may only be fewer. Raises
    `AuthorizationError`."""
    if scope is None:
        return tuple(had)
    asked = scope.split(" ")
    if not set(asked) <= set(had):
        raise AuthorizationError("invalid_scope", "scope can't be wider than it was")
    return tuple(scope for scope in had if scope in asked)
