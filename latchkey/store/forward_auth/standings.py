"""Who may enter a protected site at this second."""

from dataclasses import dataclass
from typing import Any

from latchkey.store.pool import Pool
from latchkey.store.users import sessions
from latchkey.store.users.sessions import SessionRules

_MAY_OPEN = """
case when p.access_mode = 'assigned'
     then exists (select from live_grants g where g.user_id = {user} and g.product_id = p.id)
     else p.status = 'live' end
"""
"""Whether a user may open the product `p`. One that anybody may open who signs in counts for
everybody, as it does for `/access`."""

_STANDING = f"""
with found as (
    select d.id as site_id, s.id as session_id, a.id as user_id, a.email, a.role, s.second_factor,
           {sessions.use("$3")},
           (select jsonb_agg(jsonb_build_array(p.slug, p.id,
                                               a.id is not null and {_MAY_OPEN.format(user="a.id")})
                             order by p.slug)
              from protected_site_products o join products p on p.id = o.product_id
             where o.site_id = d.id) as products
      from protected_sites d
      left join (sessions s join users a on a.id = s.user_id and a.erased_at is null)
             on s.id = $2 and {sessions.live("$3", "$4")}
     where d.origin = $1
), {sessions.NOTE_USE}
select * from found
"""


@dataclass(frozen=True)
class SiteStanding:
    """A protected site and, if the session has not ended, its user. `products` are the site's, by
    slug: with the id, and whether the user may open it."""

    site_id: int
    user_id: int | None
    email: str | None
    role: str | None
    second_factor: str | None
    products: dict[str, tuple[str, bool]]

    @property
    def held(self) -> list[str]:
        """The slugs of the site's products that the user may open."""
        return [slug for slug, (_, may_open) in self.products.items() if may_open]

    def chosen(self, product: str | None) -> list[bool]:
        """Whether the user may open those of the site's products that a slug or id names; all of
        them for None."""
        return [
            may_open
            for slug, (product_id, may_open) in self.products.items()
            if product in (None, slug, product_id)
        ]


async def of_session(
    pool: Pool, origin: str, session_id: int | None, *, rules: SessionRules
) -> SiteStanding | None:
    """How a session stands at the protected site with this origin, in one query, which also notes
    that it is used. None if no such site is protected."""
    row = await pool.fetchrow(_STANDING, origin, session_id, *rules.parameters)
    return _standing(row) if row else None


def _standing(row: Any) -> SiteStanding:
    return SiteStanding(
        site_id=row["site_id"],
        user_id=row["user_id"],
        email=row["email"],
        role=row["role"],
        second_factor=row["second_factor"],
        products={slug: (product_id, may) for slug, product_id, may in row["products"] or ()},
    )
