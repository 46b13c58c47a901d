"""Checkout sessions: made while the buyer waits, never stored.

Anyone who has a session's URL can open it, so it is returned encrypted; what the session is made of
names the buyer, so it arrives encrypted.
"""

import orjson
from temporalio import activity
from temporalio.client import Client

from activities.base import ActivityDeps
from activities.errors import retried
from latchkey import contracts, dispatch
from latchkey.contracts import StripeCallInput, StripeCallResult
from latchkey.rules.checkout_params import (
    CheckoutOrder,
    fingerprint,
    for_customer,
    with_discount,
    without_refused,
)
from latchkey.rules.promotions import NewPromotion
from latchkey.rules.routing import Target, TargetKind
from latchkey.store.products import checkout_attempts, offers
from latchkey.stripe_api import CopyError, Json, StripeApi, StripeError
from latchkey.stripe_ids import owner, reference
from latchkey.vault import Purpose


class CheckoutSessionActivities:
    """Makes checkout sessions; `client` tells workflows what turned out to be gone."""

    def __init__(self, deps: ActivityDeps, client: Client) -> None:
        self._deps = deps
        self._client = client

    @activity.defn(name=contracts.OPEN_CHECKOUT)
    async def open_checkout(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """The session of an attempt to buy: the one that it has, if it is still open, otherwise a
        new one. `refused`: the key may not make one; `unsellable`: Stripe won't sell the price.
        Both are noted for the admin.
        """
        assert stripe_call.sealed is not None, "an order arrives encrypted"
        vault = self._deps.keyring.vault
        order = CheckoutOrder.read(vault.open(stripe_call.sealed.encode(), Purpose.STRIPE_CALL))
        async with retried():
            api = await self._deps.keyring.api()
            try:
                session = await self._reopened(api, order) or await self._made(api, order)
            except StripeError as error:
                if error.passing:
                    raise
                if isinstance(error, CopyError):
                    return StripeCallResult("refused")
                await self._note(order, error)
                return StripeCallResult("refused" if error.refused else "unsellable")
        if session["id"] != order.session:
            async with self._deps.pool.acquire() as connection:
                await checkout_attempts.opened(
                    connection, order.attempt, session_id=session["id"], price_id=order.price
                )
        opened = {name: session[name] for name in ("id", "url", "expires_at")}
        sealed = vault.seal(orjson.dumps(opened).decode(), Purpose.STRIPE_CALL)
        return StripeCallResult("opened", session["id"], sealed.decode())

    @activity.defn(name=contracts.FIND_PROMOTION)
    async def find_promotion(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """Whether there is an active promotion code that buyers enter as `object_id`: `found`,
        `none`, or `refused` if the key may not look."""
        async with retried():
            api = await self._deps.keyring.api()
            try:
                found = await api.promotion_code(stripe_call.object_id)
            except StripeError as error:
                if not error.refused:
                    raise
                return StripeCallResult("refused")
        return StripeCallResult("found" if found else "none")

    @activity.defn(name=contracts.MAKE_PROMOTION)
    async def make_promotion(self, stripe_call: StripeCallInput) -> StripeCallResult:
        """Create a promotion code with its coupon, once for each form: `made`, `taken` if another
        active code is the same, `refused` if the key may not, `invalid` if Stripe doesn't take
        it."""
        assert stripe_call.sealed is not None, "a promotion arrives encrypted"
        vault = self._deps.keyring.vault
        wanted = NewPromotion.read(vault.open(stripe_call.sealed.encode(), Purpose.STRIPE_CALL))
        async with retried():
            api = await self._deps.keyring.api()
            coupon = None
            try:
                coupon = await api.create_coupon(
                    wanted.coupon(), idempotency_key=f"{wanted.idempotency_key}-coupon"
                )
                await api.create_promotion_code(
                    wanted.promotion_code(coupon["id"]), idempotency_key=wanted.idempotency_key
                )
            except StripeError as error:
                if error.passing:
                    raise
                if coupon is not None:
                    await api.delete_coupon(coupon["id"])
                if error.refused or isinstance(error, CopyError):
                    return StripeCallResult("refused")
                return StripeCallResult("taken" if error.param == "code" else "invalid")
        return StripeCallResult("made")

    async def _reopened(self, api: StripeApi, order: CheckoutOrder) -> Json | None:
        """The session of an earlier click, unless it was paid or has expired."""
        if order.session is None:
            return None
        try:
            session = await api.session_state(order.session)
        except StripeError as error:
            if not error.missing:
                raise
            return None
        return session if session["status"] == "open" else None

    async def _made(self, api: StripeApi, order: CheckoutOrder) -> Json:
        params = await self._with_promotion(api, order)
        for customer in order.customers:
            try:
                return await self._create(api, order, for_customer(params, customer), customer)
            except StripeError as error:
                if error.param not in owner(customer):
                    raise
                if error.missing:
                    target = Target(TargetKind.OBJECT, f"customer/{reference(customer)}")
                    await dispatch.nudge(self._client, target, [])
        return await self._create(api, order, params)

    async def _with_promotion(self, api: StripeApi, order: CheckoutOrder) -> Json:
        """The parameters with the promotion code of the address that the buyer followed, if there
        is such a code; otherwise the buyer can enter another."""
        if order.promotion_code is None:
            return order.params
        try:
            found = await api.promotion_code(order.promotion_code)
        except StripeError as error:
            if error.passing:
                raise
            found = None
        return with_discount(order.params, found) if found else order.params

    async def _create(
        self, api: StripeApi, order: CheckoutOrder, params: Json, customer: str = ""
    ) -> Json:
        """Create the session. What Stripe refuses of the things that only spare the buyer some
        typing, such as a code that doesn't apply to this purchase, is left out."""
        payer = reference(customer) if customer else "new"
        key = f"{order.key}-{order.session or 'first'}-{payer}-{activity.info().attempt}"
        while True:
            try:
                return await api.create_checkout_session(
                    params, idempotency_key=f"{key}-{fingerprint(params)}"
                )
            except StripeError as error:
                if error.passing or error.refused:
                    raise
                instead = without_refused(params, error.param)
                if instead is None:
                    raise
            params = instead

    async def _note(self, order: CheckoutOrder, error: StripeError) -> None:
        """Tell the admin why Stripe refused, and have the price and its product read again: the
        event that said so was missed, or is on its way."""
        account = await self._deps.account()
        async with self._deps.pool.acquire() as connection:
            await offers.note_refusal(
                connection, order.product, order.price, account=account, error=error.message
            )
        if not error.refused:
            for kind, stripe_id in (("price", order.price), ("product", order.stripe_product)):
                target = Target(TargetKind.OBJECT, f"{kind}/{reference(stripe_id)}")
                await dispatch.nudge(self._client, target, [])
