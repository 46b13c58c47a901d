"""What applying readings of subscriptions and of one-off purchases has in common."""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from latchkey.contracts import Wake
from latchkey.rules import access
from latchkey.rules.access import Verdict
from latchkey.rules.vocabulary import GrantSource, Reason
from latchkey.store.purchases.linked_products import LinkedProduct
from latchkey.store.purchases.settling import EarlierGrants, Entitlement
from latchkey.store.stripe.context import ApplyContext

Judged = list[tuple[LinkedProduct, Verdict]]


@dataclass(frozen=True)
class Applied:
    """The outcome of one reading, `state` in a sentence.

    `relevant`: one of its products is linked. `terminal`: nothing can change any more. `stale`: a
    later reading was applied first. `nobody`: it gives access, but the user isn't known.
    """

    source_id: str
    state: str
    _: KW_ONLY
    relevant: bool
    access: bool
    terminal: bool
    stale: bool = False
    nobody: bool = False
    products: tuple[str, ...] = ()
    wake_at: datetime | None = None
    wake: Wake | None = None


@dataclass
class AppliedPage:
    """The outcome of one call, per object and in total. `moved` are the objects whose runs have to
    know, if it wasn't they who read."""

    applied: dict[str, Applied]
    granted: int = 0
    already: int = 0
    ended: int = 0
    moved: list[str] = field(default_factory=list)

    def add(self, page: "AppliedPage") -> None:
        """Add the outcome of another call."""
        self.applied |= page.applied
        self.granted += page.granted
        self.already += page.already
        self.ended += page.ended
        self.moved += page.moved


def read_meanwhile(source_id: str) -> Applied:
    return Applied(
        source_id,
        "A later reading was applied first",
        relevant=True,
        access=False,
        terminal=False,
        stale=True,
    )


def unrecorded(source_id: str, state: str, *, relevant: bool) -> Applied:
    """The outcome for what isn't recorded."""
    return Applied(source_id, state, relevant=relevant, access=False, terminal=True)


@dataclass(frozen=True)
class Source:
    """A subscription or an order as a source of grants; `begun_at` is when it was bought."""

    kind: GrantSource
    id: str
    workflow_id: str
    begun_at: datetime

    def judge(
        self,
        products: Iterable[LinkedProduct],
        verdict_of: Callable[[LinkedProduct], Verdict],
        *,
        given: EarlierGrants,
        context: ApplyContext,
    ) -> Judged:
        """What it gives for each product: nothing that an admin ended by hand, and nothing new
        through a removed link."""
        judged = []
        for product in products:
            verdict, key = verdict_of(product), (self.id, product.product_id)
            if verdict.access and key in given.held:
                verdict = access.held_back(verdict, as_of=context.as_of)
            elif verdict.access and product.removed and key not in given.live:
                verdict = access.held_back(verdict, as_of=context.as_of, reason=Reason.LINK_REMOVED)
            judged.append((product, verdict))
        return judged

    def entitlements(self, user: int | None, judged: Judged) -> list[Entitlement]:
        """The entitlements of its user; none if the user is unknown."""
        if user is None:
            return []
        return [
            Entitlement(
                user_id=user,
                product=product,
                source=self.kind,
                source_id=self.id,
                workflow_id=self.workflow_id,
                begun_at=self.begun_at,
                verdict=verdict,
            )
            for product, verdict in judged
        ]


_OBVIOUS = (Reason.RUNNING, Reason.PAID)
"""Why there is access in the ordinary case, which goes without saying."""


def describe(verdict: Verdict, *, pause_reason: str | None = None) -> str:
    """A verdict as a sentence for operators; times in UTC."""
    reasons = [] if verdict.reason in _OBVIOUS else [verdict.reason.replace("_", " ")]
    if pause_reason:
        reasons.append(f"paused: {pause_reason.replace('_', ' ')}")
    why = f" ({'; '.join(reasons)})" if reasons else ""
    if verdict.access and verdict.until:
        return f"Access until {verdict.until:%Y-%m-%d %H:%M:%S} UTC{why}"
    if verdict.access:
        lasting = "with no end date" if verdict.reason is Reason.PAID else "while it is paid"
        return f"Access {lasting}{why}"
    return f"No access{why}"
