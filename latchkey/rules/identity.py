"""Who a buyer is: judging signed references, and comparing names."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ReferenceFault(StrEnum):
    """Why a reference doesn't say whose a purchase is."""

    FORGED = "reference_forged"
    EXPIRED = "reference_expired"
    OTHER_PRODUCT = "reference_other_product"


@dataclass(frozen=True)
class Reference:
    """What a `client_reference_id` in our format says: the member who began a purchase, of which
    product, and until when (UTC) it may begin.

    `user_id` is None if the signature is wrong. References of 0.1.0 name neither product nor end.
    """

    user_id: int | None
    product_id: str | None = None
    expires: datetime | None = None

    @property
    def unbounded(self) -> bool:
        """Whether a release signed it that bound references to nothing."""
        return self.user_id is not None and self.product_id is None

    def fault(
        self, *, products: Collection[str], begun: datetime, unbounded_until: datetime | None
    ) -> ReferenceFault | None:
        """What is wrong with it for a purchase of `products` that was begun then; None if it names
        the buyer. Unbounded references count until `unbounded_until`."""
        if self.user_id is None:
            return ReferenceFault.FORGED
        expires = unbounded_until if self.unbounded else self.expires
        if expires is None or begun > expires:
            return ReferenceFault.EXPIRED
        if not self.unbounded and self.product_id not in products:
            return ReferenceFault.OTHER_PRODUCT
        return None


def other_person(one: str | None, other: str | None) -> bool:
    """Whether two names certainly belong to two people: both are known, and they differ in more
    than spelling."""
    if not one or not other:
        return False
    return _plain(one) != _plain(other)


def _plain(name: str) -> frozenset[str]:
    return frozenset(name.casefold().replace(",", " ").replace(".", " ").split())
