"""Checks of Temporal: how it is reached, its namespace, and what waits in its task queues."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import temporalio.api.enums.v1 as enums
import temporalio.api.operatorservice.v1 as operator
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as service
from cryptography import x509
from temporalio.client import Client
from temporalio.service import RPCError

from latchkey import contracts, doctor_checks, doctor_versions, temporal
from latchkey.doctor_checks import PATIENCE_SECONDS, Check
from latchkey.rules.plurals import counted
from latchkey.settings import Settings
from latchkey.temporal import Access

SHORTEST_RETENTION = timedelta(days=3)
LONGEST_WAIT = timedelta(minutes=2)
EXPIRES_SOON = timedelta(days=30)
QUEUES = (contracts.MAIN_QUEUE, contracts.STRIPE_QUEUE, contracts.WEBHOOK_QUEUE)


async def of_temporal(settings: Settings) -> list[Check]:
    """Everything about Temporal; only how it is reached where it doesn't answer."""
    access = temporal.access()
    reached = list(of_access(access, now=datetime.now(UTC)))
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            client = await temporal.connect(keys=settings.payload_keys)
            known = await client.operator_service.list_search_attributes(
                operator.ListSearchAttributesRequest(namespace=client.namespace)
            )
    except (RuntimeError, TimeoutError, OSError, RPCError) as error:
        if isinstance(error, RPCError) and temporal.lacks_namespace(error):
            found, advice = "no such namespace", temporal.no_namespace(access.namespace)
            return [Check("Temporal", False, found, advice), *reached]
        advice = "check that Temporal runs and that TEMPORAL_ADDRESS and _NAMESPACE are correct"
        found = f"can't be reached ({type(error).__name__})"
        return [Check("Temporal", False, found, advice), *reached]
    missing = [k.name for k in temporal.SEARCH_ATTRIBUTES if k.name not in known.custom_attributes]
    if missing:
        found = f"missing search attributes: {', '.join(missing)}"
        return [Check("Temporal", False, found, _registering(access, missing)), *reached]
    found = f"namespace {client.namespace}, search attributes registered"
    return [
        Check("Temporal", True, found),
        *reached,
        *await _of_namespace(client, access),
        *await doctor_checks.of_temporal(client),
    ]


def of_access(access: Access, *, now: datetime) -> Iterator[Check]:
    """Whether Temporal Cloud lets this in, by what is set. Nothing elsewhere."""
    name = "Temporal Cloud"
    if not access.is_cloud:
        return
    if "." not in access.namespace:
        yield Check(
            name,
            False,
            f"the namespace {access.namespace} lacks its account",
            "set TEMPORAL_NAMESPACE to the name with the account's id, such as site.a1b2c",
        )
    if not access.api_key and access.certificate is None:
        yield Check(
            name,
            False,
            "neither an API key nor a client certificate is set",
            "set TEMPORAL_API_KEY, or TEMPORAL_TLS_CLIENT_CERT_PATH and _KEY_PATH",
        )
    elif not access.api_key and access.takes_keys_only:
        yield Check(
            name,
            False,
            f"{access.address} takes API keys, not client certificates",
            f"set TEMPORAL_ADDRESS to {access.namespace}.tmprl.cloud:7233, or TEMPORAL_API_KEY",
        )
    elif access.certificate is not None:
        yield _of_certificate(access.certificate, now)
    else:
        yield Check(name, True, "an API key is set; Temporal Cloud shows when it expires")


def _of_certificate(certificate: bytes, now: datetime) -> Check:
    name, advice = "Temporal Cloud", "make a new client certificate, and restart web and workers"
    try:
        expires = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return Check(name, False, "the client certificate isn't in PEM format", advice)
    found = f"the client certificate expires on {expires:%Y-%m-%d}"
    return Check(name, expires - now > EXPIRES_SOON, found, advice)


def _registering(access: Access, missing: list[str]) -> str:
    if not access.is_cloud:
        return "start a worker, which registers them"
    return (
        "a worker can't register them in Temporal Cloud: for each, run `tcld namespace"
        f' search-attributes add -n {access.namespace} --sa "{missing[0]}=Keyword"`, or add it on'
        " the namespace's page"
    )


async def _of_namespace(client: Client, access: Access) -> list[Check]:
    """Checks of the namespace and its task queues. Empty if Temporal doesn't answer."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            described = await client.workflow_service.describe_namespace(
                service.DescribeNamespaceRequest(namespace=client.namespace)
            )
            kept = described.config.workflow_execution_retention_ttl.ToTimedelta()
            waits = {queue: await _waits(client, queue) for queue in QUEUES}
            releases = await doctor_versions.of_releases(client)
    except (RPCError, TimeoutError):
        return []
    return [of_retention(kept, client.namespace, access), of_waiting(waits), *releases]


async def _waits(client: Client, queue: str) -> timedelta:
    """How long the oldest task of a queue has waited for a worker."""
    longest = timedelta()
    for kind in (
        enums.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        enums.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
    ):
        answer = await client.workflow_service.describe_task_queue(
            service.DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=taskqueue.TaskQueue(name=queue),
                task_queue_type=kind,
                report_stats=True,
            )
        )
        longest = max(longest, answer.stats.approximate_backlog_age.ToTimedelta())
    return longest


def of_retention(kept: timedelta, namespace: str, access: Access) -> Check:
    """Whether runs that ended stay long enough to see why. A server for trying Latchkey out may
    keep them for a day."""
    command = f"temporal operator namespace update -n {namespace} --retention 30d"
    if access.is_cloud:
        command = f"tcld namespace retention set -n {namespace} --retention-days 30"
    long_enough = kept >= SHORTEST_RETENTION or access.is_beside
    found = f"runs that ended are kept for {counted(kept.days, 'day')}"
    return Check("Temporal's retention", long_enough, found, f"keep them for longer: `{command}`")


def of_waiting(waits: dict[str, timedelta]) -> Check:
    """Whether workers keep up, by how long the oldest task of each queue has waited."""
    slowest = max(waits, key=lambda queue: waits[queue])
    if waits[slowest] <= LONGEST_WAIT:
        return Check("task queues", True, "no task waits for long")
    advice = "start more workers"
    if slowest == contracts.STRIPE_QUEUE:
        advice += ", or raise LATCHKEY_STRIPE_RATE if Stripe's limit has room"
    seconds = round(waits[slowest].total_seconds())
    return Check("task queues", False, f"a task of {slowest} has waited for {seconds} s", advice)
