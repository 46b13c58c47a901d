"""Sentences that are written in English where no reader is known, on pages in another language."""

import ast
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latchkey.languages import LANGUAGES, use, using
from tests.prose import ROOT
from web.wording.stored import said

WRITERS = (
    "activities/base.py",
    "activities/communities.py",
    "activities/connection.py",
    "activities/errors.py",
    "activities/imports.py",
    "activities/reconcile.py",
    "activities/repair.py",
    "activities/resilient.py",
    "activities/webhooks.py",
    "latchkey/community_api.py",
    "latchkey/discord.py",
    "latchkey/imported_lines.py",
    "latchkey/logout_notices.py",
    "latchkey/outgoing_http.py",
    "latchkey/rules/drift.py",
    "latchkey/rules/endpoint.py",
    "latchkey/rules/exports.py",
    "latchkey/rules/public_address.py",
    "latchkey/rules/written_dates.py",
    "latchkey/slack.py",
    "latchkey/store/checks/comparing.py",
    "latchkey/store/checks/reconciliations.py",
    "latchkey/store/communities/accounts.py",
    "latchkey/store/products/link_previews.py",
    "latchkey/store/purchases/judging.py",
    "latchkey/store/purchases/orders.py",
    "latchkey/store/purchases/subscriptions.py",
    "latchkey/store/webhooks/deliveries.py",
)
"""What writes them into the database, or says them to pages and to the JSON API."""
A_VALUE = "7"
NOT_SHOWN = {
    *("Latchkey: access ended", f"Latchkey: access to {A_VALUE}"),
    *(
        f"Connected to {A_VALUE} in {A_VALUE} mode",
        f"{A_VALUE}; missing: {A_VALUE}",
        "waiting for Stripe",
    ),
    *("The key was refused: see the Connectors page", "The webhook endpoint is managed by hand"),
    f"The webhook endpoint couldn't be registered: {A_VALUE}",
    *(f"Webhook endpoint {A_VALUE} is registered", f"not now: {A_VALUE}"),
    "ExecutionStatus = 'Running' and WorkflowType = 'Reconciliation'",
    "ExecutionStatus = 'Running' and WorkflowType in ('Subscription', 'Purchase', 'ProductLink')",
    "LatchkeyState = 'failed' and ExecutionStatus = 'Running'",
    "TemporalReportedProblems in ('category=WorkflowTaskFailed')",
    *("Events that could not be processed.", "Attempts at outgoing webhooks."),
    *("Logout notices by outcome.", f"{A_VALUE} {A_VALUE}: {A_VALUE}"),
    f"DiscordBot (https://github.com/latchkey/latchkey, {A_VALUE})",
    "an id of Discord's is digits",
    "an id of Slack's is capital letters and digits",
    *("Paid Memberships Pro", "last seen at", "stripe customer id", "stripe subscription id"),
    "subscription transaction id",
}
"""What only logs, metrics, Temporal, developers and other servers see."""
PARTS = {
    f"One-time purchase is {A_VALUE}",
    f"Subscription is {A_VALUE}",
    f"Discord's limit for {A_VALUE} is reached",
    f"{A_VALUE} · {A_VALUE}",
    *("no reason given", "of the account", "while it is paid", "with no end date"),
    *("known Stripe customer", "matched by email address"),
}
"""Parts of sentences that are known as a whole."""


@contextmanager
def german() -> Iterator[None]:
    """The team's pages in German."""
    with using(LANGUAGES["de"]):
        use(LANGUAGES["de"], for_team=True)
        yield


def sentences(path: Path) -> Iterator[str]:
    """The texts of several words in a module that aren't marked, with a value in each hole."""
    tree = ast.parse(path.read_text())
    left_out = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            left_out |= {id(part) for part in node.values}
        elif isinstance(node, ast.Assert) and node.msg:
            left_out.add(id(node.msg))
        elif isinstance(node, ast.Call) and re.fullmatch(
            r"log\.\w+|activity\.logger\.\w+|_|A_|ngettext|\w*connection\.(fetch|execute)\w*"
            r"|\w*[pP]ool\.(fetch|execute)\w*",
            ast.unparse(node.func).removeprefix("self."),
        ):
            left_out |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else A_VALUE
                for part in node.values
            )
        else:
            continue
        if re.match(r"[“\w]", text) and len(text.split()) > 2:
            yield text


@pytest.mark.parametrize("path", WRITERS)
def test_what_is_written_without_a_reader_is_said_in_their_language(path: str) -> None:
    written = set(sentences(ROOT / path))
    with german():
        unsaid = {text for text in written if said(text) == text}
    assert unsaid - NOT_SHOWN - PARTS == set()


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (
            "No access (canceled). Stripe says: canceled",
            "Kein Zugriff (Das Abonnement wurde gekündigt). Stripe sagt: canceled",
        ),
        ("It answered 500.", "Er hat mit 500 geantwortet."),
        (
            "Waiting: Stripe answered 500: api_error (request req_1)",
            "Wartet: Stripe hat mit 500 geantwortet: api_error (Anfrage req_1)",
        ),
        (
            "“%(url)s” isn't a date. Use a format like 2027-01-31.",
            "„%(url)s“ ist kein Datum. Verwenden Sie ein Format wie 2027-01-31.",
        ),
        ("No such customer: 'cus_1'", "No such customer: 'cus_1'"),
        ("", ""),
    ],
)
def test_values_stay_and_known_ones_are_said_too(stored: str, shown: str) -> None:
    assert said(stored) == stored
    with german():
        assert said(stored) == shown
