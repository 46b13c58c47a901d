"""Links in emails: signed by the first secret, read by all.

Those that sign a person in work once, within the life of their kind, and only as long as the
account's link epoch is what it was when they were sent.
"""

import hashlib
import time
from dataclasses import dataclass
from functools import lru_cache
from secrets import token_urlsafe
from typing import Literal

from itsdangerous import BadSignature, URLSafeSerializer

from latchkey.languages import _

Kind = Literal["sign_in", "access", "owner"]
ALONE_SECONDS = 10 * 60
"""How long a link is enough alone for an account that has a password."""
LIVES: dict[Kind, int] = {"sign_in": ALONE_SECONDS, "access": 48 * 3600, "owner": 15 * 60}
"""Seconds. `owner` is the link that `latchkey owner` prints."""
ACTING_SECONDS = 600
HALFWAY_SECONDS = 600
BROWSER_SECONDS = 400 * 86_400
PASS_SECONDS = 12 * 3600
SETUP_SECONDS = 24 * 3600
CARD_SECONDS = 30 * 86_400
_SIGNER = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
_EARLIER = {"digest_method": hashlib.sha1, "key_derivation": "django-concat"}
"""How 0.1.0 signed. Its links are still read, because people keep the one that unsubscribes."""


class LinkRefusedError(Exception):
    """A link can't be used. The message says what to do."""


@dataclass(frozen=True)
class SignIn:
    """The contents of a sign-in link: the user, the nonce that is recorded once it is used, the
    user's link epoch when it was sent, and when it ends (a Unix time)."""

    user_id: int
    nonce: str
    epoch: int
    kind: Kind
    expires: int

    @property
    def expired(self) -> bool:
        return self.expires < time.time()

    @property
    def stale(self) -> bool:
        """Whether it is older than a link that was just asked for may be: it isn't enough alone for
        an account that has a password."""
        return self.expires - LIVES[self.kind] + ALONE_SECONDS < time.time()


@dataclass(frozen=True)
class Halfway:
    """Who has given a password or followed a link, and hasn't given a second factor yet. `nonce` is
    recorded once they have; `epoch` is the user's link epoch when they began; `via` is how."""

    user_id: int
    epoch: int
    via: Literal["password", "link"]
    nonce: str


def sign(
    user_id: int,
    nonce: str,
    *,
    secrets: tuple[str, ...],
    epoch: int = 0,
    kind: Kind = "sign_in",
    issued_at: float | None = None,
) -> str:
    """The token of a link. The same input gives the same token, so rendering an email twice gives
    the same email. `issued_at` is a Unix time, now by default."""
    issued = int(time.time() if issued_at is None else issued_at)
    token: str = _serializer(secrets).dumps([user_id, nonce, issued + LIVES[kind], kind, epoch])
    return token


def read(token: str, *, secrets: tuple[str, ...]) -> SignIn:
    """The contents of a token. Raises `LinkRefusedError` where it isn't ours. Doesn't check
    whether it has expired or was used, nor the epoch.

    Links of 0.1.0 have no kind and no epoch: they are valid until the epoch is first raised.
    """
    try:
        user_id, nonce, expires, *rest = _serializer(secrets).loads(token)
        kind, epoch = rest or ("access", 0)
    except (BadSignature, ValueError, TypeError):
        raise LinkRefusedError(_("This link isn't valid. Ask for a new one below.")) from None
    return SignIn(user_id, nonce, epoch, kind if kind in LIVES else "access", expires)


def sign_halfway(halfway: Halfway, *, secrets: tuple[str, ...]) -> str:
    """The ticket that asks for nothing but a second factor. It opens no page of the account, and
    ends after ten minutes."""
    expires = int(time.time()) + HALFWAY_SECONDS
    fields = [halfway.user_id, halfway.epoch, halfway.via, halfway.nonce, expires]
    ticket: str = _serializer(secrets, "latchkey second factor").dumps(fields)
    return ticket


def read_halfway(ticket: str, *, secrets: tuple[str, ...]) -> Halfway:
    """Who a ticket is for. Raises `LinkRefusedError`. Doesn't check whether it was used, nor the
    epoch."""
    try:
        *fields, expires = _serializer(secrets, "latchkey second factor").loads(ticket)
        halfway = Halfway(*fields)
    except (BadSignature, ValueError, TypeError):
        expires, halfway = 0, None
    if halfway is None or expires < time.time():
        raise LinkRefusedError(_("You took more than ten minutes. Please sign in again."))
    return halfway


@dataclass(frozen=True)
class Browser:
    """A browser that somebody has signed in with: a digest of their address, and a random name."""

    address: str
    name: str


def sign_browser(browser: Browser, *, secrets: tuple[str, ...]) -> str:
    """What a browser keeps once somebody has signed in with it. It lets nobody in."""
    fields = [browser.address, browser.name, int(time.time()) + BROWSER_SECONDS]
    signed: str = _serializer(secrets, "latchkey known browser").dumps(fields)
    return signed


def read_browser(signed: str, *, secrets: tuple[str, ...]) -> Browser | None:
    """What `sign_browser` signed; None if it has expired or isn't ours."""
    try:
        address, name, expires = _serializer(secrets, "latchkey known browser").loads(signed)
    except (BadSignature, ValueError, TypeError):
        return None
    return Browser(address, name) if expires > time.time() else None


@dataclass(frozen=True)
class SitePass:
    """What the cookie on a protected site says: which site, and which session here it goes by."""

    site_id: int
    session_id: int


def sign_pass(
    site_pass: SitePass, *, secrets: tuple[str, ...], issued_at: float | None = None
) -> str:
    """The value of the cookie on a protected site. Whether its session still lets anybody in is
    asked at each request. `issued_at` is a Unix time, now by default."""
    issued = int(time.time() if issued_at is None else issued_at)
    fields = [site_pass.site_id, site_pass.session_id, issued + PASS_SECONDS]
    signed: str = _serializer(secrets, "latchkey site pass").dumps(fields)
    return signed


def read_pass(signed: str, *, secrets: tuple[str, ...]) -> SitePass | None:
    """What `sign_pass` signed; None if it has expired or isn't ours."""
    try:
        site_id, session_id, expires = _serializer(secrets, "latchkey site pass").loads(signed)
    except (BadSignature, ValueError, TypeError):
        return None
    return SitePass(site_id, session_id) if expires > time.time() else None


def sign_setup(public_url: str, *, secrets: tuple[str, ...], issued_at: float | None = None) -> str:
    """The token that lets whoever has it set up the site at an address, for a day, as long as the
    site has no owner. `issued_at` is a Unix time, now by default."""
    issued = int(time.time() if issued_at is None else issued_at)
    fields = [public_url, issued + SETUP_SECONDS]
    token: str = _serializer(secrets, "latchkey set-up").dumps(fields)
    return token


def is_setup(token: str, public_url: str, *, secrets: tuple[str, ...]) -> bool:
    """Whether `sign_setup` made the token for this address, and it hasn't expired. Doesn't check
    whether the site has an owner."""
    try:
        address, expires = _serializer(secrets, "latchkey set-up").loads(token)
    except (BadSignature, ValueError, TypeError):
        return False
    return bool(address == public_url and expires > time.time())


def sign_change(change_id: int, *, secrets: tuple[str, ...]) -> str:
    """The token that confirms a new address. Its expiry is stored in the database."""
    token: str = _serializer(secrets, "latchkey e-mail change").dumps(change_id)
    return token


def read_change(token: str, *, secrets: tuple[str, ...]) -> int:
    """The id of the address change that a token confirms. Raises `LinkRefusedError`."""
    try:
        change_id = _serializer(secrets, "latchkey e-mail change").loads(token)
    except BadSignature:
        change_id = None
    if not isinstance(change_id, int):
        raise LinkRefusedError(
            _("This link isn't valid. Request the change again in your account.")
        )
    return change_id


def sign_claim(claim_id: int, *, secrets: tuple[str, ...]) -> str:
    """The token that confirms a claim. Its expiry is stored in the database."""
    token: str = _serializer(secrets, "latchkey claim").dumps(claim_id)
    return token


def read_claim(token: str, *, secrets: tuple[str, ...]) -> int:
    """The id of the claim that a token confirms. Raises `LinkRefusedError`."""
    try:
        claim_id = _serializer(secrets, "latchkey claim").loads(token)
    except BadSignature:
        claim_id = None
    if not isinstance(claim_id, int):
        raise LinkRefusedError(_("This link isn't valid. Ask for a new one in your account."))
    return claim_id


def sign_checkout(abandoned_id: int, *, secrets: tuple[str, ...]) -> str:
    """The token that leads back to a checkout that was left. Its expiry is stored in the
    database."""
    token: str = _serializer(secrets, "latchkey checkout").dumps(abandoned_id)
    return token


def read_checkout(token: str, *, secrets: tuple[str, ...]) -> int:
    """The id of the checkout that a token leads back to. Raises `LinkRefusedError`."""
    try:
        abandoned_id = _serializer(secrets, "latchkey checkout").loads(token)
    except BadSignature:
        abandoned_id = None
    if not isinstance(abandoned_id, int):
        raise LinkRefusedError(
            _("This link isn't valid. You can begin again on the product's page.")
        )
    return abandoned_id


@dataclass(frozen=True)
class CardLink:
    """The contents of a link to update a card: whose subscription it is for, and the user's link
    epoch when it was sent. It opens Stripe's page for that, and nothing of the account."""

    user_id: int
    subscription_id: str
    epoch: int


def sign_card(link: CardLink, *, secrets: tuple[str, ...], issued_at: float) -> str:
    """The token of a link to update a card, which lives for 30 days. `issued_at` is a Unix time."""
    fields = [link.user_id, link.subscription_id, link.epoch, int(issued_at) + CARD_SECONDS]
    token: str = _serializer(secrets, "latchkey card").dumps(fields)
    return token


def read_card(token: str, *, secrets: tuple[str, ...]) -> CardLink:
    """Whose card a token is for. Raises `LinkRefusedError`. Doesn't check the epoch."""
    try:
        *fields, expires = _serializer(secrets, "latchkey card").loads(token)
        link = CardLink(*fields)
    except (BadSignature, ValueError, TypeError):
        raise LinkRefusedError(
            _("You can update your card in your account, after signing in.")
        ) from None
    if expires < time.time():
        raise LinkRefusedError(
            _("It has expired. You can update your card in your account, after signing in.")
        )
    return link


def sign_merge(request_id: int, user_id: int, *, secrets: tuple[str, ...]) -> str:
    """The token with which the owner of one of two accounts answers whether to merge them. Its
    expiry is stored in the database, with the link epochs of both."""
    token: str = _serializer(secrets, "latchkey merge").dumps([request_id, user_id])
    return token


def read_merge(token: str, *, secrets: tuple[str, ...]) -> tuple[int, int]:
    """The request and the user who is asked. Raises `LinkRefusedError`."""
    try:
        request_id, user_id = _serializer(secrets, "latchkey merge").loads(token)
    except (BadSignature, ValueError, TypeError):
        raise LinkRefusedError(
            _("This link isn't valid. Ask the site to send a new one.")
        ) from None
    return request_id, user_id


def sign_unsubscribe(who: int | bytes, kind: str, *, secrets: tuple[str, ...]) -> str:
    """The token that unsubscribes from one kind of email: a user, or the digest of an address. It
    never expires, because people keep emails."""
    named = who.hex() if isinstance(who, bytes) else who
    token: str = _serializer(secrets, "latchkey unsubscribe").dumps([named, kind])
    return token


def read_unsubscribe(token: str, *, secrets: tuple[str, ...]) -> tuple[int | bytes, str]:
    """The user or the address's digest, and the kind of email. Raises `LinkRefusedError`."""
    try:
        named, kind = _serializer(secrets, "latchkey unsubscribe").loads(token)
        return bytes.fromhex(named) if isinstance(named, str) else named, kind
    except (BadSignature, ValueError, TypeError):
        raise LinkRefusedError(
            _("This link isn't valid. You can turn these emails off in your account.")
        ) from None


def sign_acting(actor: int, user_id: int, *, secrets: tuple[str, ...]) -> str:
    """The single-use, short-lived token with which an admin starts impersonating a member."""
    nonce = f"acting:{token_urlsafe(12)}"
    expires = int(time.time()) + ACTING_SECONDS
    token: str = _serializer(secrets, "latchkey acting").dumps([actor, user_id, nonce, expires])
    return token


def read_acting(token: str, *, actor: int, user_id: int, secrets: tuple[str, ...]) -> str:
    """The nonce that is recorded once such a token is used. Raises `LinkRefusedError`."""
    try:
        whose, whom, nonce, expires = _serializer(secrets, "latchkey acting").loads(token)
    except (BadSignature, ValueError, TypeError):
        raise LinkRefusedError("It wasn't started from this page.") from None
    if (whose, whom) != (actor, user_id):
        raise LinkRefusedError("It was started by someone else, or for someone else.")
    if expires < time.time():
        raise LinkRefusedError("The page was open for more than ten minutes.")
    return str(nonce)


@lru_cache(maxsize=64)
def _serializer(secrets: tuple[str, ...], salt: str = "latchkey sign-in") -> URLSafeSerializer:
    return URLSafeSerializer(
        list(reversed(secrets)), salt=salt, signer_kwargs=_SIGNER, fallback_signers=[_EARLIER]
    )
