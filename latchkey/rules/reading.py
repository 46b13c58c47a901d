"""Reduces Stripe's objects (as decoded JSON) to what the rules need.

Any id field may contain the expanded object instead. Enums are open: an unknown value is kept as
text and judged by the rules. Times become aware datetimes in UTC; amounts stay integers in the
currency's minor unit. Numbers beyond what Postgres can hold, and times that no timer can reach, are
taken as the last possible ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from latchkey.stripe_ids import reference

Json = Mapping[str, Any]

_ANSWERS = ("feedback", "feedback_option", "comment")
"""How a customer may explain a cancellation: one of Stripe's reasons, one of the account's own, or
free text."""


RECOVERABLE = timedelta(days=31)
"""How long after it began a checkout can be recovered: it is open for a day, and for 30 days after
that Stripe opens another session like it."""

_FIRST = datetime(1900, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)
"""Times before and after these are taken as these: Temporal's timers reach 292 years ahead."""

_MOST_BIGINT, _MOST_INTEGER = 2**63 - 1, 2**31 - 1
_LONGEST_ID = 255
_LONGEST_EMAIL = 512
_LONGEST_NAME = 1000
_LONGEST_WORD, _LONGEST_COMMENT = 100, 5000


class UnreadableError(ValueError):
    """Stripe's answer lacks something the rules need. The message names the object and the
    field."""


@dataclass(frozen=True)
class Customer:
    """A customer, or only the id from a subscription's unexpanded field.

    `account` is the account behind it (Accounts v2). Where Stripe names only that, it is the id.
    `locale` is the tag of the language that it prefers.
    """

    id: str
    email: str | None = None
    name: str | None = None
    deleted: bool = False
    known: bool = False
    account: str | None = None
    locale: str | None = None


@dataclass(frozen=True)
class PaymentCard:
    """What pays a subscription: a payment method or, as older integrations have it, a source.

    `own` says whether the subscription names it, rather than the customer. `known` says whether the
    read expanded it; otherwise there is only the id. `brand` is the type of what isn't a card.
    `expires` is the first moment at which it isn't valid any more, None if it doesn't expire.
    """

    id: str
    own: bool = False
    known: bool = False
    brand: str | None = None
    last4: str | None = None
    expires: datetime | None = None


@dataclass(frozen=True)
class Item:
    """`discount` is what coupons that last forever take off each period, in the minor unit; None if
    it isn't known."""

    id: str
    stripe_product: str
    price_id: str
    quantity: int | None
    period_start: datetime | None
    period_end: datetime | None
    discount: int | None = 0


@dataclass(frozen=True)
class Owed:
    """What is open, in the currency's minor unit."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Subscription:
    """`customer` is `known` only if the read expanded it. `unpaid_since` is set only if the read
    asked for open invoices: it is when the oldest should have been paid; `owed` is then what is
    open of all of them. `cancel_feedback` is Stripe's word for why the customer cancelled,
    `cancel_comment` what they wrote."""

    id: str
    livemode: bool
    customer: Customer
    status: str
    items: tuple[Item, ...]
    items_complete: bool
    created: datetime
    cancel_at: datetime | None
    cancel_at_period_end: bool
    canceled_at: datetime | None
    ended_at: datetime | None
    cancel_reason: str | None
    cancelled_by_customer: bool
    trial_end: datetime | None
    collection_paused: bool
    resumes_at: datetime | None
    pause_reason: str | None = None
    unpaid_since: datetime | None = None
    owed: Owed | None = None
    card: PaymentCard | None = None
    cancel_feedback: str | None = None
    cancel_comment: str | None = None

    def period_end_of(self, stripe_product: str | None) -> datetime | None:
        """The end of the period paid for this Stripe product; None asks for the latest end."""
        ends = [
            item.period_end
            for item in self.items
            if item.period_end and stripe_product in (None, item.stripe_product)
        ]
        return max(ends, default=None)

    @property
    def period_end(self) -> datetime | None:
        """The latest end among the items, whose periods may differ."""
        return self.period_end_of(None)

    @property
    def scheduled_end(self) -> datetime | None:
        """When a cancellation takes effect. Either field counts: flexible billing sets only
        `cancel_at`, and the flag alone means the end of the period."""
        if self.cancel_at:
            return self.cancel_at
        return self.period_end if self.cancel_at_period_end else None

    @property
    def stripe_products(self) -> frozenset[str]:
        """What is bought. Items with quantity 0 don't count; metered items have no quantity."""
        return frozenset(item.stripe_product for item in self.items if item.quantity != 0)


@dataclass(frozen=True)
class OrderLine:
    id: str
    stripe_product: str
    price_id: str
    recurring: bool
    quantity: int | None
    amount: int


@dataclass(frozen=True)
class Dispute:
    """A dispute about a payment, or an inquiry (status `warning_…`), in which no money is taken
    yet. `amount` is what is disputed, in the minor unit. `evidence_due` is None where Stripe gives
    no date; the mirror doesn't keep it."""

    status: str
    amount: int | None = None
    currency: str | None = None
    evidence_due: datetime | None = None


@dataclass(frozen=True)
class Payment:
    """What happened to an order's payment. `state` is the payment intent's status; `amount` is what
    was captured. Letting go of the rest of an authorization isn't a refund."""

    payment_intent: str
    state: str
    charged_at: datetime | None = None
    amount: int = 0
    amount_refunded: int = 0
    refunded: bool = False
    disputed: bool = False
    dispute: Dispute | None = None

    @property
    def dispute_status(self) -> str | None:
        return self.dispute.status if self.dispute else None


@dataclass(frozen=True)
class Order:
    """A one-off purchase: a checkout session, or an invoice that doesn't belong to a
    subscription.

    `credited_before` is what credit notes took off the bill before it was paid, `credited_after`
    what they gave back afterwards, other than by a refund. `written_off` means that the bill was
    voided or marked uncollectible. `recovered` sessions take the place of one that expired.
    `locale` is the tag of the checkout's language, None if the browser chose it.
    """

    id: str
    livemode: bool
    customer: Customer | None
    email: str | None
    name: str | None
    reference: str | None
    status: str
    payment_status: str
    subscription: str | None
    invoice: str | None
    payment: Payment | None
    amount: int
    currency: str | None
    created: datetime
    lines: tuple[OrderLine, ...]
    lines_complete: bool
    paid: datetime | None = None
    credited_before: int = 0
    credited_after: int = 0
    written_off: bool = False
    recovered: bool = False
    locale: str | None = None

    @property
    def begun(self) -> datetime:
        """When the buyer began, at the earliest: a session that takes the place of one that expired
        belongs to the same attempt."""
        return self.created - RECOVERABLE if self.recovered else self.created

    @property
    def is_invoice(self) -> bool:
        return self.id == self.invoice

    @property
    def bought(self) -> datetime:
        """When it was paid, as far as Stripe says; until then, when it was started."""
        charged = self.payment.charged_at if self.payment else None
        return self.paid or charged or self.created

    @property
    def one_off_lines(self) -> tuple[OrderLine, ...]:
        """The lines of a one-off purchase. A subscription's checkout may have some too; its
        recurring lines belong to the subscription. Quantity 0, or a line that takes something off
        the bill, buys nothing."""
        return tuple(
            line
            for line in self.lines
            if not line.recurring and line.quantity != 0 and line.amount >= 0
        )


@dataclass(frozen=True)
class ExpiredSession:
    """A checkout session that expired unpaid. `agreed` says whether its buyer consented to emails
    there. `url` opens another session like it until `open_until`, if that was asked for."""

    id: str
    email: str | None
    agreed: bool
    url: str | None
    open_until: datetime | None
    expired_at: datetime


@dataclass(frozen=True)
class StripeProduct:
    id: str
    livemode: bool
    name: str
    description: str | None
    image_url: str | None
    active: bool
    created: datetime


@dataclass(frozen=True)
class Price:
    id: str
    livemode: bool
    stripe_product: str
    active: bool
    type: str
    currency: str
    unit_amount: int | None
    interval: str | None
    interval_count: int | None
    nickname: str | None
    created: datetime


P = ParamSpec("P")
R = TypeVar("R")


def _in_stripes_format(read: Callable[P, R]) -> Callable[P, R]:
    """Decorates a reader: an object in another format is unreadable."""

    @wraps(read)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return read(*args, **kwargs)
        except (AttributeError, IndexError, KeyError, TypeError):
            raise UnreadableError(f"a {read.__name__} isn't in Stripe's format") from None

    return checked


def object_id(value: object) -> str | None:
    """The id in a field that contains an id, an expanded object or nothing."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) and 0 < len(found) <= _LONGEST_ID else None


def moment(value: object) -> datetime | None:
    """A Unix time in seconds as a UTC datetime; None stays None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    if not _FIRST.timestamp() <= value <= _LAST.timestamp():
        return _FIRST if value < 0 else _LAST
    return datetime.fromtimestamp(value, UTC)


def customer(value: object, account: object = None) -> Customer | None:
    """A customer field: expanded, deleted, a bare id or nothing. `account` is the field beside it:
    it stands for a customer that isn't named, and without either the buyer is a guest."""
    found, behind = object_id(value), object_id(account)
    if found is None:
        return Customer(behind, account=behind) if behind else None
    if not isinstance(value, Mapping):
        return Customer(found, account=behind)
    return Customer(
        id=found,
        email=_email(value.get("email")),
        name=_name(value.get("name")),
        deleted=bool(value.get("deleted")),
        known=True,
        account=behind or object_id(value.get("customer_account")),
        locale=_first_text(value.get("preferred_locales")),
    )


@_in_stripes_format
def subscription(source: Json, *, items: Iterable[Json] | None = None) -> Subscription:
    """A subscription; `items` replaces its inline list if that was cut off.

    Raises `UnreadableError` if the id, customer, status or an item's product is missing.
    """
    buyer = customer(source.get("customer"), source.get("customer_account"))
    if buyer is None:
        raise UnreadableError(f"{_named(source)}: no customer")
    inline: Json = source.get("items") or {}
    details: Json = source.get("cancellation_details") or {}
    paused: Json = source.get("pause_collection") or {}
    return Subscription(
        id=_required(source, "id"),
        livemode=bool(source.get("livemode")),
        customer=buyer,
        status=_required(source, "status"),
        items=tuple(_item(entry) for entry in (items or inline.get("data") or ())),
        items_complete=items is not None or not inline.get("has_more"),
        created=_created(source),
        cancel_at=moment(source.get("cancel_at")),
        cancel_at_period_end=bool(source.get("cancel_at_period_end")),
        canceled_at=moment(source.get("canceled_at")),
        ended_at=moment(source.get("ended_at")),
        cancel_reason=_text(details.get("reason")),
        cancelled_by_customer=any(details.get(answer) for answer in _ANSWERS),
        trial_end=moment(source.get("trial_end")),
        collection_paused=bool(paused),
        resumes_at=moment(paused.get("resumes_at")),
        pause_reason=_pause_reason(source),
        card=_paid_by(source),
        cancel_feedback=_cut(details.get("feedback"), _LONGEST_WORD),
        cancel_comment=_cut(details.get("comment"), _LONGEST_COMMENT),
    )


def _paid_by(source: Json) -> PaymentCard | None:
    """What pays the next bill of a subscription: what it names itself, else its customer's
    default."""
    for field in ("default_payment_method", "default_source"):
        if found := card(source.get(field)):
            return replace(found, own=True)
    holder = source.get("customer")
    return customer_card(holder) if isinstance(holder, Mapping) else None


def customer_card(source: Json) -> PaymentCard | None:
    """What pays the bills of a customer whose subscriptions name nothing themselves."""
    settings: Json = source.get("invoice_settings") or {}
    return card(settings.get("default_payment_method")) or card(source.get("default_source"))


def card(value: object) -> PaymentCard | None:
    """A field with a payment method or source: expanded, a bare id or nothing. The details of a
    payment method stand in a field named after its type, those of a card among its own."""
    found = object_id(value)
    if found is None or not isinstance(value, Mapping):
        return PaymentCard(found) if found else None
    kind = _cut(value.get("type"), _LONGEST_WORD) or "card"
    details = value.get(kind)
    if not isinstance(details, Mapping):
        details = value
    return PaymentCard(
        found,
        known=True,
        brand=_cut(details.get("brand"), _LONGEST_WORD) or kind,
        last4=_cut(details.get("last4"), 4),
        expires=_after_month(details.get("exp_year"), details.get("exp_month")),
    )


def _after_month(year: object, month: object) -> datetime | None:
    """The first moment after a month, None if that isn't one."""
    if not isinstance(year, int) or not isinstance(month, int):
        return None
    if not (_FIRST.year <= year < _LAST.year and 1 <= month <= 12):
        return None
    return datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)


@_in_stripes_format
def checkout_session(source: Json, *, lines: Iterable[Json] | None = None) -> Order:
    """A checkout session as an order; `lines` replaces its expanded line items if they were cut
    off. Raises `UnreadableError` if the id is missing."""
    inline: Json = source.get("line_items") or {}
    details: Json = source.get("customer_details") or {}
    bill = source.get("invoice")
    return Order(
        id=_required(source, "id"),
        livemode=bool(source.get("livemode")),
        customer=customer(source.get("customer"), source.get("customer_account")),
        email=_email(details.get("email")) or _email(source.get("customer_email")),
        name=_name(details.get("name")),
        reference=_text(source.get("client_reference_id")),
        status=_text(source.get("status")) or "complete",
        payment_status=_text(source.get("payment_status")) or "unpaid",
        subscription=object_id(source.get("subscription")),
        invoice=object_id(source.get("invoice")),
        payment=payment(source.get("payment_intent")),
        amount=_amount(source.get("amount_total")),
        currency=_text(source.get("currency")),
        created=_created(source),
        lines=tuple(_session_line(entry) for entry in (lines or inline.get("data") or ())),
        lines_complete=lines is not None or ("data" in inline and not inline.get("has_more")),
        recovered=object_id(source.get("recovered_from")) is not None,
        locale=None if source.get("locale") == "auto" else _text(source.get("locale")),
        **(_bill(bill) if isinstance(bill, Mapping) else {}),
    )


@_in_stripes_format
def expired_session(source: Json) -> ExpiredSession | None:
    """A checkout session that expired unpaid; None for any other."""
    if source.get("status") != "expired":
        return None
    details: Json = source.get("customer_details") or {}
    consent: Json = source.get("consent") or {}
    after: Json = source.get("after_expiration") or {}
    recovery: Json = after.get("recovery") or {}
    return ExpiredSession(
        id=_required(source, "id"),
        email=_email(details.get("email")) or _email(source.get("customer_email")),
        agreed=consent.get("promotions") == "opt_in",
        url=_text(recovery.get("url")),
        open_until=moment(recovery.get("expires_at")),
        expired_at=moment(source.get("expires_at")) or _created(source),
    )


@_in_stripes_format
def invoice(
    source: Json,
    *,
    paid_by: object = None,
    lines: Iterable[Json] | None = None,
) -> Order:
    """An invoice as an order; `paid_by` is its expanded payment intent, if there is one.

    Lines that belong to a subscription, and prorations, count as recurring.
    """
    inline: Json = source.get("lines") or {}
    status = _text(source.get("status")) or "draft"
    return Order(
        id=_required(source, "id"),
        livemode=bool(source.get("livemode")),
        customer=customer(source.get("customer"), source.get("customer_account")),
        email=_email(source.get("customer_email")),
        name=_name(source.get("customer_name")),
        reference=None,
        status=status,
        payment_status="paid" if status == "paid" else "unpaid",
        subscription=invoice_subscription(source),
        invoice=_required(source, "id"),
        payment=payment(paid_by),
        amount=_amount(source.get("total")),
        currency=_text(source.get("currency")),
        created=_created(source),
        lines=tuple(
            line for entry in (lines or inline.get("data") or ()) if (line := _invoice_line(entry))
        ),
        lines_complete=lines is not None or not inline.get("has_more"),
        paid=moment((source.get("status_transitions") or {}).get("paid_at")),
        **_bill(source),
    )


def of_bill(cart: Order, source: Json) -> Order:
    """A cart with what credit notes and write-offs did to the invoice that bills it."""
    return replace(cart, **_bill(source))


def _bill(source: Json) -> dict[str, Any]:
    """Fields of an order, from its invoice. All that was credited after the payment counts as
    `credited_after`: only the credit notes themselves say which of it was refunded."""
    return {
        "credited_before": max(0, _amount(source.get("pre_payment_credit_notes_amount"))),
        "credited_after": max(0, _amount(source.get("post_payment_credit_notes_amount"))),
        "written_off": source.get("status") in ("void", "uncollectible"),
    }


def refunded_by(credit_note: Json) -> int:
    """What a credit note gave back by refunds."""
    if credit_note.get("status") == "void":
        return 0
    parts = credit_note.get("refunds") or ()
    return _amount(sum(_amount(part.get("amount_refunded")) for part in parts))


def overdue_since(bills: Iterable[Json]) -> datetime | None:
    """When the oldest open invoice of a subscription should have been paid: on its due date if it
    was sent, otherwise when it was finalized, since Stripe charges the card then. None if none has
    been attempted or has a date."""
    moments = [
        moment(bill.get("due_date"))
        or moment((bill.get("status_transitions") or {}).get("finalized_at"))
        for bill in bills
        if bill.get("due_date") or bill.get("attempted")
    ]
    return min((found for found in moments if found), default=None)


def owed(bills: Sequence[Json]) -> Owed | None:
    """What is open of a subscription's open invoices, which share a currency; None without any."""
    currencies = [found for bill in bills if (found := _text(bill.get("currency")))]
    if not currencies:
        return None
    open_ones = [bill for bill in bills if bill.get("currency") == currencies[0]]
    amount = _amount(sum(_amount(bill.get("amount_remaining")) for bill in open_ones))
    return Owed(amount, currencies[0])


def invoice_subscription(source: Json) -> str | None:
    """The subscription that an invoice bills, from `parent` (its place since API version basil)."""
    parent: Json = source.get("parent") or {}
    details: Json = parent.get("subscription_details") or {}
    return object_id(details.get("subscription"))


def may_sell_once(source: Json) -> bool:
    """Whether an invoice has lines other than renewals, or more lines than are shown.

    The lines of a finalized invoice don't change, so an event's copy of it is good enough.
    """
    lines: Json = source.get("lines") or {}
    found = (_invoice_line(entry) for entry in lines.get("data") or ())
    return bool(lines.get("has_more")) or any(line and not line.recurring for line in found)


def payment(value: object) -> Payment | None:
    """A payment intent with `latest_charge` expanded; a bare id gives a payment in unknown
    state."""
    found = object_id(value)
    if found is None:
        return None
    if not isinstance(value, Mapping):
        return Payment(found, state="unknown")
    charge = value.get("latest_charge")
    if not isinstance(charge, Mapping):
        return Payment(found, state=_text(value.get("status")) or "unknown")
    amount, part = _amount(charge.get("amount")), charge.get("amount_captured")
    captured = amount if part is None else min(amount, _amount(part))
    let_go = amount - captured
    return Payment(
        payment_intent=found,
        state=_text(value.get("status")) or "unknown",
        charged_at=moment(charge.get("created")),
        amount=captured,
        amount_refunded=max(0, _amount(charge.get("amount_refunded")) - let_go),
        refunded=bool(charge.get("refunded")) and captured > 0,
        disputed=bool(charge.get("disputed")),
    )


@_in_stripes_format
def dispute(source: Json) -> Dispute:
    details: Json = source.get("evidence_details") or {}
    return Dispute(
        status=_text(source.get("status")) or "unknown",
        amount=_amount(source.get("amount")),
        currency=_text(source.get("currency")),
        evidence_due=moment(details.get("due_by")),
    )


def together(payments: Sequence[Payment]) -> Payment | None:
    """Several payments of one invoice combined, with the first one's id. It counts as fully
    refunded only if all of them are."""
    if len(payments) < 2:
        return payments[0] if payments else None
    return replace(
        payments[0],
        amount=_amount(sum(payment.amount for payment in payments)),
        amount_refunded=_amount(sum(payment.amount_refunded for payment in payments)),
        refunded=all(payment.refunded for payment in payments),
        disputed=any(payment.disputed for payment in payments),
    )


def with_paid_outside(payment: Payment, bill: Json) -> Payment:
    """The payment of an invoice, with what was paid outside Stripe beside it."""
    outside = _amount(bill.get("amount_paid")) - payment.amount
    if outside <= 0 or payment.state != "succeeded":
        return payment
    return replace(payment, amount=payment.amount + outside, refunded=False)


@_in_stripes_format
def stripe_product(source: Json) -> StripeProduct:
    images = source.get("images") or ()
    return StripeProduct(
        id=_required(source, "id"),
        livemode=bool(source.get("livemode")),
        name=_text(source.get("name")) or _required(source, "id"),
        description=_text(source.get("description")),
        image_url=_text(images[0]) if images else None,
        active=bool(source.get("active")),
        created=_created(source),
    )


@_in_stripes_format
def price(source: Json) -> Price:
    recurring: Json = source.get("recurring") or {}
    return Price(
        id=_required(source, "id"),
        livemode=bool(source.get("livemode")),
        stripe_product=object_id(source.get("product")) or "",
        active=bool(source.get("active")),
        type=_text(source.get("type")) or ("recurring" if recurring else "one_time"),
        currency=_text(source.get("currency")) or "",
        unit_amount=_whole(source.get("unit_amount"), _MOST_BIGINT),
        interval=_text(recurring.get("interval")),
        interval_count=_count(recurring.get("interval_count")),
        nickname=_text(source.get("nickname")),
        created=_created(source),
    )


def payment_link_active(source: Json) -> bool:
    """Whether buyers can pay by a payment link; False for one that is gone."""
    return source.get("active") is True and not payment_link_spent(source)


def payment_link_spent(source: Json) -> bool:
    """Whether a payment link has made as many sales as it is limited to."""
    sales: Json = (source.get("restrictions") or {}).get("completed_sessions") or {}
    limit, count = _count(sales.get("limit")), _count(sales.get("count"))
    return limit is not None and count is not None and count >= limit


def _pause_reason(source: Json) -> str | None:
    """Why a subscription is `paused`: on request, a failed payment, the end of a trial, or by
    Stripe."""
    paused: Json = (source.get("status_details") or {}).get("paused") or {}
    return _text((paused.get("subscription") or {}).get("type"))


def _item(source: Json) -> Item:
    product = object_id((source.get("price") or {}).get("product"))
    if product is None:
        raise UnreadableError(f"{_named(source)}: its price names no product")
    return Item(
        id=_required(source, "id"),
        stripe_product=product,
        price_id=object_id(source.get("price")) or "",
        quantity=_count(source.get("quantity")),
        period_start=moment(source.get("current_period_start")),
        period_end=moment(source.get("current_period_end")),
    )


def _session_line(source: Json) -> OrderLine:
    price_of_line: Json = source.get("price") or {}
    return OrderLine(
        id=_required(source, "id"),
        stripe_product=object_id(price_of_line.get("product")) or "",
        price_id=object_id(price_of_line) or "",
        recurring=price_of_line.get("type") == "recurring",
        quantity=_count(source.get("quantity")),
        amount=_amount(source.get("amount_total")),
    )


def _invoice_line(source: Json) -> OrderLine | None:
    pricing: Json = (source.get("pricing") or {}).get("price_details") or {}
    product = object_id(pricing.get("product"))
    if product is None:
        return None
    parent: Json = source.get("parent") or {}
    item: Json = parent.get("invoice_item_details") or {}
    return OrderLine(
        id=_required(source, "id"),
        stripe_product=product,
        price_id=object_id(pricing.get("price")) or "",
        recurring=bool(parent.get("subscription_item_details") or item.get("proration")),
        quantity=_count(source.get("quantity")),
        amount=_amount(source.get("amount")),
    )


def _named(source: Json) -> str:
    return f"{_text(source.get('object')) or 'object'} {reference(object_id(source) or '?')}"


def _required(source: Json, key: str) -> str:
    value = source.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_ID:
        raise UnreadableError(f"{_named(source)}: no {key}")
    return value


def _created(source: Json) -> datetime:
    found = moment(source.get("created"))
    if found is None:
        raise UnreadableError(f"{_named(source)}: no created")
    return found


def _email(value: object) -> str | None:
    """An address, None if it is longer than Stripe's can be: nobody could have received mail."""
    found = _text(value)
    return found if found and len(found) <= _LONGEST_EMAIL else None


def _name(value: object) -> str | None:
    return _cut(value, _LONGEST_NAME)


def _cut(value: object, most: int) -> str | None:
    found = _text(value)
    return found[:most] if found else None


def _whole(value: object, most: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return max(-most, min(value, most))


def _amount(value: object) -> int:
    return _whole(value, _MOST_BIGINT) or 0


def _count(value: object) -> int | None:
    return _whole(value, _MOST_INTEGER)


def _first_text(value: object) -> str | None:
    return _text(value[0]) if isinstance(value, list | tuple) and value else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
