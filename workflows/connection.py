"""`Connection` and `Catalog`: the Stripe key, the webhook endpoint and what the account sells."""

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

from workflows.steps import on_stripe_queue

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import CatalogList, CatalogPageInput, CatalogPageResult, KeyCheck

SOMEONE_WAITS = RetryPolicy(maximum_attempts=5)
BULK = Priority(priority_key=4)


@workflow.defn(name=contracts.CONNECTION)
class Connection:
    """Checks the key, registers the webhook endpoint, reads the catalog."""

    @workflow.run
    async def run(self) -> str:
        check = await on_stripe_queue(
            contracts.CHECK_KEY,
            result_type=KeyCheck,
            retry_policy=SOMEONE_WAITS,
            summary="Check the Stripe key",
        )
        workflow.set_current_details(check.state)
        if not check.connected:
            return check.state
        endpoint = await on_stripe_queue(
            contracts.REGISTER_ENDPOINT,
            result_type=str,
            retry_policy=SOMEONE_WAITS,
            summary="Register the webhook endpoint",
        )
        await read_catalog()
        workflow.set_current_details(f"{check.state}. {endpoint}")
        return check.state


@workflow.defn(name=contracts.CATALOG)
class Catalog:
    """Reads the account's products and prices and counts their active subscriptions."""

    @workflow.run
    async def run(self) -> None:
        await read_catalog()


async def read_catalog() -> None:
    """Read the catalog's lists, a page at a time."""
    for which in CatalogList:
        job = CatalogPageInput(which)
        while True:
            page = await on_stripe_queue(
                contracts.CATALOG_PAGE,
                job,
                result_type=CatalogPageResult,
                priority=BULK,
                summary=f"Read a page of {which}",
            )
            if page.cursor is None:
                break
            job = CatalogPageInput(which, page.cursor, page.counts, job.pages + 1)
