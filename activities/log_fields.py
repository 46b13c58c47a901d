"""Has every line that is logged during a Temporal activity name the workflow, run and activity, and
the object and events, if it is about one object."""

from typing import Any

from structlog.contextvars import bind_contextvars
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from latchkey.contracts import SyncInput


class LogFields(Interceptor):
    """The worker interceptor."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Named(next)


class _Named(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        """Each activity has a task of its own, so that nothing has to be unbound: what Temporal's
        client logs about a failure afterwards has the ids, too."""
        info = activity.info()
        bind_contextvars(
            workflow=info.workflow_id,
            run=info.workflow_run_id,
            activity=info.activity_type,
            attempt=info.attempt,
        )
        for given in input.args:
            if isinstance(given, SyncInput):
                bind_contextvars(object=given.object_id, events=given.event_ids)
        return await super().execute_activity(input)
