"""Creates and deactivates payment links, closes sessions that nobody should pay any more, and looks
up the session a buyer returns with."""

from temporalio import activity
from temporalio.client import Client

from activities import on_sale
from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts, dispatch
from latchkey.contracts import StripeCallInput, StripeCallResult
from latchkey.rules import access, reading
from latchkey.rules.reading import UnreadableError
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.products import checkout, checkout_attempts
from latchkey.store.products.checkout import PaymentLinkJob
from latchkey.store.purchases.linked_products import linked_products
from latchkey.store.stripe import connection as connections
from latchkey.stripe_api import Json, StripeApi, StripeError


class CheckoutActivities:
    """Keeps payment links as chosen. `public_url` is where buyers return to."""

    def __init__(self, deps: ActivityDeps, client: Client, *, public_url: str) -> None:
        self._deps = deps
        self._client = client
        self._redirect = (
            f"{public_url.rstrip('/')}/checkout/success?session={{CHECKOUT_SESSION_ID}}"
        )

    @activity.defn(name=contracts.SETTLE_CHECKOUT)
    async def settle(self, product_id: str) -> str:
        """Activate the chosen link, then deactivate the others, so that there always is one. Close
        the sessions that would take money for nothing."""
        async with retried():
            account = await self._deps.account()
            api = await self._deps.keyring.api()
            await on_sale.look(self._deps, api, product_id, account=account)
            async with self._deps.pool.acquire() as connection:
                jobs = await checkout.jobs(connection, product_id, account=account)
            for job in jobs:
                try:
                    await self._do(api, job)
                except StripeError as error:
                    if error.passing or error.refused:
                        raise
                    async with self._deps.pool.acquire() as connection:
                        await checkout.refused(connection, job.link.id, error.message)
                    return f"Stripe refused payment link {job.link.id}: {error}"
            await self._close_orphans(api, product_id)
        opened = sum(job.link.wanted for job in jobs)
        return f"Payment links activated: {opened}, deactivated: {len(jobs) - opened}"

    async def _close_orphans(self, api: StripeApi, product_id: str) -> None:
        async with self._deps.pool.acquire() as connection:
            sessions = await checkout_attempts.orphans(connection, product_id)
        for session_id in sessions:
            await _expire(api, session_id)
            async with self._deps.pool.acquire() as connection:
                await checkout_attempts.closed(connection, session_id)

    async def _do(self, api: StripeApi, job: PaymentLinkJob) -> None:
        link = job.link
        async with self._deps.pool.acquire() as connection:
            ticket = await connections.next_ticket(connection)
        if not link.wanted:
            assert link.stripe_id is not None, "only a link that exists in Stripe is active"
            await self._close(api, link.stripe_id)
            if job.orphaned:
                await self._close_sessions(api, link.stripe_id)
            async with self._deps.pool.acquire() as connection:
                await checkout.retired(connection, link.id, ticket=ticket)
            return
        if link.stripe_id is None:
            made = await self._found(api, job) or await self._made(api, job)
        else:
            made = await self._reopened(api, job, link.stripe_id)
        async with self._deps.pool.acquire() as connection:
            await checkout.opened(
                connection,
                link.id,
                stripe_id=made["id"],
                url=made["url"],
                codes=job.codes,
                ticket=ticket,
            )

    async def _close(self, api: StripeApi, stripe_id: str) -> None:
        try:
            await api.update_payment_link(stripe_id, active=False)
        except StripeError as error:
            if not error.missing:
                raise

    async def _close_sessions(self, api: StripeApi, stripe_id: str) -> None:
        """Close what buyers have opened by a payment link. A key that doesn't sell by sessions may
        lack the permission: then they stay open for up to a day."""
        try:
            for session in await api.open_sessions(stripe_id):
                await _expire(api, session["id"])
        except StripeError as error:
            if not (error.missing or error.refused):
                raise
            if error.refused:
                activity.logger.warning(
                    "the open checkouts of payment link %s can't be closed: %s", stripe_id, error
                )

    async def _reopened(self, api: StripeApi, job: PaymentLinkJob, stripe_id: str) -> Json:
        """The link, active again. A limit that it has reached is lifted, and if Stripe lost it, as
        by deleting test data, another one is made: else saving again would never mend it."""
        try:
            source = await api.retrieve("payment_links", stripe_id)
            lifted = {"restrictions": ""} if reading.payment_link_spent(source) else {}
            return await api.update_payment_link(
                stripe_id, active=True, allow_promotion_codes=job.codes, **lifted
            )
        except StripeError as error:
            if not error.missing:
                raise
        return await self._found(api, job) or await self._made(api, job)

    async def _found(self, api: StripeApi, job: PaymentLinkJob) -> Json | None:
        """The link that an earlier attempt created but whose answer was lost. The idempotency key
        alone doesn't help: Stripe also stores failed answers under it."""
        if activity.info().attempt == 1:
            return None
        for made in await api.newest_payment_links():
            if made["metadata"].items() >= _marks(job).items():
                return await api.update_payment_link(
                    made["id"], active=True, allow_promotion_codes=job.codes
                )
        return None

    async def _made(self, api: StripeApi, job: PaymentLinkJob) -> Json:
        link, attempt = job.link, activity.info().attempt
        return await api.create_payment_link(
            price=link.price_id,
            recurring=job.recurring,
            promotion_codes=job.codes,
            redirect=self._redirect,
            metadata=_marks(job),
            idempotency_key=f"latchkey-payment-link-{link.product_id}-{link.id}"
            f"-{int(job.codes)}-{attempt}{'-after-' + link.stripe_id if link.stripe_id else ''}",
        )

    @activity.defn(name=contracts.LOOK_AT_SESSION)
    async def look_at_session(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """The state of a checkout session. If it is one of ours, nudges its workflow."""
        async with retried():
            account = await self._deps.account()
            api = await self._deps.keyring.api()
            try:
                source = await api.checkout_session(stripe_call.object_id)
                session = reading.checkout_session(source)
            except StripeError as error:
                if error.passing or error.refused:
                    raise
                return StripeCallResult("unknown")
            except UnreadableError:
                return StripeCallResult("unknown")
            if session.status != "complete":
                return StripeCallResult(session.status)
            async with self._deps.pool.acquire() as connection:
                linked = await linked_products(
                    connection, {line.stripe_product for line in session.lines}, account=account
                )
            if not linked:
                return StripeCallResult("not linked")
            if session.subscription:
                target = Target(
                    TargetKind.SUBSCRIPTION, session.subscription, checkout_session=session.id
                )
            else:
                target = Target(TargetKind.PURCHASE, session.id)
            await dispatch.nudge(self._client, target, [])
        state = access.order_state(session)
        return StripeCallResult("pending" if state == "pending" else "complete", target.id)


async def _expire(api: StripeApi, session_id: str) -> None:
    """Close a session. What Stripe won't close was paid meanwhile, or has expired."""
    try:
        await api.expire_session(session_id)
    except StripeError as error:
        if error.passing or error.refused:
            raise


def _marks(job: PaymentLinkJob) -> dict[str, str]:
    """The metadata that identifies a payment link. Product ids are random, so no other site has the
    same ones."""
    return {"latchkey_product": job.link.product_id, "latchkey_link": str(job.link.id)}
