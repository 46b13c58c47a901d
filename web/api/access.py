"""Whether a person may open a product, and why."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pydantic import Field

from latchkey.rules.vocabulary import TokenScope
from latchkey.store.access import grants, history, why
from latchkey.store.users import users
from web.api.cursors import cursor, number
from web.api.lookup import product_of, user_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Day, Email, Input
from web.site import Site
from web.wording import explain as explain_in_words


class Who(Input):
    """A product and a person."""

    product: str = Field(description="slug or id of the product")
    email: Email | None = Field(None, description="the person's email address")
    user: int | None = Field(None, description="or the user's id", ge=1, le=2**63 - 1)


class LiveGrant(Output):
    """One live grant, which lets the person open the product.

    `source_id` is Stripe's id of a subscription or purchase, or the collection. Of the source
    `product`, which opens the collection that the product asked for is in, it is the id of that
    product, a slash, and the id of its grant. This one lasts as long as that one.
    """

    id: int
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    state: str


class Access(Output):
    """`until` is null when no end is known."""

    access: bool
    until: datetime | None
    grants: list[LiveGrant]


@endpoint("GET", "/access", scope=TokenScope.ACCESS, query=Who, answer=Access)
async def access(call: Call) -> Access:
    """Whether a person may open a product now.

    An unknown person has no access. An unknown product is a 404.
    """
    return await _access(call.site, call.query)


@endpoint("POST", "/access", scope=TokenScope.ACCESS, body=Who, answer=Access)
async def ask_access(call: Call) -> Access:
    """Whether a person may open a product now, asked with a body.

    Answers as `GET /access` does. Proxies log the URLs of requests, not their bodies: ask this way
    where a log mustn't contain email addresses.
    """
    return await _access(call.site, call.body)


async def _access(site: Site, who: Who) -> Access:
    _one(who)
    rows = await site.access.ask(grants.AccessQuestion(who.product, who.email, who.user))
    if not rows:
        raise not_found("product", who.product)
    allowed, until = grants.may_open(rows)
    live = [
        {
            "id": row["id"],
            "source": row["source"],
            "source_id": row["source_id"],
            "since": row["since"],
            "until": row["until"],
            "state": grants.grant_state(row["until"]),
        }
        for row in rows
        if row["id"] is not None
    ]
    return Access.model_validate({"access": allowed, "until": until, "grants": live})


class Step(Output):
    """One source of access, with everything that led to it or followed from it. `grant` is null for
    a purchase that didn't give access. `explanation` says when and why access ends, or why there is
    none."""

    explanation: str
    grant: dict[str, Any] | None
    stripe_object: dict[str, Any] | None
    stripe_url: str | None
    workflow_id: str | None
    workflow_url: str | None
    events: list[dict[str, Any]]
    activities: list[dict[str, Any]]
    mails: list[dict[str, Any]]


class Why(Output):
    """The chain behind the answer of `/access`: live sources first, then ended ones."""

    access: bool
    until: datetime | None
    explanation: str
    product: str
    user: int | None
    chain: list[Step]


@endpoint("GET", "/why", query=Who, answer=Why)
async def explain(call: Call) -> Why:
    """The full chain behind an access decision.

    For each source: the grant, its Stripe object, the events that led to it, the workflow, activity
    lines, emails, and when and why access ends, or why there is none.
    """
    who: Who = call.query
    _one(who)
    site = call.site
    async with site.pool.acquire() as connection:
        product = await product_of(connection, who.product)
        if who.email is not None:
            user = await users.by_email(connection, who.email)
        else:
            user = await users.by_id(connection, who.user or 0)
        if user is None:
            return Why(
                access=False,
                until=None,
                explanation="No access: there is no user with this email address",
                product=product.id,
                user=None,
                chain=[],
            )
        found = await why.chain(connection, user_id=user.id, product_id=product.id)
    rows = await grants.access_rows(site.pool, product.id, user_id=user.id)
    allowed, until = grants.may_open(rows)
    return Why(
        access=allowed,
        until=until,
        explanation=explain_in_words.answer(product, found, access=allowed, until=until),
        product=product.id,
        user=user.id,
        chain=[_step(site, link) for link in found.links],
    )


def _step(site: Site, link: why.ExplainedSource) -> Step:
    plain = why.shown(link)
    return Step(
        explanation=explain_in_words.ending(link),
        grant=plain["grant"] | {"state": link.grant.state} if link.grant else None,
        stripe_object=plain["stripe_object"],
        stripe_url=explain_in_words.stripe_url(site, link.stripe_object),
        workflow_id=plain["workflow_id"],
        workflow_url=explain_in_words.workflow_url(site, link.workflow_id),
        events=plain["events"],
        activities=plain["lines"],
        mails=plain["mails"],
    )


class OnDay(Paging):
    on: Day = Field(description="the day, in UTC", lt=date.max)


class AccessSpan(Output):
    """One grant as a period of time. `until` is exclusive: it is when access ended here, or null
    when no end is known. `due_at` is when an end that has come was due."""

    id: int
    user: int
    email: str
    product: str
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    due_at: datetime | None
    end_reason: str | None
    cause: str


class SpanList(Output):
    data: list[AccessSpan]
    next: str | None


@endpoint("GET", "/products/{id}/access", query=OnDay, answer=SpanList)
async def on_day(call: Call) -> SpanList:
    """Who had access to a product at any time on a given day, one entry per grant."""
    wanted: OnDay = call.query
    start = datetime.combine(wanted.on, time(), UTC)
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        spans = await history.of_product(
            connection,
            product.id,
            start=start,
            end=start + timedelta(days=1),
            after=number(wanted.after),
            limit=wanted.limit + 1,
        )
    return _spans(spans, wanted.limit)


class OfProduct(Paging):
    product: str | None = Field(
        None, description="slug or id of one product; all products if omitted"
    )


@endpoint("GET", "/users/{id}/access", query=OfProduct, answer=SpanList)
async def over_time(call: Call) -> SpanList:
    """A user's access over time, newest grant first."""
    wanted: OfProduct = call.query
    async with call.site.pool.acquire() as connection:
        user = await user_of(connection, call.path["id"])
        product_id = None
        if wanted.product is not None:
            product = await product_of(connection, wanted.product)
            product_id = product.id
        spans = await history.of_user(
            connection,
            user.id,
            product_id=product_id,
            after=number(wanted.after),
            limit=wanted.limit + 1,
        )
    return _spans(spans, wanted.limit)


def _spans(spans: list[history.Span], limit: int) -> SpanList:
    page = spans[:limit]
    return SpanList(
        data=[
            AccessSpan(
                id=span.id,
                user=span.user_id,
                email=span.email,
                product=span.product_id,
                source=span.source,
                source_id=span.source_id,
                since=span.since,
                until=span.ended,
                due_at=span.due_at,
                end_reason=span.end_reason,
                cause=span.cause,
            )
            for span in page
        ],
        next=cursor(page[-1].id) if len(spans) > limit else None,
    )


def _one(who: Who) -> None:
    if (who.email is None) == (who.user is None):
        raise ApiError(422, "invalid", "give exactly one of `email` and `user`")
