"""What each kind of mail says, and where its button leads."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date

from latchkey.rules.vocabulary import GrantSource
from latchkey.store.feed.mails import OutMail
from latchkey.store.site_settings import SiteSettings

KINDS = {
    "product_access": "Product access",
    "login_instructions": "How to sign in",
    "sign_in": "Sign-in link",
    "recovery": "New password",
    "cancellation": "Cancellation",
    "payment_problem": "Payment problem",
    "email_change": "Address to confirm",
    "email_changed": "Address changed",
    "claim": "Address to claim",
}
LONGEST_LINE = 150


@dataclass(frozen=True)
class Letter:
    """A mail's words. `path` is where the button leads once it has signed in; None: it doesn't
    sign in. `note` stands in small below."""

    subject: str
    paragraphs: list[str]
    action: str | None
    path: str | None
    note: str | None


def letter(mail: OutMail, site: SiteSettings) -> Letter:
    """The words of a mail. Raises `ValueError` for a kind that there isn't."""
    try:
        made: Callable[[OutMail, SiteSettings], Letter] = _LETTERS[mail.kind]
    except KeyError:
        raise ValueError(f"there is no mail of kind {mail.kind}") from None
    return made(mail, site)


def line(text: str) -> str:
    """A name as one line of bounded length: it goes into a header."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_LINE else flat[: LONGEST_LINE - 1] + "…"


_SIGNS_IN = (
    "The button signs you in. It works once, for 48 hours; after that, ask for a new link on the"
    " sign-in page."
)


def _product_access(mail: OutMail, site: SiteSettings) -> Letter:
    names = [line(entry["name"]) for entry in mail.products]
    if len(names) > 1:
        return Letter(
            f"You have access to {names[0]} and {len(names) - 1} more",
            ["These are open for you now:", *[f"• {name}" for name in names]],
            "Open your library",
            "/library",
            _SIGNS_IN,
        )
    name = names[0] if names else "your product"
    return Letter(
        f"You have access to {name}",
        [f"{name} is open for you.", "The button below signs you in and takes you there."],
        f"Open {name}",
        f"/products/{mail.products[0]['slug']}" if names else "/library",
        _SIGNS_IN,
    )


def _login_instructions(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        f"Welcome to {line(site.name)}",
        [
            f"There is an account for you at {line(site.name)}, with the address {mail.email}.",
            "The button below signs you in. You can set a password there, or have a new link"
            " mailed whenever you come back.",
        ],
        "Sign in",
        mail.data.get("next") or "/account/settings#password",
        _SIGNS_IN,
    )


def _sign_in(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        "Your sign-in link",
        ["You, or somebody who knows your address, asked for a link to sign in."],
        "Sign in",
        mail.data.get("next") or "/library",
        f"{_SIGNS_IN} You asked for nothing? Then ignore this mail: nothing happens.",
    )


def _recovery(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        "Set a new password",
        [
            "You, or somebody who knows your address, asked for a new password.",
            "The button below signs you in and takes you to where you set it. Your present one"
            " holds until then.",
        ],
        "Set a new password",
        "/account/settings#password",
        f"{_SIGNS_IN} You asked for nothing? Then ignore this mail: nothing changes.",
    )


def _cancellation(mail: OutMail, site: SiteSettings) -> Letter:
    what, ends = _names(mail), _day(mail.data.get("ends"))
    if ends and not mail.data.get("over"):
        return Letter(
            f"Cancelled: you have access until {ends}",
            [
                f"Your subscription to {what} is cancelled. You have access until {ends}, and"
                " nothing more is charged.",
                "Changed your mind? Until then you can take the cancellation back in your account.",
            ],
            "Your account",
            "/account",
            _SIGNS_IN,
        )
    return Letter(
        "Your subscription has ended",
        [f"Your subscription to {what} has ended, and nothing more is charged."],
        "Your account",
        "/account",
        _SIGNS_IN,
    )


def _payment_problem(mail: OutMail, site: SiteSettings) -> Letter:
    what = _names(mail)
    if mail.data.get("source") == GrantSource.ORDER:
        return Letter(
            "Your payment did not arrive",
            [
                f"You bought {what}, but your bank did not pass the money on. Nothing was bought"
                " and nothing is owed.",
                "You can try again with another method.",
            ],
            "To the library",
            "/library",
            _SIGNS_IN,
        )
    return Letter(
        "Your payment did not work",
        [
            f"The payment for your subscription to {what} did not go through. It is tried again in"
            " the next days.",
            "Please look whether your card still holds, or give another one: otherwise your access"
            " ends.",
        ],
        "Update your card",
        "/account",
        _SIGNS_IN,
    )


def _email_change(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        "Confirm your new address",
        [
            f"Somebody who is signed in to {line(site.name)} wants to use this address from now on."
            " If that is you, confirm it.",
        ],
        "Confirm this address",
        None,
        "The link works once, for 48 hours. Not you? Then ignore this mail: nothing changes.",
    )


def _claim(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        "Is what you bought with this address yours?",
        [
            f"Somebody who is signed in to {line(site.name)} says that this address is theirs, too,"
            " and wants what was bought with it in their account.",
            "If that is you, confirm it in the browser where you are signed in.",
        ],
        "Put it into my account",
        None,
        "The link works once, for 48 hours, for the account that asked. Not you? Then ignore this"
        " mail: nothing changes.",
    )


def _email_changed(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        "Your address was changed",
        [
            f"Your account at {line(site.name)} now signs in with another address, and this one no"
            " longer holds.",
            "Was it not you who changed it? Answer this mail at once.",
        ],
        None,
        None,
        None,
    )


_LETTERS: dict[str, Callable[[OutMail, SiteSettings], Letter]] = {
    "product_access": _product_access,
    "login_instructions": _login_instructions,
    "sign_in": _sign_in,
    "recovery": _recovery,
    "cancellation": _cancellation,
    "payment_problem": _payment_problem,
    "email_change": _email_change,
    "email_changed": _email_changed,
    "claim": _claim,
}


def _names(mail: OutMail) -> str:
    names = [line(entry["name"]) for entry in mail.products]
    if not names:
        return "what you bought"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" and {names[-1]}"


def _day(moment: object) -> str | None:
    """A day in words, from a moment in ISO 8601."""
    if not isinstance(moment, str):
        return None
    return format_date(datetime.fromisoformat(moment), "d MMMM y", locale="en")
