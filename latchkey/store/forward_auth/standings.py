"""Who may enter a protected site at this second."""

from collections.abc import Sequence
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

_STANDINGS = f"""
with found as (
    select q.n, d.id as site_id, d.asked_at, s.id as session_id, a.id as user_id, a.email, a.role,
           s.second_factor, {sessions.use("$3")},
           (select jsonb_agg(jsonb_build_array(p.slug, p.id,
                                               a.id is not null and {_MAY_OPEN.format(user="a.id")})
                             order by p.slug)
              from protected_site_products o join products p on p.id = o.product_id
             where o.site_id = d.id) as products
      from unnest($1::text[], $2::bigint[]) with ordinality as q (origin, session_id, n)
      join protected_sites d on d.origin = q.origin
      left join (sessions s join users a on a.id = s.user_id and a.erased_at is null)
             on s.id = q.session_id and {sessions.live("$3", "$4")}
), {sessions.NOTE_USE}, asked as (
    update protected_sites d set asked_at = now()
      from (select l.id from protected_sites l
             where l.id in (select f.site_id from found f where f.asked_at is null
                               or f.asked_at < now() - interval '5 minutes')
               for no key update skip locked) due
     where d.id = due.id
)
select * from found
"""


@dataclass(frozen=True)
class StandingQuestion:
    """How a session stands at the protected site with this origin."""

    origin: str
    session_id: int | None


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


async def answer(
    pool: Pool, questions: Sequence[StandingQuestion], *, rules: SessionRules
) -> list[SiteStanding | None]:
    """How sessions stand now, in one query for all. It also notes, every five minutes, that they
    are used, and that the sites have asked. None if no such site is protected."""
    found: list[SiteStanding | None] = [None for _ in questions]
    rows = await pool.fetch(
        _STANDINGS,
        [question.origin for question in questions],
        [question.session_id for question in questions],
        *rules.parameters,
    )
    for row in rows:
        found[row["n"] - 1] = _standing(row)
    return found


def _standing(row: Any) -> SiteStanding:
    return SiteStanding(
        site_id=row["site_id"],
        user_id=row["user_id"],
        email=row["email"],
        role=row["role"],
        second_factor=row["second_factor"],
        products={slug: (product_id, may) for slug, product_id, may in row["products"] or ()},
    )
