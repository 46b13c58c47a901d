"""What each kind of email says, and where its button leads."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from latchkey.languages import A_, N_, _, joined, listed, long_day, ngettext
from latchkey.rules.vocabulary import GrantSource, WebhookFormat
from latchkey.store.feed.mails import OutMail
from latchkey.store.site_settings import SiteSettings

KINDS = {
    "product_access": A_("Product access"),
    "login_instructions": A_("How to sign in"),
    "sign_in": A_("Sign-in link"),
    "recovery": A_("Password reset"),
    "cancellation": A_("Cancellation"),
    "payment_problem": A_("Payment problem"),
    "payment_reminder": A_("Reminder to update a card"),
    "win_back": A_("Invitation to come back"),
    "second_subscription": A_("Second subscription"),
    "abandoned_checkout": A_("Checkout left without paying"),
    "email_change": A_("Confirm new email address"),
    "email_changed": A_("Email address changed"),
    "claim": A_("Claim another address"),
    "factor_changed": A_("Second factor changed"),
    "merge_request": A_("Merge two accounts"),
    "users_merged": A_("Accounts merged"),
    "paid_address": A_("Paid with another address (to the payer)"),
    "paid_elsewhere": A_("Paid with another address (to the member)"),
    "webhooks_off": A_("Outgoing webhooks switched off (to admins)"),
    "webhook_digest": A_("Digest of what happened (to the admin who asked for it)"),
}
SHORT_LIVED = ("sign_in", "recovery")
"""Kinds of email whose link lives 10 minutes; that of the others lives 48 hours."""
LONGEST_LINE = 150


@dataclass(frozen=True)
class Letter:
    """The text of an email. `path` is where the button leads after signing in, None if it doesn't
    sign in. `note` is the small print."""

    subject: str
    paragraphs: list[str]
    action: str | None
    path: str | None
    note: str | None


class UnknownKindError(Exception):
    """A kind of email that a later release queued."""


def letter(mail: OutMail, site: SiteSettings) -> Letter:
    """The text of an email. Raises `UnknownKindError`."""
    try:
        write: Callable[[OutMail, SiteSettings], Letter] = _LETTERS[mail.kind]
    except KeyError:
        raise UnknownKindError(mail.kind) from None
    return write(mail, site)


def line(text: str) -> str:
    """A name as one line of limited length, fit for a header."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_LINE else flat[: LONGEST_LINE - 1] + "…"


_SIGNS_IN = N_(
    "The button signs you in. It works once, within 48 hours. After 10 minutes it also asks for"
    " your password, if you have one. You can ask for a new link on the sign-in page at any time."
)
_SIGNS_IN_SOON = N_(
    "The button signs you in. It works once, within 10 minutes. After that, you can ask for a new"
    " link on the sign-in page."
)


def _product_access(mail: OutMail, site: SiteSettings) -> Letter:
    names = [line(entry["name"]) for entry in mail.products]
    if len(names) > 1:
        return Letter(
            ngettext(
                "You have access to %(name)s and %(count)s more",
                "You have access to %(name)s and %(count)s more",
                len(names) - 1,
                name=names[0],
            ),
            [_("You can now open:"), *[f"• {name}" for name in names], *_contents(mail)],
            _("Open your library"),
            "/library",
            _(_SIGNS_IN),
        )
    name = names[0] if names else _("your product")
    shown = names and mail.products[0]["status"] == "live"
    return Letter(
        _("You have access to %(name)s", name=name),
        [
            _("You can now open %(name)s.", name=name),
            *_contents(mail),
            _("The button below signs you in and takes you there."),
        ],
        _("Open %(name)s", name=name),
        f"/products/{mail.products[0]['slug']}" if shown else "/library",
        _(_SIGNS_IN),
    )


def _contents(mail: OutMail) -> list[str]:
    """What the products open, one line each."""
    if not mail.contents:
        return []
    return [_("Included in it:"), *[f"• {line(name)}" for name in mail.contents]]


def _login_instructions(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        _("Welcome to %(site)s", site=line(site.name)),
        [
            _(
                "You have an account at %(site)s, with the email address %(email)s.",
                site=line(site.name),
                email=mail.email,
            ),
            _(
                "The button below signs you in. You can then set a password, or ask for a new link"
                " each time you come back."
            ),
        ],
        _("Sign in"),
        mail.data.get("next") or "/account/settings#password",
        _(_SIGNS_IN),
    )


def _sign_in(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        _("Your sign-in link"),
        [_("You, or somebody who knows your email address, asked for a link to sign in.")],
        _("Sign in"),
        mail.data.get("next") or "/library",
        joined(_(_SIGNS_IN_SOON), _("If you didn't ask for it, you can ignore this email.")),
    )


def _recovery(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        _("Set a new password"),
        [
            _("You, or somebody who knows your email address, asked to reset your password."),
            _(
                "The button below signs you in and lets you choose a new one. Until you do, your"
                " current password keeps working."
            ),
        ],
        _("Set a new password"),
        "/account/settings#password",
        joined(
            _(_SIGNS_IN_SOON),
            _("If you didn't ask for it, you can ignore this email: nothing changes."),
        ),
    )


def _cancellation(mail: OutMail, site: SiteSettings) -> Letter:
    what, ends = _names(mail), _day(mail.data.get("ends"))
    if ends and not mail.data.get("over"):
        return Letter(
            _("Cancelled: you have access until %(ends)s", ends=ends),
            [
                _(
                    "Your subscription to %(what)s is cancelled. You have access until %(ends)s,"
                    " and you won't be charged again.",
                    what=what,
                    ends=ends,
                ),
                _("Changed your mind? Until then you can keep the subscription from your account."),
            ],
            _("Go to your account"),
            "/account",
            _(_SIGNS_IN),
        )
    return Letter(
        _("Your subscription has ended"),
        [_("Your subscription to %(what)s has ended. You won't be charged again.", what=what)],
        _("Go to your account"),
        "/account",
        _(_SIGNS_IN),
    )


def _payment_problem(mail: OutMail, site: SiteSettings) -> Letter:
    what = _names(mail)
    if mail.data.get("source") == GrantSource.ORDER:
        return Letter(
            _("Your payment didn't go through"),
            [
                _(
                    "You ordered %(what)s, but the payment from your bank never arrived. The"
                    " order was cancelled, and you owe nothing.",
                    what=what,
                ),
                _("You can try again with another payment method."),
            ],
            _("Go to the library"),
            "/library",
            _(_SIGNS_IN),
        )
    return Letter(
        _("Your payment failed"),
        [
            _(
                "The payment for your subscription to %(what)s didn't go through. We'll try"
                " again over the next few days.",
                what=what,
            ),
            _(
                "Please check that your card is still valid, or use another one. Otherwise your"
                " access will end."
            ),
        ],
        _("Update your card"),
        "/account",
        _(_SIGNS_IN),
    )


def _payment_reminder(mail: OutMail, site: SiteSettings) -> Letter:
    what = _names(mail)
    until, billed = _day(mail.data.get("card_until")), _day(mail.data.get("billed_at"))
    subject = _("Please update your card")
    said = [
        _(
            "The last payment for your subscription to %(what)s at %(site)s didn't go through, and"
            " is still open.",
            what=what,
            site=line(site.name),
        ),
        _(
            "The button leads to a page where you can enter another card. The payment is then"
            " tried again. If you've paid in the meantime, there's nothing to do."
        ),
    ]
    if until and billed:
        subject = _("Your card expires before the next payment")
        said = [
            _(
                "The next payment for your subscription to %(what)s at %(site)s is due on"
                " %(billed)s. The card that we have for it is valid until %(until)s.",
                what=what,
                site=line(site.name),
                billed=billed,
                until=until,
            ),
            _(
                "The button leads to a page where you can enter another card. If you've done so in"
                " the meantime, there's nothing to do."
            ),
        ]
    return Letter(
        subject,
        said,
        _("Update your card"),
        None if site.portal else "/account",
        _("The link is meant for you. It works for 30 days, and doesn't sign you in.")
        if site.portal
        else _(_SIGNS_IN),
    )


def _win_back(mail: OutMail, site: SiteSettings) -> Letter:
    what, code = _names(mail), line(str(mail.data.get("code", "")))
    return Letter(
        _("Would you like to come back to %(what)s?", what=what),
        [
            _(
                "Your subscription to %(what)s at %(site)s has ended. If you'd like to come"
                " back, there's a discount for you: the promotion code %(code)s.",
                what=what,
                site=line(site.name),
                code=code,
            ),
            _("The button leads to the checkout, where the code is entered already."),
        ],
        _("See the offer"),
        None,
        _("You get this email because you had a subscription."),
    )


def _second_subscription(mail: OutMail, site: SiteSettings) -> Letter:
    what, ends = _names(mail), _day(mail.data.get("ends"))
    two = _(
        "You've just subscribed to %(what)s at %(site)s, but you already had a subscription to it.",
        what=what,
        site=line(site.name),
    )
    paid = (
        _("The earlier one ends by itself on %(ends)s. Until then you pay for both.", ends=ends)
        if ends
        else _("Both are running, so you'll be charged twice.")
    )
    return Letter(
        _("You have two subscriptions to %(what)s", what=what),
        [
            joined(two, paid),
            _(
                "If that isn't what you want, cancel one of the two in your account. If you'd like"
                " the money back for what you didn't mean to buy, reply to this email."
            ),
        ],
        _("Go to your account"),
        "/account",
        _(_SIGNS_IN),
    )


def _abandoned_checkout(mail: OutMail, site: SiteSettings) -> Letter:
    what, ends = _names(mail), _day(mail.data.get("ends"))
    until = _("It works until %(ends)s.", ends=ends) if ends else ""
    return Letter(
        _("You left the checkout of %(what)s", what=what),
        [
            _(
                "You began to buy %(what)s at %(site)s, and left before you paid. You haven't"
                " been charged.",
                what=what,
                site=line(site.name),
            ),
            joined(
                _("If you still want it, the button takes you back to the checkout."),
                until,
                _("If you don't, there's nothing to do."),
            ),
        ],
        _("Back to the checkout"),
        None,
        _("You get this email because you agreed to emails like it."),
    )


def _email_change(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        _("Confirm your new email address"),
        [
            _(
                "Somebody who is signed in to %(site)s wants to use this email address for"
                " their account. If that's you, please confirm it in the browser where you're"
                " signed in.",
                site=line(site.name),
            ),
        ],
        _("Confirm this address"),
        None,
        _(
            "The link works once, within 48 hours, and only for the account that asked. If it"
            " wasn't you, you can ignore this email: nothing changes."
        ),
    )


def _claim(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        _("Confirm that this email address is yours"),
        [
            _(
                "Somebody who is signed in to %(site)s says that this email address is also"
                " theirs, and wants everything bought with it moved to their account.",
                site=line(site.name),
            ),
            _("If that's you, please confirm it in the browser where you're signed in."),
        ],
        _("Add to my account"),
        None,
        _(
            "The link works once, within 48 hours, and only for the account that asked. If it"
            " wasn't you, you can ignore this email: nothing changes."
        ),
    )


def _merge_request(mail: OutMail, site: SiteSettings) -> Letter:
    account = mail.data.get("account") or _("another account")
    moves = (
        _(
            "If you agree, everything in your account moves to %(account)s: access,"
            " purchases and billing. Your account ends, and you sign in with that one.",
            account=account,
        )
        if mail.data.get("goes")
        else _(
            "If you agree, everything in the account %(account)s moves to yours, once its"
            " owner agrees, too.",
            account=account,
        )
    )
    return Letter(
        _("Are both accounts yours?"),
        [
            _(
                "The team of %(site)s thinks that your account, %(email)s, and the account"
                " %(account)s belong to the same person. They would like to merge the two.",
                site=line(site.name),
                email=mail.email,
                account=account,
            ),
            moves,
            _(
                "Agree only if both accounts are yours. Otherwise decline, or ignore this email:"
                " nothing changes."
            ),
        ],
        _("Look at it and decide"),
        None,
        _("The link works once, within 48 hours, and doesn't sign you in."),
    )


def _users_merged(mail: OutMail, site: SiteSettings) -> Letter:
    kept = mail.data.get("kept") or _("one account")
    gone = mail.data.get("gone") or _("another one")
    return Letter(
        _("Two accounts were merged"),
        [
            _(
                "The team of %(site)s merged the account %(gone)s into %(kept)s. What was"
                " bought with %(gone)s is in that account now, except for its billing.",
                site=line(site.name),
                gone=gone,
                kept=kept,
            ),
            _(
                "If these aren't both your accounts, please reply to this email right away: the"
                " merge can be undone."
            ),
        ],
        None,
        None,
        None,
    )


def _paid_address(mail: OutMail, site: SiteSettings) -> Letter:
    account = mail.data.get("account") or _("another address")
    return Letter(
        _("You paid for %(products)s", products=_names(mail)),
        [
            _(
                "%(products)s at %(site)s was paid for with this email address. The purchase"
                " was started in the account %(account)s, so that account has the access.",
                products=_names(mail),
                site=line(site.name),
                account=account,
            ),
            _(
                "Is that account yours? Then open the link below in the browser where you're"
                " signed in to it. This address and everything bought with it are added to the"
                " account, and you can manage the billing there."
            ),
            _(
                "Did you pay for somebody else? Then there's nothing to do: they can't see or"
                " change your billing. If you don't know about this payment, please reply to this"
                " email."
            ),
        ],
        _("Add this address to my account"),
        None,
        _(
            "The link works once, within 48 hours, and only for the account that started the"
            " purchase."
        ),
    )


def _paid_elsewhere(mail: OutMail, site: SiteSettings) -> Letter:
    address = mail.data.get("address") or _("another address")
    return Letter(
        _("%(products)s was paid for with another address", products=_names(mail)),
        [
            _(
                "You have what you bought: %(products)s. It was paid for with the email"
                " address %(address)s, which isn't one of your account's.",
                products=_names(mail),
                address=address,
            ),
            _(
                "If that address is yours, open the link that we've sent to it in the browser"
                " where you're signed in. Until then you can't manage the billing of this purchase"
                " in your account."
            ),
        ],
        _("Go to your account"),
        "/account/claims",
        _(_SIGNS_IN),
    )


def _email_changed(mail: OutMail, site: SiteSettings) -> Letter:
    return Letter(
        _("Your email address was changed"),
        [
            _(
                "Your account at %(site)s now has another email address. You can no longer"
                " sign in with this one.",
                site=line(site.name),
            ),
            _("If you didn't change it, please reply to this email right away."),
        ],
        None,
        None,
        None,
    )


_CHANGES = {
    "app_added": N_("An authenticator app was set up for your account."),
    "app_removed": N_("The authenticator app was removed from your account."),
    "passkey_added": N_("The passkey “%(detail)s” was added to your account."),
    "passkey_removed": N_("The passkey “%(detail)s” was removed from your account."),
    "codes_renewed": N_(
        "New recovery codes were created for your account. Earlier ones no longer work."
    ),
    "code_used": N_("A recovery code was used to sign in to your account. Codes left: %(detail)s."),
    "codes_refused": N_(
        "Somebody entered your password or opened a link from your mailbox, and then"
        " gave too many wrong codes. They weren't let in."
    ),
    "all_removed": N_(
        "All second factors, passkeys and recovery codes were removed from your account"
        " by somebody who runs the site. You have been signed out everywhere."
    ),
}


def _factor_changed(mail: OutMail, site: SiteSettings) -> Letter:
    change = mail.data.get("change") or "app_added"
    refused = change == "codes_refused"
    return Letter(
        _("Wrong codes for your account") if refused else _("How you sign in was changed"),
        [
            _(_CHANGES[change], detail=line(str(mail.data.get("detail") or ""))),
            _(
                "This is your account at %(site)s with the email address %(email)s.",
                site=line(site.name),
                email=mail.email,
            ),
            _(
                "If this wasn't you, change your password right away, sign out everywhere else in"
                " your account's settings, and reply to this email."
            ),
        ],
        None,
        None,
        None,
    )


_GIVEN_BY: dict[str, str] = {
    WebhookFormat.DISCORD_ROLES: "roles",
    WebhookFormat.SLACK_CHANNELS: "channels",
}


def _webhooks_off(mail: OutMail, site: SiteSettings) -> Letter:
    host = line(mail.data.get("host") or "an endpoint")
    since = _day(mail.data.get("since"))
    given = _GIVEN_BY.get(str(mail.data.get("format")))
    if given:
        return Letter(
            f"{given.capitalize()} on {host} are neither given nor taken any more",
            [
                f"Members of {line(site.name)} get {given} on {host}. That was switched off"
                f" after a failure: {line(mail.data.get('reason') or 'every attempt failed')}.",
                "In the admin pages, under Communities, its page says more. Once that is mended,"
                " resume it there, and everybody gets what they should have.",
            ],
            None,
            None,
            None,
        )
    failed = f"has failed since {since}" if since else "no longer exists there"
    return Letter(
        f"Webhooks to {host} were switched off",
        [
            f"{line(site.name)} sends webhooks to {host}. Every attempt {failed}, so the endpoint"
            " was switched off. Nothing is lost: what happens is kept for 30 days.",
            "In the admin pages, under Webhooks, its log says what went wrong. Once that is mended,"
            " resume the endpoint there, and everything that waits is sent.",
        ],
        None,
        None,
        None,
    )


_HAPPENED = {
    "access.granted": "Got access",
    "access.ending": "End of access set or withdrawn",
    "access.ended": "Access ended",
    "purchase.completed": "Bought",
    "purchase.refunded": "Refunded",
    "subscription.started": "Subscribed",
    "subscription.cancelled": "Cancelled",
    "subscription.resumed": "Cancellation withdrawn",
    "subscription.past_due": "Payment failed",
    "subscription.recovered": "Payment recovered",
    "user.created": "New users",
    "user.merged": "Users merged",
    "user.erased": "Users erased",
}


def _webhook_digest(mail: OutMail, site: SiteSettings) -> Letter:
    every = mail.data.get("every") or "day"
    since = _day(mail.data.get("since"))
    counts = mail.data.get("counts") or []
    lines = [
        f"• {_HAPPENED.get(kind, kind)}{f', {line(product)}' if product else ''}: {count}"
        for kind, product, count in counts
    ]
    return Letter(
        f"What happened at {line(site.name)}",
        [f"Since {since}:" if since else f"In the last {every}:", *lines],
        None,
        None,
        "You asked for this under Webhooks in the admin pages, and can pause or delete it there.",
    )


_LETTERS: dict[str, Callable[[OutMail, SiteSettings], Letter]] = {
    "product_access": _product_access,
    "login_instructions": _login_instructions,
    "sign_in": _sign_in,
    "recovery": _recovery,
    "cancellation": _cancellation,
    "payment_problem": _payment_problem,
    "payment_reminder": _payment_reminder,
    "win_back": _win_back,
    "second_subscription": _second_subscription,
    "abandoned_checkout": _abandoned_checkout,
    "email_change": _email_change,
    "email_changed": _email_changed,
    "claim": _claim,
    "factor_changed": _factor_changed,
    "merge_request": _merge_request,
    "users_merged": _users_merged,
    "paid_address": _paid_address,
    "paid_elsewhere": _paid_elsewhere,
    "webhooks_off": _webhooks_off,
    "webhook_digest": _webhook_digest,
}


def facts_of(mail: OutMail, site: SiteSettings) -> dict[str, str]:
    """What the texts of emails mention, in words of the present language; empty where it isn't
    known."""
    data, another = mail.data, _("another address")
    change = _CHANGES.get(str(data.get("change")))
    return {
        "site": line(site.name),
        "email": mail.email,
        "products": _names(mail),
        "ends": _day(data.get("ends")) or "",
        "until": _day(data.get("card_until")) or "",
        "billed": _day(data.get("billed_at")) or "",
        "code": line(str(data.get("code", ""))),
        "account": data.get("account") or _("another account"),
        "address": data.get("address") or another,
        "kept": data.get("kept") or _("one account"),
        "gone": data.get("gone") or _("another one"),
        "change": _(change, detail=line(str(data.get("detail") or ""))) if change else "",
    }


def _names(mail: OutMail) -> str:
    names = [line(entry["name"]) for entry in mail.products]
    return listed(names) if names else _("what you bought")


def _day(moment: object) -> str | None:
    """A date in words, from a time in ISO 8601."""
    if not isinstance(moment, str):
        return None
    return long_day(datetime.fromisoformat(moment))
