"""Invariants, checked by set-based queries: each breach becomes a difference of a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from latchkey.rules.access import TERMINAL
from latchkey.rules.drift import Kind, Severity
from latchkey.store.pool import Connection

SLACK = timedelta(minutes=15)
"""How late something may be before it counts as missing."""


@dataclass(frozen=True)
class Invariant:
    """What must hold, as the query for its breaches: reason, source, source id, product, user,
    address and workflow of each. It may use `given`: the comparison (`run`), the one `product` it
    is about or null, what was due before `late`, the `terminal` states, and `account_id` and
    `livemode` of the connection: what isn't of these is nothing that a repair could read."""

    kind: Kind
    severity: Severity
    breaches: str


_INSERT = """
insert into differences (reconciliation_id, kind, class, reason, source, source_id, product_id,
                         user_id, email, email_key, workflow_id)
"""

_ACCESS_AFTER_END = Invariant(
    Kind.ACCESS_AFTER_END,
    Severity.SAFE,
    """
    select 'The end of this access has passed and was not noted', g.source,
           g.source_id, g.product_id, g.user_id, u.email, u.email_key,
           case g.source when 'subscription' then 'subscription/' || g.source_id
                         when 'order' then 'purchase/' || g.source_id end
      from grants g join users u on u.id = g.user_id
     where g.ended_at is null and g.until < given.late and g.source <> 'product'
       and (g.account_id is null
            or (g.account_id, g.livemode) = (given.account_id, given.livemode))
       and (given.product is null or g.product_id = given.product)
       and not exists (select from differences d
                        where d.reconciliation_id = given.run and d.source_id = g.source_id
                          and d.product_id = g.product_id and g.source_id <> '')
    """,
)

_PAID_WITHOUT_ACCESS = Invariant(
    Kind.PAID_WITHOUT_ACCESS,
    Severity.SAFE,
    """
    select distinct 'It is paid for, but there is no access', found.source,
           found.id, k.product_id, found.user_id, u.email, u.email_key, found.workflow
      from (select 'order' as source, o.id, o.user_id, o.account_id, o.livemode,
                   l.stripe_product, 'purchase/' || o.id as workflow,
                   case when o.id = o.invoice then o.created_at end as made, o.paid_at as paid
              from orders o join order_lines l on l.order_id = o.id
             where o.money_state = 'paid' and not o.disputed
               and l.quantity is distinct from 0 and l.amount >= 0
            union all
            select 'subscription', s.id, s.user_id, s.account_id, s.livemode,
                   i.stripe_product, 'subscription/' || s.id, null, null
              from subscriptions s join subscription_items i on i.subscription_id = s.id
             where s.status = 'active' and not s.collection_paused
               and i.quantity is distinct from 0
               and (s.scheduled_end is null or s.scheduled_end > now())) as found
      join links k on k.stripe_product = found.stripe_product and k.removed_at is null
           and k.state = 'listening' and k.account_id = found.account_id
           and k.livemode = found.livemode
           and (k.account_id, k.livemode) = (given.account_id, given.livemode)
           and (found.made is null or k.invoices = 'all'
                or found.paid >= date_trunc('second', k.created_at)
                or found.made >= date_trunc('second', k.created_at)
                   - case k.invoices when 'year' then interval '366 days' else interval '0' end)
      join users u on u.id = found.user_id
     where (given.product is null or k.product_id = given.product)
       and not exists (select from grants g where g.source_id = found.id
                          and g.product_id = k.product_id)
       and not exists (select from differences d
                        where d.reconciliation_id = given.run and d.source_id = found.id
                          and d.product_id = k.product_id)
    """,
)
"""Only if there never was a grant: an ended grant was ended for a reason."""

_SUBSCRIPTIONS_WITHOUT_RUN = Invariant(
    Kind.WORKFLOW_MISSING,
    Severity.SAFE,
    """
    select 'It is running but has no workflow, so its next deadline would be missed',
           'subscription', s.id, null, s.user_id, u.email, u.email_key, 'subscription/' || s.id
      from subscriptions s left join users u on u.id = s.user_id
     where s.status <> all(given.terminal)
       and (s.account_id, s.livemode) = (given.account_id, given.livemode)
       and coalesce(s.lifecycle_at, s.read_at) < given.late
       and exists (select from subscription_items i
                     join links k on k.stripe_product = i.stripe_product
                      and k.removed_at is null and k.state = 'listening'
                      and (given.product is null or k.product_id = given.product)
                    where i.subscription_id = s.id and i.quantity is distinct from 0)
       and not exists (select from reconciliation_seen seen
                        where seen.reconciliation_id = given.run
                          and seen.id = 'subscription/' || s.id)
    """,
)

_ORDERS_WITHOUT_RUN = Invariant(
    Kind.WORKFLOW_MISSING,
    Severity.SAFE,
    """
    select 'Its payment is pending but it has no workflow', 'order', o.id, null,
           o.user_id, u.email, u.email_key, 'purchase/' || o.id
      from orders o join users u on u.id = o.user_id
     where o.state = 'pending' and o.read_at < given.late
       and (o.account_id, o.livemode) = (given.account_id, given.livemode)
       and (given.product is null or exists (
            select from order_lines l join links k on k.stripe_product = l.stripe_product
             where l.order_id = o.id and k.product_id = given.product))
       and not exists (select from reconciliation_seen seen
                        where seen.reconciliation_id = given.run and seen.id = 'purchase/' || o.id)
    """,
)

_LINKS_WITHOUT_RUN = Invariant(
    Kind.WORKFLOW_MISSING,
    Severity.SAFE,
    """
    select 'The link has no workflow', 'link', k.id::text, k.product_id, null::bigint, null, null,
           'product-link/' || k.product_id
      from links k
     where k.removed_at is null and k.dispatched_at < given.late
       and (given.product is null or k.product_id = given.product)
       and not exists (select from reconciliation_seen seen
                        where seen.reconciliation_id = given.run
                          and seen.id = 'product-link/' || k.product_id)
    """,
)

_TIMER_MISSING = Invariant(
    Kind.TIMER_MISSING,
    Severity.SAFE,
    """
    select 'Its deadline (' || replace(s.wake, '_', ' ') || ') passed without a check',
           'subscription', s.id, null, s.user_id, u.email, u.email_key, 'subscription/' || s.id
      from subscriptions s left join users u on u.id = s.user_id
     where s.wake_at < given.late and s.ended_at is null
       and (s.account_id, s.livemode) = (given.account_id, given.livemode)
       and s.status <> all(given.terminal)
       and (given.product is null or exists (
            select from subscription_items i join links k on k.stripe_product = i.stripe_product
             where i.subscription_id = s.id and k.product_id = given.product))
       and not exists (select from differences d
                        where d.reconciliation_id = given.run
                          and d.workflow_id = 'subscription/' || s.id
                          and d.kind in ('workflow_missing', 'workflow_stuck'))
    """,
)
"""A deadline that passed without a reading, although there is a workflow."""

_OTHER_ACCOUNT = Invariant(
    Kind.OTHER_ACCOUNT,
    Severity.FOREIGN,
    """
    select 'It came from the account ' || g.account_id || ' in '
           || case when g.livemode then 'live' else 'test' end
           || ' mode, which isn''t the connected one, so its end can''t be noticed',
           g.source, g.source_id, g.product_id, g.user_id, u.email, u.email_key, null
      from grants g
      join users u on u.id = g.user_id
      join stripe_connection c on c.state = 'connected'
     where g.ended_at is null and g.account_id is not null
       and (g.account_id, g.livemode) is distinct from (c.account_id, c.livemode)
       and (given.product is null or g.product_id = given.product)
    """,
)

_OPENED = """
       select g.id, g.user_id, i.product_id, g.product_id || '/' || g.id as source_id, g.until,
              g.since
         from grants g
         join products p on p.id = g.product_id
         join collection_products i on i.collection_id = p.opens_collection
        where g.ended_at is null
"""
"""What grants open, by definition."""

_OPENED_MISSING = Invariant(
    Kind.ACCESS_MISSING,
    Severity.SAFE,
    f"""
    select 'It belongs to a product that this person has, but there is no access', 'product',
           o.source_id, o.product_id, o.user_id, u.email, u.email_key, null
      from ({_OPENED}) as o join users u on u.id = o.user_id
     where (o.until is null or o.until > now()) and o.since < given.late
       and (given.product is null or o.product_id = given.product)
       and not exists (select from grants c
                        where c.source = 'product' and c.source_id = o.source_id
                          and c.product_id = o.product_id and c.ended_at is null)
       and not exists (select from grants e
                         join grants c on c.source = 'product' and c.product_id = o.product_id
                          and c.source_id = e.product_id || '/' || e.id and c.held
                         join grants g on g.id = o.id
                        where (e.user_id, e.product_id, e.source, e.source_id)
                              = (g.user_id, g.product_id, g.source, g.source_id))
    """,
)
"""Except what is held."""

_OPENED_LEFT = Invariant(
    Kind.ACCESS_LEFT,
    Severity.SAFE,
    f"""
    select 'There is access by another product that doesn''t give it so', 'product',
           c.source_id, c.product_id, c.user_id, u.email, u.email_key, null
      from grants c join users u on u.id = c.user_id
     where c.source = 'product' and c.ended_at is null
       and (given.product is null or c.product_id = given.product)
       and not exists (select from ({_OPENED}) as o
                        where o.source_id = c.source_id and o.product_id = c.product_id
                          and o.user_id = c.user_id and o.until is not distinct from c.until)
    """,
)

_EVERY = (
    _ACCESS_AFTER_END,
    _PAID_WITHOUT_ACCESS,
    _SUBSCRIPTIONS_WITHOUT_RUN,
    _ORDERS_WITHOUT_RUN,
    _LINKS_WITHOUT_RUN,
    _TIMER_MISSING,
    _OTHER_ACCOUNT,
    _OPENED_MISSING,
    _OPENED_LEFT,
)


async def check(
    connection: Connection,
    reconciliation_id: str,
    *,
    product_id: str | None,
    stuck: Sequence[tuple[str, str]],
) -> None:
    """Check every invariant against the mirror and the recorded runs. `stuck` lists workflow ids
    with the reason why they can't continue. `product_id` limits the check to one product."""
    await _stuck(connection, reconciliation_id, stuck)
    for invariant in _EVERY:
        await connection.execute(
            f"""
            with given as (select $1::text as run, $2::text as product,
                                  now() - $3::interval as late, $4::text[] as terminal,
                                  account_id, livemode
                             from stripe_connection)
            {_INSERT}
            select given.run, $5, $6, found.*
              from given cross join lateral ({invariant.breaches}) as found
            on conflict do nothing
            """,
            reconciliation_id,
            product_id,
            SLACK,
            sorted(TERMINAL),
            invariant.kind,
            invariant.severity,
        )


async def _stuck(
    connection: Connection, reconciliation_id: str, stuck: Sequence[tuple[str, str]]
) -> None:
    await connection.execute(
        f"""
        {_INSERT}
        select $1, $2, $3, given.reason || coalesce(': ' || e.error, ''), '', '', null, null, null,
               null, given.id
          from unnest($4::text[], $5::text[]) as given (id, reason)
          left join lateral (
               select error from events
                where target_id = substr(given.id, strpos(given.id, '/') + 1)
                  and target_kind <> 'none' and state = 'failed'
                order by received_at desc limit 1) e on true
        on conflict do nothing
        """,
        reconciliation_id,
        Kind.WORKFLOW_STUCK,
        Severity.MANUAL,
        [workflow_id for workflow_id, _ in stuck],
        [reason for _, reason in stuck],
    )
