"""The two moments of an end of access: when it was done here, and when it was due. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class End:
    """`done` is when the door closed here, never before the grant; `due` is when it should have
    closed, never after `done`, or None if nothing says that this was earlier."""

    done: datetime
    due: datetime | None


def end_of(
    *, since: datetime, until: datetime | None, due: datetime | None, as_of: datetime
) -> End:
    """The end of a grant that is recorded at `as_of`.

    `until` is the end that the grant was known to have: at that moment the door closed by itself.
    Otherwise it was open until `as_of`, however long ago the end was due.
    """
    closed = as_of if until is None else min(until, as_of)
    done = max(closed, since)
    return End(done, min(due, done) if due and due < as_of else None)
