"""The inputs, state and results of `Subscription`, `Purchase` and `StripeObject` runs."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Wake(StrEnum):
    """Why an entity wants to be woken. What release 0.1.0 stored instead is still read."""

    ACCESS_ENDS = "access_ends"
    GRACE_ENDS = "grace_ends"
    TRIAL_ENDS = "trial_ends"
    RENEWAL_DUE = "renewal_due"
    PAYMENT_PENDING = "payment_pending"
    RESUMES = "pause_ends"
    TRY_AGAIN = "try_again"

    @property
    def words(self) -> str:
        """What its timer is called, for operators."""
        return _WAKE_WORDS[self]

    @property
    def ends_access(self) -> bool:
        return self in (Wake.ACCESS_ENDS, Wake.GRACE_ENDS)

    @classmethod
    def _missing_(cls, value: object) -> "Wake | None":
        return _STORED_BY_0_1.get(str(value))


_WAKE_WORDS = {
    Wake.ACCESS_ENDS: "access ends",
    Wake.GRACE_ENDS: "grace for the failed payment ends",
    Wake.TRIAL_ENDS: "trial ends",
    Wake.RENEWAL_DUE: "renewal is due: look again",
    Wake.PAYMENT_PENDING: "payment is pending: look again",
    Wake.RESUMES: "paused collection resumes",
    Wake.TRY_AGAIN: "it could not be read: try again",
}
_STORED_BY_0_1 = {
    "access ends": Wake.ACCESS_ENDS,
    "grace for the failed payment ends": Wake.GRACE_ENDS,
    "trial ends": Wake.TRIAL_ENDS,
    "renewal is due: look again": Wake.RENEWAL_DUE,
    "payment is pending: look again": Wake.PAYMENT_PENDING,
    "paused collection resumes": Wake.RESUMES,
    "it could not be read: try again": Wake.TRY_AGAIN,
}
"""In histories and in rows; it stays whatever `words` become."""


@dataclass(frozen=True)
class Nudge:
    """Something happened to the object: read it. Carries only ids, so it can't become outdated."""

    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None


@dataclass
class EntityState:
    """The state that a `Subscription`, `Purchase` or `StripeObject` run carries through
    continue-as-new.

    Without `nudged`, the run starts asleep until `wake_at`, because an import has just read the
    object.
    """

    object_id: str
    nudged: bool = True
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None
    wake_at: datetime | None = None
    wake: Wake | None = None
    label: str = ""
    product: str | None = None
    customer: str | None = None
    asked: bool = False
    """Someone wants the object read, whatever the events say."""


@dataclass(frozen=True)
class SyncInput:
    """Fetch `object_id` from Stripe and apply it. `as_of` is the workflow's clock, in UTC.

    `only_events`: the run has read the object before, and only `event_ids` ask for another reading.
    `ticket` is that of the reading whose result the run has, 0 if that had none.
    """

    object_id: str
    as_of: datetime
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None
    by_timer: bool = False
    only_events: bool = False
    ticket: int = 0


@dataclass(frozen=True)
class SyncResult:
    """What the read showed: `label` in a word or two, `state` as a sentence for operators.

    `finished` ends the run; a later event starts a new one. `wake_at` lies after `as_of`. `unread`
    means that the object couldn't be read or applied, `unchanged` that it wasn't read because
    earlier readings served all the events: the last result still holds. `ticket` is that of the
    reading, if it was applied.
    """

    label: str
    state: str
    finished: bool
    wake_at: datetime | None = None
    wake: Wake | None = None
    product: str | None = None
    customer: str | None = None
    unread: bool = False
    unchanged: bool = False
    ticket: int = 0


@dataclass(frozen=True)
class EndDueInput:
    """End the grants of `source_id` that are due by `as_of`, without asking Stripe."""

    source_id: str
    as_of: datetime
