"""What an outgoing webhook says, in each format."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from babel.dates import format_datetime

from latchkey.rules.money import in_major_units
from latchkey.rules.vocabulary import WebhookFormat, WebhookType
from latchkey.store.webhooks.deliveries import Delivery
from latchkey.texts import visible

VERSION = 1
"""Of the payload. It rises only if something goes or changes its meaning."""
LONGEST_NAME = 100
"""Characters of a name that are said. Even with all of them escaped, a sentence is shorter than the
2,000 characters that Discord takes and the 4,000 that Slack advises, so none is cut: that could
break an escape."""


def payload(delivery: Delivery) -> dict[str, Any]:
    """The event as JSON receivers get it. The OpenAPI document describes it."""
    user, product = delivery.user, delivery.product
    data: dict[str, Any] = {}
    if user is not None:
        data["user"] = {"id": user.id, "email": user.email}
    if product is not None:
        data["product"] = {"id": product.id, "slug": product.slug, "name": product.name}
    return {
        "type": delivery.type,
        "version": VERSION,
        "timestamp": _iso(delivery.at),
        "data": data | delivery.data | _ends(delivery.data),
    }


def _ends(data: dict[str, Any]) -> dict[str, str]:
    until = data.get("until")
    return {"until": _iso(datetime.fromisoformat(until))} if until else {}


def body(delivery: Delivery, format_: WebhookFormat, *, site: str) -> str:
    """The request body that tells an endpoint of an event. `site` is the site's name."""
    match format_:
        case WebhookFormat.JSON:
            return orjson.dumps(payload(delivery)).decode()
        case WebhookFormat.SLACK:
            return _json(
                text=_slack(sentence(delivery, site=site)),
                mrkdwn=False,
                unfurl_links=False,
                unfurl_media=False,
            )
        case WebhookFormat.DISCORD:
            return _json(
                content=_discord(sentence(delivery, site=site)),
                allowed_mentions={"parse": []},
                flags=_NO_PREVIEWS,
            )
        case WebhookFormat.DIGEST | WebhookFormat.DISCORD_ROLES | WebhookFormat.SLACK_CHANNELS:
            raise ValueError(f"nothing is posted as {format_}")


_NO_PREVIEWS = 1 << 2


def sentence(delivery: Delivery, *, site: str) -> str:
    """What happened, in plain words on one line."""
    try:
        said = _SENTENCES[WebhookType(delivery.type)]
    except (KeyError, ValueError):
        return f"{_plain(site)}: {delivery.type}"
    return f"{_plain(site)}: {said(delivery)}"


def _granted(d: Delivery) -> str:
    return f"{_who(d)} now has access to {_what(d)}{_until(d)}."


def _ending(d: Delivery) -> str:
    if not d.data.get("until"):
        return f"The access of {_who(d)} to {_what(d)} no longer has an end."
    return f"The access of {_who(d)} to {_what(d)} ends on {_day(d.data['until'])}."


def _cancelled(d: Delivery) -> str:
    until = d.data.get("until")
    ends = f" It ends on {_day(until)}." if until else ""
    return f"{_who(d)} cancelled the subscription to {_what(d)}.{ends}"


def _refunded(d: Delivery) -> str:
    amount, currency = d.data.get("amount"), d.data.get("currency")
    if amount is None or not currency:
        return f"A payment of {_who(d)} for {_what(d)} was refunded."
    money = f"{in_major_units(amount, currency)} {currency.upper()}"
    return f"Refunded so far of a payment of {_who(d)} for {_what(d)}: {money}."


_SENTENCES: dict[WebhookType, Callable[[Delivery], str]] = {
    WebhookType.ACCESS_GRANTED: _granted,
    WebhookType.ACCESS_ENDING: _ending,
    WebhookType.ACCESS_ENDED: lambda d: f"The access of {_who(d)} to {_what(d)} has ended.",
    WebhookType.PURCHASE_COMPLETED: lambda d: f"{_who(d)} bought {_what(d)}.",
    WebhookType.PURCHASE_REFUNDED: _refunded,
    WebhookType.SUBSCRIPTION_STARTED: lambda d: f"{_who(d)} subscribed to {_what(d)}.",
    WebhookType.SUBSCRIPTION_CANCELLED: _cancelled,
    WebhookType.SUBSCRIPTION_RESUMED: lambda d: (
        f"{_who(d)} keeps the subscription to {_what(d)} after all."
    ),
    WebhookType.SUBSCRIPTION_PAST_DUE: lambda d: f"A payment of {_who(d)} for {_what(d)} failed.",
    WebhookType.SUBSCRIPTION_RECOVERED: lambda d: (
        f"{_who(d)} has paid what was due for {_what(d)}."
    ),
    WebhookType.USER_CREATED: lambda d: f"{_who(d)} has a new account.",
    WebhookType.USER_MERGED: lambda d: (
        f"The account {d.data.get('merged_user')} was merged into that of {_who(d)}."
    ),
    WebhookType.USER_ERASED: lambda d: f"The personal data of {_who(d)} was erased.",
    WebhookType.TEST: lambda d: "This is a test. Webhooks arrive here.",
}


def _who(delivery: Delivery) -> str:
    user = delivery.user
    if user is None:
        return "Somebody"
    if user.email is None:
        return f"User {user.id}"
    return f"{_plain(user.name)} ({_plain(user.email)})" if user.name else _plain(user.email)


def _what(delivery: Delivery) -> str:
    product = delivery.product
    if product is None:
        return "a product"
    return _plain(product.name) if product.name else "a deleted product"


def _until(delivery: Delivery) -> str:
    until = delivery.data.get("until")
    return f" until {_day(until)}" if until else ""


def _day(moment: str) -> str:
    at = datetime.fromisoformat(moment).astimezone(UTC)
    return format_datetime(at, "d MMMM y, HH:mm 'UTC'", locale="en")


def _plain(text: str) -> str:
    return visible(text, longest=LONGEST_NAME)


def _slack(text: str) -> str:
    """Without what Slack reads as a mention or a link; its formatting is off."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord(text: str) -> str:
    """Without what Discord reads as formatting or a link with another text; mentions are off."""
    return re.sub(r"([\\*_~`|<>\[\]()#:@-])", r"\\\1", text)


def _json(**values: object) -> str:
    return orjson.dumps(values).decode()


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
