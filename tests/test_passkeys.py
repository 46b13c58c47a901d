"""Where browsers offer passkeys, and answers that nobody's browser gives."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latchkey import passkeys
from latchkey.passkeys import PasskeyRefusedError, RelyingParty, relying_party

SITE = RelyingParty("site.example", "https://site.example")


@pytest.mark.parametrize(
    ("address", "party"),
    [
        ("https://site.example", SITE),
        ("https://Site.Example:8443", RelyingParty("site.example", "https://site.example:8443")),
        ("http://localhost:8000", RelyingParty("localhost", "http://localhost:8000")),
        ("http://site.example", None),
        ("http://127.0.0.1:8000", None),
        ("https://192.0.2.7", None),
        ("https://[2001:db8::1]", None),
    ],
)
def test_passkeys_need_https_and_a_name(address: str, party: RelyingParty | None) -> None:
    assert relying_party(address) == party


def test_what_is_asked_requires_a_verified_user() -> None:
    created = passkeys.ask_to_create(
        SITE, site_name="S", user_id=7, email="ada@example.com", known=[b"one"]
    )
    options = json.loads(created.options)
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["attestation"] == "none"
    assert len(options["excludeCredentials"]) == 1
    asked = json.loads(passkeys.ask_to_sign_in(SITE).options)
    assert asked["userVerification"] == "required"
    assert not asked.get("allowCredentials"), "any passkey of the site will do"
    assert len(created.challenge) >= 32


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        "id": _JSON,
        "rawId": _JSON,
        "type": st.just("public-key") | _JSON,
        "response": _JSON
        | st.fixed_dictionaries(
            {},
            optional={
                name: _JSON | st.just("AAAA")
                for name in (
                    "clientDataJSON",
                    "attestationObject",
                    "authenticatorData",
                    "signature",
                )
            },
        ),
    },
)


@given(_ANSWERS.map(json.dumps) | st.text())
def test_any_other_answer_is_refused(answer: str) -> None:
    with pytest.raises(PasskeyRefusedError):
        passkeys.challenge_in(answer)
    with pytest.raises(PasskeyRefusedError):
        passkeys.check_created(answer, SITE, b"challenge")
    with pytest.raises(PasskeyRefusedError):
        passkeys.check_sign_in(answer, SITE, b"challenge", public_key=b"key")


@pytest.mark.parametrize("answer", ["[" * 19_000, '{"rawId":' * 2_000, "x" * 20_001])
def test_deep_or_long_answers_are_refused(answer: str) -> None:
    with pytest.raises(PasskeyRefusedError):
        passkeys.credential_in(answer)
