"""Passkeys (WebAuthn): what a browser is asked to do, and whether its answer is right.

Each passkey is discoverable and verifies its user (by fingerprint, face or PIN), so it signs in
alone and counts as two factors.
"""

import ipaddress
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes, parse_client_data_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

CHALLENGE_SECONDS = 300
LONGEST_ANSWER = 20_000


class PasskeyRefusedError(Exception):
    """A browser's answer can't be accepted. The message says why, for the log."""


@dataclass(frozen=True)
class RelyingParty:
    """The site as passkeys know it: `id` is its domain, `origin` the start of its addresses."""

    id: str
    origin: str


@dataclass(frozen=True)
class Question:
    """The options for a browser's WebAuthn methods, as JSON, and the challenge in them."""

    options: str
    challenge: bytes


@dataclass(frozen=True)
class NewPasskey:
    """A passkey that a browser has just created."""

    credential_id: bytes
    public_key: bytes
    sign_count: int


def relying_party(public_url: str) -> RelyingParty | None:
    """The site at its public address; None where browsers don't offer passkeys: without https
    (except on localhost), or at an IP address."""
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    local = host == "localhost" or host.endswith(".localhost")
    if not host or _is_ip(host) or (parts.scheme != "https" and not local):
        return None
    return RelyingParty(host, f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}")


def ask_to_create(
    site: RelyingParty, *, site_name: str, user_id: int | None, email: str, known: Sequence[bytes]
) -> Question:
    """Ask a browser to create a passkey for a user; `user_id` is None for one who doesn't exist
    yet. `known` are the ids of the user's passkeys: a device that holds one of them isn't asked for
    another."""
    handle = f"latchkey-user-{user_id}" if user_id else f"latchkey-new-{token_hex(16)}"
    options = webauthn.generate_registration_options(
        rp_id=site.id,
        rp_name=site_name,
        user_id=handle.encode(),
        user_name=email,
        user_display_name=email,
        timeout=CHALLENGE_SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=credential) for credential in known],
    )
    return Question(webauthn.options_to_json(options), options.challenge)


def ask_to_sign_in(site: RelyingParty) -> Question:
    """Ask a browser to sign in with any passkey that it has for the site."""
    options = webauthn.generate_authentication_options(
        rp_id=site.id,
        timeout=CHALLENGE_SECONDS * 1000,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return Question(webauthn.options_to_json(options), options.challenge)


def challenge_in(answer: str) -> bytes:
    """The challenge that a browser's answer claims to be for. Raises `PasskeyRefusedError`."""
    with _refusing():
        data = _read(answer)["response"]["clientDataJSON"]
        return parse_client_data_json(base64url_to_bytes(data)).challenge


def credential_in(answer: str) -> bytes:
    """The id of the passkey that a browser's answer claims to use. Raises `PasskeyRefusedError`."""
    with _refusing():
        return base64url_to_bytes(_read(answer)["rawId"])


def check_created(answer: str, site: RelyingParty, challenge: bytes) -> NewPasskey:
    """Check what a browser created and return the passkey. Raises `PasskeyRefusedError`."""
    with _refusing():
        made = webauthn.verify_registration_response(
            credential=_read(answer),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    return NewPasskey(made.credential_id, made.credential_public_key, made.sign_count)


def check_sign_in(answer: str, site: RelyingParty, challenge: bytes, *, public_key: bytes) -> int:
    """Check a signature. Returns the authenticator's number of uses, 0 if it doesn't count them;
    the caller refuses a number that hasn't grown. Raises `PasskeyRefusedError`."""
    with _refusing():
        used = webauthn.verify_authentication_response(
            credential=_read(answer),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    return used.new_sign_count


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn any error that the library raises about an answer into a refusal."""
    try:
        yield
    except (WebAuthnException, PasskeyRefusedError) as error:
        raise PasskeyRefusedError(str(error)) from None
    except Exception as error:
        raise PasskeyRefusedError(f"it can't be read ({type(error).__name__})") from None


def _read(answer: str) -> dict[str, Any]:
    if len(answer) > LONGEST_ANSWER:
        raise PasskeyRefusedError("it is too long")
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
