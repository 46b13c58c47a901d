"""Codes of authenticator apps (TOTP, RFC 6238): six digits that change every 30 seconds."""

import io
import re
import time

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError

WINDOW = 1
"""How many steps of 30 seconds a device's clock may be fast or slow."""


def new_secret() -> str:
    """A random secret of 160 bits in base 32, the form that apps accept."""
    return pyotp.random_base32()


def step_of(secret: str, code: str, *, at: float | None = None) -> int | None:
    """The time step that a code belongs to, None if the code is wrong. `at` is a Unix time, now by
    default. Never accept a step twice."""
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(
            digits, for_time=time.time() if at is None else at, valid_window=WINDOW
        )
    except OTPVerificationError:
        return None


def address(secret: str, *, account: str, site: str) -> str:
    """The content of the QR code: an `otpauth:` address with the names that the app shows."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=site)


def qr_code(text: str) -> str:
    """A QR code as an SVG element, part of the page itself: the browser requests nothing."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out,
        kind="svg",
        xmldecl=False,
        svgns=False,
        scale=5,
        border=4,
        light="#ffffff",
        omitsize=True,
    )
    return out.getvalue().decode()
