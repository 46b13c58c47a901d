"""A promotion code that invites somebody back, and what Stripe is asked for to create it. Pure."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

Duration = Literal["once", "repeating", "forever"]


@dataclass(frozen=True)
class NewPromotion:
    """A code with its coupon. It takes off `percent`, or an `amount` of `currency` in the minor
    unit: of the first payment, of those of so many `months`, or of all. `expires_at` is a Unix
    time. With a `customer`, nobody else can use it. `nonce` names the form, so that sending it
    twice creates one code."""

    code: str
    percent: float | None
    amount: int | None
    currency: str | None
    duration: Duration
    months: int | None
    uses: int
    expires_at: int
    customer: str | None
    nonce: str

    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def read(cls, text: str) -> "NewPromotion":
        return cls(**json.loads(text))

    @property
    def idempotency_key(self) -> str:
        """Differs where the form or what it asks for differs."""
        return f"latchkey-promotion-{hashlib.sha256(self.text().encode()).hexdigest()[:32]}"

    def coupon(self) -> dict[str, Any]:
        """The parameters of the coupon."""
        off: dict[str, Any] = (
            {"percent_off": self.percent}
            if self.percent is not None
            else {"amount_off": self.amount, "currency": self.currency}
        )
        lasts = {"duration_in_months": self.months} if self.duration == "repeating" else {}
        return {"name": self.code[:40], "duration": self.duration, **off, **lasts}

    def promotion_code(self, coupon: str) -> dict[str, Any]:
        """The parameters of the code."""
        params: dict[str, Any] = {
            "promotion": {"type": "coupon", "coupon": coupon},
            "code": self.code,
            "max_redemptions": self.uses,
            "expires_at": self.expires_at,
        }
        return params | ({"customer": self.customer} if self.customer else {})
