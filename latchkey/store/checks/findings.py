"""What is wrong right now, judged once from the health figures: pages, metrics and doctor say it
each in their own words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address

from latchkey.rules import endpoint
from latchkey.rules.public_address import sentence
from latchkey.store.checks import public_address
from latchkey.store.checks.health import HealthFigures

LONG_UNPROCESSED = timedelta(minutes=5)
LONG_UNSENT = timedelta(minutes=15)
NAMED = 5
"""How many products a finding names."""


class FindingKind(StrEnum):
    KEY_REFUSED = "key_refused"
    EVENTS_FAILED = "events_failed"
    EVENTS_WAITING = "events_waiting"
    ENDPOINT = "endpoint"
    CATCH_UP_LATE = "catch_up_late"
    COMPARISON_FAILED = "comparison_failed"
    COMPARISON_OVERDUE = "comparison_overdue"
    DRIFT = "drift"
    EMAILS_FAILED = "emails_failed"
    EMAILS_WAITING = "emails_waiting"
    WAKEUPS_WAITING = "wakeups_waiting"
    LOOP_STUCK = "loop_stuck"
    UNSOLD = "unsold"
    SALES_REFUSED = "sales_refused"
    SECOND_SUBSCRIPTIONS = "second_subscriptions"
    WEBHOOKS_OFF = "webhooks_off"
    WEBHOOKS_GIVEN_UP = "webhooks_given_up"
    COMMUNITIES_OFF = "communities_off"
    ROLES_REFUSED = "roles_refused"
    VISITORS_ALIKE = "visitors_alike"
    BACKUP_LATE = "backup_late"
    ADDRESS = "address"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: how many, since when (UTC), and what Stripe or the last attempt
    said, each where it applies."""

    kind: FindingKind
    count: int = 0
    since: datetime | None = None
    detail: str = ""


@dataclass(frozen=True)
class Expectations:
    """What the settings promise: how often missed events are looked for, whether everything is
    compared every night, the API version that the webhook endpoint has to send, whether SMTP_URL
    names a mail server, the public URL, whether visitors come there from the internet, and how old
    the last backup may be, if that is watched here."""

    catch_up_every: timedelta
    compares_nightly: bool
    api_version: str
    sends_email: bool
    public_url: str
    is_public: bool
    backup_every: timedelta | None

    @property
    def catch_up_late(self) -> timedelta:
        return 3 * self.catch_up_every + LONG_UNPROCESSED


def findings(figures: HealthFigures, expected: Expectations) -> list[Finding]:
    """Everything that is wrong, the most urgent first."""
    found: list[Finding] = []
    if figures.connection == "refused":
        found.append(Finding(FindingKind.KEY_REFUSED, detail=figures.connection_error or ""))
    if figures.failed:
        found.append(Finding(FindingKind.EVENTS_FAILED, figures.failed))
    if figures.stuck_loops:
        loops = figures.stuck_loops
        found.append(Finding(FindingKind.LOOP_STUCK, len(loops), detail="; ".join(loops)))
    found += _of_address(figures, expected)
    oldest = figures.oldest_unprocessed
    if oldest and figures.now - oldest > LONG_UNPROCESSED:
        found.append(Finding(FindingKind.EVENTS_WAITING, figures.unprocessed, oldest))
    wakeup = figures.oldest_wakeup
    if wakeup and figures.now - wakeup > LONG_UNPROCESSED:
        found.append(Finding(FindingKind.WAKEUPS_WAITING, since=wakeup))
    if problems := endpoint_problems(figures, api_version=expected.api_version):
        found.append(Finding(FindingKind.ENDPOINT, len(problems), detail="; ".join(problems)))
    since = figures.unlooked_since
    if since and figures.now - since > expected.catch_up_late:
        found.append(Finding(FindingKind.CATCH_UP_LATE, since=since))
    found += _of_sales(figures)
    if figures.second_subscriptions:
        found.append(Finding(FindingKind.SECOND_SUBSCRIPTIONS, figures.second_subscriptions))
    found += _of_comparisons(figures, nightly=expected.compares_nightly)
    sends = expected.sends_email or figures.mail_server
    found += _of_emails(figures, sends=sends)
    found += _of_webhooks(figures)
    found += _of_backups(figures, every=expected.backup_every)
    alike = figures.only_address
    if expected.is_public and alike and not ip_address(alike).is_global:
        found.append(Finding(FindingKind.VISITORS_ALIKE, detail=alike))
    return found


def endpoint_problems(figures: HealthFigures, *, api_version: str) -> list[str]:
    """What keeps Stripe's webhook endpoint from sending what is needed; nothing where Stripe isn't
    connected."""
    if figures.connection != "connected":
        return []
    return endpoint.problems(figures.endpoint_found, version=api_version)


def _of_address(figures: HealthFigures, expected: Expectations) -> list[Finding]:
    url = expected.public_url
    trouble = public_address.trouble(figures.address, url, now=figures.now)
    if not expected.is_public or trouble is None:
        return []
    said = sentence(trouble.finding, url).removesuffix(".")
    return [Finding(FindingKind.ADDRESS, since=trouble.since, detail=said)]


def _of_sales(figures: HealthFigures) -> list[Finding]:
    named = {
        FindingKind.UNSOLD: figures.unsold,
        FindingKind.SALES_REFUSED: figures.refused_sales,
    }
    return [
        Finding(kind, len(names), detail=", ".join(names[:NAMED]))
        for kind, names in named.items()
        if names
    ]


def _of_emails(figures: HealthFigures, *, sends: bool) -> list[Finding]:
    found = []
    if figures.mails_failed:
        found.append(Finding(FindingKind.EMAILS_FAILED, figures.mails_failed))
    due = figures.oldest_unsent
    if sends and due and figures.now - due > LONG_UNSENT:
        found.append(Finding(FindingKind.EMAILS_WAITING, since=due))
    return found


def _of_webhooks(figures: HealthFigures) -> list[Finding]:
    found = []
    if hosts := figures.webhooks_off:
        named = ", ".join(hosts[:NAMED])
        found.append(Finding(FindingKind.WEBHOOKS_OFF, len(hosts), detail=named))
    if figures.webhooks_given_up:
        found.append(Finding(FindingKind.WEBHOOKS_GIVEN_UP, figures.webhooks_given_up))
    for kind, names in (
        (FindingKind.COMMUNITIES_OFF, figures.communities_off),
        (FindingKind.ROLES_REFUSED, figures.roles_refused),
    ):
        if names:
            found.append(Finding(kind, len(names), detail=", ".join(names[:NAMED])))
    return found


def _of_backups(figures: HealthFigures, *, every: timedelta | None) -> list[Finding]:
    made = figures.backed_up_at
    if made and every and figures.now - made > every:
        return [Finding(FindingKind.BACKUP_LATE, since=made)]
    return []


def _of_comparisons(figures: HealthFigures, *, nightly: bool) -> list[Finding]:
    found = []
    if figures.connection == "connected":
        if figures.comparison_error is not None:
            found.append(Finding(FindingKind.COMPARISON_FAILED, detail=figures.comparison_error))
        if nightly and figures.uncompared:
            found.append(Finding(FindingKind.COMPARISON_OVERDUE, since=figures.compared_at))
    if figures.drift:
        found.append(Finding(FindingKind.DRIFT, figures.drift))
    return found
