"""`LinkPreview`: finds who a product link would give access to. Only writes its own records."""

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.steps import on_main_queue, on_stripe_queue, reason_of

with workflow.unsafe.imports_passed_through():
    from latchkey import contracts
    from latchkey.contracts import (
        FinishPreviewInput,
        ImportPlan,
        ImportStep,
        LinkPreviewInput,
        PreviewPageInput,
        PreviewPageResult,
    )

SOMEONE_WAITS = RetryPolicy(maximum_attempts=3)


@workflow.defn(name=contracts.LINK_PREVIEW)
class LinkPreview:
    """Reads the lists that the import would read."""

    @workflow.run
    async def run(self, job: LinkPreviewInput) -> str:
        try:
            await self._walk(job)
        except ActivityError as error:
            reason = reason_of(error)
            await self._finish(job, reason)
            raise ApplicationError(reason, non_retryable=True) from None
        await self._finish(job, None)
        return "done"

    async def _walk(self, job: LinkPreviewInput) -> None:
        plan = await on_stripe_queue(
            contracts.PLAN_PREVIEW,
            job.stripe_product,
            result_type=ImportPlan,
            retry_policy=SOMEONE_WAITS,
            summary="List the product's prices",
        )
        prices: list[str | None] = [None] if plan.scan else list(plan.prices)
        for price in prices:
            await self._pages(job, ImportStep.SUBSCRIPTIONS, price)
        await self._pages(job, ImportStep.ORDERS, None)
        if plan.invoices:
            await self._pages(job, ImportStep.INVOICES, None, since=plan.invoices_since)

    async def _pages(
        self,
        job: LinkPreviewInput,
        step: ImportStep,
        price: str | None,
        *,
        since: int | None = None,
    ) -> None:
        cursor: str | None = None
        while True:
            page = await on_stripe_queue(
                contracts.PREVIEW_PAGE,
                PreviewPageInput(
                    preview_id=job.preview_id,
                    product_id=job.product_id,
                    stripe_product=job.stripe_product,
                    step=step,
                    as_of=workflow.now(),
                    price=price,
                    cursor=cursor,
                    since=since,
                ),
                result_type=PreviewPageResult,
                retry_policy=SOMEONE_WAITS,
                summary=f"Read a page of {step}",
            )
            cursor = page.cursor
            if cursor is None:
                return

    async def _finish(self, job: LinkPreviewInput, error: str | None) -> None:
        await on_main_queue(
            contracts.FINISH_PREVIEW,
            FinishPreviewInput(job.preview_id, error),
            result_type=type(None),
            summary="Finish the preview",
        )
