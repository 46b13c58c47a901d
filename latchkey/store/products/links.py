"""Product links: creating, reading, changing and removing. A link's row starts its workflow."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from latchkey.contracts import LinkState, Progress, product_link_workflow_id
from latchkey.languages import _
from latchkey.rules.access import LIVE_STATUSES
from latchkey.rules.plurals import counted
from latchkey.rules.vocabulary import ActivityType, Cause, Reason
from latchkey.store import audit_draft
from latchkey.store.feed import bulk
from latchkey.store.feed.bulk import BulkCounts
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.products import checkout, checkout_attempts
from latchkey.store.products.products import UnknownProductError
from latchkey.store.stripe.connection import NotConnectedError, current

WAYS_OUT = ("keep", "end", "complimentary")


class LinkError(Exception):
    """A link can't be created, changed or removed. The message says what to do."""


class UnknownLinkError(LinkError):
    """The product has no link, or there is no link with this id."""


class UnknownStripeProductError(LinkError):
    """The account has no such Stripe product, or it was deleted."""


class InvalidPriceError(LinkError):
    """The price of a new Stripe product can't be used."""


class LiveSubscriptionsError(LinkError):
    """Stripe has live subscriptions for the link; the caller must say what happens to its
    members."""

    def __init__(self, active_subscriptions: int) -> None:
        live = counted(active_subscriptions, "live subscription is", "live subscriptions are")
        super().__init__(
            f"{live} linked to this product. Choose what happens to the members: keep (access until"
            " their subscription ends), end (access ends now; billing continues until it is"
            " cancelled in Stripe) or complimentary (access with no end date)"
        )
        self.active_subscriptions = active_subscriptions


REFUSALS = (LinkError, NotConnectedError, UnknownProductError)
"""What `create_link` and `remove_link` raise; each message says what to do."""


@dataclass(frozen=True)
class NewPrice:
    """The price of a Stripe product to create. `amount` is in the currency's minor unit; `interval`
    is day, week, month or year, or None for a one-off price."""

    amount: int
    currency: str
    interval: str | None = None


@dataclass(frozen=True)
class Link:
    id: int
    product_id: str
    stripe_product: str | None
    stripe_product_name: str | None
    state: str
    mail: str
    progress: dict[str, Any]
    error: str | None
    created_at: datetime
    listening_at: datetime | None

    @property
    def workflow_id(self) -> str:
        return product_link_workflow_id(self.product_id)


@dataclass(frozen=True)
class Removal:
    """How removing a link changed its members' grants."""

    active_subscriptions: int
    kept: int
    ended: int
    converted: int


@dataclass(frozen=True)
class LinkJob:
    """What the link's workflow needs to start."""

    id: int
    product_id: str
    stripe_product: str | None
    create: NewPrice | None
    name: str
    description: str
    image_url: str | None
    removed: bool
    invoices: str


async def current_link(connection: Connection, product_id: str) -> Link | None:
    """The product's link, None if there is none."""
    row = await connection.fetchrow(
        """
        select l.id, l.product_id, l.stripe_product, l.state, l.mail, l.progress, l.error,
               l.created_at, l.listening_at, s.name as stripe_product_name
          from links l left join stripe_products s on s.id = l.stripe_product
         where l.product_id = $1 and l.removed_at is null
        """,
        product_id,
    )
    return Link(**dict(row)) if row else None


async def live_subscriptions(connection: Connection, product_id: str) -> int:
    """How many subscriptions to the linked Stripe product haven't ended."""
    found: int = await connection.fetchval(
        """
        select count(distinct s.id) from links l
          join subscription_items i on i.stripe_product = l.stripe_product
          join subscriptions s on s.id = i.subscription_id and s.account_id = l.account_id
         where l.product_id = $1 and l.removed_at is null
           and s.status = any($2::text[])
        """,
        product_id,
        LIVE_STATUSES,
    )
    return found


@dataclass(frozen=True)
class Counts:
    """Subscription counts of a linked product; `ending` are cancelled but still running. `buyers`
    are users with a one-time purchase that gives access; `one_time` says that all prices are."""

    buyers: int
    one_time: bool
    active: int
    trialing: int
    past_due: int
    ending: int


async def counts(connection: Connection, product_id: str) -> Counts:
    """Count the subscriptions to the linked Stripe product by state, and its buyers."""
    row = await connection.fetchrow(
        """
        select (select count(distinct user_id) from live_grants
                 where product_id = $1 and source = 'order') as buyers,
               coalesce((select bool_and(p.interval is null)
                           from links l join prices p on p.stripe_product = l.stripe_product
                          where l.product_id = $1 and l.removed_at is null), false) as one_time,
               count(*) filter (where s.status = 'active') as active,
               count(*) filter (where s.status = 'trialing') as trialing,
               count(*) filter (where s.status in ('past_due', 'unpaid')) as past_due,
               count(*) filter (where s.scheduled_end > now()
                                  and s.status in ('active', 'trialing', 'past_due')) as ending
          from subscriptions s
         where exists (select from links l
                        join subscription_items i on i.stripe_product = l.stripe_product
                       where l.product_id = $1 and l.removed_at is null
                         and i.subscription_id = s.id and l.account_id = s.account_id)
        """,
        product_id,
    )
    assert row is not None, "an aggregate has one row"
    return Counts(**dict(row))


async def create_link(
    connection: Connection,
    *,
    product_id: str,
    stripe_product: str | None,
    create: NewPrice | None,
    mail: str,
    actor: int | None,
    members: str | None = None,
    invoices: str = "year",
) -> Link:
    """Link a product to a Stripe product, an existing one or one to create.

    Creating the same link again returns it as it is, or restarts it after a failure. A different
    link first removes the current one, which needs `members` if it has live subscriptions.
    `invoices` says which past one-off invoices the import reads: none, those of a year, or all. The
    caller opens the transaction and wakes the relay afterwards.

    Raises one of `REFUSALS`: `NotConnectedError`, `UnknownProductError`, or the `LinkError`s
    `UnknownStripeProductError`, `InvalidPriceError` and `LiveSubscriptionsError`.
    """
    account = (await current(connection)).account
    if account is None:
        raise NotConnectedError(
            _("Stripe isn't connected: connect it on the Connectors page first")
        )
    await _lock_product(connection, product_id)
    await _check_target(connection, stripe_product, create)
    present = await current_link(connection, product_id)
    if present and stripe_product is not None and present.stripe_product == stripe_product:
        return await _again(connection, present, mail=mail)
    if present:
        await remove_link(connection, product_id=product_id, members=members, actor=actor)
    link_id = await connection.fetchval(
        """
        insert into links (product_id, account_id, livemode, stripe_product, create_params, mail,
                           created_by, invoices)
        values ($1, $2, $3, $4, $5, $6, $7, $8) returning id
        """,
        product_id,
        account.id,
        account.livemode,
        stripe_product,
        asdict(create) if create else None,
        mail,
        actor,
        invoices,
    )
    audit_draft.note(after={"stripe_product": stripe_product, "invoices": invoices, "emails": mail})
    await _adopt(connection, product_id, link_id, stripe_product)
    change = _Change(link_id, product_id, actor, datetime.now(UTC))
    await write_facts(
        connection, [change.fact(ActivityType.LINK_CREATED, link_id, source_id=stripe_product)]
    )
    link = await current_link(connection, product_id)
    assert link is not None, "it was inserted above"
    return link


async def remove_link(
    connection: Connection, *, product_id: str, members: str | None, actor: int | None
) -> Removal:
    """Remove a product's link and treat its members as `members` says.

    `keep`: access stays until the subscription ends; `end`: it ends now; `complimentary`: it
    becomes complimentary access without an end. One-off buyers keep what they bought unless `end`
    or `complimentary` is chosen. Raises `LiveSubscriptionsError` if `members` is missing but
    needed, `UnknownLinkError` if there is no link. The caller opens the transaction.
    """
    link = await connection.fetchrow(
        """
        select id, stripe_product from links where product_id = $1 and removed_at is null
           for update
        """,
        product_id,
    )
    if link is None:
        raise UnknownLinkError(f"product {product_id} isn't linked")
    live = await live_subscriptions(connection, product_id)
    if live and members not in WAYS_OUT:
        raise LiveSubscriptionsError(live)
    members = members or "keep"
    audit_draft.note(before={"stripe_product": link["stripe_product"]}, after={"members": members})
    change = _Change(link["id"], product_id, actor, datetime.now(UTC))
    await connection.execute(
        """
        update links set state = 'removed', removed_at = $2, members = $3, dispatched_at = null
         where id = $1
        """,
        change.link_id,
        change.at,
        members,
    )
    await checkout.drop(connection, product_id)
    await checkout_attempts.orphan(connection, product_id)
    ended = converted = 0
    counts = None
    if members in ("end", "complimentary"):
        change = replace(change, bulk_id=bulk.id_for(await _holders(connection, change)))
        if members == "complimentary":
            converted = await _convert(connection, change)
        ended = await _end_all(connection, change)
        if change.bulk_id:
            counts = BulkCounts(changed=converted, ended=await _lost(connection, change))
    await write_facts(connection, [change.removed(link["stripe_product"], counts)])
    kept = await connection.fetchval(
        "select count(*) from grants where link_id = $1 and ended_at is null", link["id"]
    )
    return Removal(live, kept=kept, ended=ended - converted, converted=converted)


async def importing(connection: Connection, product_ids: Sequence[str]) -> list[str]:
    """Which of these products have a link whose import hasn't finished: not everyone who pays has
    access yet."""
    rows = await connection.fetch(
        """
        select product_id from links
         where product_id = any($1::text[]) and removed_at is null
           and state in ('importing', 'failed') order by product_id
        """,
        list(product_ids),
    )
    return [row["product_id"] for row in rows]


async def waiting_jobs(connection: Connection, *, limit: int) -> list[LinkJob]:
    """Links whose workflow must be notified, because they were created, retried or removed."""
    rows = await connection.fetch(
        """
        select l.id, l.product_id, l.stripe_product, l.create_params, l.removed_at is not null as
               removed, p.name, p.description, p.image_url, l.invoices
          from links l join products p on p.id = l.product_id
         where l.dispatched_at is null order by l.id limit $1
        """,
        limit,
    )
    return [_job(row) for row in rows]


async def job(connection: Connection, link_id: int) -> LinkJob:
    row = await connection.fetchrow(
        """
        select l.id, l.product_id, l.stripe_product, l.create_params,
               l.removed_at is not null as removed, p.name, p.description, p.image_url,
               l.invoices
          from links l join products p on p.id = l.product_id
         where l.id = $1
        """,
        link_id,
    )
    if row is None:
        raise UnknownLinkError(f"there is no link {link_id}")
    return _job(row)


async def made_at(connection: Connection, link_id: int) -> datetime:
    """When a link was made."""
    found: datetime = await connection.fetchval(
        "select created_at from links where id = $1", link_id
    )
    return found


async def mark_dispatched(connection: Connection, job: LinkJob) -> None:
    """Record that a link's workflow was notified, unless the link has been removed in the
    meantime."""
    await connection.execute(
        """
        update links set dispatched_at = now()
         where id = $1 and (removed_at is not null) = $2
        """,
        job.id,
        job.removed,
    )


async def dispatch_again(connection: Connection, link_id: int) -> None:
    """Have the relay restart the link's workflow. It imports again, which is idempotent, and then
    waits."""
    await connection.execute("update links set dispatched_at = null where id = $1", link_id)


async def set_stripe_product(connection: Connection, link_id: int, stripe_product: str) -> None:
    """Record the Stripe product that was created for the link."""
    await connection.execute(
        "update links set stripe_product = $2 where id = $1", link_id, stripe_product
    )


async def set_state(
    connection: Connection,
    link_id: int,
    *,
    state: LinkState,
    progress: Progress,
    error: str | None = None,
) -> None:
    """Record the progress of the link's workflow. A removed link stays removed."""
    await connection.execute(
        """
        update links
           set state = $2, progress = $3::jsonb, error = $4,
               listening_at = case when $2 = 'listening' then coalesce(listening_at, now())
                                   else listening_at end
         where id = $1 and removed_at is null
        """,
        link_id,
        state.value,
        asdict(progress),
        error,
    )


async def lock_if_importing(connection: Connection, link_id: int) -> bool:
    """Whether the link is importing; locks that state until the transaction ends.

    A slow worker may still hold a page long after the import is over. Applying that outdated page
    must be prevented.
    """
    state = await connection.fetchval("select state from links where id = $1 for share", link_id)
    return bool(state == "importing")


async def write_progress(connection: Connection, link_id: int, progress: Progress) -> None:
    await connection.execute(
        "update links set progress = $2::jsonb, error = null where id = $1",
        link_id,
        asdict(progress),
    )


async def _again(connection: Connection, link: Link, *, mail: str) -> Link:
    if link.state == "failed":
        await connection.execute(
            """
            update links set state = 'importing', error = null, mail = $2, dispatched_at = null
             where id = $1
            """,
            link.id,
            mail,
        )
    found = await current_link(connection, link.product_id)
    assert found is not None, "the product's row is locked"
    return found


async def _adopt(
    connection: Connection, product_id: str, link_id: int, stripe_product: str | None
) -> None:
    """Take over live grants left by an earlier link between the same products."""
    await connection.execute(
        """
        update grants g set link_id = $2 from links l
         where l.id = g.link_id and g.product_id = $1 and g.ended_at is null
           and l.product_id = $1 and l.stripe_product = $3
        """,
        product_id,
        link_id,
        stripe_product,
    )


async def _lock_product(connection: Connection, product_id: str) -> None:
    locked = await connection.fetchval(
        "select id from products where id = $1 for no key update", product_id
    )
    if locked is None:
        raise UnknownProductError(f"there is no product {product_id}")


async def _check_target(
    connection: Connection, stripe_product: str | None, create: NewPrice | None
) -> None:
    """That the Stripe product can be linked, or created with its price."""
    if create is not None:
        _check_price(create)
        return
    exists = await connection.fetchval(
        "select exists (select from stripe_products where id = $1 and not deleted)", stripe_product
    )
    if not exists:
        raise UnknownStripeProductError(
            _(
                "the connected Stripe account has no product %(product)s: choose one from the list,"
                " or refresh the list if it is new",
                product=stripe_product,
            )
        )


def _check_price(price: NewPrice) -> None:
    if price.amount < 0:
        raise InvalidPriceError("the amount is negative: use the currency's minor unit, 0 or more")
    if len(price.currency) != 3 or not price.currency.isalpha():
        raise InvalidPriceError(
            f"{price.currency!r} isn't a currency code: use three letters, such as eur"
        )
    if price.interval not in (None, "day", "week", "month", "year"):
        raise InvalidPriceError(
            f"{price.interval!r} isn't an interval: use day, week, month or year"
        )


@dataclass(frozen=True)
class _Change:
    """A change of one link, as the lines of the feed tell it. If it concerns several people, their
    lines are those of the bulk change `bulk_id`."""

    link_id: int
    product_id: str
    actor: int | None
    at: datetime
    bulk_id: str | None = None

    def fact(
        self,
        type_: ActivityType,
        key: int,
        *,
        user_id: int | None = None,
        source_id: str | None = None,
        data: dict[str, Any] | None = None,
    ) -> Fact:
        return Fact(
            key=f"{type_}:{key}",
            type=type_,
            at=self.at,
            cause=Cause.ADMIN if user_id is None else bulk.cause_of(self.bulk_id),
            user_id=user_id,
            product_id=self.product_id,
            source_id=source_id,
            workflow_id=product_link_workflow_id(self.product_id),
            actor_id=self.actor,
            data=data or {},
        )

    def of_person(self, type_: ActivityType, row: Any, reason: Reason) -> Fact:
        """The line of one person's grant. In a bulk change, its purchase stands in the data."""
        purchase, data = row["source_id"] or None, {"reason": reason, "grant": row["id"]}
        if self.bulk_id and purchase:
            data["purchase"] = purchase
        return self.fact(
            type_,
            row["id"],
            user_id=row["user_id"],
            source_id=self.bulk_id or purchase,
            data=data,
        )

    def removed(self, stripe_product: str | None, counts: BulkCounts | None) -> Fact:
        """The line of the link's removal. It sums up those of its people if there are several."""
        data = asdict(counts) | {"stripe_product": stripe_product} if counts else {}
        source_id = self.bulk_id if counts else stripe_product
        return self.fact(ActivityType.LINK_REMOVED, self.link_id, source_id=source_id, data=data)


async def _holders(connection: Connection, change: _Change) -> int:
    """How many people have a grant that the link gives."""
    found: int = await connection.fetchval(
        "select count(distinct user_id) from grants where link_id = $1 and ended_at is null",
        change.link_id,
    )
    return found


async def _lost(connection: Connection, change: _Change) -> int:
    """How many people had access until the removal ended their grants, and have none now."""
    found: int = await connection.fetchval(
        """
        select count(distinct g.user_id) from grants g
         where g.link_id = $1 and g.ended_at = $2 and g.end_reason = $3
           and (g.until is null or g.until > $2)
           and not exists (select from live_grants l
                            where l.user_id = g.user_id and l.product_id = g.product_id)
        """,
        change.link_id,
        change.at,
        Reason.LINK_REMOVED.value,
    )
    return found


async def _end_all(connection: Connection, change: _Change) -> int:
    """End the grants that the link gives; returns how many those are."""
    rows = await connection.fetch(
        """
        update grants set ended_at = $2, end_reason = $3
         where link_id = $1 and ended_at is null
        returning id, user_id, source_id
        """,
        change.link_id,
        change.at,
        Reason.LINK_REMOVED.value,
    )
    await write_facts(
        connection,
        [change.of_person(ActivityType.ACCESS_ENDED, row, Reason.LINK_REMOVED) for row in rows],
    )
    return len(rows)


async def _convert(connection: Connection, change: _Change) -> int:
    """Give complimentary access to everybody to whom the link gives access; returns to how many
    who had none."""
    rows = await connection.fetch(
        """
        insert into grants (user_id, product_id, source, source_id, since, cause, reason,
                            granted_by)
        select distinct user_id, product_id, 'manual', '', $2::timestamptz, 'admin',
               'The product link was removed', $3::bigint
          from grants
         where link_id = $1 and ended_at is null and (until is null or until > $2)
        on conflict (user_id, product_id, source, source_id) where ended_at is null do nothing
        returning id, user_id, source_id
        """,
        change.link_id,
        change.at,
        change.actor,
    )
    await write_facts(
        connection,
        [change.of_person(ActivityType.ACCESS_GRANTED, row, Reason.COMPLIMENTARY) for row in rows],
    )
    return len(rows)


def _job(row: Any) -> LinkJob:
    create = row["create_params"]
    if isinstance(create, str):
        create = json.loads(create)
    return LinkJob(
        id=row["id"],
        product_id=row["product_id"],
        stripe_product=row["stripe_product"],
        create=NewPrice(**create) if create else None,
        name=row["name"],
        description=row["description"],
        image_url=row["image_url"],
        removed=row["removed"],
        invoices=row["invoices"],
    )
