"""All calls to Stripe. The only module that imports its SDK.

Reads return decoded JSON for the rules: building the SDK's objects would cost more than everything
else on a page. There are no retries here, because Temporal repeats failed calls with the same
idempotency key.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import orjson
import stripe
import structlog

from latchkey import tracing
from latchkey.stripe_ids import in_path, is_account, owner
from latchkey.stripe_rate import BusyError, StripeRate, calling
from latchkey.texts import made_storable, storable
from latchkey.timings import STRIPE_CALL, STRIPE_WAIT

API_VERSION: str = stripe.api_version
Json = dict[str, Any]
T = TypeVar("T")

PAGE = 100
"""Stripe's largest page size."""

A_FEW = 20
"""Enough invoices to cover one overdue period and the paid invoice before it."""

_MOST_COUPONS = 1000
_REFUSED_SECONDS = 3600.0
"""How long a key isn't asked again for something optional that it may not read."""

_SPACES = frozenset({"billing_portal", "checkout", "core"})
"""First parts of paths that only group what follows."""

_TIMEOUT_SECONDS = 20
_ESCAPES = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""What the text of every answer that holds such a character has; most answers don't."""

log = structlog.get_logger("stripe")


class StripeError(Exception):
    """Stripe refused or failed a request. `message` may quote personal data: show it to admins
    only, never in histories or logs. `code`, `status` and `request_id` can go anywhere. `param`
    names the parameter at fault. `limited` is Stripe's reason for refusing the call for its rate,
    `should_retry` that it says a retry may help."""

    def __init__(
        self,
        *,
        status: int | None,
        code: str | None,
        message: str,
        request_id: str | None = None,
        retry_after: float | None = None,
        param: str | None = None,
        limited: str | None = None,
        should_retry: bool = False,
    ) -> None:
        said = f"Stripe answered {status}" if status else "Stripe didn't answer"
        said += f": {code}" if code else ""
        super().__init__(f"{said} (request {request_id})" if request_id else said)
        self.param = param
        self.status = status
        self.code = code
        self.message = message
        self.request_id = request_id
        self.retry_after = retry_after
        self.limited = limited
        self.should_retry = should_retry

    @property
    def missing(self) -> bool:
        return self.status == 404 or self.code == "resource_missing"

    @property
    def refused(self) -> bool:
        """Whether the key is the problem: wrong, revoked or lacking the permission."""
        return self.status in (401, 403)

    @property
    def passing(self) -> bool:
        """Whether a retry may help: no answer, rate limit, conflict or an error at Stripe, or
        because Stripe says so."""
        if self.should_retry:
            return True
        return self.status is None or self.status in (409, 429) or self.status >= 500

    @property
    def outcome(self) -> str:
        """What the metrics call it."""
        if self.status == 429:
            return "limited"
        return "unavailable" if self.passing else "refused"


class CopyError(StripeError):
    """This site is a copy, so it writes nothing to Stripe."""

    def __init__(self) -> None:
        super().__init__(
            status=None,
            code="site_is_a_copy",
            message="this site is a copy, so it writes nothing to Stripe until it is adopted"
            " (`latchkey adopt`)",
        )
        self.args = (self.message,)

    @property
    def passing(self) -> bool:
        return False


class NoPermitError(StripeError):
    """The call wasn't made: the rate that all processes share had no room for it in time."""

    def __init__(self) -> None:
        super().__init__(status=None, code="no_permit", message="too many calls to Stripe wait")
        self.args = (self.message,)

    @property
    def outcome(self) -> str:
        return "limited"


class SlowAnswerError(StripeError):
    """There was no answer within the caller's patience. The request may have been carried out."""

    def __init__(self) -> None:
        super().__init__(status=None, code="slow_answer", message="Stripe is slow to answer")
        self.args = (self.message,)


class SignatureError(ValueError):
    """The webhook's signature is missing, wrong or too old."""


@dataclass(frozen=True)
class Page:
    """One page of a list, newest first. `next` is where the following page starts."""

    data: list[Json]
    next: str | None


def verify_signature(
    body: bytes, header: str | None, secrets: Sequence[str], *, tolerance: int = 300
) -> None:
    """Check a webhook's signature against each secret; several are valid while one is being rolled.

    `tolerance` is how many seconds the timestamp may differ from now, either way. Raises
    `SignatureError`, also if there are no secrets.
    """
    if not header:
        raise SignatureError("the Stripe-Signature header is missing")
    reason = "there is no signing secret yet: connect Stripe, or set STRIPE_WEBHOOK_SECRET"
    text = body.decode("utf-8", "replace")
    for secret in secrets:
        try:
            stripe.WebhookSignature.verify_header(text, header, secret, tolerance)
        except stripe.SignatureVerificationError as error:
            reason = str(error.user_message or error)
        else:
            return _check_not_early(header, tolerance)
    raise SignatureError(reason)


def _check_not_early(header: str, tolerance: int) -> None:
    """Stripe's SDK only refuses old timestamps. One from the future could be replayed until then
    and longer."""
    found = re.search(r"(?:^|,)t=(\d+)", header)
    assert found is not None, "the signature over the timestamp was checked"
    if int(found[1]) > time.time() + tolerance:
        raise SignatureError("the timestamp is in the future: check this machine's clock")


def call_labels(method: str, path: str) -> tuple[str, str]:
    """What metrics call a request: what it is about, by the words of its path without the ids, and
    `read`, `list` or `write`."""
    _, about, *rest = path.strip("/").split("/")
    if about in _SPACES:
        about = f"{about}/{rest.pop(0)}"
    if len(rest) > 1:
        about = f"{about}/{rest[1]}"
    if method != "get":
        return about, "write"
    return about, "read" if len(rest) == 1 or about == "account" else "list"


class _Decoded(str):
    """What the SDK decodes in place of an answer that has been decoded. `escapes` says whether its
    text may have had characters that can't be stored."""

    data: Json
    escapes: bool


class _HttpClient(stripe.HTTPXClient):
    """Decodes successful answers itself, in a quarter of the time that the SDK takes. What its
    parser doesn't accept, such as half a surrogate pair, is left to the SDK."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[Any, int, Mapping[str, str]]:
        body, status, answered = await super().request_async(method, url, headers, post_data)
        if status == 200:
            with suppress(orjson.JSONDecodeError):
                data = orjson.loads(body)
                decoded = _Decoded("{}")
                decoded.data, decoded.escapes = data, bool(_ESCAPES.search(body))
                return decoded, status, answered
        return body, status, answered


class StripeApi:
    """The Stripe API for one key, at our API version. With `writes` false, it only reads. Each call
    waits for a permit of `rate`, if there is one."""

    def __init__(
        self, key: str, *, base: str | None = None, rate: StripeRate | None = None
    ) -> None:
        self.writes = True
        self._rate = rate
        self._coupons: dict[str, Json | None] = {}
        self._refused: dict[str, float] = {}
        self._http = _HttpClient(timeout=_TIMEOUT_SECONDS)
        options: dict[str, Any] = {"base_addresses": {"api": base.rstrip("/")}} if base else {}
        self._client = stripe.StripeClient(
            key, http_client=self._http, max_network_retries=0, **options
        )

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def call(
        self,
        method: str,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> Json:
        """Send one request. Raises `StripeError`, `CopyError` for a write where only reads are
        allowed."""
        if method != "get" and not self.writes:
            raise CopyError
        options = {"idempotency_key": idempotency_key} if idempotency_key else {}
        if self._rate is not None:
            await self._permitted(self._rate)
        began = time.perf_counter()
        about, kind = call_labels(method, path)
        outcome = "unavailable"
        try:
            with tracing.span("stripe", about=about, kind=kind):
                async with asyncio.timeout(calling.get().answer):
                    answer = await self._client.raw_request_async(
                        method, path, **dict(params or {}), **options
                    )
            outcome = "ok"
        except TimeoutError:
            raise SlowAnswerError from None
        except stripe.StripeError as error:
            translated = _translated(error)
            outcome = translated.outcome
            if self._rate is not None and translated.limited:
                self._rate.limited(pause=translated.retry_after or 0, reason=translated.limited)
            raise translated from None
        finally:
            seconds = time.perf_counter() - began
            STRIPE_CALL.labels(about, kind, outcome).observe(seconds)
        if isinstance(answer.body, _Decoded):
            data, escapes = answer.body.data, answer.body.escapes
        else:
            data, escapes = cast(Json, answer.data), True
        if escapes and replace_unstorable(data):
            log.warning(
                "characters that can't be stored replaced in an answer of Stripe's",
                kind=path.split("/")[2],
                stripe_request=answer.request_id,
            )
        return data

    async def _permitted(self, rate: StripeRate) -> None:
        """Wait for the permit of one call. Raises `NoPermitError`."""
        began = time.perf_counter()
        try:
            await rate.permit()
        except BusyError:
            raise NoPermitError from None
        finally:
            STRIPE_WAIT.observe(time.perf_counter() - began)

    async def page(
        self, path: str, params: Mapping[str, Any], *, after: str | None, limit: int = PAGE
    ) -> Page:
        """One page of a list after the object `after`."""
        cursor = {"starting_after": after} if after else {}
        answer = await self.call("get", path, {**params, **cursor, "limit": limit})
        data = answer["data"]
        more = data[-1]["id"] if answer.get("has_more") and data else None
        return Page(data, more)

    async def all(self, path: str, params: Mapping[str, Any] | None = None) -> list[Json]:
        """All pages of a list known to be short, such as a product's prices or a cart's items."""
        found: list[Json] = []
        page = await self.page(path, params or {}, after=None)
        found += page.data
        while page.next:
            page = await self.page(path, params or {}, after=page.next)
            found += page.data
        return found

    async def subscription(self, subscription_id: str) -> Json:
        """A subscription with its customer, its discounts and what pays it."""
        path = f"/v1/subscriptions/{in_path(subscription_id)}"
        return await self._as_allowed(
            lambda parts: self.call("get", path, {"expand": ["customer", *parts]}),
            coupon=_DISCOUNTS,
            payment_method=_CARDS,
        )

    async def subscriptions(
        self, *, price: str | None, after: str | None, ended: bool = False
    ) -> Page:
        """Subscriptions with their customers and what pays them; `ended` includes those that have
        ended."""
        params: Json = {}
        if ended:
            params["status"] = "all"
        if price:
            params["price"] = price
        return await self._subscriptions(params, after=after)

    async def subscriptions_begun(self, since: int, until: int, *, after: str | None) -> Page:
        """Subscriptions, also ended ones, whose current period began between two Unix times, with
        their customers and what pays them."""
        span = {"gte": since, "lte": until}
        params = {"status": "all", "current_period_start": span}
        return await self._subscriptions(params, after=after)

    async def _subscriptions(self, params: Json, *, after: str | None) -> Page:
        def read(parts: list[str]) -> Awaitable[Page]:
            wanted = {**params, "expand": ["data.customer", *parts]}
            return self.page("/v1/subscriptions", wanted, after=after)

        return await self._as_allowed(
            read,
            coupon=[f"data.{part}" for part in _DISCOUNTS],
            payment_method=[f"data.{part}" for part in _CARDS],
        )

    async def active_subscriptions(self, *, after: str | None) -> Page:
        return await self.page("/v1/subscriptions", {"status": "active"}, after=after)

    async def subscription_items(self, subscription_id: str) -> list[Json]:
        params: Json = {"subscription": subscription_id}
        return await self._as_allowed(
            lambda parts: self.all("/v1/subscription_items", {**params, "expand": parts}),
            coupon=["data.discounts.source.coupon"],
        )

    async def coupon(self, coupon_id: str) -> Json | None:
        """A coupon with what it is limited to; None if it is gone or the key may not read it. What
        it takes off never changes, so it is read once."""
        if coupon_id not in self._coupons:
            if not self._may_read("coupon"):
                return None
            path = f"/v1/coupons/{in_path(coupon_id)}"
            try:
                found = await self.call("get", path, {"expand": ["applies_to"]})
            except StripeError as error:
                if error.passing:
                    raise
                if not error.missing:
                    self._note_refused("coupon")
                    return None
                found = None
            if len(self._coupons) >= _MOST_COUPONS:
                self._coupons.clear()
            self._coupons[coupon_id] = found
        return self._coupons[coupon_id]

    def _may_read(self, slug: str) -> bool:
        return time.monotonic() >= self._refused.get(slug, 0.0)

    def _note_refused(self, slug: str) -> None:
        log.warning("the Stripe key may not read what the site can do without", permission=slug)
        self._refused[slug] = time.monotonic() + _REFUSED_SECONDS

    async def _as_allowed(
        self, read: Callable[[list[str]], Awaitable[T]], **optional: Sequence[str]
    ) -> T:
        """What `read` gives with these parts expanded, by the slug of the permission that they
        take, or without those that the key may not read: access must not depend on them. Stripe
        refuses the whole call for one such part, or one that an object doesn't have."""
        wanted = {slug: parts for slug, parts in optional.items() if self._may_read(slug)}
        refused: set[str] = set()
        while wanted:
            try:
                found = await read([part for parts in wanted.values() for part in parts])
                break
            except StripeError as error:
                if error.passing or error.missing:
                    raise
                named = {slug for slug in wanted if f"rak_{slug}_" in error.message}
                left_out = named or set(wanted)
                refused |= left_out if error.refused else set()
                wanted = {slug: wanted[slug] for slug in wanted if slug not in left_out}
        else:
            found = await read([])
        for slug in sorted(refused):
            self._note_refused(slug)
        return found

    async def checkout_session(self, session_id: str, *, whole: bool = False) -> Json:
        """A session; `whole` adds the subscription that it created, its customer and what pays
        it."""
        path = f"/v1/checkout/sessions/{in_path(session_id)}"
        if not whole:
            return await self.call("get", path, {"expand": _SESSION_PARTS})
        known = [*_SESSION_PARTS, _SUBSCRIBED]
        return await self._as_allowed(
            lambda parts: self.call("get", path, {"expand": [*known, *parts]}),
            coupon=[f"subscription.{part}" for part in _DISCOUNTS],
            payment_method=[f"subscription.{part}" for part in _CARDS],
        )

    async def completed_sessions(self, *, after: str | None) -> Page:
        """Completed checkout sessions with their line items and payments."""
        parts = [f"data.{part}" for part in _SESSION_PARTS]
        params = {"status": "complete", "expand": parts}
        return await self.page("/v1/checkout/sessions", params, after=after)

    async def sessions_begun(self, since: int, until: int, *, after: str | None) -> Page:
        """Completed checkout sessions that began between two Unix times, with what they sold, their
        payments, and the subscriptions that they created, their customers and the cards that they
        name themselves."""
        known = [f"data.{part}" for part in (*_SESSION_PARTS, _SUBSCRIBED)]
        span = {"gte": since, "lte": until}

        def read(parts: list[str]) -> Awaitable[Page]:
            params = {"status": "complete", "created": span, "expand": [*known, *parts]}
            return self.page("/v1/checkout/sessions", params, after=after)

        return await self._as_allowed(
            read,
            coupon=["data.subscription.discounts"],
            payment_method=["data.subscription.default_payment_method"],
        )

    async def create_checkout_session(self, params: Json, *, idempotency_key: str) -> Json:
        return await self.call(
            "post", "/v1/checkout/sessions", params, idempotency_key=idempotency_key
        )

    async def expire_session(self, session_id: str) -> Json:
        """Close an open session. Stripe refuses that of another state."""
        return await self.call("post", f"/v1/checkout/sessions/{in_path(session_id)}/expire", {})

    async def session_state(self, session_id: str) -> Json:
        """A session without what it sold."""
        return await self.call("get", f"/v1/checkout/sessions/{in_path(session_id)}")

    async def promotion_code(self, code: str) -> str | None:
        """The id of the active promotion code that buyers enter like this."""
        params = {"code": code, "active": True}
        found = (await self.page("/v1/promotion_codes", params, after=None, limit=1)).data
        return found[0]["id"] if found else None

    async def promotion_codes(self, code: str) -> list[Json]:
        """The active promotion codes that buyers enter like this: one for everybody at most, and
        others that are for one customer each."""
        return await self.all("/v1/promotion_codes", {"code": code, "active": True})

    async def create_coupon(self, params: Json, *, idempotency_key: str) -> Json:
        return await self.call("post", "/v1/coupons", params, idempotency_key=idempotency_key)

    async def create_promotion_code(self, params: Json, *, idempotency_key: str) -> Json:
        return await self.call(
            "post", "/v1/promotion_codes", params, idempotency_key=idempotency_key
        )

    async def delete_coupon(self, coupon_id: str) -> None:
        """Delete a coupon that nobody has; nothing happens if it is gone already."""
        try:
            await self.call("delete", f"/v1/coupons/{in_path(coupon_id)}")
        except StripeError as error:
            if not error.missing:
                raise

    async def sessions_of(self, **owner: str) -> list[Json]:
        """Sessions of a `subscription`, `payment_intent`, `customer` or `customer_account`."""
        parts = [f"data.{part}" for part in _SESSION_PARTS]
        return await self.all("/v1/checkout/sessions", {**owner, "expand": parts})

    async def open_sessions(self, payment_link: str) -> list[Json]:
        """The sessions that a payment link opened and that can still be paid: of a day at most."""
        params = {"payment_link": payment_link, "status": "open"}
        return await self.all("/v1/checkout/sessions", params)

    async def session_lines(self, session_id: str) -> list[Json]:
        return await self.all(f"/v1/checkout/sessions/{in_path(session_id)}/line_items")

    async def invoice(self, invoice_id: str) -> Json:
        return await self.call(
            "get", f"/v1/invoices/{in_path(invoice_id)}", {"expand": ["payments"]}
        )

    async def owed_invoices(self, subscription_id: str) -> list[Json]:
        """The open invoices of a subscription's current overdue period, newest first, back to the
        last paid one. Older invoices may stay open forever: once a later one is paid, the
        subscription is active again."""
        found: list[Json] = []
        after = None
        while True:
            wanted = {"subscription": subscription_id}
            page = await self.page("/v1/invoices", wanted, after=after, limit=A_FEW)
            for bill in page.data:
                if bill["status"] == "open":
                    found.append(bill)
                elif found and bill["status"] == "paid" and bill["billing_reason"] != "manual":
                    return found
            if page.next is None:
                return found
            after = page.next

    async def paid_invoices(self, *, since: int | None, after: str | None) -> Page:
        """Paid invoices, including renewals, with their payments. `since` is a Unix time."""
        params: Json = {"status": "paid", "expand": ["data.payments"]}
        if since is not None:
            params["created"] = {"gte": since}
        return await self.page("/v1/invoices", params, after=after)

    async def invoice_lines(self, invoice_id: str) -> list[Json]:
        return await self.all(f"/v1/invoices/{in_path(invoice_id)}/lines")

    async def credit_notes(self, invoice_id: str) -> list[Json]:
        return await self.all("/v1/credit_notes", {"invoice": invoice_id})

    async def invoices_paid_by(self, payment_intent: str) -> list[str]:
        """Ids of the invoices that a payment intent paid."""
        found = await self.all(
            "/v1/invoice_payments",
            {"payment": {"type": "payment_intent", "payment_intent": payment_intent}},
        )
        return [entry["invoice"] for entry in found if isinstance(entry["invoice"], str)]

    async def payment_intent(self, intent_id: str) -> Json:
        return await self.call(
            "get", f"/v1/payment_intents/{in_path(intent_id)}", {"expand": ["latest_charge"]}
        )

    async def disputes(self, payment_intent: str) -> list[Json]:
        """A payment's disputes, newest first."""
        return await self.all("/v1/disputes", {"payment_intent": payment_intent})

    async def retrieve(self, kind: str, object_id: str) -> Json:
        """One object of a kind such as `customers`."""
        return await self.call("get", f"/v1/{kind}/{in_path(object_id)}")

    async def customer(self, customer_id: str) -> Json:
        """A customer with what pays its bills, or the account that stands for one (Accounts v2) in
        the same form."""
        if not is_account(customer_id):
            path = f"/v1/customers/{in_path(customer_id)}"
            return await self._as_allowed(
                lambda parts: self.call("get", path, {"expand": parts}),
                payment_method=[_DEFAULT_CARD],
            )
        found = await self.call("get", f"/v2/core/accounts/{in_path(customer_id)}")
        return {
            "id": found["id"],
            "customer_account": found["id"],
            "email": found.get("contact_email"),
            "name": found.get("display_name"),
            "deleted": bool(found.get("closed")),
        }

    async def products(self, *, after: str | None) -> Page:
        return await self.page("/v1/products", {}, after=after)

    async def prices(self, *, product: str | None = None, after: str | None = None) -> Page:
        """Prices, including archived ones."""
        return await self.page("/v1/prices", {"product": product} if product else {}, after=after)

    async def prices_of(self, product: str) -> list[Json]:
        """All prices of a product, including archived ones. One that was deleted has none: Stripe
        only deletes products without prices."""
        try:
            return await self.all("/v1/prices", {"product": product})
        except StripeError as error:
            if not error.missing:
                raise
            return []

    async def create_product(
        self,
        *,
        name: str,
        description: str | None,
        image_url: str | None,
        amount: int,
        currency: str,
        interval: str | None,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> Json:
        """Create a product with its first price. `amount` is in the currency's minor unit."""
        default_price: Json = {"currency": currency, "unit_amount": amount}
        if interval:
            default_price["recurring"] = {"interval": interval}
        params: Json = {
            "name": name,
            "default_price_data": default_price,
            "metadata": dict(metadata),
        }
        if description:
            params["description"] = description
        if image_url:
            params["images"] = [image_url]
        return await self.call("post", "/v1/products", params, idempotency_key=idempotency_key)

    async def create_trial_product(self, *, idempotency_key: str) -> Json:
        """Create a product that can't be bought, only for the sake of the event about it."""
        params: Json = {"name": "Latchkey: test event", "active": False}
        return await self.call("post", "/v1/products", params, idempotency_key=idempotency_key)

    async def delete_product(self, product_id: str) -> None:
        """Delete a product without prices; nothing happens if it is gone already."""
        try:
            await self.call("delete", f"/v1/products/{in_path(product_id)}")
        except StripeError as error:
            if not error.missing:
                raise

    async def create_payment_link(
        self,
        *,
        price: str,
        recurring: bool,
        promotion_codes: bool,
        redirect: str,
        metadata: Mapping[str, str],
        idempotency_key: str,
    ) -> Json:
        """Create a payment link that leads back to `redirect`. One-off buyers become customers
        too."""
        params: Json = {
            "line_items": [{"price": price, "quantity": 1}],
            "allow_promotion_codes": promotion_codes,
            "after_completion": {"type": "redirect", "redirect": {"url": redirect}},
            "metadata": dict(metadata),
        }
        if not recurring:
            params["customer_creation"] = "always"
        return await self.call("post", "/v1/payment_links", params, idempotency_key=idempotency_key)

    async def newest_payment_links(self) -> list[Json]:
        """The last hundred payment links created, whoever created them."""
        return (await self.page("/v1/payment_links", {}, after=None)).data

    async def portal_configurations(self) -> list[Json]:
        """The last hundred portal configurations created."""
        return (await self.page("/v1/billing_portal/configurations", {}, after=None)).data

    async def update_payment_link(self, link_id: str, **changes: Any) -> Json:
        return await self.call("post", f"/v1/payment_links/{in_path(link_id)}", changes)

    async def save_portal_configuration(
        self,
        configuration_id: str | None,
        *,
        privacy_url: str | None,
        terms_url: str | None,
        features: Json,
        site: str,
        idempotency_key: str,
    ) -> Json:
        """Create or update the customer portal's configuration, marked as belonging to `site`."""
        profile = {"privacy_policy_url": privacy_url or "", "terms_of_service_url": terms_url or ""}
        if configuration_id is None:
            profile = {key: value for key, value in profile.items() if value}
        params: Json = {"features": features}
        if profile:
            params["business_profile"] = profile
        path = "/v1/billing_portal/configurations"
        if configuration_id is not None:
            return await self.call("post", f"{path}/{in_path(configuration_id)}", params)
        params["metadata"] = {"latchkey": site}
        return await self.call("post", path, params, idempotency_key=idempotency_key)

    async def create_portal_session(
        self,
        *,
        customer: str,
        configuration: str,
        return_url: str,
        flow: Json | None,
        locale: str | None = None,
    ) -> Json:
        params: Json = {
            **owner(customer),
            "configuration": configuration,
            "return_url": return_url,
        }
        if flow:
            params["flow_data"] = flow
        if locale:
            params["locale"] = locale
        return await self.call("post", "/v1/billing_portal/sessions", params)

    async def newest_invoice(self, subscription_id: str) -> Json | None:
        """The newest paid invoice of a subscription."""
        page = await self.page(
            "/v1/invoices", {"subscription": subscription_id, "status": "paid"}, after=None, limit=1
        )
        return page.data[0] if page.data else None

    async def account(self) -> Json:
        return await self.call("get", "/v1/account")

    async def events(
        self,
        types: Sequence[str],
        *,
        since: int | None = None,
        until: int | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page:
        """Events of at most 20 types created between two Unix times, newest first."""
        bounds = {"gte": since, "lte": until}
        created = {name: bound for name, bound in bounds.items() if bound is not None}
        params: Json = {"types": list(types), "created": created}
        return await self.page("/v1/events", params, after=after, limit=limit)

    async def events_newer_than(self, types: Sequence[str], event_id: str) -> Page:
        """The hundred events right after an event, newest first. `next` is where even newer ones
        start. Stripe deletes events after 30 days; an unknown event gives `missing`."""
        answer = await self.call(
            "get",
            "/v1/events",
            {"types": list(types), "ending_before": event_id, "limit": PAGE},
        )
        data = answer["data"]
        return Page(data, data[0]["id"] if answer.get("has_more") and data else None)

    async def webhook_endpoints(self) -> list[Json]:
        return await self.all("/v1/webhook_endpoints")

    async def create_webhook_endpoint(
        self, *, url: str, events: Sequence[str], metadata: Mapping[str, str]
    ) -> Json:
        """Create an endpoint at our API version. Only this answer contains its `secret`."""
        return await self.call(
            "post",
            "/v1/webhook_endpoints",
            {
                "url": url,
                "enabled_events": list(events),
                "api_version": API_VERSION,
                "description": "Latchkey",
                "metadata": dict(metadata),
            },
        )

    async def update_webhook_endpoint(self, endpoint_id: str, *, events: Sequence[str]) -> Json:
        return await self.call(
            "post",
            f"/v1/webhook_endpoints/{in_path(endpoint_id)}",
            {"enabled_events": list(events), "disabled": False},
        )

    async def delete_webhook_endpoint(self, endpoint_id: str) -> None:
        await self.call("delete", f"/v1/webhook_endpoints/{in_path(endpoint_id)}")


_SESSION_PARTS = ["line_items", "payment_intent.latest_charge", "invoice"]
_SUBSCRIBED = "subscription.customer"
_DISCOUNTS = ("discounts.source.coupon", "items.data.discounts")
_DEFAULT_CARD = "invoice_settings.default_payment_method"
_CARDS = ("default_payment_method", f"customer.{_DEFAULT_CARD}")
"""As deep as Stripe expands; lists of sessions don't reach the discounts of items, nor what a
customer pays with."""


def replace_unstorable(data: Any) -> bool:
    """Replace what Postgres can't hold in all texts of an answer; whether there was anything."""
    found = False
    todo = [data]
    while todo:
        part = todo.pop()
        entries = part.items() if isinstance(part, dict) else enumerate(part)
        for key, value in list(entries):
            if isinstance(key, str) and not storable(key):
                del part[key]
                key = made_storable(key)
                part[key] = value
                found = True
            if isinstance(value, str) and not storable(value):
                part[key] = made_storable(value)
                found = True
            elif isinstance(value, dict | list):
                todo.append(value)
    return found


def _translated(error: stripe.StripeError) -> StripeError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    wait = headers.get("retry-after")
    retry_after = float(wait) if wait and wait.replace(".", "", 1).isdecimal() else None
    limited = None
    if error.http_status == 429 and error.code != "lock_timeout":
        limited = headers.get("stripe-rate-limited-reason", "unknown")
    return StripeError(
        status=error.http_status,
        code=error.code,
        message=error.user_message or str(error),
        request_id=error.request_id,
        retry_after=retry_after,
        param=getattr(error, "param", None),
        limited=limited,
        should_retry=headers.get("stripe-should-retry") == "true",
    )
