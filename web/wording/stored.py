"""Sentences that were written in English, where no reader was known, in the reader's language: by
the worker, into the database, or by a part that the JSON API has, too.

What they quote, such as Stripe's own words, stays as it is.
"""

import re
from functools import cache

from latchkey.languages import A_, ENGLISH, current, translated
from web.wording.labels import REASONS

SENTENCES = (
    A_("Stripe isn't connected: connect it under Connectors"),
    A_("Stripe isn't connected: connect it under Connectors, then compare again"),
    A_("Stripe isn't connected: set STRIPE_SECRET_KEY or enter a key under Connectors"),
    A_("Stripe refused the key: %(error)s"),
    A_("this is a publishable key: enter a secret key (sk_…) or a restricted key (rk_…)"),
    A_(
        "organization keys (sk_org_…) aren't supported: enter a secret key (sk_…) or a"
        " restricted key (rk_…) of the account to connect"
    ),
    A_("this isn't a Stripe API key: it must begin with sk_test_, sk_live_, rk_test_ or rk_live_"),
    A_(
        "a stored secret was sealed under another LATCHKEY_SECRET: add the earlier value"
        " after the current one, separated by a comma, or enter the secret again"
    ),
    A_("a stored secret was sealed for another purpose (%(purpose)s)"),
    A_("Stripe didn't answer"),
    A_("Stripe didn't answer: %(code)s"),
    A_("Stripe answered %(status)s: %(code)s (request %(request)s)"),
    A_("Stripe answered %(status)s (request %(request)s)"),
    A_("Stripe answered %(status)s: %(code)s"),
    A_("Stripe answered %(status)s"),
    A_("%(error)s. Check the key and its permissions under Connectors"),
    A_("too many calls to Stripe wait"),
    A_("Stripe is slow to answer"),
    A_("Stripe's answer can't be read: %(why)s"),
    A_(
        "this site is a copy, so it writes nothing to Stripe until it is adopted (`latchkey adopt`)"
    ),
    A_("unexpected %(name)s: see the worker's log"),
    A_("unexpected %(name)s, see the log"),
    A_("No webhook endpoint in the Stripe account sends to this site"),
    A_("The webhook endpoint can't be checked: no reason given"),
    A_("The webhook endpoint can't be checked: %(why)s"),
    A_("Stripe shows the endpoint as %(status)s, so it sends nothing"),
    A_("It doesn't send %(events)s"),
    A_("It sends the API version of the account instead of %(version)s"),
    A_("It sends the API version %(theirs)s instead of %(version)s"),
    A_("It sends invoice.created, which can make Stripe hold invoices back: remove that event"),
    A_(
        "%(sending)s endpoints send to this site, but signing secrets are known for only"
        " %(secrets)s: what the others send is refused. Delete those that aren't needed in"
        " Stripe's Dashboard"
    ),
    A_("an address that can't be read"),
    A_("It belongs to account %(account)s, which isn't the connected one"),
    A_("%(account)s in live mode"),
    A_("%(account)s in test mode"),
    A_("%(why)s: access stays as it is, and a known end still takes effect"),
    A_("Can't continue: %(error)s. Resend the event once the cause is fixed"),
    A_("A later reading was applied first: reading again"),
    A_("A later reading was applied first"),
    A_("Waiting: %(why)s"),
    A_("%(state)s. Stripe says: %(status)s"),
    A_("The events that named it are gone"),
    A_("Access until %(until)s (%(why)s)"),
    A_("Access until %(until)s"),
    A_("Access with no end date (%(why)s)"),
    A_("Access with no end date"),
    A_("Access while it is paid (%(why)s)"),
    A_("Access while it is paid"),
    A_("No access (%(why)s)"),
    A_("No access"),
    A_("%(why)s; paused: %(reason)s"),
    A_("paused: %(reason)s"),
    A_("Over"),
    A_("It no longer includes a linked product"),
    A_("Gives no access: it is %(status)s"),
    A_("Nobody to give access to: the customer has no email address in Stripe"),
    A_("Nobody to give access to: no email address in Stripe"),
    A_("None of its products are linked"),
    A_("Nothing has been bought yet"),
    A_("Paid before its link was created, and the link leaves out such past invoices"),
    A_("Subscription is %(status)s: %(verdict)s"),
    A_("One-time purchase is %(state)s: %(verdict)s"),
    A_("%(reason)s · new address"),
    A_("%(reason)s · already has access"),
    A_("%(reason)s · known Stripe customer"),
    A_("%(reason)s · matched by email address"),
    A_("No email address in Stripe, so there is nobody to give access to"),
    A_("According to Stripe it is paid for, but there is no access"),
    A_("There is access, but according to Stripe there shouldn't be: %(why)s"),
    A_("Access is recorded as lasting %(here)s, but according to Stripe it lasts %(there)s"),
    A_("until %(moment)s UTC"),
    A_("without an end"),
    A_("An admin ended this access by hand, but according to Stripe it is still paid for"),
    A_(
        "It gives access, but the connected Stripe account has no such %(source)s: it may"
        " belong to another account or mode, or be deleted test data"
    ),
    A_("The local copy is outdated (%(names)s), but access is the same"),
    A_("It no longer exists in Stripe: decide by hand"),
    A_("The run can't continue"),
    A_("The workflow's code fails on its history: see the run in the Temporal UI"),
    A_("Its workflow no longer exists: start a new comparison"),
    A_("it answered %(status)s"),
    A_("it answered with status %(status)s"),
    A_("it can't be written (%(name)s)"),
    A_("it didn't answer within %(seconds)s s"),
    A_("no connection within %(seconds)s s"),
    A_("TLS failed: %(error)s"),
    A_("no connection (%(error)s)"),
    A_("it broke off, or didn't answer in HTTP (%(error)s)"),
    A_("the connection broke off (%(error)s)"),
    A_("it leads to this site itself"),
    A_("it is this site's own address"),
    A_("it has to begin with https://"),
    A_(
        "%(host)s leads to %(address)s, which isn't an address on the internet"
        " (LATCHKEY_OUTGOING_NETWORKS can allow it)"
    ),
    A_("%(host)s isn't an address on the internet (LATCHKEY_OUTGOING_NETWORKS can allow it)"),
    A_("%(host)s can't be resolved (%(error)s)"),
    A_("%(host)s has no address"),
    A_("the endpoint was deleted"),
    A_("nothing to do"),
    A_("not a member: given once they join"),
    A_("an error of Latchkey's own (%(name)s)"),
    A_("its limit of calls is reached"),
    A_("the user was erased"),
    A_("Discord doesn't accept the bot's token any more: enter a new one"),
    A_("there is no such server, or the bot isn't on it any more: invite it again"),
    A_("this role doesn't exist any more"),
    A_("the bot isn't on the server any more, or isn't allowed to see it: invite it again"),
    A_(
        "the bot may not give this role: it needs the permission Manage Roles, and its own"
        " role has to be above this one, in Server Settings, Roles"
    ),
    A_("belongs to an app or a subscription, and can't be given by hand"),
    A_("can't be given: the bot lacks the permission Manage Roles"),
    A_("is above the bot's own role, or is that role: drag the bot's role above it"),
    A_("Discord's answer has no access token"),
    A_("Discord doesn't accept the client secret: enter it again"),
    A_("Discord's limit for all calls is reached"),
    A_("Discord's limit for this call is reached"),
    A_("Discord answered %(status)s"),
    A_("Discord refused: %(said)s"),
    A_("Discord's answer isn't as it publishes"),
    A_("Slack doesn't accept the bot's token any more: enter a new one"),
    A_(
        "the app can't see this channel: it was removed from it, or the channel was deleted."
        " Add the app to the channel again"
    ),
    A_("this channel is archived: unarchive it"),
    A_("members of this channel can't be added by apps"),
    A_(
        "a setting of the workspace keeps the app from changing who is in this channel: in"
        " Slack, under Permissions, let everybody remove members from private channels"
    ),
    A_("nobody can be removed from this channel, which everybody is in"),
    A_("Slack doesn't let this account be added to the channel, as can be with guests"),
    A_("this guest is already in as many channels as a guest may be in"),
    A_("this account is the app's own"),
    A_("Slack doesn't let this account be removed from the channel"),
    A_("Slack's limit of calls is reached"),
    A_("Slack refused: %(error)s"),
    A_("there are more than %(count)s channels to look through"),
    A_("Slack doesn't accept the client ID and secret: enter them again"),
    A_("Slack's answer isn't for this attempt"),
    A_("this is an account of another workspace"),
    A_("Slack answered %(status)s"),
    A_(
        "the app lacks the scope %(needed)s: add it under OAuth & Permissions, and install"
        " the app again"
    ),
    A_("this account isn't in the workspace any more"),
    A_("Slack's answer isn't as it publishes"),
    A_("the app is installed in a whole organization: install it in one workspace"),
    A_("The email address is missing."),
    A_("“%(text)s” isn't a valid email address."),
    A_(
        "The line has %(cells)s cells, and the heading has %(columns)s. Put quotes around"
        " values with a comma in them."
    ),
    A_(
        "“%(text)s” isn't a status that is known here. Say what it means, on the page with"
        " the plans."
    ),
    A_("“%(text)s” is longer than the %(most)s characters of a label."),
    A_("“%(text)s” isn't a date. Use a format like 2027-01-31."),
    A_("“%(text)s” has a year that can't be right."),
    A_("“%(text)s” can mean two days. Choose how dates are written, on the page with the columns."),
    A_("Temporal rejected the call: %(error)s"),
    A_(
        "Temporal didn't answer (%(name)s): check that it is running and that"
        " TEMPORAL_ADDRESS is correct"
    ),
    A_("%(url)s leads to this site."),
    A_("DNS doesn't know the name in %(url)s (%(detail)s). Add a record for it."),
    A_(
        "Nothing answers at %(url)s (%(detail)s). Start the proxy, and open its port to the"
        " internet."
    ),
    A_("The certificate at %(url)s isn't valid (%(detail)s). Stripe and browsers refuse it."),
    A_(
        "%(url)s redirects to %(detail)s. Stripe doesn't follow redirects: serve the site at"
        " this address, or set LATCHKEY_PUBLIC_URL to the other one."
    ),
    A_("Something else answers at %(url)s (%(detail)s). Have the proxy lead it here."),
    A_("Another copy of this site answers at %(url)s, with a database of its own."),
    A_(
        "The proxy at %(url)s passes on another host name than the one that was asked for."
        " Have it keep the Host header."
    ),
    A_(
        "%(url)s leads to this site, but who visits it stays unknown: have the proxy set"
        " X-Forwarded-For, and name its address in FORWARDED_ALLOW_IPS."
    ),
    A_("within %(seconds)s seconds"),
    A_("Choose the column with the email addresses."),
    A_("Choose “%(column)s” for one column only."),
)
"""What is between fixed words is a value, or another one of these sentences."""


def said(sentence: str | None) -> str:
    """A stored sentence in the language in use. One that isn't known here stays as it is."""
    if not sentence or current() is ENGLISH:
        return sentence or ""
    core = sentence.removesuffix(".")
    for text, end in ((core, sentence[len(core) :]), (sentence, "")):
        if (found := _found(text)) is not None:
            return found + end
    return sentence


def _found(text: str) -> str | None:
    known, patterns = _tables()
    key = _small(text)
    if (message := known.get(key)) is not None:
        return _begun_as(text, translated(message))
    for pattern, message in patterns:
        if match := pattern.fullmatch(key):
            values = {name: _value(name, value) for name, value in match.groupdict().items()}
            return _begun_as(text, translated(message) % values)
    return None


def _value(name: str, value: str) -> str:
    reason = REASONS.get(value.replace(" ", "_")) if name == "why" else None
    return str(reason) if reason is not None else said(value)


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _begun_as(text: str, sentence: str) -> str:
    """Sentences stand alone, or follow a colon."""
    return sentence[:1].upper() + sentence[1:] if text[:1].isupper() else sentence


@cache
def _tables() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """The sentences without values, and the others. Those with more fixed words come first, since a
    value can be anything."""
    messages = [str.__str__(message) for message in SENTENCES]
    with_values = [message for message in messages if _VALUE.search(message)]
    with_values.sort(key=lambda message: -len(_VALUE.sub("", message)))
    return (
        {_small(message): message for message in messages if not _VALUE.search(message)},
        [(_pattern(message), message) for message in with_values],
    )


_VALUE = re.compile(r"%\((\w+)\)s")


def _pattern(message: str) -> re.Pattern[str]:
    parts = _VALUE.split(_small(message))
    fixed, names = parts[::2], parts[1::2]
    source = re.escape(fixed[0]) + "".join(
        f"(?P<{name}>.+?){re.escape(after)}" for name, after in zip(names, fixed[1:], strict=True)
    )
    return re.compile(source, re.S)
