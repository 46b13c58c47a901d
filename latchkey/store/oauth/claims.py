"""What clients learn about a user: who they are, and what they may open at this second."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from latchkey.rules.oauth import Scope
from latchkey.store.pool import Connection

FIELDS = """
u.id as user_id, u.email, u.name, u.proven_at is not null as email_verified,
(select jsonb_agg(jsonb_build_array(
            p.slug, p.id, case when p.access_mode = 'assigned' then g.until end))
   from live_grants g join products p on p.id = g.product_id where g.user_id = u.id) as held,
(select jsonb_agg(jsonb_build_array(o.slug, o.id, null)) from products o
  where o.access_mode <> 'assigned' and o.status = 'live') as open
"""
"""The columns of `UserClaims` in a query with the table `users` as `u`. A product that anybody may
open who signs in counts for everybody, as it does for `/access`. Several grants of one product are
made one in `read`: the database takes longer to plan that than to find them."""


@dataclass(frozen=True)
class UserClaims:
    """A user. `access` has the products that they have now: `product` (the slug), `id` and `until`,
    null without a known end."""

    user_id: int
    email: str
    name: str | None
    email_verified: bool
    access: list[dict[str, Any]]

    @property
    def subject(self) -> str:
        """The stable name of the user: their id, as in the JSON API."""
        return str(self.user_id)

    def has(self, product_id: str | None) -> bool:
        return any(entry["id"] == product_id for entry in self.access)

    def of_scopes(self, scopes: Collection[str]) -> dict[str, Any]:
        """The claims that scopes stand for."""
        found: dict[str, Any] = {}
        if Scope.PROFILE in scopes and self.name:
            found["name"] = self.name
        if Scope.EMAIL in scopes:
            found |= {"email": self.email, "email_verified": self.email_verified}
        if Scope.ACCESS in scopes:
            found["access"] = self.access
            found["groups"] = [entry["product"] for entry in self.access]
        return found


def read(row: Any) -> UserClaims:
    """The claims in a row with `FIELDS`."""
    found: dict[str, dict[str, Any]] = {}
    for slug, product_id, until in (*(row["held"] or ()), *(row["open"] or ())):
        known = found.get(product_id)
        ends = until if known is None else _later(known["until"], until)
        found[product_id] = {"product": slug, "id": product_id, "until": ends}
    return UserClaims(
        user_id=row["user_id"],
        email=row["email"],
        name=row["name"],
        email_verified=row["email_verified"],
        access=sorted(found.values(), key=lambda entry: str(entry["product"])),
    )


def _later(first: str | None, second: str | None) -> str | None:
    """The later of two ends; None, which means no known end, is the latest."""
    if first is None or second is None:
        return None
    return max(first, second, key=datetime.fromisoformat)


async def of_user(connection: Connection, user_id: int) -> UserClaims | None:
    """A user's claims now; None for nobody, and for somebody who was erased."""
    row = await connection.fetchrow(
        f"select {FIELDS} from users u where u.id = $1 and u.erased_at is null", user_id
    )
    return read(row) if row else None
