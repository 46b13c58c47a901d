"""Every stored word has a label, and every label belongs to a stored word."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from latchkey import store
from latchkey.rules.drift import Kind, Severity
from latchkey.rules.vocabulary import (
    ActivityType,
    AuditAction,
    AuditActor,
    AuditOutcome,
    CancelReason,
    Cause,
    CustomerState,
    GrantSource,
    MoneyState,
    Reason,
    Risk,
    SubscriptionPhase,
    TokenScope,
)
from web.wording.labels import (
    ACTIVITY_TYPES,
    AUDIT_ACTIONS,
    AUDIT_ACTORS,
    AUDIT_OUTCOMES,
    CAUSES,
    CUSTOMER_STATES,
    DIFFERENCE_KINDS,
    ICONS,
    MONEY_STATES,
    PRESETS,
    REASONS,
    RISKS,
    SEVERITIES,
    SIGNED_IN,
    SOURCES,
    SUBSCRIPTION_PHASES,
    TOKEN_SCOPES,
    WHY_CANCELLED,
)


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (ActivityType, ACTIVITY_TYPES),
        (Cause, CAUSES),
        (Reason, REASONS),
        (MoneyState, MONEY_STATES),
        (SubscriptionPhase, SUBSCRIPTION_PHASES),
        (Risk, RISKS),
        (CancelReason, WHY_CANCELLED),
        (CustomerState, CUSTOMER_STATES),
        (GrantSource, SOURCES),
        (AuditAction, AUDIT_ACTIONS),
        (AuditOutcome, AUDIT_OUTCOMES),
        (AuditActor, AUDIT_ACTORS),
        (TokenScope, TOKEN_SCOPES),
        (Kind, DIFFERENCE_KINDS),
        (Severity, SEVERITIES),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_word_has_a_label(words: type[StrEnum], labels: dict[str, str]) -> None:
    assert labels.keys() == set(words)


def test_every_way_to_sign_in_has_a_label() -> None:
    schema = (Path(store.__file__).parent / "schema.sql").read_text()
    check = re.search(r"CONSTRAINT sessions_via_check CHECK (.*)", schema)
    assert check is not None
    assert SIGNED_IN.keys() == set(re.findall(r"'(\w+)'", check[1]))


def test_icons_and_presets_are_of_known_types() -> None:
    chosen = {type_ for types in PRESETS.values() for type_ in types}
    assert ICONS.keys() | chosen <= set(ActivityType)
