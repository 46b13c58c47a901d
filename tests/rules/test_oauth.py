"""The OpenID provider's rules: addresses, parameters, PKCE, and what comes next."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey.rules import oauth
from latchkey.rules.oauth import (
    AuthorizationError,
    AuthorizationRequest,
    ClientRules,
    Prompt,
    Scope,
    Situation,
    Step,
    UnprovenClientError,
)

BACK = "https://forum.example/callback?from=latchkey"
CLIENT = ClientRules(
    id="client_1",
    confidential=True,
    first_party=True,
    pkce=True,
    redirect_uris=(BACK, "http://127.0.0.1:8080/back"),
    scopes=frozenset(Scope),
)
APP = replace(CLIENT, confidential=False, redirect_uris=("http://127.0.0.1/back", "http://[::1]/b"))
RIGHT = {
    "response_type": "code",
    "client_id": "client_1",
    "redirect_uri": BACK,
    "scope": "openid email",
    "code_challenge": "x" * 43,
    "code_challenge_method": "S256",
}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
HERE = Situation(signed_in_at=NOW - timedelta(hours=1), began_at=NOW, now=NOW)
NAMES = st.sampled_from([*RIGHT, "state", "nonce", "prompt", "max_age", "response_mode", "odd"])
VALUES = st.one_of(st.text(max_size=60), st.sampled_from([*RIGHT.values(), "none", "0", "plain"]))


@given(st.text(max_size=80))
def test_only_registered_addresses_get_an_answer(address: str) -> None:
    assert oauth.redirect_allowed(CLIENT, address) is (address in CLIENT.redirect_uris)


@given(st.data())
def test_a_changed_address_is_another_one(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(BACK) - 1))
    extra = data.draw(st.text(min_size=1, max_size=10))
    for client in (CLIENT, APP):
        changed = BACK[:at] + extra + BACK[at:]
        assert not oauth.redirect_allowed(client, changed)
        assert not oauth.redirect_allowed(client, BACK[:at])


@given(st.integers(1, 65535))
def test_an_app_may_listen_on_any_port_of_its_own_machine(port: int) -> None:
    assert oauth.redirect_allowed(APP, f"http://127.0.0.1:{port}/back")
    assert oauth.redirect_allowed(APP, f"http://[::1]:{port}/b")
    assert not oauth.redirect_allowed(APP, f"http://127.0.0.1:{port}/b")
    assert not oauth.redirect_allowed(APP, f"http://127.0.0.2:{port}/back")
    assert not oauth.redirect_allowed(APP, f"http://localhost:{port}/back")
    assert not oauth.redirect_allowed(APP, f"https://127.0.0.1:{port}/back")
    assert not oauth.redirect_allowed(CLIENT, "http://127.0.0.1:9/back")


@pytest.mark.parametrize(
    ("address", "fit"),
    [
        ("https://forum.example/callback", True),
        ("https://forum.example:8443/callback?a=b", True),
        ("http://127.0.0.1:8080/back", True),
        ("http://localhost/back", True),
        ("http://[::1]:1/back", True),
        ("http://forum.example/callback", False),
        ("http://127.0.0.1.evil.example/", False),
        ("https://", False),
        ("forum.example/callback", False),
        ("com.example.app:/back", False),
        ("javascript:alert(1)", False),
        ("https://forum.example/#part", False),
        ("https://forum.example/callback#", False),
        ("https://user@forum.example/", False),
        ("https://user:secret@forum.example/", False),
        ("https://*.forum.example/", False),
        ("https://forum.example\\@evil.example/", False),
        ("https://forum.example/a b", False),
        ("https://forum.example/\n", False),
        ("https://fórum.example/", False),
        ("https://forum.example:99999/", False),
        ("https://[::1/", False),
        ("https://forum.example/" + "x" * 1000, False),
        ("", False),
    ],
)
def test_which_addresses_can_be_registered(address: str, fit: bool) -> None:
    assert (oauth.unfit(address) is None) is fit


ERRORS = ("invalid_request", "invalid_scope", "unsupported_response_type")


def judged(
    found: dict[str, str], twice: frozenset[str]
) -> AuthorizationRequest | AuthorizationError | UnprovenClientError:
    try:
        oauth.redirect_uri_of(CLIENT, found, twice)
        return oauth.parse(CLIENT, found, twice)
    except (AuthorizationError, UnprovenClientError) as refused:
        return refused


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_whatever_is_asked_is_granted_refused_or_unproven(given_: list[tuple[str, str]]) -> None:
    found, twice = oauth.once_each([*RIGHT.items(), *given_])
    proven = not twice & {"client_id", "redirect_uri"} and found["redirect_uri"] == BACK
    match judged(found, twice):
        case UnprovenClientError():
            assert not proven or found["redirect_uri"] not in CLIENT.redirect_uris
        case AuthorizationError() as refused:
            assert refused.error in ERRORS
            assert re.fullmatch(r"[ !#-\[\]-~]+", refused.description), "as RFC 6749 allows"
        case asked:
            assert asked.redirect_uri in CLIENT.redirect_uris
            assert Scope.OPENID in asked.scopes
            assert asked.code_challenge is not None


def test_unknown_parameters_and_scopes_are_ignored() -> None:
    wanted = {**RIGHT, "scope": "openid admin access email", "ui_locales": "de", "odd": "1"}
    few = replace(CLIENT, scopes=frozenset({Scope.EMAIL}))
    assert oauth.parse(few, wanted, frozenset()).scopes == (Scope.OPENID, Scope.EMAIL)


def test_empty_parameters_count_as_left_out() -> None:
    found, twice = oauth.once_each([*RIGHT.items(), ("state", ""), ("prompt", "")])
    asked = oauth.parse(CLIENT, found, twice)
    assert (asked.state, asked.prompts) == (None, frozenset())


@given(st.text("abcdefghijklmnopqrstuvwxyzABC-._~0189", min_size=43, max_size=128))
def test_a_verifier_fits_its_own_challenge_alone(verifier: str) -> None:
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert oauth.verifier_fits(verifier, challenge)
    assert not oauth.verifier_fits(verifier[:-1] + "X", challenge)
    assert not oauth.verifier_fits(None, challenge)
    assert not oauth.verifier_fits(verifier, None)
    assert not oauth.verifier_fits(challenge, challenge)


def test_the_example_of_rfc_7636_holds() -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    assert oauth.verifier_fits("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", challenge)


@pytest.mark.parametrize("verifier", ["short", "x" * 129, "x" * 42 + "é", "x" * 42 + " "])
def test_a_verifier_of_another_form_never_fits(verifier: str) -> None:
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert not oauth.verifier_fits(verifier, challenge)


def step(situation: Situation, client: ClientRules = CLIENT, **changes: str) -> Step:
    asked = oauth.parse(client, {**RIGHT, **changes}, frozenset())
    return oauth.next_step(client, asked, situation)


THIRD = replace(CLIENT, first_party=False)


def test_what_comes_next() -> None:
    assert step(HERE) is Step.ANSWER
    assert step(replace(HERE, signed_in_at=None)) is Step.SIGN_IN
    assert step(HERE, prompt="login") is Step.SIGN_IN_AGAIN
    assert step(HERE, prompt="select_account login") is Step.SELECT_ACCOUNT
    assert step(replace(HERE, somebody_else=True)) is Step.SELECT_ACCOUNT
    assert step(replace(HERE, somebody_else=True, chosen=True)) is Step.ANSWER
    assert step(replace(HERE, lacks_factor=True)) is Step.SIGN_IN_AGAIN
    assert step(replace(HERE, has_product=False)) is Step.BUY
    assert step(replace(HERE, signed_in_at=None), product="sailing") is Step.BUY
    assert step(replace(HERE, signed_in_at=None), product="a", prompt="login") is Step.SIGN_IN
    assert step(HERE, prompt="consent") is Step.CONSENT
    assert step(replace(HERE, agreed=True), prompt="consent") is Step.ANSWER
    assert step(HERE, THIRD) is Step.CONSENT
    assert step(replace(HERE, remembered=frozenset({"openid"})), THIRD) is Step.CONSENT
    assert step(replace(HERE, remembered=frozenset({"openid", "email"})), THIRD) is Step.ANSWER


def test_how_old_a_sign_in_may_be() -> None:
    assert step(HERE, max_age="3600") is Step.ANSWER
    assert step(HERE, max_age="3599") is Step.SIGN_IN_AGAIN
    since = replace(HERE, began_at=HERE.now - timedelta(hours=2))
    assert step(since, max_age="0") is Step.ANSWER, "they signed in for this request"
    assert step(since, prompt="login") is Step.ANSWER


@given(
    st.builds(
        Situation,
        signed_in_at=st.sampled_from([None, NOW, NOW - timedelta(days=1)]),
        began_at=st.just(NOW),
        now=st.just(NOW),
        lacks_factor=st.booleans(),
        somebody_else=st.booleans(),
        chosen=st.booleans(),
        agreed=st.booleans(),
        has_product=st.booleans(),
    ),
    st.booleans(),
)
def test_silently_it_is_answered_or_refused_and_nobody_is_asked(
    situation: Situation, first: bool
) -> None:
    client = CLIENT if first else THIRD
    if step(situation, client) is Step.ANSWER:
        assert step(situation, client, prompt=Prompt.NONE) is Step.ANSWER
        return
    with pytest.raises(AuthorizationError) as refused:
        step(situation, client, prompt=Prompt.NONE)
    assert refused.value.error in ("login_required", "consent_required", "access_denied")


@given(st.dictionaries(st.sampled_from(["code", "state", "iss"]), st.text(max_size=30)))
def test_an_answer_keeps_the_query_of_its_address(parameters: dict[str, str]) -> None:
    made = urlsplit(oauth.with_query(BACK, {**parameters, "error": None}))
    assert parse_qsl(made.query, keep_blank_values=True) == [
        ("from", "latchkey"),
        *parameters.items(),
    ]
    assert (made.netloc, made.path, made.fragment) == ("forum.example", "/callback", "")


@pytest.mark.parametrize(
    ("via", "factor", "methods", "context"),
    [
        ("password", None, ["pwd"], "aal1"),
        ("link", None, ["email"], "aal1"),
        ("password", "app", ["pwd", "otp", "mfa"], "aal2"),
        ("link", "recovery_code", ["email", "otp", "mfa"], "aal2"),
        ("passkey", "passkey", ["pop", "mfa"], "aal2"),
        ("app", "app", ["otp", "mfa"], "aal2"),
        ("admin", None, [], "aal1"),
    ],
)
def test_how_somebody_signed_in_is_said(
    via: str, factor: str | None, methods: list[str], context: str
) -> None:
    assert oauth.methods_of(via, factor) == methods
    assert oauth.context_of(via, factor) == context
