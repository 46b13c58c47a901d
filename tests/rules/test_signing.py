"""How links in emails are signed, and that those of earlier releases are read."""

import time

import pytest
from itsdangerous import URLSafeSerializer

from latchkey import signin_links
from tests.harness import SECRET, SECRETS

HMAC_SHA256 = 43
"""The length of 32 bytes in URL-safe base64."""


def test_links_are_signed_with_hmac_sha256() -> None:
    for token in (
        signin_links.sign(1, "nonce", secrets=SECRETS),
        signin_links.sign_claim(1, secrets=SECRETS),
        signin_links.sign_change(1, secrets=SECRETS),
        signin_links.sign_unsubscribe(1, "product_access", secrets=SECRETS),
        signin_links.sign_acting(1, 2, secrets=SECRETS),
    ):
        assert len(token.rpartition(".")[2]) == HMAC_SHA256


def test_a_link_of_0_1_0_is_read() -> None:
    token = URLSafeSerializer(SECRET, salt="latchkey unsubscribe").dumps([7, "product_access"])
    assert signin_links.read_unsubscribe(token, secrets=SECRETS) == (7, "product_access")


def test_a_browser_is_known_for_400_days(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = signin_links.Browser("digest", "name")
    signed = signin_links.sign_browser(browser, secrets=SECRETS)
    assert signin_links.read_browser(signed, secrets=SECRETS) == browser
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 400 * 86_400 + 60)
    assert signin_links.read_browser(signed, secrets=SECRETS) is None


def test_a_link_does_not_serve_another_purpose() -> None:
    token = signin_links.sign_claim(7, secrets=SECRETS)
    assert signin_links.read_claim(token, secrets=("another secret", SECRET)) == 7
    for read in (signin_links.read_change, signin_links.read, signin_links.read_unsubscribe):
        with pytest.raises(signin_links.LinkRefusedError):
            read(token, secrets=SECRETS)
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    with pytest.raises(signin_links.LinkRefusedError):
        signin_links.read_claim(forged.replace(".", ".A"), secrets=SECRETS)
