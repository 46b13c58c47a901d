"""One Stripe account: its world, and the events emitted by every change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.listening import Listeners
from sandbox.schema import API_VERSION
from sandbox.search_index import Index
from sandbox.settings import CURRENCIES, Settings
from sandbox.world import Json, World

DOCS = "https://stripe.com/docs/error-codes"


class StripeApiError(Exception):
    """An error in Stripe's format."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        decline_code: str | None = None,
        extra: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers: Json = {}
        self.body = {
            "type": kind,
            "message": message,
            **{
                key: value
                for key, value in (
                    ("code", code),
                    ("param", param),
                    ("decline_code", decline_code),
                )
                if value
            },
            **(extra or {}),
        }
        if code and not code.startswith("sandbox_"):
            words = code.replace("_", "-")
            self.body["doc_url"] = f"{DOCS}/{words}"


_SAID = {
    "payment_intent": "payment_intent",
    "payment_method": "PaymentMethod",
    "setup_intent": "setupintent",
    "subscription_item": "subscription_item",
}
"""Kinds as Stripe's errors name them; the others have spaces in place of underscores."""


def missing(kind: str, object_id: object, *, param: str = "id") -> StripeApiError:
    """Stripe's 404 for an object that the path names, its 400 for one that a parameter names."""
    said = kind if "." in kind else _SAID.get(kind, kind.replace("_", " "))
    return StripeApiError(
        404 if param == "id" else 400,
        f"No such {said}: '{object_id}'",
        code="resource_missing",
        param=param,
    )


def too_many(*names: str) -> StripeApiError:
    """Stripe's 400 for parameters that exclude each other."""
    return invalid(f"You may only specify one of these parameters: {', '.join(names)}.")


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> StripeApiError:
    return StripeApiError(400, message, code=code, param=param)


_OF_ACCOUNTS = ("customer.created", "customer.updated", "customer.deleted")
"""Events that customers with an account (Accounts v2) don't have."""


@dataclass
class Request:
    """The API request that caused a change, as events show it."""

    id: str | None = None
    idempotency_key: str | None = None


@dataclass
class Shop:
    """The account. `outgoing` receives each event once its change is complete."""

    world: World
    account: Json
    outgoing: Callable[[Json], None] = lambda event: None
    resend: Callable[[Json, str | None], None] = lambda event, endpoint: None
    listeners: Listeners = field(default_factory=Listeners)
    settings: Settings = field(default_factory=Settings)
    request: Request = field(default_factory=Request)
    problems: list[str] = field(default_factory=list)
    silent: bool = False
    watchers: dict[str, Callable[["Shop", Json], None]] = field(default_factory=dict)
    """What follows from each change of a kind of object."""
    render: Callable[["Shop", Json], None] = lambda shop, source: None
    """Puts what an event shows into the form that the account's settings ask for."""
    index: Index = field(init=False)
    _row: list[Json] | None = None

    def __post_init__(self) -> None:
        self.index = Index(self.world)

    def set_up(self, settings: Json) -> None:
        """Change the named account settings. Raises ValueError as `Settings.update` does."""
        self.settings.update(settings)
        country = self.settings.country
        self.account.update(country=country, default_currency=CURRENCIES[country])

    def find(self, kind: str, object_id: object, *, param: str = "id") -> Json:
        """An object by id. Raises Stripe's 404, or its 400 where a parameter should name it."""
        if object_id is None and param != "id":
            message = f"Missing required param: {param}."
            raise invalid(message, param=param, code="parameter_missing")
        found = self.world.table(kind).get(object_id)
        if found is None:
            raise missing(kind, object_id, param=param)
        return found

    def save(self, source: Json, event: str | None = None, before: Json | None = None) -> Json:
        """Store a change and emit its event; `before` is the object before an update."""
        self.world.store(source)
        if event:
            self.emit(event, source, before)
        if watch := self.watchers.get(source["object"]):
            watch(self, source)
        return source

    def emit(self, event_type: str, source: Json, before: Json | None = None) -> None:
        """Send an event, unless the shop is silent or an update changed nothing."""
        if self.silent or (source.get("customer_account") and event_type in _OF_ACCOUNTS):
            return
        previous = None
        if before is not None:
            previous = {
                key: before.get(key) for key in source if before.get(key) != source.get(key)
            }
            if not previous:
                return
        data: Json = {"object": shortened(snapshot(source))}
        self.render(self, data["object"])
        if previous is not None:
            data["previous_attributes"] = orjson.loads(orjson.dumps(previous))
        event = self.world.make(
            "event",
            "evt",
            type=event_type,
            api_version=API_VERSION,
            data=data,
            pending_webhooks=0,
            request={"id": self.request.id, "idempotency_key": self.request.idempotency_key},
        )
        if not self.wild(event["data"]["object"]):
            self.problems += [
                f"{event_type}: {e}" for e in self.world.published.event_errors(event)
            ]
        if self._row is not None:
            self._row.append(event)
        else:
            self._send(event)

    def wild(self, source: Any) -> bool:
        """Whether this answer contains an object set by hand to values Stripe doesn't document: the
        checker skips it."""
        known = self.world.private.get("wild", {}).get("ids", [])
        return any(name.encode() in orjson.dumps(source) for name in known)

    @contextmanager
    def row(self) -> Iterator[None]:
        """Collect the events of one transition and send them in random order: Stripe doesn't
        promise any."""
        if self._row is not None:
            yield
            return
        self._row = []
        try:
            yield
        finally:
            events, self._row = self._row, None
            self.world.dice.stream("order").shuffle(events)
            for event in events:
                self._send(event)

    def _send(self, event: Json) -> None:
        self.world.store(event)
        self.outgoing(event)


def snapshot(source: Json) -> Json:
    """A copy to compare with after a change."""
    copied: Json = orjson.loads(orjson.dumps(source))
    return copied


INLINE = 10
"""How many entries a list inside an object shows."""


def shortened(source: Json) -> Json:
    """Cut the lists inside an object as Stripe does; `source` must be a copy."""
    for inner in _long_lists(source):
        inner.update(data=inner["data"][:INLINE], has_more=True)
    return source


def _long_lists(source: Json) -> Iterator[Json]:
    for name in ("lines", "items"):
        inner = source.get(name)
        if isinstance(inner, dict) and len(inner.get("data") or ()) > INLINE:
            yield inner


def merge_metadata(old: Any, given: Any) -> Json:
    """Merge metadata by key, as Stripe does: an empty value removes its key, an empty string
    removes all."""
    if given == "":
        return {}
    merged = {**(old or {}), **(given or {})}
    return {key: str(value) for key, value in merged.items() if value != ""}
