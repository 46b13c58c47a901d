"""Who is who: identity matches to review, merges, and users' additional addresses."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from latchkey.rules.vocabulary import TokenScope
from latchkey.store.purchases import matches
from latchkey.store.users import (
    api_tokens,
    identity,
    merge_requests,
    merging,
    unmerging,
)
from web import numbers
from web.api.cursors import cursor, number, sliced
from web.api.lookup import user_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.api.tokens import SETTINGS_TOKEN
from web.inputs import Email, Input, RowId


class MergeRequest(Output):
    """A request to the owners of two users to agree to a merge. `into_user` stays, `other_user`
    goes. `waits_for` are the users whose owner hasn't answered yet. `state` is open, merged,
    declined, expired or replaced."""

    id: int
    match_id: int | None
    into_user: int
    other_user: int
    state: str
    waits_for: list[int]
    created_at: datetime
    decided_at: datetime | None
    expires_at: datetime


class Match(Output):
    """A doubt about who someone is. `user` has (or keeps) the purchase, `other` is the other person
    it might be. `merges` says whether accepting asks the owners of both to agree to a merge:
    `request` is the latest one. An address is proven once somebody has followed a link to it."""

    id: int
    kind: str
    user_id: int | None
    user_email: str | None
    other_id: int | None
    other_email: str | None
    customer_id: str | None
    source: str | None
    source_id: str | None
    email: str | None
    user_proven: bool
    other_proven: bool
    merges: bool
    request: MergeRequest | None
    state: str
    created_at: datetime
    decided_at: datetime | None


class MatchList(Output):
    data: list[Match]
    next: str | None


class MatchSearch(Paging):
    state: Literal["open", "accepted", "dismissed", "settled"] | None = "open"


class Acceptance(Input):
    """`email` says who a purchase without an address belongs to."""

    email: Email | None = None


class MergeWith(Input):
    """The user to merge into the one in the path. `reason` says how you know that both are one
    person."""

    user: RowId
    reason: str = Field(min_length=1, max_length=1000)


class AskToMerge(Input):
    """The other user."""

    user: RowId
    reason: str | None = Field(None, max_length=1000)


class MergeRequestList(Output):
    data: list[MergeRequest]
    next: str | None


class Merge(Output):
    """How many rows were moved, by table and column."""

    user_id: int
    from_user: int
    moved: dict[str, int]


class PastMerge(Output):
    """A user who was merged into this one. `moved` counts the rows that moved, by table and column.
    `obstacle` says why the merge can't be undone, null if it can."""

    from_user: int
    email: str
    name: str | None
    reason: str | None
    merged_by: str | None
    merged_at: datetime
    moved: dict[str, int]
    obstacle: str | None


class PastMergeList(Output):
    data: list[PastMerge]
    next: str | None


class Address(Output):
    email: str
    source: str
    added_at: datetime


class AddressList(Output):
    data: list[Address]
    next: str | None


@endpoint("GET", "/matches", query=MatchSearch, answer=MatchList)
async def list_matches(call: Call) -> MatchList:
    """List identity matches to review, newest first."""
    search: MatchSearch = call.query
    async with call.site.pool.acquire() as connection:
        rows = await matches.listed(
            connection, state=search.state, after=number(search.after), limit=search.limit + 1
        )
        page = rows[: search.limit]
        requests = await merge_requests.latest_of_matches(connection, [row.id for row in page])
    more = len(rows) > search.limit
    return MatchList(
        data=[_shown(row, requests.get(row.id)) for row in page],
        next=cursor(page[-1].id) if more else None,
    )


@endpoint(
    "POST", "/matches/{id}/accept", scope=TokenScope.EVERYTHING, body=Acceptance, answer=Match
)
async def accept(call: Call) -> Match:
    """Accept a match: ask to merge the two users, or assign the purchase to `email`.

    The match stays open until the owners of both mailboxes agree.
    """
    async with call.site.changing() as connection:
        found = await matches.find(connection, _id(call))
        if found is None:
            raise not_found("match", call.path["id"])
        try:
            await identity.accept(connection, found, email=call.body.email, actor=None)
        except identity.NotDecidableError as error:
            raise ApiError(409, "not_decidable", str(error)) from None
        decided = await matches.find(connection, found.id)
        requests = await merge_requests.latest_of_matches(connection, [found.id])
    return _shown(decided or found, requests.get(found.id))


@endpoint("POST", "/matches/{id}/dismiss", answer=Match)
async def dismiss(call: Call) -> Match:
    """Dismiss a match. Nothing changes, and the same doubt isn't raised again."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        if await matches.find(connection, _id(call)) is None:
            raise not_found("match", call.path["id"])
        if not await matches.decide(connection, _id(call), "dismissed", actor=None):
            raise ApiError(409, "not_decidable", "this match has already been decided")
        found = await matches.find(connection, _id(call))
        requests = await merge_requests.latest_of_matches(connection, [_id(call)])
    assert found is not None, "the match was decided above"
    return _shown(found, requests.get(found.id))


@endpoint("POST", "/users/{id}/merge", scope=TokenScope.EVERYTHING, body=MergeWith, answer=Merge)
async def merge(call: Call) -> Merge:
    """Merge another user into this one without asking its owner.

    Only with a token of an owner's; ask with `POST /users/{id}/merge-requests` otherwise. Grants,
    purchases, emails, activity lines, customers and addresses move, but this user isn't shown the
    other's billing, and both addresses are told. From then on, the other id stands for this user
    too.
    """
    wanted: MergeWith = call.body
    await _require_owner(call)
    async with call.site.pool.acquire() as connection, connection.transaction():
        into = await user_of(connection, call.path["id"])
        try:
            done = await merge_requests.override(
                connection, into=into.id, other=wanted.user, reason=wanted.reason, actor=None
            )
        except merging.NotMergeableError as error:
            raise ApiError(409, "not_mergeable", str(error)) from None
    return Merge(user_id=done.into_user, from_user=done.from_user, moved=done.moved)


@endpoint("POST", "/users/{id}/merge-requests", body=AskToMerge, answer=MergeRequest, status=201)
async def ask_to_merge(call: Call) -> MergeRequest:
    """Ask the owners of this user and another one to agree to a merge.

    The account that goes always has to agree, the one that stays if nobody has proven its mailbox
    yet. The links that are emailed work for 48 hours, and end when one of the accounts changes.
    """
    wanted: AskToMerge = call.body
    async with call.site.pool.acquire() as connection, connection.transaction():
        person = await user_of(connection, call.path["id"])
        try:
            asked = await merge_requests.ask(
                connection, person.id, wanted.user, actor=None, reason=wanted.reason
            )
        except merge_requests.RequestRefusedError as error:
            raise ApiError(409, "not_mergeable", str(error)) from None
    return _request(asked)


@endpoint("GET", "/users/{id}/merge-requests", query=Paging, answer=MergeRequestList)
async def list_merge_requests(call: Call) -> MergeRequestList:
    """List the requests to merge this user with another one, newest first."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        found = await user_of(connection, call.path["id"])
        rows = await merge_requests.of_user(
            connection, found.id, after=number(paging.after), limit=paging.limit + 1
        )
    page = rows[: paging.limit]
    return MergeRequestList(
        data=[_request(row) for row in page],
        next=cursor(page[-1].id) if len(rows) > paging.limit else None,
    )


@endpoint("GET", "/users/{id}/merges", query=Paging, answer=PastMergeList)
async def list_merges(call: Call) -> PastMergeList:
    """List the users who were merged into this one, newest first."""
    async with call.site.pool.acquire() as connection:
        found = await user_of(connection, call.path["id"])
        rows = await unmerging.merges_of(connection, found.id)
    page, after = sliced(rows, lambda row: row.from_user, call.query)
    return PastMergeList(data=[PastMerge.model_validate(vars(row)) for row in page], next=after)


@endpoint("POST", "/users/{id}/unmerge", scope=TokenScope.EVERYTHING, answer=Merge)
async def unmerge(call: Call) -> Merge:
    """Undo the merge of this user into another one.

    What was theirs goes back to them, with whatever has come in through their customers or address
    since. The rest stays with the other user. They have no password afterwards and sign in by
    email.
    """
    async with call.site.changing() as connection:
        if await unmerging.merge_of(connection, _id(call)) is None:
            raise not_found("merged user", call.path["id"])
        try:
            done = await unmerging.undo(connection, from_user=_id(call), actor=None)
        except unmerging.NotUndoableError as error:
            raise ApiError(409, "not_undoable", str(error)) from None
    return Merge(user_id=done.user_id, from_user=done.from_user, moved=done.moved)


@endpoint("GET", "/users/{id}/addresses", query=Paging, answer=AddressList)
async def list_addresses(call: Call) -> AddressList:
    """List a user's additional addresses, whether claimed or from a merge."""
    async with call.site.pool.acquire() as connection:
        found = await user_of(connection, call.path["id"])
        rows = await identity.addresses(connection, found.id)
    page, after = sliced(rows, lambda row: row.email, call.query)
    return AddressList(data=[Address.model_validate(vars(row)) for row in page], next=after)


def _id(call: Call) -> int:
    return numbers.number(call.path["id"]) or 0


def _shown(match: matches.Match, request: merge_requests.MergeRequest | None) -> Match:
    shown = _request(request) if request else None
    return Match.model_validate({**vars(match), "merges": match.merges, "request": shown})


def _request(request: merge_requests.MergeRequest) -> MergeRequest:
    return MergeRequest.model_validate({**vars(request), "waits_for": list(request.waits_for)})


async def _require_owner(call: Call) -> None:
    """Raises a 403 `ApiError` unless the operator or an owner of the site made the token."""
    if call.token == SETTINGS_TOKEN:
        return
    async with call.site.pool.acquire() as connection:
        role = await api_tokens.role_of_maker(connection, int(call.token))
    if role != "owner":
        raise ApiError(
            403,
            "owner_only",
            "only a token that an owner made can merge users without asking: ask their owners with"
            " merge-requests",
        )
