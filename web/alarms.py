"""What is wrong right now: for the top of every admin page, and as metrics."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.dates import format_skeleton
from prometheus_client import Gauge

from latchkey.doctor_checks import ADVICE, expectations
from latchkey.languages import A_, ENGLISH, NN_, _, current, ngettext
from latchkey.settings import Settings
from latchkey.store.checks import health
from latchkey.store.checks.findings import (
    NAMED,
    Finding,
    FindingKind,
    endpoint_problems,
    findings,
)
from latchkey.store.checks.health import MANY, HealthFigures
from latchkey.store.pool import Pool
from latchkey.stripe_api import API_VERSION

FRESH_SECONDS = 3.0

HEALTH = "/admin/health"

_PAGES = {
    FindingKind.KEY_REFUSED: "/admin/connectors",
    FindingKind.EVENTS_FAILED: "/admin/inbox?state=failed",
    FindingKind.EVENTS_WAITING: HEALTH,
    FindingKind.LOOP_STUCK: HEALTH,
    FindingKind.WAKEUPS_WAITING: HEALTH,
    FindingKind.EMAILS_WAITING: HEALTH,
    FindingKind.ENDPOINT: HEALTH,
    FindingKind.CATCH_UP_LATE: HEALTH,
    FindingKind.VISITORS_ALIKE: HEALTH,
    FindingKind.BACKUP_LATE: HEALTH,
    FindingKind.ADDRESS: "/admin/go-live#address",
    FindingKind.UNSOLD: HEALTH,
    FindingKind.SALES_REFUSED: HEALTH,
    FindingKind.SECOND_SUBSCRIPTIONS: "/admin/subscriptions/second",
    FindingKind.WEBHOOKS_OFF: "/admin/webhooks",
    FindingKind.WEBHOOKS_GIVEN_UP: "/admin/webhooks",
    FindingKind.COMMUNITIES_OFF: "/admin/communities",
    FindingKind.ROLES_REFUSED: "/admin/communities",
    FindingKind.COMPARISON_FAILED: "/admin/drift",
    FindingKind.COMPARISON_OVERDUE: "/admin/drift",
}
"""The page where each finding can be fixed. Others only have a badge in the menu."""

_TEXTS = {
    FindingKind.KEY_REFUSED: A_("Stripe rejected the key: {detail}"),
    FindingKind.EVENTS_WAITING: (
        A_("Events have been waiting for over 5 minutes. Check that a worker is running")
    ),
    FindingKind.LOOP_STUCK: A_("A background loop makes no progress: {detail}"),
    FindingKind.WAKEUPS_WAITING: A_("Changes have been waiting for Temporal for over 5 minutes"),
    FindingKind.EMAILS_WAITING: (
        A_("Emails are due, but none are being sent. Check that a worker is running")
    ),
    FindingKind.CATCH_UP_LATE: A_("The check for missed events is overdue"),
    FindingKind.COMPARISON_FAILED: A_("The last comparison with Stripe failed: {detail}"),
    FindingKind.COMPARISON_OVERDUE: (
        A_("The last full comparison with Stripe was more than 36 hours ago")
    ),
    FindingKind.VISITORS_ALIKE: (
        A_(
            "All visitors seem to come from {detail}: your proxy's address is missing in"
            " FORWARDED_ALLOW_IPS, or it doesn't set X-Forwarded-For"
        )
    ),
}

_COUNTED = {
    FindingKind.EVENTS_FAILED: NN_(
        "%(count)s event failed and changed nothing", "%(count)s events failed and changed nothing"
    ),
    FindingKind.EMAILS_FAILED: NN_(
        "%(count)s email couldn't be sent", "%(count)s emails couldn't be sent"
    ),
    FindingKind.DRIFT: NN_(
        "%(count)s difference from Stripe left open", "%(count)s differences from Stripe left open"
    ),
    FindingKind.WEBHOOKS_GIVEN_UP: NN_(
        "%(count)s webhook couldn't be delivered within three days, and won't be tried again",
        "%(count)s webhooks couldn't be delivered within three days, and won't be tried again",
    ),
    FindingKind.SECOND_SUBSCRIPTIONS: NN_(
        "%(count)s subscription sold to somebody who has another one of the same product",
        "%(count)s subscriptions sold to somebody who has another one of the same product",
    ),
}
_NAMING = {
    FindingKind.WEBHOOKS_OFF: A_("Webhooks failed for three days and were switched off:"),
    FindingKind.COMMUNITIES_OFF: A_("Roles and channels are neither given nor taken any more on"),
    FindingKind.ROLES_REFUSED: A_("Roles and channels that can't be given:"),
    FindingKind.UNSOLD: A_("On sale, but nobody can buy it at the moment:"),
    FindingKind.SALES_REFUSED: A_("Stripe last refused to open the checkout:"),
}
"""Texts that the names of what is concerned follow."""

_ADVICE = ADVICE | {
    FindingKind.KEY_REFUSED: A_(
        "enter a working key: events are kept, and imports wait until then"
    ),
    FindingKind.ENDPOINT: A_("press Repair below: until then, purchases are noticed late"),
    FindingKind.UNSOLD: A_("Sales, below, says why, and where to mend it"),
    FindingKind.SALES_REFUSED: (
        A_("Sales, below, has Stripe's words, such as a permission that the key lacks")
    ),
}
"""What to do, said on the Health page; the rest is what `latchkey doctor` says."""

_BADGES = {
    FindingKind.EVENTS_FAILED: "/admin/inbox",
    FindingKind.DRIFT: "/admin/drift",
    FindingKind.EMAILS_FAILED: "/admin/mails",
}

_FAILED = Gauge("latchkey_events_failed", "Failed events in the inbox, counted up to 1000.")
_UNPROCESSED = Gauge("latchkey_events_unprocessed", "Events not yet processed, counted up to 1000.")
_OLDEST = Gauge("latchkey_oldest_unprocessed_event_seconds", "Age of the oldest unprocessed event.")
_DRIFT = Gauge("latchkey_drift_differences", "Open differences from Stripe, without foreign ones.")
_COMPARED = Gauge("latchkey_comparison_age_seconds", "Time since the last full comparison.")
_OVERDUE = Gauge("latchkey_deadlines_overdue", "Subscriptions past their deadline.")
_LOOKED = Gauge("latchkey_catch_up_age_seconds", "Time since the last catch-up run.")
_ENDPOINT = Gauge("latchkey_webhook_endpoint_ok", "1 if the webhook endpoint is set up correctly.")
_BACKED_UP = Gauge("latchkey_backup_age_seconds", "Age of the last backup; 0 if none is known.")
_WEBHOOKS_OFF = Gauge("latchkey_webhook_endpoints_off", "Endpoints that were switched off.")
_MAILS = Gauge("latchkey_mails_failed", "Emails that could not be sent, counted up to 1000.")


@dataclass(frozen=True)
class Alarm:
    """One problem, and the page where it can be fixed."""

    text: str
    address: str


@dataclass(frozen=True)
class Todo:
    """Anything that is wrong, what to do about it, and the page where: empty where it isn't on a
    page of its own."""

    text: str
    advice: str
    address: str


@dataclass(frozen=True)
class Alarms:
    """`raised` stand on top of every page. `badges` are the counts shown beside menu entries, by
    path. `todo` is everything that is wrong, the most urgent first."""

    raised: tuple[Alarm, ...]
    badges: dict[str, str]
    todo: tuple[Todo, ...]


class AlarmCache:
    """Queries the database at most every few seconds, however many pages are served."""

    def __init__(self, settings: Settings) -> None:
        self._expected = expectations(settings)
        self._found: list[Finding] | None = None
        self._read_at = 0.0

    async def alarms(self, pool: Pool) -> Alarms:
        if self._found is None or time.monotonic() - self._read_at > FRESH_SECONDS:
            async with pool.acquire() as connection:
                figures = await health.figures(connection)
            self._found = findings(figures, self._expected)
            self._read_at = time.monotonic()
        return _alarms(self._found)

    def forget(self) -> None:
        """Drop the cached alarms, because something was fixed."""
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
        _BACKED_UP.set(_age(figures, figures.backed_up_at).total_seconds())
        _WEBHOOKS_OFF.set(len(figures.webhooks_off))
        _ENDPOINT.set(0 if endpoint_problems(figures, api_version=API_VERSION) else 1)


def _alarms(found: list[Finding]) -> Alarms:
    raised = tuple(
        Alarm(_text(finding), _PAGES[finding.kind]) for finding in found if finding.kind in _PAGES
    )
    badges = {
        _BADGES[finding.kind]: f"{finding.count}{'+' if finding.count >= MANY else ''}"
        for finding in found
        if finding.kind in _BADGES
    }
    if any(alarm.address == HEALTH for alarm in raised):
        badges[HEALTH] = "!"
    return Alarms(raised, badges, tuple(_todo(finding) for finding in found))


def _todo(finding: Finding) -> Todo:
    page = _PAGES.get(finding.kind) or _BADGES[finding.kind]
    return Todo(_text(finding), _ADVICE[finding.kind], page if page != HEALTH else "")


def _text(finding: Finding) -> str:
    if finding.kind in _COUNTED:
        one, many = _COUNTED[finding.kind]
        return ngettext(one, many, finding.count, most=MANY)
    if finding.kind in _NAMING:
        named = f"{_NAMING[finding.kind]} {finding.detail}"
        more = finding.count - NAMED
        return _("%(named)s and %(more)s more", named=named, more=more) if more > 0 else named
    if finding.kind is FindingKind.BACKUP_LATE and finding.since:
        return _(
            "The last backup was made on %(day)s at %(time)s UTC",
            day=_day_of_year(finding.since),
            time=f"{finding.since:%H:%M}",
        )
    return _TEXTS.get(finding.kind, "{detail}").format(detail=finding.detail)


def _day_of_year(moment: datetime) -> str:
    if current() is ENGLISH:
        return f"{moment:%-d %B}"
    return str(format_skeleton("MMMMd", moment, locale=current().locale))


def _age(figures: HealthFigures, since: datetime | None) -> timedelta:
    return figures.now - since if since else timedelta()
