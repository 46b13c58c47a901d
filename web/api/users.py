"""Users and complimentary access."""

from datetime import datetime

from pydantic import Field

from latchkey.store import audit_draft
from latchkey.store.access import grants
from latchkey.store.communities import accounts
from latchkey.store.communities.accounts import ConnectedAccount
from latchkey.store.pool import Connection
from latchkey.store.users import labels, users
from web import numbers
from web.api.cursors import cursor, number
from web.api.lookup import product_of, user_of
from web.api.problems import not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input, NewGrant, UserLabel


class Customer(Output):
    """A Stripe customer that belongs to the user."""

    id: str
    email: str | None
    name: str | None
    livemode: bool
    deleted: bool


class CommunityAccount(Output):
    """An account that the user has connected, in a community: a Discord server or Slack workspace.
    `id` is its id there. `away` says that it isn't in the community at present; `roles` are the
    roles or channels that access here has given it."""

    community: str
    kind: str
    id: str
    name: str | None
    connected_at: datetime
    away: bool
    roles: list[str]


class User(Output):
    """A user. `locale` is the language that they read, as a BCP 47 tag; null if it isn't known.
    `labels` are what the team calls them."""

    id: int
    email: str
    name: str | None
    role: str
    locale: str | None
    created_at: datetime
    customers: list[Customer]
    communities: list[CommunityAccount]
    labels: list[str]


class UserList(Output):
    data: list[User]
    next: str | None


class UserSearch(Paging):
    search: str | None = Field(
        None, max_length=200, description="part of the email address or name"
    )
    label: UserLabel | None = Field(None, description="a label that they have, as it is written")


def _user(
    user: users.User,
    customers: list[users.StripeCustomer],
    connected: list[ConnectedAccount],
    given: list[str],
) -> User:
    return User(
        id=user.id,
        email=user.email,
        name=user.name,
        role=user.role,
        locale=user.locale,
        created_at=user.created_at,
        customers=[Customer.model_validate(vars(customer)) for customer in customers],
        communities=[
            CommunityAccount(
                community=account.community,
                kind=account.kind,
                id=account.external_id,
                name=account.name,
                connected_at=account.bound_at,
                away=account.away_since is not None,
                roles=list(account.roles),
            )
            for account in connected
        ],
        labels=given,
    )


@endpoint("GET", "/users", query=UserSearch, answer=UserList)
async def list_users(call: Call) -> UserList:
    """List users, newest first, with their Stripe customers and connected accounts."""
    paging: UserSearch = call.query
    async with call.site.pool.acquire() as connection:
        rows = await users.listed(
            connection,
            after=number(paging.after),
            limit=paging.limit + 1,
            search=paging.search,
            label=paging.label,
        )
        page = rows[: paging.limit]
        known = await users.customers(connection, [row.id for row in page])
        connected = await accounts.of_users(connection, [row.id for row in page])
        given = await labels.of_users(connection, [row.id for row in page])
    more = len(rows) > paging.limit
    return UserList(
        data=[_user(row, known[row.id], connected[row.id], given[row.id]) for row in page],
        next=cursor(page[-1].id) if more else None,
    )


@endpoint("GET", "/users/{id}", answer=User)
async def get_user(call: Call) -> User:
    """Get one user with their Stripe customers and connected accounts."""
    async with call.site.pool.acquire() as connection:
        found = await user_of(connection, call.path["id"])
        return await _complete(connection, found)


class Labels(Input):
    labels: list[UserLabel] = Field(max_length=50)


@endpoint("PUT", "/users/{id}/labels", body=Labels, answer=User)
async def set_labels(call: Call) -> User:
    """Give a user these labels and no others.

    A label exists while somebody has it. `vip` is the same as `VIP`, and is written as whoever used
    it first wrote it. Somebody who was erased gets none.
    """
    wanted: Labels = call.body
    async with call.site.changing() as connection:
        found = await user_of(connection, call.path["id"])
        given = await labels.replace(connection, found.id, wanted.labels)
        audit_draft.note(after={"labels": given})
        return await _complete(connection, found)


async def _complete(connection: Connection, user: users.User) -> User:
    known = await users.customers(connection, [user.id])
    connected = await accounts.of_users(connection, [user.id])
    given = await labels.of_users(connection, [user.id])
    return _user(user, known[user.id], connected[user.id], given[user.id])


class Grant(Output):
    """`state` is live, ending or ended. `ended_at` is when access ended here, `due_at` when it was
    due."""

    id: int
    user_id: int
    email: str
    product_id: str
    source: str
    source_id: str
    since: datetime
    until: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    end_reason: str | None
    cause: str
    reason: str | None
    held: bool
    state: str


class GrantList(Output):
    data: list[Grant]
    next: str | None


def _grant(grant: grants.Grant) -> Grant:
    return Grant.model_validate({**vars(grant), "state": grant.state})


@endpoint("GET", "/products/{id}/grants", query=Paging, answer=GrantList)
async def list_grants(call: Call) -> GrantList:
    """List a product's live grants, newest first."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        rows = await grants.of_product(
            connection, product.id, after=number(paging.after), limit=paging.limit + 1
        )
    more = len(rows) > paging.limit
    shown = [_grant(row) for row in rows[: paging.limit]]
    return GrantList(data=shown, next=cursor(shown[-1].id) if more else None)


@endpoint("POST", "/products/{id}/grants", body=NewGrant, answer=Grant, status=201)
async def give(call: Call) -> Grant:
    """Give a person complimentary access.

    Creates the user if the address is new. Giving it again changes the end and the reason. Stripe
    events never change it.
    """
    wanted: NewGrant = call.body
    async with call.site.changing() as connection:
        product = await product_of(connection, call.path["id"])
        made = await grants.give(
            connection,
            product_id=product.id,
            email=wanted.email,
            until=wanted.until,
            reason=wanted.reason,
            actor=None,
            mail=wanted.mail,
        )
    return _grant(made)


@endpoint("DELETE", "/grants/{id}", answer=Grant)
async def end(call: Call) -> Grant:
    """End a grant now.

    This ends access, not billing: a subscription keeps running in Stripe until it is cancelled
    there. A grant from a purchase is put on hold: Stripe events don't restore it until the hold is
    lifted.
    """
    grant_id = numbers.number(call.path["id"])
    async with call.site.pool.acquire() as connection, connection.transaction():
        found = await grants.end(connection, grant_id, actor=None) if grant_id else None
    if found is None:
        raise not_found("grant", call.path["id"])
    return _grant(found)


@endpoint("POST", "/grants/{id}/lift", answer=Grant)
async def lift(call: Call) -> Grant:
    """Lift the hold on a grant that was ended by hand.

    If its purchase still entitles the person to access, they get it back at once.
    """
    grant_id = numbers.number(call.path["id"])
    async with call.site.changing() as connection:
        found = await grants.lift(connection, grant_id, actor=None) if grant_id else None
    if found is None:
        raise not_found("grant", call.path["id"])
    return _grant(found)
