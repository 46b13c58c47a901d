"""Looks for events that no webhook delivered, and puts them into the inbox."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from temporalio import activity

from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts, pictures
from latchkey.contracts import CatchUpPageInput, CatchUpPageResult, CatchUpPlan
from latchkey.picture_files import PictureFiles
from latchkey.rules.cancelling import reports_cancelling, was_requested
from latchkey.rules.reading import moment, object_id
from latchkey.rules.routing import listed_parts, route_listed
from latchkey.rules.vocabulary import ComparisonCause
from latchkey.store import audit
from latchkey.store.checks import reconciliations, retention
from latchkey.store.stripe import catch_up, wakeups
from latchkey.store.stripe.catch_up import ListedEvent, Position
from latchkey.store.stripe.context import Account
from latchkey.store.users import member_imports
from latchkey.store.webhooks import deliveries
from latchkey.stripe_api import Json, Page, StripeApi, StripeError

REACH = timedelta(days=29)
"""Stripe's event list covers the last 30 days."""

log = structlog.get_logger("catch-up")
FOUND = Counter("latchkey_events_missed_total", "Events that no webhook delivered.")


class CatchUpActivities:
    """Reads Stripe's event list. Events it finds go through the inbox like any other."""

    def __init__(
        self,
        deps: ActivityDeps,
        *,
        body_days: int,
        event_days: int,
        activity_days: int | None,
        audit_days: int,
        files: PictureFiles,
    ) -> None:
        self._deps = deps
        self._files = files
        self._audit_life = timedelta(days=audit_days)
        self._body_life = timedelta(days=body_days)
        self._event_life = timedelta(days=event_days)
        self._line_life = timedelta(days=activity_days) if activity_days else None

    @activity.defn(name=contracts.PLAN_CATCH_UP)
    async def plan(self) -> CatchUpPlan:
        """Which parts of the list are due. Without a connection, only cleaning up is. A failed
        sweep is requested again."""
        account = await self._deps.keyring.account()
        if account is None:
            return CatchUpPlan(connected=False, hourly=True)
        async with self._deps.pool.acquire() as connection, connection.transaction():
            parts = await catch_up.due_parts(connection, list(listed_parts()), account=account)
            await reconciliations.sweep_again(connection)
        return CatchUpPlan(parts, hourly=any(part.startswith("hourly") for part in parts))

    @activity.defn(name=contracts.CATCH_UP_PAGE)
    async def page(self, job: CatchUpPageInput) -> CatchUpPageResult:
        """Read one page. Without an anchor, the list is read from its newest end. With an anchor,
        it is read from there on, and the anchor moves along with each page."""
        async with retried():
            account = await self._deps.account()
            api = await self._deps.keyring.api()
            async with self._deps.pool.acquire() as connection:
                place = await catch_up.place(connection, job.part, account=account, as_of=job.as_of)
            if job.as_of - place.reached > REACH:
                return await self._gap(place, job)
            if place.anchor_id is None and place.looked_at is None and job.cursor is None:
                place = await self._first_anchor(api, place)
            try:
                page = await _read(api, place, job)
            except StripeError as error:
                if error.missing and place.anchor_id:
                    return await self._anchor_gone(place, job)
                raise
            return await self._store(place, page, job)

    @activity.defn(name=contracts.BEGIN_SWEEP)
    async def sweep(self) -> str:
        """Request a full comparison with repairs; returns its id."""
        async with self._deps.pool.acquire() as connection:
            made = await reconciliations.request(
                connection, repair=True, cause=ComparisonCause.CATCH_UP, product_id=None, actor=None
            )
        return made.id

    @activity.defn(name=contracts.DO_CHORES)
    async def do_chores(self) -> int:
        """Delete expired data; returns how many event bodies were deleted."""
        deleted = await retention.forget_bodies(self._deps.pool, older_than=self._body_life)
        await retention.forget_events(self._deps.pool, older_than=self._event_life)
        if self._line_life is not None:
            await retention.forget_lines(self._deps.pool, older_than=self._line_life)
        await retention.forget_records(self._deps.pool)
        await member_imports.forget_old(self._deps.pool)
        await audit.forget(self._deps.pool, older_than=self._audit_life)
        await pictures.collect(self._deps.pool, self._files)
        await self._rouse_forsaken()
        return deleted

    async def _rouse_forsaken(self) -> None:
        """Have outgoing webhooks sent whose run Temporal has lost."""
        async with self._deps.pool.acquire() as connection, connection.transaction():
            lost = await deliveries.forsaken(connection)
            await wakeups.add(connection, wakeups.WEBHOOKS, lost)

    async def _store(self, place: Position, page: Page, job: CatchUpPageInput) -> CatchUpPageResult:
        events = [_listed(source) for source in page.data if _ours(source, place.account)]
        settled = [e for e in events if e.created_at <= job.as_of - catch_up.OVERLAP]
        last = page.next is None
        async with self._deps.pool.acquire() as connection, connection.transaction():
            found = await catch_up.store(connection, place, events)
            if settled and (place.anchor_id or job.pages == 0):
                newest = max(settled, key=lambda event: event.created_at)
                if place.anchor_id or last:
                    await catch_up.drop_anchor(connection, place, newest)
            if last:
                await catch_up.looked(connection, place, as_of=job.as_of)
        if found:
            FOUND.inc(found)
            log.warning("missed events found, added to the inbox", count=found, part=job.part)
        return CatchUpPageResult(page.next, found)

    async def _first_anchor(self, api: StripeApi, place: Position) -> Position:
        """The last event before the first catch-up starts, if there is one."""
        until = int(place.since.timestamp())
        page = await api.events(listed_parts()[place.part], until=until, limit=1)
        if not page.data:
            return place
        anchor = _listed(page.data[0])
        async with self._deps.pool.acquire() as connection:
            await catch_up.drop_anchor(connection, place, anchor)
        return replace(place, anchor_id=anchor.id, anchor_at=anchor.created_at)

    async def _anchor_gone(self, place: Position, job: CatchUpPageInput) -> CatchUpPageResult:
        """The last known event is gone. In a quiet shop it simply expired, and the time of the last
        look serves as well. Otherwise the list may no longer contain everything that was missed."""
        if place.looked_at is None:
            return await self._gap(place, job)
        async with self._deps.pool.acquire() as connection:
            await catch_up.start_over(connection, place, since=place.looked_at - catch_up.OVERLAP)
        return await self.page(job)

    async def _gap(self, place: Position, job: CatchUpPageInput) -> CatchUpPageResult:
        """The list doesn't reach back to where we stopped: continue from now and sweep all
        objects."""
        async with self._deps.pool.acquire() as connection:
            await catch_up.start_over(connection, place, since=job.as_of - catch_up.OVERLAP)
            await catch_up.looked(connection, place, as_of=job.as_of)
        log.warning("gap in the event list, comparing all objects", part=place.part)
        return CatchUpPageResult(None, gap=True)


async def _read(api: StripeApi, place: Position, job: CatchUpPageInput) -> Page:
    types = listed_parts()[job.part]
    if place.anchor_id:
        return await api.events_newer_than(types, job.cursor or place.anchor_id)
    return await api.events(types, since=int(place.since.timestamp()), after=job.cursor)


def _ours(source: Json, account: Account) -> bool:
    return source.get("livemode") is account.livemode and not source.get("account")


def _listed(source: Json) -> ListedEvent:
    thing = (source.get("data") or {}).get("object") or {}
    version = source.get("api_version")
    return ListedEvent(
        id=source["id"],
        type=source["type"],
        object_id=object_id(thing) or "",
        api_version=version if isinstance(version, str) else None,
        created_at=moment(source["created"]) or datetime.now(UTC),
        target=route_listed(source["type"], thing),
        requested=was_requested(source),
        cancels=reports_cancelling(source),
    )
