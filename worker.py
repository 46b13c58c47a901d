"""The Temporal worker: connects, registers search attributes, runs its task queues, shuts down
gracefully."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib.metadata import version as installed_version
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import (
    PollerBehaviorAutoscaling,
    ResourceBasedSlotConfig,
    UnsandboxedWorkflowRunner,
    Worker,
    WorkerDeploymentConfig,
    WorkerTuner,
    WorkflowRunner,
)

from activities.base import ActivityDeps
from activities.bursts import BurstActivities
from activities.catalog import CatalogActivities
from activities.catch_up import CatchUpActivities
from activities.checkout import CheckoutActivities
from activities.checkout_sessions import CheckoutSessionActivities
from activities.connection import ConnectionActivities
from activities.heartbeat import Heartbeats
from activities.imports import ImportActivities
from activities.log_fields import LogFields
from activities.member_imports import MemberImportActivities
from activities.objects import ObjectActivities
from activities.policy import PolicyActivities
from activities.portal import PortalActivities
from activities.promotions import PromotionActivities
from activities.purchases import PurchaseActivities
from activities.reconcile import ReconcileActivities
from activities.repair import RepairActivities
from activities.subscriptions import SubscriptionActivities
from activities.urgency import Urgency
from activities.webhooks import WebhookActivities
from latchkey import (
    adoption,
    contracts,
    dispatch,
    logout_notices,
    lost_runs,
    namespace_guard,
    presence,
    public_address,
    reminder_series,
    schedules,
    stripe_leases,
    temporal,
    worker_port,
)
from latchkey.keyring import Keyring
from latchkey.mail import outbox
from latchkey.outgoing_http import OutgoingHttp
from latchkey.picture_files import picture_files
from latchkey.serving import collect_rarely
from latchkey.settings import Settings, load_settings
from latchkey.signing import SigningKeys
from latchkey.store import site_identity
from latchkey.store.pool import WORKER_CONNECTIONS, Pool, create_pool
from latchkey.store.stripe.connection import NotConnectedError
from latchkey.stripe_rate import StripeRate
from latchkey.supervision import LoopSupervisor
from latchkey.vault import Vault
from workflows.burst import Burst, Lifecycles
from workflows.catch_up import CatchUp
from workflows.checkout import Checkout
from workflows.connection import Catalog, Connection
from workflows.grant_endings import GrantEndings
from workflows.link_preview import LinkPreview
from workflows.member_import import MemberImport
from workflows.policy_change import PolicyChange
from workflows.product_link import ProductLink
from workflows.purchase import Purchase
from workflows.reconciliation import Reconciliation
from workflows.stripe_call import StripeCall
from workflows.stripe_object import StripeObject
from workflows.subscription import Subscription
from workflows.webhook_endpoint import WebhookEndpoint

WORKFLOWS = [
    ProductLink,
    Subscription,
    Purchase,
    StripeObject,
    LinkPreview,
    Catalog,
    Connection,
    Checkout,
    StripeCall,
    CatchUp,
    Reconciliation,
    PolicyChange,
    GrantEndings,
    Burst,
    Lifecycles,
    WebhookEndpoint,
    MemberImport,
]
WORKFLOW_TASKS, AT_ONCE_SLOTS, ACTIVITY_SLOTS = 64, 32, 100
"""A local activity keeps its workflow task, which has ten seconds: what is more than these waits in
Temporal, where the urgent come first."""
FEWEST_SLOTS, MEMORY_SHARE, CPU_SHARE = 5, 0.8, 0.9
GRACE = timedelta(seconds=20)
SITE_SECONDS = 60.0
"""How often a worker asks whether the site is still the one at its address."""
STRIPE_SLOTS = 100
"""More than there are connections: those that wait for a permit to call Stripe hold none."""

Activity = Callable[..., Any]

log = structlog.get_logger("worker")


def workflow_runner() -> WorkflowRunner:
    """Workflows run as they are: their modules are pure (`tests/test_architecture.py` sees to that)
    and nothing of them would be imported again in Temporal's sandbox, whose own work takes a
    quarter of the worker's time."""
    return UnsandboxedWorkflowRunner()


def build_workers(
    client: Client,
    deps: ActivityDeps,
    settings: Settings,
    *,
    outgoing: OutgoingHttp,
) -> tuple[Worker, Worker, Worker]:
    """The workers of the main queue, of the Stripe queue, whose rate limit applies cluster-wide,
    and of outgoing webhooks, which may hang without keeping the others from working. Without the
    release, each start would read the code of all modules to make up a name for it."""
    main, stripe = _activities(client, deps, settings)
    webhooks = WebhookActivities(deps, outgoing, public_url=settings.public_url)
    versioned = version_of(settings)
    release = installed_version("latchkey")
    return (
        Worker(
            client,
            task_queue=contracts.MAIN_QUEUE,
            workflows=WORKFLOWS,
            activities=main,
            workflow_runner=workflow_runner(),
            deployment_config=versioned,
            build_id=None if versioned else release,
            tuner=tuner(settings),
            max_cached_workflows=settings.worker_cache,
            workflow_task_poller_behavior=PollerBehaviorAutoscaling(),
            activity_task_poller_behavior=PollerBehaviorAutoscaling(),
            graceful_shutdown_timeout=GRACE,
            interceptors=[LogFields(), Heartbeats(), Urgency()],
        ),
        Worker(
            client,
            task_queue=contracts.STRIPE_QUEUE,
            activities=stripe,
            build_id=release,
            max_concurrent_activities=STRIPE_SLOTS,
            max_task_queue_activities_per_second=settings.stripe_rate,
            activity_task_poller_behavior=PollerBehaviorAutoscaling(),
            graceful_shutdown_timeout=GRACE,
            interceptors=[LogFields(), Heartbeats(), Urgency()],
        ),
        Worker(
            client,
            task_queue=contracts.WEBHOOK_QUEUE,
            activities=[webhooks.send],
            build_id=release,
            activity_task_poller_behavior=PollerBehaviorAutoscaling(),
            graceful_shutdown_timeout=GRACE,
            interceptors=[LogFields(), Heartbeats()],
        ),
    )


def tuner(settings: Settings) -> WorkerTuner:
    """How many tasks the main queue's worker takes at a time. By resources, fewer where memory or
    processors are short, but never more than is good for the tasks."""
    if settings.worker_slots == "fixed":
        return WorkerTuner.create_fixed(
            workflow_slots=WORKFLOW_TASKS,
            activity_slots=ACTIVITY_SLOTS,
            local_activity_slots=AT_ONCE_SLOTS,
        )

    def up_to(most: int) -> ResourceBasedSlotConfig:
        return ResourceBasedSlotConfig(
            minimum_slots=FEWEST_SLOTS, maximum_slots=most, ramp_throttle=timedelta()
        )

    return WorkerTuner.create_resource_based(
        target_memory_usage=MEMORY_SHARE,
        target_cpu_usage=CPU_SHARE,
        workflow_config=up_to(WORKFLOW_TASKS),
        activity_config=up_to(ACTIVITY_SLOTS),
        local_activity_config=up_to(AT_ONCE_SLOTS),
    )


def version_of(settings: Settings) -> WorkerDeploymentConfig | None:
    """The version that this release is to Temporal, where its workers have versions. Runs last for
    years, so they go on in whichever is current; patches keep their histories valid."""
    if settings.worker_versioning == "off":
        return None
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(contracts.WORKER_DEPLOYMENT, installed_version("latchkey")),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


def _activities(
    client: Client, deps: ActivityDeps, settings: Settings
) -> tuple[Sequence[Activity], Sequence[Activity]]:
    subscriptions = SubscriptionActivities(deps)
    purchases = PurchaseActivities(deps, client)
    objects = ObjectActivities(deps, client)
    imports = ImportActivities(deps, client, public_url=settings.public_url)
    bursts = BurstActivities(deps, client)
    catalog = CatalogActivities(deps)
    policy = PolicyActivities(deps)
    member_imports = MemberImportActivities(deps)
    connection = ConnectionActivities(
        deps, public_url=settings.public_url, register=settings.register_webhook == "auto"
    )
    checkout = CheckoutActivities(deps, client, public_url=settings.public_url)
    checkout_sessions = CheckoutSessionActivities(deps, client)
    promotions = PromotionActivities(deps)
    portal = PortalActivities(deps, public_url=settings.public_url)
    catch_up = CatchUpActivities(
        deps,
        body_days=settings.event_body_days,
        event_days=settings.event_days,
        activity_days=settings.activity_days,
        audit_days=settings.audit_days,
        files=picture_files(settings),
    )
    repairs = RepairActivities(deps, client)
    reconcile = ReconcileActivities(deps, client, repairs)
    at_once: list[Activity] = [
        subscriptions.sync,
        purchases.sync,
        objects.sync,
        checkout.look_at_session,
        checkout_sessions.open_checkout,
        checkout_sessions.find_promotion,
        checkout_sessions.make_promotion,
        promotions.read_promotion,
        connection.try_webhook,
        portal.open_portal,
        portal.find_receipt,
    ]
    main: list[Activity] = [
        *at_once,
        subscriptions.end_due_access,
        imports.start_lifecycles,
        bursts.start_waiting,
        imports.set_link_state,
        imports.finish_preview,
        catch_up.plan,
        catch_up.sweep,
        catch_up.do_chores,
        reconcile.begin,
        reconcile.check,
        reconcile.finish,
        policy.apply_page,
        policy.end_due_grants,
        member_imports.work,
    ]
    stripe: list[Activity] = [
        *at_once,
        bursts.apply,
        imports.plan,
        imports.plan_preview,
        imports.page,
        imports.preview_page,
        catalog.page,
        connection.check_key,
        connection.register_endpoint,
        checkout.settle,
        connection.check_endpoint,
        catch_up.page,
        reconcile.page,
        reconcile.unseen,
        repairs.repair,
    ]
    return main, stripe


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Run until `stop` is set, then finish the work under way."""
    pool = await create_pool(settings.require_database(), max_size=WORKER_CONNECTIONS)
    try:
        port, host = settings.worker_metrics_port, settings.worker_metrics_host
        with worker_port.measured(port) as runtime:
            async with worker_port.served(port, host=host) as work:
                while not stop.is_set():
                    await adoption.claim(pool, settings)
                    await adoption.is_beside_another(pool, settings)
                    async with pool.acquire() as connection:
                        identity = await site_identity.read(connection, settings.public_url)
                    client = await temporal.await_connected(
                        stop,
                        keys=settings.payload_keys,
                        runtime=runtime,
                        identity=namespace_guard.worker_identity(identity),
                    )
                    if client is not None:
                        await namespace_guard.await_free(client, pool, settings.public_url, stop)
                    if client is not None and not stop.is_set():
                        await _run(settings, stop, client, pool, work)
    finally:
        await pool.close()


async def _run(
    settings: Settings, stop: asyncio.Event, client: Client, pool: Pool, work: worker_port.Work
) -> None:
    rate = StripeRate(settings.stripe_rate, stripe_leases.lender(pool, settings.stripe_rate))
    keyring = Keyring(
        pool,
        Vault(settings.require_secrets()),
        key=settings.stripe_secret_key.get_secret_value() if settings.stripe_secret_key else None,
        secrets=settings.webhook_secrets,
        api_base=settings.stripe_api_base,
        address=settings.public_url,
        rate=rate,
    )
    deps = ActivityDeps(pool, keyring, settings.require_secrets())
    outgoing = OutgoingHttp.of(settings)
    main, stripe, webhooks = build_workers(client, deps, settings, outgoing=outgoing)
    supervisor = LoopSupervisor()
    mailer = asyncio.create_task(outbox.run(pool, settings, supervisor))
    signing = SigningKeys(pool, keyring.vault)
    notifier = asyncio.create_task(
        logout_notices.run(pool, settings, signing, outgoing, supervisor)
    )
    reminding = asyncio.create_task(reminder_series.run(pool, settings, supervisor))
    watching = asyncio.create_task(public_address.watch(pool, settings, supervisor))
    async with (
        presence.reported(pool, supervisor, kind="worker"),
        main,
        stripe,
        webhooks,
    ):
        work.client, work.supervisor = client, supervisor
        greeting = asyncio.create_task(
            supervisor.once("start", lambda: _greet(client, settings, keyring, pool)), name="start"
        )
        log.info("worker ready", rate=settings.stripe_rate)
        displaced = asyncio.create_task(_displaced(settings, client, pool, supervisor))
        ended = asyncio.create_task(stop.wait())
        await asyncio.wait([displaced, ended], return_when=asyncio.FIRST_COMPLETED)
        supervisor.stop()
        ended.cancel()
        greeting.cancel()
    work.client = work.supervisor = None
    await asyncio.gather(
        mailer, notifier, reminding, watching, greeting, displaced, ended, return_exceptions=True
    )
    await outgoing.aclose()
    await keyring.close()
    await rate.close()
    await asyncio.sleep(0.05)
    """Core's threads must return before the interpreter exits, or it crashes."""


async def _displaced(
    settings: Settings, client: Client, pool: Pool, supervisor: LoopSupervisor
) -> None:
    """Return once this worker mustn't go on: the public URL leads to another database, or this is a
    copy and its original's workers are back in the namespace."""
    over = asyncio.Event()

    async def look() -> bool:
        async with pool.acquire() as connection:
            identity = await site_identity.read(connection, settings.public_url)
        if await adoption.is_beside_another(pool, settings) or await namespace_guard.is_taken(
            client, identity
        ):
            over.set()
        return False

    looking = asyncio.create_task(supervisor.repeat("site", look, every=SITE_SECONDS))
    waiting = asyncio.create_task(over.wait())
    await asyncio.wait([looking, waiting], return_when=asyncio.FIRST_COMPLETED)
    supervisor.stop()
    waiting.cancel()
    await asyncio.gather(looking, waiting, return_exceptions=True)


async def _greet(client: Client, settings: Settings, keyring: Keyring, pool: Pool) -> None:
    """On start, set up the schedules, start lost runs, check the key and look for missed events."""
    await schedules.keep(client, settings)
    await lost_runs.mend(pool, client)
    await _check_connection(client, keyring)
    await schedules.catch_up_now(client)


async def _check_connection(client: Client, keyring: Keyring) -> None:
    """Check the key at every start, and have the endpoint send what this release handles."""
    try:
        await keyring.key()
    except NotConnectedError:
        return
    try:
        await dispatch.check_connection(client, join=True)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        log.warning("Stripe connection not checked yet", reason=str(error))


async def main() -> None:
    """Run this process's worker until it is told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    collect_rarely()
    await run(load_settings(), stop)
