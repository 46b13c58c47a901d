"""References name the buyer only where all that they are bound to holds."""

from datetime import UTC, datetime, timedelta

import pytest

from latchkey.rules.identity import Reference, ReferenceFault

END = datetime(2027, 1, 1, tzinfo=UTC)
BOUND = Reference(7, "prd_1", END)
UNBOUNDED = Reference(7)


@pytest.mark.parametrize(
    ("reference", "products", "seconds", "fault"),
    [
        (BOUND, ("prd_1",), 0, None),
        (BOUND, ("prd_2", "prd_1"), -1, None),
        (BOUND, ("prd_1",), 1, ReferenceFault.EXPIRED),
        (BOUND, ("prd_2",), 0, ReferenceFault.OTHER_PRODUCT),
        (BOUND, (), 0, ReferenceFault.OTHER_PRODUCT),
        (UNBOUNDED, ("prd_2",), 0, None),
        (UNBOUNDED, ("prd_2",), 1, ReferenceFault.EXPIRED),
        (Reference(None), ("prd_1",), 0, ReferenceFault.FORGED),
    ],
)
def test_what_is_wrong_with_a_reference(
    reference: Reference, products: tuple[str, ...], seconds: int, fault: ReferenceFault | None
) -> None:
    begun = END + timedelta(seconds=seconds)
    assert reference.fault(products=products, begun=begun, unbounded_until=END) == fault


def test_unbounded_references_end_where_no_end_is_known() -> None:
    fault = UNBOUNDED.fault(products=(), begun=END, unbounded_until=None)
    assert fault == ReferenceFault.EXPIRED
