"""Handles other objects named by events: mirrors them, finds the purchases they concern, or writes
to whoever left a checkout."""

from temporalio import activity
from temporalio.client import Client

from activities.base import ActivityDeps
from activities.errors import retried
from activities.resilient import failed, keeps_running
from latchkey import contracts, dispatch
from latchkey.contracts import SyncInput, SyncResult
from latchkey.rules import reading
from latchkey.rules.reading import UnreadableError
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.pool import Connection
from latchkey.store.products import abandoned_checkouts, checkout, checkout_attempts
from latchkey.store.purchases import buyers, order_mirror, rejudging, subscription_mirror
from latchkey.store.stripe import catalog, inbox
from latchkey.store.stripe.context import ApplyContext
from latchkey.stripe_api import Json, StripeApi, StripeError
from latchkey.vault import Purpose

KINDS = {
    "customer": "customers",
    "product": "products",
    "price": "prices",
    "payment_link": "payment_links",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "credit_note": "credit_notes",
    "invoice_payment": "invoice_payments",
    "payment_method": "payment_methods",
}


class ObjectActivities:
    """Mirrors customers, products, prices and payment links; assigns payments and invoices to
    purchases."""

    def __init__(self, deps: ActivityDeps, client: Client) -> None:
        self._deps = deps
        self._client = client

    @property
    def deps(self) -> ActivityDeps:
        return self._deps

    @activity.defn(name=contracts.SYNC_OBJECT)
    @keeps_running(TargetKind.OBJECT)
    async def sync(self, job: SyncInput) -> SyncResult:
        """`object_id` is `<kind>/<Stripe id>`, or a reference instead of the id."""
        async with retried():
            job, context = await self._deps.begin(job, TargetKind.OBJECT)
            async with self._deps.pool.acquire() as connection:
                named = await inbox.named(connection, job.object_id)
            if named is None:
                return SyncResult("done", "The events that named it are gone", finished=True)
            kind, _, object_id = named.partition("/")
            api = await self._deps.keyring.api()
            try:
                if kind == "payment_link" and not await self._sells_by(object_id):
                    state = await self._not_ours(job)
                elif kind in ("customer", "product", "price", "payment_link"):
                    state = await self._mirror(api, kind, object_id, context)
                elif kind == "payment_method":
                    state = await self._card(api, object_id, job)
                elif kind == "checkout.session":
                    state = await self._abandoned(api, object_id, job)
                else:
                    state = await self._place(api, kind, object_id, job)
            except (StripeError, UnreadableError) as error:
                if isinstance(error, StripeError) and (error.passing or error.refused):
                    raise
                return await failed(self._deps, job, TargetKind.OBJECT, str(error))
        return SyncResult("done", state, finished=True)

    async def _mirror(
        self, api: StripeApi, kind: str, object_id: str, context: ApplyContext
    ) -> str:
        try:
            if kind == "customer":
                source = await api.customer(object_id)
            else:
                source = await api.retrieve(KINDS[kind], object_id)
        except StripeError as error:
            if not error.missing:
                raise
            source = {"id": object_id, "deleted": True}
        async with self._deps.pool.acquire() as connection, connection.transaction():
            match kind:
                case "customer":
                    await _mirror_customer(connection, source, context)
                case "product" if source.get("deleted"):
                    await catalog.mark_product_deleted(connection, object_id, ticket=context.ticket)
                case "product":
                    await catalog.mirror_products(
                        connection,
                        [reading.stripe_product(source)],
                        account=context.account,
                        ticket=context.ticket,
                    )
                case "price" if source.get("deleted"):
                    await catalog.mark_price_deleted(connection, object_id, ticket=context.ticket)
                case "payment_link":
                    await checkout.mirror_link(
                        connection,
                        object_id,
                        active=reading.payment_link_active(source),
                        spent=reading.payment_link_spent(source),
                        ticket=context.ticket,
                    )
                case _:
                    await catalog.mirror_prices(
                        connection,
                        [reading.price(source)],
                        account=context.account,
                        ticket=context.ticket,
                    )
            await inbox.mark_handled(connection, context.event_ids)
        name = kind.replace("_", " ")
        return f"The {name} is {'gone from Stripe' if source.get('deleted') else 'up to date'}"

    async def _card(self, api: StripeApi, object_id: str, job: SyncInput) -> str:
        """A card has another date or number. It is read only if a subscription is paid with it;
        a key that may not read it leaves what is known."""
        state, source = "No subscription is paid with it", None
        async with self._deps.pool.acquire() as connection:
            pays = await subscription_mirror.pays(connection, object_id)
        if pays:
            try:
                source = await api.retrieve(KINDS["payment_method"], object_id)
                state = "The card is up to date"
            except StripeError as error:
                if not (error.missing or error.status == 403):
                    raise
                state = "The card can't be read"
        async with self._deps.pool.acquire() as connection, connection.transaction():
            if found := reading.card(source):
                await subscription_mirror.card_changed(connection, found)
            await inbox.mark_handled(connection, job.event_ids)
        return state

    async def _sells_by(self, payment_link: str) -> bool:
        async with self._deps.pool.acquire() as connection:
            return await checkout.knows_link(connection, payment_link)

    async def _not_ours(self, job: SyncInput) -> str:
        async with self._deps.pool.acquire() as connection:
            await inbox.mark_handled(connection, job.event_ids)
        return "Nothing here is sold by this payment link"

    async def _abandoned(self, api: StripeApi, session_id: str, job: SyncInput) -> str:
        """A checkout session expired. It is read only if its buyer may get an email: the site made
        it, and sends such emails."""
        async with self._deps.pool.acquire() as connection:
            attempt = await checkout_attempts.of_session(connection, session_id)
            wanted = await abandoned_checkouts.are_wanted(connection)
        expired = None
        if attempt is not None and wanted:
            try:
                expired = reading.expired_session(await api.session_state(session_id))
            except StripeError as error:
                if not error.missing:
                    raise
        state = "Nobody is to get an email about this checkout"
        async with self._deps.pool.acquire() as connection, connection.transaction():
            if attempt is not None and expired is not None and expired.url is not None:
                url = self._deps.keyring.vault.seal(expired.url, Purpose.CHECKOUT_URL)
                state = await abandoned_checkouts.remind(connection, attempt, expired, url=url)
            await inbox.mark_handled(connection, job.event_ids)
        return state

    async def _place(self, api: StripeApi, kind: str, object_id: str, job: SyncInput) -> str:
        targets = await self._owners(api, kind, object_id)
        for target in targets:
            await dispatch.nudge(self._client, target, job.event_ids)
        if targets:
            return "Passed on to " + ", ".join(f"{t.kind} {t.id}" for t in targets)
        async with self._deps.pool.acquire() as connection:
            await inbox.mark_handled(connection, job.event_ids)
        return "No known purchase is concerned"

    async def _owners(self, api: StripeApi, kind: str, object_id: str) -> list[Target]:
        if kind == "invoice":
            return [Target(TargetKind.PURCHASE, object_id)]
        intent: str | None = object_id
        if kind != "payment_intent":
            source = await api.retrieve(KINDS[kind], object_id)
            if kind in ("credit_note", "invoice_payment"):
                bill = reading.object_id(source.get("invoice"))
                return [Target(TargetKind.PURCHASE, bill)] if bill else []
            intent = reading.object_id(source.get("payment_intent"))
        if intent is None:
            return []
        async with self._deps.pool.acquire() as connection:
            known = await order_mirror.order_of_payment(connection, intent)
        if not known:
            known = [entry["id"] for entry in await api.sessions_of(payment_intent=intent)]
        if not known:
            known = await api.invoices_paid_by(intent)
        return [Target(TargetKind.PURCHASE, order_id) for order_id in known]


async def _mirror_customer(connection: Connection, source: Json, context: ApplyContext) -> None:
    customer = reading.customer(source)
    assert customer is not None, "it was read by its id"
    if not customer.deleted:
        card = reading.customer_card(source)
        await subscription_mirror.default_changed(connection, customer.id, card)
    if await buyers.mirror_customer(connection, customer, context=context):
        await rejudging.of_customer(connection, customer.id, context=context)
