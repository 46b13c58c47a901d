"""Reads the account's products and prices, and counts their active subscriptions."""

from temporalio import activity

from activities import list_pages
from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts
from latchkey.contracts import CatalogList, CatalogPageInput, CatalogPageResult
from latchkey.rules import reading
from latchkey.store.stripe import catalog
from latchkey.store.stripe import connection as connections
from latchkey.stripe_api import Page, StripeApi, StripeError

SECONDS_PER_PAGE = 6
"""Counting reads every active subscription. To spare the account's rate limit, it waits this many
seconds per page of the last count before counting again."""


class CatalogActivities:
    """Keeps the mirror of products and prices up to date."""

    def __init__(self, deps: ActivityDeps) -> None:
        self._deps = deps

    @activity.defn(name=contracts.CATALOG_PAGE)
    async def page(self, job: CatalogPageInput) -> CatalogPageResult:
        """Read and store one page of one list. A list that the key may not read is skipped: the key
        check reports that, and whoever is waiting gets the rest."""
        async with retried():
            if job.list is CatalogList.SUBSCRIPTIONS and job.cursor is None:
                async with self._deps.pool.acquire() as connection:
                    if not await catalog.count_is_due(connection, pause=SECONDS_PER_PAGE):
                        return CatalogPageResult(None)
            account = await self._deps.account()
            api = await self._deps.keyring.api()
            async with self._deps.pool.acquire() as connection:
                ticket = await connections.next_ticket(connection)
            page = await _read(api, job)
            if page is None:
                return CatalogPageResult(None)
            counts = dict(job.counts)
            async with self._deps.pool.acquire() as connection, connection.transaction():
                match job.list:
                    case CatalogList.PRODUCTS:
                        await catalog.mirror_products(
                            connection,
                            list_pages.readable(page.data, reading.stripe_product),
                            account=account,
                            ticket=ticket,
                        )
                    case CatalogList.PRICES:
                        await catalog.mirror_prices(
                            connection,
                            list_pages.readable(page.data, reading.price),
                            account=account,
                            ticket=ticket,
                        )
                    case CatalogList.SUBSCRIPTIONS:
                        for subscription in list_pages.readable(page.data, reading.subscription):
                            for product in subscription.stripe_products:
                                counts[product] = counts.get(product, 0) + 1
                        if page.next is None:
                            await catalog.write_counts(
                                connection, counts, account=account, pages=job.pages + 1
                            )
        return CatalogPageResult(page.next, counts)


async def _read(api: StripeApi, job: CatalogPageInput) -> Page | None:
    """The page, or None if the key may not read its list."""
    try:
        match job.list:
            case CatalogList.PRODUCTS:
                return await api.products(after=job.cursor)
            case CatalogList.PRICES:
                return await api.prices(after=job.cursor)
            case CatalogList.SUBSCRIPTIONS:
                return await api.active_subscriptions(after=job.cursor)
    except StripeError as error:
        if error.status == 403:
            return None
        raise
