"""Fetches one subscription and applies it."""

from dataclasses import replace
from datetime import datetime

from temporalio import activity

from activities import fetch, past_due
from activities.base import ActivityDeps
from activities.errors import retried
from activities.resilient import failed, keeps_running, read_again
from latchkey import contracts
from latchkey.contracts import EndDueInput, SyncInput, SyncResult, subscription_workflow_id
from latchkey.rules.reading import Order, Subscription, UnreadableError
from latchkey.rules.routing import TargetKind
from latchkey.rules.vocabulary import Cause
from latchkey.store.pool import keep_plans
from latchkey.store.purchases import orders, settling, subscription_mirror, subscriptions
from latchkey.store.purchases.judging import Applied
from latchkey.store.purchases.linked_products import linked_products
from latchkey.store.purchases.subscription_mirror import Recorded
from latchkey.store.purchases.subscriptions import CheckoutInfo
from latchkey.store.stripe import inbox, origins
from latchkey.store.stripe.context import ApplyContext, ReadBy
from latchkey.stripe_api import StripeApi, StripeError
from latchkey.stripe_ids import reference


class SubscriptionActivities:
    """Keeps access in sync with subscriptions."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @property
    def deps(self) -> ActivityDeps:
        return self._deps

    @activity.defn(name=contracts.SYNC_SUBSCRIPTION)
    @keeps_running(TargetKind.SUBSCRIPTION)
    async def sync(self, job: SyncInput) -> SyncResult:
        """Read the subscription once, and apply it with all its consequences in one transaction."""
        async with retried():
            async with self._deps.pool.acquire() as connection:
                known = await subscription_mirror.recorded(connection, job.object_id)
            if (job.event_ids or job.by_timer) and known and await self._applied(job, known):
                return await self._take_applied(job)
            job, context = await self._deps.begin(job, TargetKind.SUBSCRIPTION)
            context = replace(context, read_by=ReadBy.RUN)
            api = await self._deps.keyring.api()
            try:
                reading, session = await self._read(api, job, known, context)
                [reading] = await past_due.dated(self._deps, api, [reading], again=True)
            except (StripeError, UnreadableError) as error:
                return await self._unreadable(job, error)
            return await self._apply(reading, session, job, context)

    @activity.defn(name=contracts.END_DUE_ACCESS)
    async def end_due_access(self, job: EndDueInput) -> int:
        """End grants that are due, without asking Stripe; returns how many ended."""
        async with self._deps.pool.acquire() as connection, connection.transaction():
            return await settling.end_due(
                connection,
                source_id=job.source_id,
                as_of=job.as_of,
                workflow_id=subscription_workflow_id(job.source_id),
            )

    async def _apply(
        self, reading: Subscription, session: Order | None, job: SyncInput, context: ApplyContext
    ) -> SyncResult:
        checkout = CheckoutInfo(
            checkout_session=session.id if session else None,
            reference=self._deps.reference(session.reference) if session else None,
            begun=session.begun if session else None,
            language=session.locale if session else None,
        )
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await keep_plans(connection)
            page = await subscriptions.apply_subscriptions(
                connection, [reading], context=context, checkouts={reading.id: checkout}
            )
            if session and session.one_off_lines:
                await orders.apply_orders(
                    connection,
                    [session],
                    context=context,
                    references={session.id: checkout.reference} if checkout.reference else None,
                )
            await inbox.mark_handled(connection, job.event_ids)
        result = _result(page.applied[reading.id], reading, as_of=job.as_of)
        return replace(result, ticket=context.ticket)

    async def _applied(self, job: SyncInput, known: Recorded) -> bool:
        """Whether a burst has read the subscription since this run did, so that the run needs no
        reading of its own: all events are handled, and nothing is due."""
        if not known.tells(until=job.as_of):
            return False
        async with self._deps.pool.acquire() as connection:
            return await inbox.served(
                connection, TargetKind.SUBSCRIPTION, job.object_id, job.event_ids
            )

    async def _take_applied(self, job: SyncInput) -> SyncResult:
        """Judge the last reading again: that tells the run all that it has to know."""
        cause = Cause.TIMER if job.by_timer else Cause.STRIPE
        account = await self._deps.account()
        context = ApplyContext(account, 0, job.as_of, cause, job.event_ids, read_by=ReadBy.RUN)
        async with self._deps.pool.acquire() as connection, connection.transaction():
            page = await subscriptions.rejudge_subscriptions(
                connection, [job.object_id], context=context
            )
            [reading] = await subscription_mirror.readings(connection, [job.object_id])
            ticket = await origins.last_ticket(connection, job.object_id)
        result = _result(page.applied[job.object_id], reading, as_of=job.as_of)
        return replace(result, ticket=ticket or 0)

    async def _read(
        self, api: StripeApi, job: SyncInput, known: Recorded | None, context: ApplyContext
    ) -> tuple[Subscription, Order | None]:
        """The subscription and, the first time, the checkout session it came from, which contains
        the buyer's signed reference and the cart's one-off lines. If an event named the session,
        one call returns both."""
        named = job.checkout_session
        if named and (known is None or known.checkout_session != named):
            cart = await api.checkout_session(named, whole=True)
            reading = await fetch.subscription(api, cart["subscription"])
            return reading, await fetch.session(api, cart)
        reading = await fetch.subscription(api, await api.subscription(job.object_id))
        if known is not None or not await self._linked(reading, context):
            return reading, None
        carts = await api.sessions_of(subscription=reading.id)
        return reading, await fetch.session(api, carts[0]) if carts else None

    async def _linked(self, reading: Subscription, context: ApplyContext) -> bool:
        async with self._deps.pool.acquire() as connection:
            found = await linked_products(
                connection, reading.stripe_products, account=context.account
            )
        return bool(found)

    async def _unreadable(self, job: SyncInput, error: StripeError | UnreadableError) -> SyncResult:
        if isinstance(error, StripeError) and (error.passing or error.refused):
            raise error
        return await failed(self._deps, job, TargetKind.SUBSCRIPTION, str(error))


def _result(applied: Applied, reading: Subscription, *, as_of: datetime) -> SyncResult:
    if applied.stale:
        return read_again(as_of)
    return SyncResult(
        label=_label(applied),
        state=f"{applied.state}. Stripe says: {reading.status}",
        finished=applied.terminal or not applied.relevant,
        wake_at=applied.wake_at,
        wake=applied.wake,
        product=applied.products[0] if applied.products else None,
        customer=reference(reading.customer.id),
    )


def _label(applied: Applied) -> str:
    if not applied.relevant:
        return "not linked"
    if applied.terminal:
        return "ended"
    if not applied.access:
        return "no access"
    return "ending" if applied.wake and applied.wake.ends_access else "access"
