"""What clients learn about a user: who they are, and what they may open at this second."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from latchkey.rules.oauth import Scope
from latchkey.store.pool import Connection

FIELDS = """
u.id as user_id, u.email, u.name, u.proven_at is not null as email_verified,
(select coalesce(jsonb_agg(jsonb_build_object(
            'product', h.slug, 'id', h.id, 'until', h.until) order by h.slug), '[]'::jsonb)
   from (select p.id, p.slug,
                case when bool_or(held.until is null) then null else max(held.until) end as until
           from (select g.product_id, g.until from live_grants g where g.user_id = u.id
                 union all
                 select o.id, null from products o
                  where o.access_mode <> 'assigned' and o.status = 'live') held
           join products p on p.id = held.product_id
          group by p.id) h) as access
"""
"""The columns of `UserClaims` in a query with the table `users` as `u`. A product that anybody may
open who signs in counts for everybody, as it does for `/access`."""


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
    return UserClaims(**{name: row[name] for name in UserClaims.__dataclass_fields__})


async def of_user(connection: Connection, user_id: int) -> UserClaims | None:
    """A user's claims now; None for nobody, and for somebody who was erased."""
    row = await connection.fetchrow(
        f"select {FIELDS} from users u where u.id = $1 and u.erased_at is null", user_id
    )
    return read(row) if row else None
