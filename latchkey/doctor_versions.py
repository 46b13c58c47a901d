"""Doctor's check of the releases whose workers poll Temporal, and of the one that it gives runs."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import temporalio.api.enums.v1 as enums
import temporalio.api.taskqueue.v1 as taskqueue
import temporalio.api.workflowservice.v1 as service
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from latchkey import contracts
from latchkey.doctor_checks import Check

NAME = "worker releases"
STOPPED = timedelta(minutes=2)
"""Temporal lists a worker for some minutes after it stopped. One that runs asks each minute."""
_COMMAND = f"temporal worker deployment {{}} --deployment-name {contracts.WORKER_DEPLOYMENT}"


@dataclass(frozen=True)
class Releases:
    """The releases whose workers ask for steps of runs, without a version and as one, and those
    that Temporal gives them to: the `current` one, and the one that has a share of them. Empty if
    there is none."""

    plain: frozenset[str] = frozenset()
    versioned: frozenset[str] = frozenset()
    current: str = ""
    ramping: str = ""


async def of_releases(client: Client) -> list[Check]:
    """Nothing where no worker polls, which is another check. Raises `RPCError`."""
    return judged(await read(client), installed=version("latchkey"))


def judged(found: Releases, *, installed: str) -> list[Check]:
    """Whether the workers that run get work, and are of the `installed` release."""
    polling = found.plain | found.versioned
    if not polling:
        return []
    newest = installed if installed in polling else max(polling, key=_numbers)
    make_current = _COMMAND.format(f"set-current-version --build-id {newest}")
    if found.current and found.current not in found.versioned:
        text = f"runs are given to {found.current}, and no worker of it asks for them"
        advice = f"start workers of {found.current}"
        if found.versioned:
            advice += f", or `{make_current}`"
        else:
            without = _COMMAND.format("set-current-version --unversioned")
            advice += f" with LATCHKEY_WORKER_VERSIONING=on, or give versions up: `{without}`"
        return [Check(NAME, False, text, advice)]
    if found.versioned and not found.current:
        text = f"workers of {_listed(found.versioned)} have a version, and none is current"
        return [Check(NAME, False, text, f"give them the runs: `{make_current}`")]
    if found.current and found.plain:
        text = f"workers of {_listed(found.plain)} have no version, so they get no runs"
        return [Check(NAME, False, text, "start them with LATCHKEY_WORKER_VERSIONING=on")]
    if found.ramping in found.versioned - {found.current}:
        text = f"{found.current} is current, and {found.ramping} has a share of the runs"
        return [Check(NAME, True, text)]
    if found.current and len(polling) > 1:
        text = f"{found.current} is current, and workers of {_listed(polling)} run"
        return [Check(NAME, False, text, f"`{make_current}`, and stop the other ones")]
    if len(polling) > 1:
        text = f"workers of several run: {_listed(polling)}"
        return [Check(NAME, False, text, f"update the workers that aren't of {newest}")]
    if newest != installed:
        text = f"the workers are of {newest}, and this is {installed}"
        return [Check(NAME, False, text, "update the workers, too")]
    return [Check(NAME, True, f"all workers are of {installed}")]


def _numbers(release: str) -> list[int]:
    """What releases are in order by: 1.10.0 is later than 1.9.0."""
    return [int(number) for number in re.findall(r"\d+", release)]


def _listed(releases: frozenset[str]) -> str:
    return " and ".join(sorted(releases))


async def read(client: Client) -> Releases:
    """What Temporal knows of the workers of runs. Raises `RPCError`."""
    answer = await client.workflow_service.describe_task_queue(
        service.DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=taskqueue.TaskQueue(name=contracts.MAIN_QUEUE),
            task_queue_type=enums.TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    plain, versioned = set(), set()
    for poller in answer.pollers:
        if datetime.now(UTC) - poller.last_access_time.ToDatetime(UTC) > STOPPED:
            continue
        options = poller.deployment_options
        if options.worker_versioning_mode == _VERSIONED:
            versioned.add(options.build_id)
        elif build := options.build_id or poller.worker_version_capabilities.build_id:
            plain.add(build)
    current, ramping = await _given_to(client)
    return Releases(frozenset(plain), frozenset(versioned), current, ramping)


_VERSIONED = enums.WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED


async def _given_to(client: Client) -> tuple[str, str]:
    """The build ids of the current version and of the one that has a share."""
    try:
        answer = await client.workflow_service.describe_worker_deployment(
            service.DescribeWorkerDeploymentRequest(
                namespace=client.namespace, deployment_name=contracts.WORKER_DEPLOYMENT
            )
        )
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.UNIMPLEMENTED):
            return "", ""
        raise
    routing = answer.worker_deployment_info.routing_config
    return (
        routing.current_deployment_version.build_id,
        routing.ramping_deployment_version.build_id,
    )
