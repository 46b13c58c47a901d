"""What a `Subscription`, `Purchase` or `StripeObject` run takes, remembers and returns."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Wake(StrEnum):
    """Why an entity wants to be woken; also names its timer in the Temporal UI."""

    ACCESS_ENDS = "access ends"
    GRACE_ENDS = "grace for the failed payment ends"
    TRIAL_ENDS = "trial ends"
    RENEWAL_DUE = "renewal is due: look again"
    PAYMENT_PENDING = "payment is pending: look again"
    RESUMES = "paused collection resumes"
    TRY_AGAIN = "it could not be read: try again"

    @property
    def ends_access(self) -> bool:
        return self in (Wake.ACCESS_ENDS, Wake.GRACE_ENDS)


@dataclass(frozen=True)
class Nudge:
    """Something happened to the object: look at it. Carries ids only, so it can't go stale."""

    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None


@dataclass
class EntityState:
    """What a `Subscription`, `Purchase` or `StripeObject` run remembers across continue-as-new.

    Not `nudged`, it begins by sleeping until `wake_at`: an import knows already what is true.
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
    """Somebody wants it read, whatever the events are about."""


@dataclass(frozen=True)
class SyncInput:
    """Fetch `object_id` from Stripe and apply it. `as_of` is the workflow's clock, in UTC.

    `only_events`: the run has read before, and nothing but `event_ids` asks for another reading.
    """

    object_id: str
    as_of: datetime
    event_ids: list[str] = field(default_factory=list)
    checkout_session: str | None = None
    by_timer: bool = False
    only_events: bool = False


@dataclass(frozen=True)
class SyncResult:
    """What the read showed: `label` in a word or two, `state` as a sentence for the operator.

    `finished` ends the run; a later event starts a new one. `wake_at` lies after `as_of`. `unread`
    means that the object could not be read or applied, `unchanged` that it was not read, since
    earlier readings served all the events: what the last one showed still holds.
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


@dataclass(frozen=True)
class EndDueInput:
    """End the grants of `source_id` whose time has come by `as_of`, without asking Stripe."""

    source_id: str
    as_of: datetime
