"""May this person open this product, and why."""

from datetime import datetime
from typing import Any

from pydantic import Field

from latchkey.store import grants, products, users, why
from web.api.problems import Problem, not_found
from web.api.registry import Call, Input, Output, endpoint


class Who(Input):
    """A product and a person."""

    product: str = Field(description="slug or id of the product")
    email: str | None = Field(None, description="the person's address")
    user: int | None = Field(None, description="or their id", ge=1)


class LiveGrant(Output):
    """One reason why the person may open the product."""

    id: int
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    state: str


class Access(Output):
    """`until` is null where no end is known."""

    access: bool
    until: datetime | None
    grants: list[LiveGrant]


@endpoint("GET", "/access", query=Who, answer=Access)
async def access(call: Call) -> Access:
    """Whether a person may open a product now.

    An unknown person has no access; an unknown product is a 404.
    """
    who: Who = call.query
    _one(who)
    rows = await grants.access_rows(call.site.pool, who.product, email=who.email, user_id=who.user)
    if not rows:
        raise not_found("product", who.product)
    allowed, until = grants.may_open(rows)
    return Access.model_construct(
        access=allowed,
        until=until,
        grants=[
            LiveGrant.model_construct(
                id=row["id"],
                source=row["source"],
                source_id=row["source_id"],
                since=row["since"],
                until=row["until"],
                state=grants.grant_state(row["until"]),
            )
            for row in rows
            if row["id"] is not None
        ],
    )


class Step(Output):
    """One grant of the chain, with everything that led to it or followed from it."""

    grant: dict[str, Any]
    stripe_object: dict[str, Any] | None
    workflow_id: str | None
    events: list[dict[str, Any]]
    activities: list[dict[str, Any]]
    mails: list[dict[str, Any]]


class Why(Output):
    """The chain behind the answer of `/access`, ended grants too, newest first."""

    access: bool
    until: datetime | None
    chain: list[Step]


@endpoint("GET", "/why", query=Who, answer=Why)
async def explain(call: Call) -> Why:
    """The full chain behind an access decision.

    Grant, its object in Stripe, the events that led to it, workflow, activity lines and mails.
    """
    who: Who = call.query
    _one(who)
    async with call.site.pool.acquire() as connection:
        product = await products.find(connection, who.product)
        if product is None:
            raise not_found("product", who.product)
        if who.email is not None:
            user = await users.by_email(connection, who.email)
        else:
            user = await users.by_id(connection, who.user or 0)
        if user is None:
            return Why(access=False, until=None, chain=[])
        links = await why.chain(connection, user_id=user.id, product_id=product.id)
    rows = await grants.access_rows(call.site.pool, product.id, user_id=user.id)
    allowed, until = grants.may_open(rows)
    return Why(access=allowed, until=until, chain=[_step(link) for link in links])


def _step(link: why.Link) -> Step:
    plain = why.shown(link)
    return Step(
        grant=plain["grant"] | {"state": link.grant.state},
        stripe_object=plain["stripe_object"],
        workflow_id=plain["workflow_id"],
        events=plain["events"],
        activities=plain["lines"],
        mails=plain["mails"],
    )


def _one(who: Who) -> None:
    if (who.email is None) == (who.user is None):
        raise Problem(422, "invalid", "name the person by `email` or by `user`, one of both")
