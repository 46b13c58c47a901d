"""The audit log's line about the running request or command.

Whoever starts it makes an `AuditDraft` and runs it within `recording`. The first transaction that
changes something writes the draft as its last statement (`before_commit`), so that nothing changes
without a line. The functions that make the change add details with `note`.
"""

import contextlib
import getpass
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from latchkey.rules.vocabulary import AuditAction, AuditActor, AuditOutcome
from latchkey.store import audit
from latchkey.store.audit import Actor, AuditEntry, AuditOrigin, AuditTarget
from latchkey.store.pool import Connection, before_commit


@dataclass
class AuditDraft:
    """The line about a running request, written once, with what is known then. `who` is called when
    it is written, because a page finds out who is signed in only after the request has begun."""

    action: AuditAction
    origin: AuditOrigin
    who: Callable[[], Actor]
    target: AuditTarget | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    actor: Actor | None = None
    refused: bool = False
    written: bool = False

    def entry(self, outcome: AuditOutcome) -> AuditEntry:
        return AuditEntry(
            self.action,
            outcome,
            self.actor or self.who(),
            self.origin,
            self.target,
            self.before,
            self.after,
        )

    async def write(self, connection: Connection) -> None:
        """Write the line into a transaction that has changed something."""
        if not (self.written or self.refused) and await audit.changed(connection):
            await audit.write(connection, [self.entry(AuditOutcome.DONE)])
            self.written = True


def of_command(command: str, action: AuditAction) -> AuditDraft:
    """The line about a command; it names the system account that the command runs as."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = "an unknown account"
    origin = AuditOrigin(agent=f"{command}, run by {account}")
    return AuditDraft(action, origin, lambda: Actor(AuditActor.COMMAND))


_draft: ContextVar[AuditDraft | None] = ContextVar("audit_draft", default=None)


@contextlib.contextmanager
def recording(draft: AuditDraft) -> Iterator[None]:
    """Make transactions write the draft, and `note` add to it."""
    noted, hooked = _draft.set(draft), before_commit.set(draft.write)
    try:
        yield
    finally:
        before_commit.reset(hooked)
        _draft.reset(noted)


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Transactions in this block only count or prepare, and don't write the draft."""
    hooked = before_commit.set(None)
    try:
        yield
    finally:
        before_commit.reset(hooked)


def note(
    *,
    action: AuditAction | None = None,
    actor: int | None = None,
    target: tuple[str, object] | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add details about the running request before its transaction ends: the action, the user if
    nobody is signed in yet, the object, and values before and after. No secrets, no email
    addresses, and nothing that people wrote about others."""
    draft = _draft.get()
    if draft is None:
        return
    draft.action = action or draft.action
    draft.actor = Actor(AuditActor.USER, actor) if actor else draft.actor
    draft.target = AuditTarget(target[0], str(target[1])) if target else draft.target
    draft.before = {**(draft.before or {}), **(before or {})}
    draft.after = {**(draft.after or {}), **(after or {})}


def note_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Note the values that differ."""
    names = [name for name in after if before.get(name) != after[name]]
    note(
        before={name: before.get(name) for name in names},
        after={name: after[name] for name in names},
    )


def refuse() -> None:
    """Record that the request was refused, although its response isn't an error."""
    draft = _draft.get()
    if draft is not None:
        draft.refused = True
