"""The access policy: what each state of a subscription or payment means for access."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

LONGEST_GRACE_DAYS = 3650


@dataclass(frozen=True)
class Policy:
    """True means access. `past_due_days` is the grace period after a failed renewal, in days: 0
    ends access at once, None never does. The last four apply to one-off purchases."""

    trialing: bool = True
    past_due_days: int | None = 14
    unpaid: bool = False
    paused: bool = False
    incomplete: bool = False
    collection_paused: bool = True
    full_refund: bool = False
    partial_refund: bool = True
    dispute_opened: bool = True
    dispute_lost: bool = False

    def with_overrides(self, overrides: Mapping[str, object]) -> "Policy":
        """This policy with some cells replaced. Raises `ValueError` for an unknown cell or an
        invalid value."""
        known = {cell.name for cell in fields(self)}
        if unknown := set(overrides) - known:
            raise ValueError(f"unknown policy cells: {', '.join(sorted(unknown))}")
        for name, value in overrides.items():
            _check(name, value)
        return replace(self, **overrides)  # type: ignore[arg-type]

    def cells(self) -> dict[str, bool | int | None]:
        return asdict(self)

    def differing(self, other: "Policy") -> frozenset[str]:
        """The names of the cells in which two policies differ."""
        mine, theirs = self.cells(), other.cells()
        return frozenset(name for name in mine if mine[name] != theirs[name])


DEFAULT_POLICY = Policy()


@dataclass(frozen=True)
class Touched:
    """The readings that a policy change may affect; all others stay as they are."""

    statuses: frozenset[str]
    collection_paused: bool
    refunds: bool
    disputes: bool


def touched(cells: frozenset[str]) -> Touched:
    """What is affected when these cells change."""
    by_status = {"trialing", "unpaid", "paused", "incomplete"} & cells
    if "past_due_days" in cells:
        by_status |= {"past_due"}
    return Touched(
        statuses=frozenset(by_status),
        collection_paused="collection_paused" in cells,
        refunds=bool({"full_refund", "partial_refund"} & cells),
        disputes=bool({"dispute_opened", "dispute_lost"} & cells),
    )


def _check(name: str, value: object) -> None:
    if name != "past_due_days":
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false")
        return
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("past_due_days must be a whole number of days, or null for no limit")
    if not 0 <= value <= LONGEST_GRACE_DAYS:
        raise ValueError(f"past_due_days must be between 0 and {LONGEST_GRACE_DAYS}")
