"""Which outgoing events follow from what changed. Pure.

Access is the union of grants: a user has a product while any grant of theirs hasn't ended. So the
events about access are found by replaying the changes of grants over what there was before them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from latchkey.rules.vocabulary import ActivityType, Cause, Reason, WebhookType

GRANT, USER = "grant", "user"

LINES = {
    ActivityType.PRODUCT_PURCHASED: WebhookType.PURCHASE_COMPLETED,
    ActivityType.REFUNDED: WebhookType.PURCHASE_REFUNDED,
    ActivityType.SUBSCRIPTION_STARTED: WebhookType.SUBSCRIPTION_STARTED,
    ActivityType.SUBSCRIPTION_CANCELLED: WebhookType.SUBSCRIPTION_CANCELLED,
    ActivityType.CANCELLATION_WITHDRAWN: WebhookType.SUBSCRIPTION_RESUMED,
    ActivityType.PAYMENT_FAILED: WebhookType.SUBSCRIPTION_PAST_DUE,
    ActivityType.PAYMENT_RECOVERED: WebhookType.SUBSCRIPTION_RECOVERED,
    ActivityType.USERS_MERGED: WebhookType.USER_MERGED,
    ActivityType.USER_ERASED: WebhookType.USER_ERASED,
}
"""The activity lines that become events."""

_ENDLESS = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class HeldGrant:
    """A grant that hasn't ended."""

    id: int
    user_id: int
    product_id: str
    until: datetime | None


@dataclass(frozen=True)
class WebhookFact:
    """One thing that changed, as it was written with the change; `tx` is its transaction.

    Of a grant, `was` and `is_now` say whether it hadn't ended.
    """

    id: int
    tx: int
    at: datetime
    kind: str
    user_id: int | None
    product_id: str | None = None
    source: str | None = None
    source_id: str | None = None
    cause: str | None = None
    grant_id: int | None = None
    was: bool | None = None
    is_now: bool | None = None
    until_was: datetime | None = None
    until_now: datetime | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WebhookEvent:
    """What receivers are told. `data` holds ids, times and amounts; `after` is the fact that it
    follows, by which events are ordered."""

    type: WebhookType
    at: datetime
    user_id: int | None
    product_id: str | None
    data: dict[str, Any]
    bulk: bool
    after: int


def events_of(
    facts: Sequence[WebhookFact], held: Iterable[HeldGrant], upto: int
) -> list[WebhookEvent]:
    """The events that follow from the facts up to the id `upto`, in their order.

    `facts` are all that are known of the users concerned, later ones too, and `held` the grants
    that they have with all of these facts in effect.
    """
    found = [event for fact in facts if fact.id <= upto for event in _of_line(fact)]
    grants = [fact for fact in facts if fact.kind == GRANT]
    found += _of_access(grants, held, upto)
    return sorted(found, key=lambda event: event.after)


def _of_line(fact: WebhookFact) -> Iterator[WebhookEvent]:
    if fact.kind == USER:
        yield _event(WebhookType.USER_CREATED, fact, {})
    elif fact.kind != GRANT:
        if fact.kind == ActivityType.PAYMENT_FAILED and not _of_subscription(fact):
            return
        yield _event(LINES[ActivityType(fact.kind)], fact, _line_data(fact))


def _of_subscription(fact: WebhookFact) -> bool:
    return (fact.source_id or "").startswith("sub_")


def _line_data(fact: WebhookFact) -> dict[str, Any]:
    match ActivityType(fact.kind):
        case ActivityType.USERS_MERGED:
            return {"merged_user": fact.data["from_user"]}
        case ActivityType.USER_ERASED:
            return {}
        case ActivityType.SUBSCRIPTION_CANCELLED:
            return _source(fact) | {"until": fact.data.get("ends")}
        case ActivityType.REFUNDED:
            names = ("amount", "currency", "full", "invoice")
            return _source(fact) | {name: fact.data[name] for name in names if name in fact.data}
    return _source(fact)


def _source(fact: WebhookFact) -> dict[str, Any]:
    kind = fact.source or ("subscription" if _of_subscription(fact) else "order")
    return {"source": {"type": kind, "id": fact.source_id or None}}


def _event(type_: WebhookType, fact: WebhookFact, data: dict[str, Any]) -> WebhookEvent:
    bulk = fact.cause in (Cause.IMPORT, Cause.BULK)
    return WebhookEvent(type_, fact.at, fact.user_id, fact.product_id, data, bulk, fact.id)


def _of_access(
    facts: Sequence[WebhookFact], held: Iterable[HeldGrant], upto: int
) -> Iterator[WebhookEvent]:
    now: dict[tuple[int | None, str | None], dict[int, datetime | None]] = defaultdict(dict)
    for grant in held:
        now[grant.user_id, grant.product_id][grant.id] = grant.until
    changes: dict[tuple[int | None, str | None], list[WebhookFact]] = defaultdict(list)
    for fact in sorted(facts, key=lambda fact: fact.id):
        changes[fact.user_id, fact.product_id].append(fact)
    for who, theirs in changes.items():
        yield from _replayed(_before(now[who], theirs), theirs, upto)


def _before(
    now: dict[int, datetime | None], changes: Sequence[WebhookFact]
) -> dict[int, datetime | None]:
    """What there was before the changes: they are undone, the last one first."""
    grants = dict(now)
    for change in reversed(changes):
        _set(grants, change.grant_id, held=change.was, until=change.until_was)
    return grants


def _replayed(
    grants: dict[int, datetime | None], changes: Sequence[WebhookFact], upto: int
) -> Iterator[WebhookEvent]:
    """Nothing is seen in the middle of a transaction."""
    known = [change for change in changes if change.id <= upto]
    for _, together in groupby(known, key=lambda change: change.tx):
        had, until = bool(grants), _until(grants)
        for change in together:
            _set(grants, change.grant_id, held=change.is_now, until=change.until_now)
        if grants and not had:
            yield _event(
                WebhookType.ACCESS_GRANTED, change, _source(change) | {"until": _until(grants)}
            )
        elif had and not grants:
            reason = change.data.get("reason") or Reason.BY_HAND
            yield _event(WebhookType.ACCESS_ENDED, change, _source(change) | {"reason": reason})
        elif had and _until(grants) != until:
            yield _event(
                WebhookType.ACCESS_ENDING, change, _source(change) | {"until": _until(grants)}
            )


def _set(
    grants: dict[int, datetime | None],
    grant_id: int | None,
    *,
    held: bool | None,
    until: datetime | None,
) -> None:
    assert grant_id is not None, "a fact about a grant names it"
    if held:
        grants[grant_id] = until
    else:
        grants.pop(grant_id, None)


def _until(grants: dict[int, datetime | None]) -> datetime | None:
    """When access ends, None where no end is known."""
    last = max((until or _ENDLESS for until in grants.values()), default=_ENDLESS)
    return None if last == _ENDLESS else last
