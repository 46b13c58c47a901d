"""What the site's owner and its members do in Latchkey itself, between two rounds of a life.

An act that has nothing to act on is skipped.
"""

import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from latchkey.addresses import email_key
from latchkey.store.pool import Connection
from latchkey.store.users import claims, merge_requests
from tests.hostile.byhand import End
from tests.hostile.model import Source
from tests.hostile.moves import Goods
from tests.hostile.policy import DAY, DEFAULTS, GRACES
from tests.hostile.truth import Json
from tests.spellings import spelled

if TYPE_CHECKING:
    from tests.hostile.life import Life

Act = Callable[["Life"], Awaitable[None]]

CLOSED = (409, 422, 502, 503)
"""Answers where a product can't be sold or bought, or Stripe can't be asked."""

SOON = 30.0
"""Seconds. Access that ends by itself this soon isn't changed by hand."""


def some_cells(chance: random.Random) -> Json:
    """A few cells of a policy. Sometimes none, which restores the default."""
    chosen = chance.sample(sorted(DEFAULTS), chance.choice((0, 1, 1, 2, 4)))
    return {
        cell: chance.choice(GRACES if cell == "past_due_days" else (True, False)) for cell in chosen
    }


def _some_end(life: "Life") -> End:
    """No end, an end very soon, or one after the test."""
    match life.chance.choice(("never", "soon", "soon", "late")):
        case "soon":
            return round(time.time() + life.chance.uniform(2, 8), 3)
        case "late":
            return float(int(time.time()) + life.chance.randint(2, 400) * DAY)
    return None


def _written(until: End) -> str | None:
    return None if until is None else datetime.fromtimestamp(until, UTC).isoformat()


async def unlink(life: "Life") -> None:
    """Remove a link, in one of the ways that an admin can choose."""
    if not life.links.on:
        return
    product, stripe_product = life.chance.choice(sorted(life.links.on))
    way = life.chance.choice(("keep", "end", "complimentary"))
    life.log.append(f"unlink {product} {stripe_product} {way}")
    path = f"/products/{product}/link"
    await life.outside.call("DELETE", path, done=(404,), params={"members": way})
    life.unlinked(product, stripe_product, way)


async def hold(life: "Life") -> None:
    """End by hand the access that a purchase gives."""
    found = _one(life, lambda source: min(source.pasts, key=repr).live)
    if found is None:
        return
    source, product = found
    grant = await _grant(life, source, product, "ended_at is null")
    life.log.append(f"hold {source.id} {product}")
    await life.outside.call("DELETE", f"/grants/{grant}")
    source.cut(product, hold=True)


async def lift(life: "Life") -> None:
    """Allow a purchase to give access again."""
    found = _one(life, lambda source: min(source.pasts, key=repr).held)
    if found is None:
        return
    source, product = found
    grant = await _grant(life, source, product, "held")
    life.log.append(f"lift {source.id} {product}")
    await life.outside.call("POST", f"/grants/{grant}/lift")
    source.lift(product, life.links, life.rules)
    life.unsure.add(life.owner(source.owner))


def _one(life: "Life", products: Callable[[Source], frozenset[str]]) -> tuple[Source, str] | None:
    """A source and one of its products, leaving out access that is about to end by itself."""
    latest = time.time() + SOON
    pairs = [
        (source, product)
        for source in life.sources.values()
        if source.last and not (source.last.ends and source.last.ends < latest)
        for product in sorted(products(source))
    ]
    return life.chance.choice(pairs) if pairs else None


async def _grant(life: "Life", source: Source, product: str, what: str) -> int:
    rows = await life.outside.fetch(
        f"""
        select id from grants where source_id = $1 and product_id = $2 and {what}
         order by id desc limit 1
        """,
        source.id,
        product,
    )
    found: int = rows[0]["id"]
    return found


async def gift(life: "Life") -> None:
    """Give complimentary access, or change when it ends."""
    person, product = life.chance.choice(life.people), life.chance.choice(life.products)
    until = _some_end(life)
    life.log.append(f"gift {person.email} {product} {until}")
    await life.outside.call(
        "POST",
        f"/products/{product}/grants",
        json={
            "email": person.spelled(life.chance),
            "reason": "friend",
            "mail": False,
            "until": _written(until),
        },
    )
    owner = life.owner(person.email)
    life.hand.pass_time()
    life.hand.give(owner, product, until)
    life.unsure.add(owner)


async def take_gift(life: "Life") -> None:
    """End complimentary access by hand."""
    latest = time.time() + SOON
    lasting = [key for key, until in life.hand.gifts.items() if until is None or until > latest]
    if not lasting:
        return
    owner, product = life.chance.choice(sorted(lasting))
    life.log.append(f"take gift {owner} {product}")
    rows = await life.outside.fetch(
        """
        select g.id from grants g join users u on u.id = g.user_id
         where g.source = 'manual' and g.ended_at is null and g.product_id = $1
           and u.email_key = $2
        """,
        product,
        owner,
    )
    await life.outside.call("DELETE", f"/grants/{rows[0]['id']}")
    life.hand.take(owner, product)
    life.unsure.add(owner)


async def tend_the_collection(life: "Life") -> None:
    """Create the collection, change its products, give it to somebody, or take it back."""
    closed = [one for one in life.products if life.bundle is None or one != life.bundle.opener]
    shelf = set(life.chance.sample(closed, 2))
    if life.hand.collection is None:
        made = await life.outside.call(
            "POST", "/collections", json={"name": "Shelf", "products": sorted(shelf)}
        )
        life.hand.collection, life.hand.shelf = made["id"], shelf
    path = f"/collections/{life.hand.collection}"
    life.hand.pass_time()
    latest = time.time() + SOON
    lasting = [who for who, until in life.hand.holders.items() if until is None or until > latest]
    match life.chance.choice(("give", "give", "restock", "take")):
        case "restock" if len(lasting) == len(life.hand.holders):
            life.log.append(f"restock {sorted(shelf)}")
            await life.outside.call("PATCH", path, json={"products": sorted(shelf)})
            life.hand.restock(shelf)
            life.unsure |= set(life.hand.holders)
        case "take" if lasting:
            owner = life.chance.choice(sorted(lasting))
            life.log.append(f"take the collection from {owner}")
            holders = await life.outside.call("GET", f"{path}/grants", params={"limit": 200})
            [held] = [one for one in holders["data"] if email_key(one["email"]) == owner]
            await life.outside.call("DELETE", f"{path}/grants/{held['id']}")
            life.hand.take_back(owner)
            life.unsure.add(owner)
        case _:
            person, until = life.chance.choice(life.people), _some_end(life)
            life.log.append(f"give the collection to {person.email} {until}")
            given = {"email": person.email, "mail": False, "until": _written(until)}
            await life.outside.call("POST", f"{path}/grants", json=given)
            life.hand.hand_over(life.owner(person.email), until)
            life.unsure.add(life.owner(person.email))


async def tend_the_bundle(life: "Life") -> None:
    """Change what is in the collection that a product opens, have it open it no longer, or again.
    Who gets something by that is told, as the product's switch says."""
    bundle = life.bundle
    if bundle is None:
        return
    path = f"/collections/{bundle.collection}"
    life.hand.pass_time()
    if life.chance.random() < 0.5:
        bundle.inside = set(life.chance.sample(bundle.contents, life.chance.randint(1, 2)))
        life.log.append(f"the bundle holds {sorted(bundle.inside)}")
        await life.outside.call("PATCH", path, json={"products": sorted(bundle.inside)})
    else:
        bundle.opened = not bundle.opened
        life.log.append(f"{bundle.opener} {'opens' if bundle.opened else 'leaves'} the bundle")
        sold_as = [bundle.opener] if bundle.opened else []
        await life.outside.call("PATCH", path, json={"sold_as": sold_as})
    life.unsure |= {life.owner(email) for email in life.addresses()}


async def sell(life: "Life") -> None:
    """Sell a linked product at the site: at another price or at several, with a payment link or
    without, or not any more. Stripe may have archived the price."""
    if not life.links.on:
        return
    product, stripe_product = life.chance.choice(sorted(life.links.on))
    goods = next(one for one in life.goods if one.id == stripe_product)
    if life.chance.random() < 0.5:
        await _sell_at_several(life, product, goods)
        return
    price = life.chance.choice([*goods.monthly, *goods.once])
    life.log.append(f"sell {product} {price}")
    await life.outside.call(
        "PUT",
        f"/products/{product}/checkout",
        refused=CLOSED,
        json={
            "enabled": life.chance.random() < 0.9,
            "price": price,
            "payment_link": life.chance.random() < 0.3,
        },
    )


async def _sell_at_several(life: "Life", product: str, goods: Goods) -> None:
    """Some of the prices, in any order, each with options of its own."""
    prices = [*goods.monthly, *goods.once]
    chosen = life.chance.sample(prices, life.chance.randint(1, len(prices)))
    offers: list[Json] = [
        {
            "price": price,
            "trial_days": life.chance.choice((None, None, 3)) if price in goods.monthly else None,
            "most": life.chance.choice((None, 3)),
            "featured": number == 1,
        }
        for number, price in enumerate(chosen)
    ]
    life.log.append(f"sell {product} {offers}")
    await life.outside.call("PUT", f"/products/{product}/prices", refused=CLOSED, json=offers)


async def claim(life: "Life") -> None:
    """A member proves that they own another address: a new one, or another user's."""
    users = await _users(life)
    if not users:
        return
    into = life.chance.choice(sorted(users))
    others = [p.email for p in life.people if life.owner(p.email) == p.email != into]
    person = next(one for one in life.people if one.email == into)
    address = f"{life.chance.randrange(10**6)}.more.{into}"
    if others and life.chance.random() < 0.5:
        address = life.chance.choice(others)
    life.log.append(f"claim of {address} by {into}")

    async def prove(connection: Connection) -> None:
        made = await claims.ask(connection, users[into], spelled(address, life.chance))
        await claims.confirm(connection, made, user_id=users[into])

    await life.outside.commit(prove)
    if address in others:
        life.merge(into, address)
    else:
        person.further.append(address)


async def merge(life: "Life") -> None:
    """The owner merges two users."""
    users = await _users(life)
    if len(users) < 2:
        return
    into, other = life.chance.sample(sorted(users), 2)
    life.log.append(f"merge {other} into {into}")
    life.merge(into, other)
    path = f"/users/{users[into]}/merge"
    given = {"user": users[other], "reason": "same person"}
    await life.outside.call("POST", path, done=(404, 409), json=given)


async def decide_a_match(life: "Life") -> None:
    """Accept or dismiss an identity match."""
    found = await life.outside.call("GET", "/matches", params={"limit": 200})
    known = set(life.addresses())
    ours = [
        one
        for one in found["data"]
        if one["merges"] and {email_key(one["user_email"]), email_key(one["other_email"])} <= known
    ]
    if not ours:
        return
    match = life.chance.choice(ours)
    verb = life.chance.choice(("accept", "dismiss"))
    life.log.append(f"{verb} {match['kind']} {match['user_email']} {match['other_email']}")
    given: Json = {"json": {}} if verb == "accept" else {}
    await life.outside.call("POST", f"/matches/{match['id']}/{verb}", done=(404, 409), **given)
    if verb == "accept":
        await _agree(life, match)


async def _agree(life: "Life", match: Json) -> None:
    """The owners of both mailboxes follow the links that they were sent."""
    [request] = await life.outside.fetch(
        """
        select id, into_user, other_user from merge_requests where match_id = $1
         order by id desc limit 1
        """,
        match["id"],
    )
    emails = {match[f"{one}_id"]: email_key(match[f"{one}_email"]) for one in ("user", "other")}

    async def both(connection: Connection) -> None:
        found = await merge_requests.find(connection, request["id"])
        assert found is not None, "it was just asked"
        for user in found.waits_for:
            await merge_requests.agree(connection, found.id, user_id=user)

    await life.outside.commit(both)
    life.merge(life.owner(emails[request["into_user"]]), life.owner(emails[request["other_user"]]))


async def _users(life: "Life") -> dict[str, int]:
    """The ids of the users, by address."""
    rows = await life.outside.fetch(
        "select id, email_key from users where email_key = any($1::text[])",
        [person.email for person in life.people],
    )
    return {row["email_key"]: row["id"] for row in rows}


async def change_policy(life: "Life") -> None:
    """Give a product its own policy."""
    product, cells = life.chance.choice(life.products), some_cells(life.chance)
    life.log.append(f"policy of {product} {cells}")
    await life.outside.call("PUT", f"/products/{product}/policy", json=cells)
    life.ruled(life.rules.with_own(product, cells))


ACTS: list[tuple[Act, int]] = [
    (unlink, 3),
    (hold, 3),
    (lift, 3),
    (sell, 6),
    (gift, 4),
    (take_gift, 2),
    (tend_the_collection, 4),
    (tend_the_bundle, 2),
    (claim, 2),
    (merge, 2),
    (decide_a_match, 2),
]
"""Before a policy changes: they act on what is settled."""
