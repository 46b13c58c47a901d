"""What is wrong right now, for the head of every admin page, and as metrics."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client import Gauge

from latchkey.rules import endpoint
from latchkey.settings import Settings
from latchkey.store.checks import health
from latchkey.store.checks.health import MANY, HealthFigures
from latchkey.store.pool import Pool
from latchkey.stripe_api import API_VERSION

FRESH_SECONDS = 3.0
LONG_UNPROCESSED = timedelta(minutes=5)

_FAILED = Gauge("latchkey_events_failed", "Events in the inbox that failed, up to 1000.")
_UNPROCESSED = Gauge("latchkey_events_unprocessed", "Events waiting or on their way, up to 1000.")
_OLDEST = Gauge("latchkey_oldest_unprocessed_event_seconds", "Age of the oldest such event.")
_DRIFT = Gauge("latchkey_drift_differences", "Open differences, none foreign, of all products.")
_COMPARED = Gauge("latchkey_comparison_age_seconds", "Since a full comparison got through.")
_OVERDUE = Gauge("latchkey_deadlines_overdue", "Subscriptions whose deadline passed unnoticed.")
_LOOKED = Gauge("latchkey_catch_up_age_seconds", "Since missed events were last looked for.")
_ENDPOINT = Gauge("latchkey_webhook_endpoint_ok", "Whether Stripe's endpoint sends what we need.")
_MAILS = Gauge("latchkey_mails_failed", "Mails that could not be sent, up to 1000.")


@dataclass(frozen=True)
class Alarm:
    """One thing that is wrong, and the page where it is put right."""

    text: str
    address: str


@dataclass(frozen=True)
class Alarms:
    """`badges` are counts beside menu entries, by address."""

    raised: tuple[Alarm, ...]
    badges: dict[str, str]


class AlarmCache:
    """Asks the database at most every few seconds, however many pages are shown."""

    def __init__(self, settings: Settings) -> None:
        self._late = 3 * timedelta(seconds=settings.catchup_seconds) + LONG_UNPROCESSED
        self._compares = settings.reconciliation != "off"
        self._found: Alarms | None = None
        self._read_at = 0.0

    async def alarms(self, pool: Pool) -> Alarms:
        if self._found is None or time.monotonic() - self._read_at > FRESH_SECONDS:
            async with pool.acquire() as connection:
                figures = await health.figures(connection)
            self._found, self._read_at = self._judge(figures), time.monotonic()
        return self._found

    def forget(self) -> None:
        """Ask anew: something was put right."""
        self._found = None

    async def measure(self, pool: Pool) -> None:
        """Set the gauges."""
        async with pool.acquire() as connection:
            figures = await health.figures(connection)
        _FAILED.set(figures.failed)
        _UNPROCESSED.set(figures.unprocessed)
        _OLDEST.set(_age(figures, figures.oldest_unprocessed).total_seconds())
        _LOOKED.set(_age(figures, figures.unlooked_since).total_seconds())
        _DRIFT.set(figures.drift)
        compared = figures.compared_at if figures.connection == "connected" else None
        _COMPARED.set(_age(figures, compared).total_seconds())
        _OVERDUE.set(figures.overdue)
        _MAILS.set(figures.mails_failed)
        _ENDPOINT.set(0 if _endpoint(figures) else 1)

    def _judge(self, figures: HealthFigures) -> Alarms:
        connected = figures.connection == "connected"
        raised = [
            Alarm(text, address)
            for holds, text, address in (
                (
                    figures.connection == "refused",
                    f"Stripe refuses the key: {figures.connection_error}",
                    "/admin/connectors",
                ),
                (
                    figures.failed > 0,
                    f"{_count(figures.failed, 'event')} failed and changed nothing",
                    "/admin/inbox?state=failed",
                ),
                (
                    _age(figures, figures.oldest_unprocessed) > LONG_UNPROCESSED,
                    "Events have been waiting for more than five minutes: is a worker running?",
                    "/admin/health",
                ),
                (bool(_endpoint(figures)), "; ".join(_endpoint(figures)), "/admin/health"),
                (
                    _age(figures, figures.unlooked_since) > self._late,
                    "Missed events have not been looked for lately",
                    "/admin/health",
                ),
                (
                    connected and figures.comparison_error is not None,
                    f"The last comparison with Stripe failed: {figures.comparison_error}",
                    "/admin/drift",
                ),
                (
                    connected and self._compares and figures.uncompared,
                    "Stripe and the access here have not been compared for more than 36 hours",
                    "/admin/drift",
                ),
            )
            if holds
        ]
        counts = {
            "/admin/inbox": figures.failed,
            "/admin/drift": figures.drift,
            "/admin/mails": figures.mails_failed,
        }
        badges = {
            address: f"{count}{'+' if count >= MANY else ''}"
            for address, count in counts.items()
            if count
        }
        if any(alarm.address == "/admin/health" for alarm in raised):
            badges["/admin/health"] = "!"
        return Alarms(tuple(raised), badges)


def _age(figures: HealthFigures, since: datetime | None) -> timedelta:
    return figures.now - since if since else timedelta()


def _endpoint(figures: HealthFigures) -> list[str]:
    if figures.connection != "connected":
        return []
    return endpoint.problems(figures.endpoint_found, version=API_VERSION)


def _count(number: int, noun: str) -> str:
    return f"{number}{'+' if number >= MANY else ''} {noun}{'' if number == 1 else 's'}"
