"""Fetches one one-off purchase and applies it."""

from dataclasses import replace
from datetime import datetime

from temporalio import activity
from temporalio.client import Client

from activities import fetch
from activities.base import ActivityDeps
from activities.errors import retried
from activities.resilient import failed, keeps_running, read_again
from latchkey import contracts, dispatch
from latchkey.contracts import SyncInput, SyncResult
from latchkey.rules import access
from latchkey.rules.reading import Order, UnreadableError
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Connection, keep_plans
from latchkey.store.purchases import order_facts, order_mirror, orders
from latchkey.store.purchases.judging import Applied
from latchkey.store.purchases.linked_products import linked_products
from latchkey.store.stripe import inbox
from latchkey.store.stripe.context import ApplyContext
from latchkey.stripe_api import StripeApi, StripeError
from latchkey.stripe_ids import reference


class PurchaseActivities:
    """Keeps access in sync with one-off purchases."""

    def __init__(self, deps: ActivityDeps, client: Client) -> None:
        self._deps = deps
        self._client = client

    @property
    def deps(self) -> ActivityDeps:
        return self._deps

    @activity.defn(name=contracts.SYNC_PURCHASE)
    @keeps_running(TargetKind.PURCHASE)
    async def sync(self, job: SyncInput) -> SyncResult:
        """Read the session or invoice once, and apply it with all its consequences in one
        transaction."""
        async with retried():
            job, context = await self._deps.begin(job, TargetKind.PURCHASE)
            api = await self._deps.keyring.api()
            try:
                if job.object_id.startswith("in_"):
                    return await self._invoice(api, job, context)
                return await self._session(api, job, context)
            except (StripeError, UnreadableError) as error:
                return await self._unreadable(job, error)

    async def _session(self, api: StripeApi, job: SyncInput, context: ApplyContext) -> SyncResult:
        """A subscription's checkout belongs to the subscription, but its one-off lines are handled
        here."""
        order = await fetch.session(api, await api.checkout_session(job.object_id))
        if order.subscription is None:
            return await self._apply(order, job, context)
        owner = Target(TargetKind.SUBSCRIPTION, order.subscription, checkout_session=order.id)
        if not order.one_off_lines:
            return await self._pass_on(owner, job)
        await self._tell_of_bill(order, context)
        result = await self._apply(order, job, context)
        await dispatch.nudge(self._client, owner, [])
        return result

    async def _invoice(self, api: StripeApi, job: SyncInput, context: ApplyContext) -> SyncResult:
        """An invoice may belong to a session or a subscription; otherwise it is a purchase
        itself."""
        order = await fetch.invoice(api, await api.invoice(job.object_id))
        if order.subscription:
            await self._tell_of_bill(order, context)
        if not await self._linked(order, context):
            if order.subscription is None:
                return await self._apply(order, job, context)
            return await self._pass_on(Target(TargetKind.SUBSCRIPTION, order.subscription), job)
        session = await self._session_of(api, order)
        if session:
            return await self._pass_on(Target(TargetKind.PURCHASE, session), job)
        result = await self._apply(order, job, context)
        if order.subscription:
            owner = Target(TargetKind.SUBSCRIPTION, order.subscription)
            await dispatch.nudge(self._client, owner, [])
        return result

    async def _session_of(self, api: StripeApi, bill: Order) -> str | None:
        """The checkout session that created an invoice, if any: as we know it, or as Stripe says.
        A payment that failed at the checkout may be made otherwise, and leads to no session."""
        async with self._deps.pool.acquire() as connection:
            known = await order_mirror.of_invoices(connection, [bill.id])
        return known.get(bill.id) or await fetch.session_of_invoice(api, bill)

    async def _tell_of_bill(self, order: Order, context: ApplyContext) -> None:
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await order_facts.tell_of_bill(connection, order, context=context)

    async def _pass_on(self, target: Target, job: SyncInput) -> SyncResult:
        await dispatch.nudge(self._client, target, job.event_ids)
        return SyncResult("passed on", f"Belongs to {target.kind} {target.id}", finished=True)

    async def _linked(self, order: Order, context: ApplyContext) -> bool:
        if not order.one_off_lines:
            return False
        async with self._deps.pool.acquire() as connection:
            found = await linked_products(
                connection,
                {line.stripe_product for line in order.one_off_lines},
                account=context.account,
            )
        return bool(found)

    async def _apply(self, order: Order, job: SyncInput, context: ApplyContext) -> SyncResult:
        reference = self._deps.reference(order.reference)
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await keep_plans(connection)
            outcome = await orders.apply_orders(
                connection,
                [order],
                context=context,
                references={order.id: reference} if reference else None,
            )
            await inbox.mark_handled(connection, job.event_ids)
            overtaken = await self._overtaken(connection, order)
        if overtaken:
            return read_again(job.as_of)
        result = _result(outcome.applied[order.id], order, as_of=job.as_of)
        return replace(result, ticket=context.ticket)

    async def _overtaken(self, connection: Connection, order: Order) -> bool:
        """Whether the money of a payment that was read as pending has come meanwhile. The event
        that said so found no purchase waiting for it."""
        if access.order_state(order) != "pending" or order.payment is None:
            return False
        return await inbox.just_settled(connection, order.payment.payment_intent)

    async def _unreadable(self, job: SyncInput, error: StripeError | UnreadableError) -> SyncResult:
        if isinstance(error, StripeError) and (error.passing or error.refused):
            raise error
        return await failed(self._deps, job, TargetKind.PURCHASE, str(error))


def _result(applied: Applied, order: Order, *, as_of: datetime) -> SyncResult:
    if applied.stale:
        return read_again(as_of)
    return SyncResult(
        label=_label(applied),
        state=f"{applied.state}. Stripe says: {order.status}, {order.payment_status}",
        finished=applied.terminal or not applied.relevant,
        wake_at=applied.wake_at,
        wake=applied.wake,
        product=applied.products[0] if applied.products else None,
        customer=reference(order.customer.id) if order.customer else None,
    )


def _label(applied: Applied) -> str:
    if not applied.relevant:
        return "not linked"
    if applied.access:
        return "access"
    return "pending" if not applied.terminal else "no access"
