"""Imports a product link page by page, and previews what an import would do."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.client import Client

from activities import comparison_source, fetch, list_pages, past_due
from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts, dispatch
from latchkey.contracts import (
    FinishPreviewInput,
    ImportPageInput,
    ImportPageResult,
    ImportPlan,
    ImportStep,
    LifecyclesInput,
    LinkStateInput,
    PreviewPageInput,
    PreviewPageResult,
    Progress,
)
from latchkey.rules import access, past_invoices, reading
from latchkey.rules.pictures import absolute
from latchkey.rules.policy import Policy
from latchkey.rules.reading import Order, Subscription
from latchkey.rules.vocabulary import Cause
from latchkey.store.access import policy as policies
from latchkey.store.products import link_previews, links
from latchkey.store.products.link_previews import Candidate
from latchkey.store.products.links import LinkJob
from latchkey.store.purchases import (
    order_mirror,
    orders,
    subscription_mirror,
    subscriptions,
    tombstones,
)
from latchkey.store.purchases.judging import describe
from latchkey.store.purchases.subscription_facts import stripe_past_due_since
from latchkey.store.stripe import catalog, wakeups
from latchkey.stripe_api import Json, Page, StripeApi

MANY_PRICES = 20
"""From this many prices on, reading all subscriptions once is cheaper than one list per price."""

CLOCKS_DIFFER = timedelta(hours=1)
"""By how much Stripe's clock and ours may differ at most."""

LIFECYCLES_AT_ONCE = 8
LIFECYCLES_PER_SECOND = 50


class ImportActivities:
    """Imports earlier buyers in bulk, by the same rules as events."""

    def __init__(self, deps: ActivityDeps, client: Client, *, public_url: str) -> None:
        self._deps = deps
        self._public_url = public_url
        self._client = client

    @activity.defn(name=contracts.PLAN_IMPORT)
    async def plan(self, link_id: int) -> ImportPlan:
        """Create the Stripe product if the link asks for a new one, and list its prices."""
        async with retried():
            api = await self._deps.keyring.api()
            async with self._deps.pool.acquire() as connection:
                job = await links.job(connection, link_id)
            stripe_product = job.stripe_product or await self._create(api, job)
            return await self._prices(api, stripe_product, invoices=job.invoices)

    @activity.defn(name=contracts.PLAN_PREVIEW)
    async def plan_preview(self, stripe_product: str) -> ImportPlan:
        async with retried():
            api = await self._deps.keyring.api()
            return await self._prices(api, stripe_product, invoices="year")

    @activity.defn(name=contracts.IMPORT_PAGE)
    async def page(self, job: ImportPageInput) -> ImportPageResult:
        """Read one page and apply it in one transaction, with the link's progress."""
        async with retried():
            context = await self._deps.context(as_of=job.as_of, cause=Cause.IMPORT)
            api = await self._deps.keyring.api()
            page = await _read(api, job)
            found_subscriptions, found_orders = await self._found(api, page.data, job)
            references = comparison_source.references(self._deps, found_orders)
            async with self._deps.pool.acquire() as connection, connection.transaction():
                if not await links.lock_if_importing(connection, job.link_id):
                    return ImportPageResult(page.next, job.progress)
                by_subscription = await subscriptions.apply_subscriptions(
                    connection, found_subscriptions, context=context
                )
                by_order = await orders.apply_orders(
                    connection, found_orders, context=context, references=references
                )
                before = job.progress
                progress = Progress(
                    pages=before.pages + 1,
                    subscriptions=before.subscriptions + len(found_subscriptions),
                    orders=before.orders + len(found_orders),
                    granted=before.granted + by_subscription.granted + by_order.granted,
                    already_had_access=before.already_had_access
                    + by_subscription.already
                    + by_order.already,
                    lifecycles=before.lifecycles,
                )
                await links.write_progress(connection, job.link_id, progress)
        return ImportPageResult(page.next, progress)

    @activity.defn(name=contracts.START_LIFECYCLES)
    async def start_lifecycles(self, job: LifecyclesInput) -> int:
        """Start workflows for subscriptions that have none, at a limited rate; 0 means none are
        left."""
        async with self._deps.pool.acquire() as connection:
            waiting = await subscription_mirror.without_lifecycle(
                connection, job.link_id, limit=job.limit
            )
        for start in range(0, len(waiting), LIFECYCLES_AT_ONCE):
            batch = waiting[start : start + LIFECYCLES_AT_ONCE]
            pause = asyncio.sleep(len(batch) / LIFECYCLES_PER_SECOND)
            await asyncio.gather(
                pause, *(dispatch.start_lifecycle(self._client, lifecycle) for lifecycle in batch)
            )
            async with self._deps.pool.acquire() as connection, connection.transaction():
                moved = await subscription_mirror.mark_started(connection, batch)
                await wakeups.add(connection, wakeups.LOOK_AGAIN, moved)
            if activity.is_worker_shutdown():
                return start + len(batch)
        return len(waiting)

    @activity.defn(name=contracts.SET_LINK_STATE)
    async def set_link_state(self, job: LinkStateInput) -> None:
        async with self._deps.pool.acquire() as connection:
            await links.set_state(
                connection, job.link_id, state=job.state, progress=job.progress, error=job.error
            )
            await tombstones.forget_old(connection)

    @activity.defn(name=contracts.PREVIEW_PAGE)
    async def preview_page(self, job: PreviewPageInput) -> PreviewPageResult:
        """Judge one page, writing only the preview's own records."""
        async with retried():
            api = await self._deps.keyring.api()
            page = await _read(api, job)
            of_subscriptions, of_orders = await self._found(api, page.data, job)
            found: list[Subscription | Order] = [*of_subscriptions, *of_orders]
            async with self._deps.pool.acquire() as connection:
                policy = await policies.read(connection, job.product_id)
                candidates = [_candidate(purchase, job, policy.effective) for purchase in found]
                await link_previews.add(
                    connection,
                    preview_id=job.preview_id,
                    product_id=job.product_id,
                    candidates=candidates,
                )
        return PreviewPageResult(page.next)

    @activity.defn(name=contracts.FINISH_PREVIEW)
    async def finish_preview(self, job: FinishPreviewInput) -> None:
        async with self._deps.pool.acquire() as connection:
            await link_previews.finish(connection, job.preview_id, error=job.error)

    async def _create(self, api: StripeApi, job: LinkJob) -> str:
        """Create a Stripe product that inherits name, image and description.

        Stripe stores a failed answer under its idempotency key, although the product may exist. So
        each attempt uses its own key, and first looks for a product created by an earlier attempt.
        """
        assert job.create is not None, "a link names its Stripe product or how to make it"
        context = await self._deps.context(as_of=datetime.now(UTC), cause=Cause.ADMIN)
        image = absolute(job.image_url, public_url=self._public_url)
        public_image = image if (image or "").startswith("https://") else None
        marks = {"latchkey_product": job.product_id, "latchkey_link": str(job.id)}
        newest = (await api.products(after=None)).data
        source = next(
            (product for product in newest if product["metadata"].items() >= marks.items()), None
        )
        info = activity.info()
        source = source or await api.create_product(
            name=job.name,
            description=job.description or None,
            image_url=public_image,
            amount=job.create.amount,
            currency=job.create.currency.lower(),
            interval=job.create.interval,
            metadata=marks,
            idempotency_key=f"link/{job.product_id}/{job.id}/product"
            f"/{info.activity_id}/{info.attempt}",
        )
        async with self._deps.pool.acquire() as connection, connection.transaction():
            await catalog.mirror_products(
                connection,
                [reading.stripe_product(source)],
                account=context.account,
                ticket=context.ticket,
            )
            await links.set_stripe_product(connection, job.id, source["id"])
        return str(source["id"])

    async def _found(
        self, api: StripeApi, page: Iterable[Json], job: ImportPageInput | PreviewPageInput
    ) -> tuple[list[Subscription], list[Order]]:
        """The page's records of the Stripe product, without the invoices of checkout sessions.

        Sessions are read first. One that is completed later isn't known when its invoice is read,
        so sessions are looked for where the invoice is younger than the link. A preview needs no
        more than those that it has read.
        """

        def sells(order: Order) -> bool:
            return any(line.stripe_product == job.stripe_product for line in order.one_off_lines)

        match job.step:
            case ImportStep.SUBSCRIPTIONS:
                every = await list_pages.subscriptions(api, page)
                mine = [
                    subscription
                    for subscription in every
                    if job.stripe_product in subscription.stripe_products
                ]
                product = job.stripe_product
                return await past_due.dated(self._deps, api, mine, stripe_product=product), []
            case ImportStep.ORDERS:
                return [], await list_pages.sessions(api, page, sells)
        selling = list_pages.invoices(page, sells)
        async with self._deps.pool.acquire() as connection:
            known = await order_mirror.of_invoices(connection, list(selling))
        unmade = [source for key, source in selling.items() if not known.get(key)]
        found = [await fetch.invoice(api, source) for source in unmade]
        bought = [order for order in found if sells(order)]
        if isinstance(job, ImportPageInput):
            bought = await self._without_sessions(api, bought, job.link_id)
        return [], bought

    async def _without_sessions(
        self, api: StripeApi, bills: list[Order], link_id: int
    ) -> list[Order]:
        """Leave out invoices of sessions that were completed after the sessions were read: their
        own events bring them."""
        async with self._deps.pool.acquire() as connection:
            since = await links.made_at(connection, link_id) - CLOCKS_DIFFER
        return [
            bill
            for bill in bills
            if bill.created < since or await fetch.session_of_invoice(api, bill) is None
        ]

    async def _prices(self, api: StripeApi, stripe_product: str, *, invoices: str) -> ImportPlan:
        """All prices of the product, including archived ones: paying any of them gives access.

        Invoices are only read if the product ever had a one-off price: renewals are invoices too
        and make the list long.
        """
        account = await self._deps.account()
        found = list_pages.readable(await api.prices_of(stripe_product), reading.price)
        async with self._deps.pool.acquire() as connection:
            ticket = await connection.fetchval("select nextval('reading_tickets')")
            await catalog.mirror_prices(connection, found, account=account, ticket=ticket)
        recurring = [price.id for price in found if price.type == "recurring"]
        scan = len(recurring) > MANY_PRICES
        once = any(price.type != "recurring" for price in found)
        year_ago = int((datetime.now(UTC) - past_invoices.YEAR).timestamp())
        return ImportPlan(
            stripe_product,
            [] if scan else recurring,
            scan=scan,
            invoices=once and invoices != "none",
            invoices_since=year_ago if invoices == "year" else None,
        )


async def _read(api: StripeApi, job: ImportPageInput | PreviewPageInput) -> Page:
    match job.step:
        case ImportStep.SUBSCRIPTIONS:
            return await api.subscriptions(price=job.price, after=job.cursor)
        case ImportStep.INVOICES:
            return await api.paid_invoices(since=job.since, after=job.cursor)
    return await api.completed_sessions(after=job.cursor)


def _candidate(found: Subscription | Order, job: PreviewPageInput, policy: Policy) -> Candidate:
    if isinstance(found, Subscription):
        verdict = access.judge_subscription(
            found,
            policy,
            past_due_since=stripe_past_due_since(found),
            as_of=job.as_of,
            stripe_product=job.stripe_product,
        )
        what = f"Subscription is {found.status.replace('_', ' ')}"
    else:
        verdict = access.judge_order(found, policy, as_of=job.as_of)
        what = f"One-time purchase is {access.order_state(found)}"
    words = describe(verdict)
    return Candidate(found, verdict.access, f"{what}: {words[0].lower()}{words[1:]}")
