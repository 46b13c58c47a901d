"""Delivers events to webhook endpoints: signed, with timeouts, retries and a log."""

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field

import httpx
import orjson

from sandbox import thin, unpublished, versions
from sandbox.listening import WEBHOOKS
from sandbox.posting import Poster
from sandbox.schema import API_VERSION, Published
from sandbox.shop import Shop
from sandbox.signing import sign
from sandbox.world import Json

TIMEOUT_SECONDS = 10
RETRIES = (2, 5, 15, 60, 300, 1800, 3600, 3600, 7200)
"""Seconds between the attempts of one delivery."""
AT_ONCE = 32
"""Deliveries to one endpoint. One that doesn't answer holds up only its own."""
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}


SWITCHED = {
    "duplicate": "deliver an event twice",
    "delay": "deliver late, so that events arrive out of order",
    "drop": "don't deliver",
    "stale_timestamp": "sign with a timestamp from an hour ago",
    "bad_signature": "sign with a wrong signature",
    "old_api_version": "render events as of 2020",
    "old_snapshot": "show the object as it was one event earlier",
    "thin": "deliver thin events",
    "short_page": "end a page early, with more to come",
    "shifting_page": "repeat the last row of the previous page at the start of a page",
    "cut_connection": "cut the connection instead of answering",
    "api_409": "answer 409: the object is locked",
    "api_429": "answer 429: too many requests",
    "api_429_retry": "answer 429 with Stripe-Should-Retry: true",
    "api_500_before": "answer 500 before anything is written",
    "api_500_after": "answer 500 after the change is written",
}
"""Faults with a rate from 0 to 1, and what they do."""
SECONDS = {
    "delay_seconds": "longest delay of a delivery (seconds)",
    "api_latency_seconds": "delay before answering a call (seconds)",
    "api_rate": "calls allowed per second (0: no limit)",
    "search_lag_seconds": "how long searches don't see a change (seconds)",
}
"""Faults measured in something else."""


@dataclass
class Faults:
    """The faults in force: `SWITCHED` by rate, `SECONDS` by their own measure."""

    duplicate: float = 0
    delay: float = 0
    delay_seconds: float = 2
    drop: float = 0
    stale_timestamp: float = 0
    bad_signature: float = 0
    old_api_version: float = 0
    old_snapshot: float = 0
    thin: float = 0
    short_page: float = 0
    shifting_page: float = 0
    cut_connection: float = 0
    api_409: float = 0
    api_429: float = 0
    api_429_retry: float = 0
    api_500_before: float = 0
    api_500_after: float = 0
    api_latency_seconds: float = 0
    api_rate: float = 0
    search_lag_seconds: float = 0

    def update(self, given: Json) -> None:
        """Set some. Raises ValueError for an unknown name or a rate outside 0 to 1."""
        for key, value in given.items():
            if not hasattr(self, key) or isinstance(value, bool):
                raise ValueError(f"unknown fault {key!r}")
            if float(value) < 0 or (key in SWITCHED and float(value) > 1):
                raise ValueError(f"{key} must be a rate from 0 to 1")
            setattr(self, key, float(value))


@dataclass
class Deliveries:
    """Sends the shop's events, and keeps a record of each delivery."""

    shop: Shop
    faults: Faults = field(default_factory=Faults)
    _running: set[asyncio.Task[None]] = field(default_factory=set)
    _poster: Poster | None = None
    _slots: defaultdict[str, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
    )
    _waiting: int = 0

    def set_faults(self, given: Json) -> None:
        """Set some faults. Raises ValueError for an unknown name or a rate outside 0 to 1."""
        lag = self.faults.search_lag_seconds
        self.faults.update(given)
        if self.faults.search_lag_seconds != lag:
            self.shop.index.set_lag(self.faults.search_lag_seconds)

    def start(self) -> None:
        """Start delivering, beginning with what an earlier run left undelivered."""
        self._poster = Poster(TIMEOUT_SECONDS)
        for delivery in self.shop.world.table("delivery").values():
            if delivery["state"] == "pending":
                self._spawn(delivery)

    async def stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._poster:
            await self._poster.close()

    def send(self, event: Json) -> None:
        """Deliver an event to every endpoint and destination that listens for its type."""
        for endpoint in self._targets(event):
            self._queue(event, endpoint)
        self._tell_listeners(event)

    def repeat(self, event: Json) -> None:
        """Deliver an event again to all that listen for its type, even if it was dropped before."""
        for endpoint in self._targets(event):
            self._spawn_all(event, endpoint, 1)

    def resend_event(self, event: Json, endpoint: str | None) -> None:
        """Deliver an event again to one endpoint, or to `stripe listen` where none is named."""
        if endpoint is None:
            self._tell_listeners(event)
            return
        self._spawn_all(event, self.shop.world.table("webhook_endpoint")[endpoint], 1)

    def _tell_listeners(self, event: Json) -> None:
        """Send an event to the Stripe CLI, which forwards it."""
        if not self.shop.listeners.waiting(WEBHOOKS):
            return
        version = self.shop.settings.events_version or API_VERSION
        shown = unpublished.event(self.shop, event)
        body = orjson.dumps(versions.event_in(self.shop, shown, version))
        secret = self.shop.world.private["stripecli"]["secret"]
        self.shop.listeners.tell(
            WEBHOOKS,
            {
                "type": "webhook_event",
                "endpoint": {"api_version": None},
                "event_payload": body.decode(),
                "http_headers": {
                    **HEADERS,
                    "Stripe-Signature": sign(body, [secret], at=int(time.time())),
                },
                "webhook_conversation_id": self.shop.world.new_id("wc", 16),
                "webhook_id": self.shop.world.new_id("we", 16),
            },
        )

    def ping(self, event: Json, destination: Json) -> None:
        """Deliver a destination's ping, which no other endpoint gets."""
        self._spawn_all(event, destination, 1)

    def _targets(self, event: Json) -> list[Json]:
        return [
            endpoint
            for kind in ("webhook_endpoint", "v2.core.event_destination")
            for endpoint in self.shop.world.table(kind).values()
            if endpoint["status"] == "enabled" and _wants(endpoint, event)
        ]

    def _queue(self, event: Json, endpoint: Json) -> None:
        subject = f"{event['id']}/{endpoint['id']}"
        copies = 1 + self._chance("duplicate", subject)
        if self._chance("drop", subject):
            copies = 0
        self._spawn_all(event, endpoint, copies)

    def _spawn_all(self, event: Json, endpoint: Json, copies: int) -> None:
        for _ in range(copies):
            if "pending_webhooks" in event:
                event["pending_webhooks"] += 1
            delivery = {
                "object": "delivery",
                "id": self.shop.world.new_id("dlv", 16),
                "created": int(time.time()),
                "event": event["id"],
                "type": event["type"],
                "endpoint": endpoint["id"],
                "state": "pending",
                "attempts": 0,
                "status": None,
                "error": None,
            }
            self.shop.world.store(delivery)
            self._spawn(delivery)

    def resend(self, delivery: Json) -> None:
        """Attempt a delivery again now."""
        delivery.update(state="pending", attempts=0)
        self.shop.world.store(delivery)
        self._spawn(delivery)

    async def idle(self, seconds: float) -> bool:
        """Wait until every delivery has been attempted once; False if that takes longer."""
        deadline = time.monotonic() + seconds
        while self._waiting and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return not self._waiting

    def _spawn(self, delivery: Json) -> None:
        if self._poster is None:
            return
        task = asyncio.create_task(self._deliver(delivery))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _deliver(self, delivery: Json) -> None:
        first = True
        self._waiting += 1
        try:
            if self._chance("delay", delivery["id"]):
                dice = self.shop.world.dice.about("delay_seconds", delivery["id"])
                await asyncio.sleep(dice.uniform(0, self.faults.delay_seconds))
            for pause in (*RETRIES, None):
                done = await self._attempt(delivery)
                if first:
                    self._waiting, first = self._waiting - 1, False
                if done:
                    return
                if pause is None:
                    break
                await asyncio.sleep(pause)
            delivery["state"] = "given up"
            self.shop.world.store(delivery)
        finally:
            if first:
                self._waiting -= 1

    async def _attempt(self, delivery: Json) -> bool:
        world = self.shop.world
        event = world.table("event").get(delivery["event"]) or world.private.get(
            f"ping/{delivery['event']}", {}
        ).get("event")
        endpoint = world.table("webhook_endpoint").get(delivery["endpoint"]) or world.table(
            "v2.core.event_destination"
        ).get(delivery["endpoint"])
        if event is None or endpoint is None or self._poster is None:
            delivery["state"] = "endpoint gone"
            world.store(delivery)
            return True
        subject = f"{delivery['id']}/{delivery['attempts']}"
        secrets = world.private[endpoint["id"]]["secrets"]
        body = orjson.dumps(self._shown(event, endpoint, subject))
        headers = {
            **HEADERS,
            "Stripe-Signature": self._signature(body, secrets, subject),
        }
        delivery["attempts"] += 1
        async with self._slots[endpoint["id"]]:
            try:
                url = endpoint.get("url") or endpoint["webhook_endpoint"]["url"]
                status = await self._poster.post(url, body, headers)
                delivery.update(status=status, error=None)
            except httpx.HTTPError as error:
                delivery.update(status=None, error=type(error).__name__)
        if delivery["status"] is not None and 200 <= delivery["status"] < 300:
            delivery["state"] = "delivered"
            if "pending_webhooks" in event:
                event["pending_webhooks"] = max(0, event["pending_webhooks"] - 1)
                world.store(event)
        world.store(delivery)
        return bool(delivery["state"] == "delivered")

    def _shown(self, event: Json, endpoint: Json, subject: str) -> Json:
        if event["object"] == "v2.core.event":
            return event
        kept = self.shop.world.private[endpoint["id"]]
        wanted = kept.get("thin") or self._chance("thin", subject)
        if wanted and Published.has_thin(event["type"]):
            return thin.notification(event)
        if self._chance("old_api_version", subject):
            return {**event, "api_version": "2020-08-27"}
        if self._chance("old_snapshot", subject):
            event = {**event, "data": {**event["data"], "object": self._earlier(event)}}
        version = endpoint.get("api_version") or endpoint.get("snapshot_api_version")
        event = unpublished.event(self.shop, event)
        return versions.event_in(self.shop, event, version) if version else event

    def _earlier(self, event: Json) -> Json:
        """The object as the previous event about it showed it, or unchanged if there is none."""
        found: Json = event["data"]["object"]
        for other in self.shop.world.table("event").values():
            if other["id"] == event["id"]:
                break
            if other["data"]["object"].get("id") == found.get("id"):
                found = other["data"]["object"]
        return found

    def _signature(self, body: bytes, secrets: list[str], subject: str) -> str:
        """One signature for each secret in use: two while an endpoint's secret is rolled."""
        at = int(time.time()) - (3600 if self._chance("stale_timestamp", subject) else 0)
        wrongly = bool(self._chance("bad_signature", subject))
        return sign(body, secrets, at=at, wrongly=wrongly)

    def _chance(self, fault: str, subject: str) -> int:
        """Whether a fault happens to a subject, decided for it alone: the order doesn't matter."""
        rate: float = getattr(self.faults, fault)
        return int(rate > 0 and self.shop.world.dice.about(fault, subject).random() < rate)


def _wants(endpoint: Json, event: Json) -> bool:
    enabled = endpoint["enabled_events"]
    if endpoint["object"] == "webhook_endpoint":
        return "*" in enabled or event["type"] in enabled
    if endpoint["event_payload"] == "snapshot":
        return event["type"] in enabled
    return f"v1.{event['type']}" in enabled and Published.has_thin(event["type"])
