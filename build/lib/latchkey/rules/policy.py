"""The access policy: what each state of a subscription or payment means for access."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Policy:
    """True means: access. `past_due_days` is the grace after a failed renewal in days; 0 ends
    access at once, None never. The last four judge one-off purchases."""

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

    def with_overrides(self, overrides: dict[str, object]) -> "Policy":
        """This policy with some cells replaced; raises `ValueError` on an unknown cell."""
        known = {cell.name for cell in fields(self)}
        if unknown := set(overrides) - known:
            raise ValueError(f"unknown policy cells: {', '.join(sorted(unknown))}")
        return replace(self, **overrides)  # type: ignore[arg-type]


DEFAULT_POLICY = Policy()
