"""Who would gain and who would lose access under another policy, judged from the mirror.

The purchases concerned are read page by page and judged by the same rules as events. Postgres
aggregates the result, so memory use doesn't grow with their number.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.addresses import email_key
from latchkey.rules import access
from latchkey.rules.access import Verdict
from latchkey.rules.policy import touched
from latchkey.rules.reading import Order, Subscription
from latchkey.store.access import policy
from latchkey.store.pool import Connection
from latchkey.store.purchases import order_mirror, subscription_mirror
from latchkey.store.purchases.linked_products import Draft, LinkedProduct, linked_products
from latchkey.store.stripe import connection as connections
from latchkey.store.stripe.context import Account

PAGE = 1000


@dataclass(frozen=True)
class Effect:
    """What would happen to one person's access to one product: gains, loses or moves (its end).

    `user_id` is None for someone who isn't a user yet. `until` is the new end.
    """

    user_id: int | None
    email: str | None
    product_id: str
    product: str
    outcome: str
    source_ids: list[str]
    reason: str
    until: datetime | None


@dataclass(frozen=True)
class PolicyPreview:
    """`checked` counts the judged purchases; `effects` holds the first effects, losses first."""

    checked: int
    gains: int
    loses: int
    moves: int
    effects: list[Effect]


async def preview(connection: Connection, draft: Draft, *, limit: int = 200) -> PolicyPreview:
    """What saving a draft would do to the purchases of the connected (or last connected) account.
    Changes nothing. The caller opens a transaction.

    Raises `UnknownProductError` and `ValueError` as `policy.save` does.
    """
    old = await policy.read(connection, draft.product_id)
    what = touched(policy.drafted_cells(old, draft))
    account = (await connections.current(connection)).last_account
    if account is None:
        return PolicyPreview(checked=0, gains=0, loses=0, moves=0, effects=[])
    as_of = datetime.now(UTC)
    await connection.execute(
        """
        create temporary table policy_effects (
            user_id bigint, who text, product_id text not null, source_id text not null,
            will boolean not null, until timestamptz, reason text not null) on commit drop
        """
    )
    checked = 0
    for ids_of, judge in (
        (policy.subscriptions_touched, _subscriptions),
        (policy.orders_touched, _orders),
    ):
        after: str | None = None
        while ids := await ids_of(
            connection, what, account=account, product_id=draft.product_id, after=after, limit=PAGE
        ):
            rows = await judge(connection, ids, account, draft, as_of)
            await _keep(connection, rows)
            checked, after = checked + len(ids), ids[-1]
    found = await _summed(connection, limit)
    await connection.execute("drop table policy_effects")
    return PolicyPreview(
        checked=checked,
        gains=found[0]["gains"] if found else 0,
        loses=found[0]["loses"] if found else 0,
        moves=found[0]["moves"] if found else 0,
        effects=[Effect(**{key: row[key] for key in _SHOWN}) for row in found],
    )


_SHOWN = tuple(Effect.__dataclass_fields__)


async def _subscriptions(
    connection: Connection, ids: list[str], account: Account, draft: Draft, as_of: datetime
) -> list[dict[str, Any]]:
    readings = await subscription_mirror.readings(connection, ids)
    facts = {
        row["id"]: row
        for row in await connection.fetch(
            """
            select s.id, coalesce(s.user_id, c.user_id) as user_id, s.past_due_since
              from subscriptions s join customers c on c.id = s.customer_id
             where s.id = any($1::text[])
            """,
            ids,
        )
    }
    bought = {product for reading in readings for product in reading.stripe_products}
    products = await linked_products(connection, bought, account=account, draft=draft)
    held = await _held(connection, ids)

    def verdict(one: Subscription, product: LinkedProduct) -> Verdict:
        return access.judge_subscription(
            one,
            product.policy,
            past_due_since=facts[one.id]["past_due_since"],
            as_of=as_of,
            stripe_product=product.stripe_product,
        )

    return [
        _row(
            facts[reading.id]["user_id"],
            reading.customer.email,
            reading.id,
            product,
            verdict(reading, product),
            gives=not product.removed,
        )
        for reading in readings
        for stripe_product in reading.stripe_products
        for product in products.get(stripe_product, [])
        if _concerned(reading.id, product, draft, held)
    ]


async def _orders(
    connection: Connection, ids: list[str], account: Account, draft: Draft, as_of: datetime
) -> list[dict[str, Any]]:
    readings: list[Order] = await order_mirror.readings(connection, ids)
    facts = {
        row["id"]: row
        for row in await connection.fetch(
            """
            select o.id, coalesce(o.user_id, c.user_id) as user_id
              from orders o left join customers c on c.id = o.customer_id
             where o.id = any($1::text[])
            """,
            ids,
        )
    }
    bought = {line.stripe_product for reading in readings for line in reading.one_off_lines}
    products = await linked_products(connection, bought, account=account, draft=draft)
    held = await _held(connection, ids)
    return [
        _row(
            facts[reading.id]["user_id"],
            reading.email,
            reading.id,
            product,
            access.judge_order(reading, product.policy, as_of=as_of),
            gives=not product.removed and product.counts(reading),
        )
        for reading in readings
        for stripe_product in {line.stripe_product for line in reading.one_off_lines}
        for product in products.get(stripe_product, [])
        if _concerned(reading.id, product, draft, held)
    ]


def _concerned(
    source_id: str, product: LinkedProduct, draft: Draft, held: set[tuple[str, str]]
) -> bool:
    meant = draft.product_id in (None, product.product_id)
    return meant and (source_id, product.product_id) not in held


async def _held(connection: Connection, ids: list[str]) -> set[tuple[str, str]]:
    rows = await connection.fetch(
        "select source_id, product_id from grants where source_id = any($1::text[]) and held", ids
    )
    return {(row["source_id"], row["product_id"]) for row in rows}


def _row(
    user_id: int | None,
    who: str | None,
    source_id: str,
    product: LinkedProduct,
    verdict: Verdict,
    *,
    gives: bool,
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "who": email_key(who) if who else None,
        "product_id": product.product_id,
        "source_id": source_id,
        "will": verdict.access,
        "until": verdict.until,
        "reason": verdict.reason.value,
        "gives": gives,
    }


async def _keep(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Buyers who have become users since count as those users. Access that its link no longer gives
    (because it was removed or ignores past purchases) can still end."""
    await connection.execute(
        """
        insert into policy_effects (user_id, who, product_id, source_id, will, until, reason)
        select coalesce(user_id, (select id from users where email_key = who),
                        (select a.user_id from user_addresses a where a.email_key = who)),
               who, product_id, source_id, will, until, reason
          from jsonb_to_recordset($1::jsonb) as g (
               user_id bigint, who text, product_id text, source_id text, will boolean,
               until timestamptz, reason text, gives boolean)
         where (user_id is not null or who is not null)
           and (gives or exists (
                  select from grants x where x.source_id = g.source_id
                     and x.product_id = g.product_id and x.ended_at is null))
        """,
        rows,
    )


async def _summed(connection: Connection, limit: int) -> list[Any]:
    """One row per person and product whose access changes, comparing the union of all grants before
    and after, with total counts."""
    return await connection.fetch(
        """
        with pair as (
            select user_id, case when user_id is null then who end as who, product_id,
                   array_agg(source_id order by source_id) as source_ids,
                   bool_or(will) as will, bool_or(will and until is null) as endless,
                   max(until) filter (where will) as until,
                   (array_agg(reason order by will desc, source_id))[1] as reason
              from policy_effects group by 1, 2, 3
        ), compared as (
            select p.*, coalesce(g.was, false) as was, g.until_now,
                   p.will or coalesce(g.kept, false) as will_have,
                   case when p.endless or g.kept_endless then null
                        else greatest(p.until, g.kept_until) end as until_then
              from pair p
              left join lateral (
                   select bool_or(true) as was,
                          case when bool_or(x.until is null) then null else max(x.until) end
                              as until_now,
                          bool_or(x.source_id <> all(p.source_ids)) as kept,
                          bool_or(x.until is null and x.source_id <> all(p.source_ids))
                              as kept_endless,
                          max(x.until) filter (where x.source_id <> all(p.source_ids))
                              as kept_until
                     from live_grants x
                    where x.user_id = p.user_id and x.product_id = p.product_id) g on true
        ), judged as (
            select *, case when not was and will_have then 'gains'
                           when was and not will_have then 'loses'
                           when was and until_now is distinct from until_then then 'moves' end
                      as outcome
              from compared
        )
        select j.user_id, coalesce(u.email, j.who) as email, j.product_id, d.name as product,
               j.outcome, j.source_ids, j.reason, j.until_then as until,
               count(*) filter (where outcome = 'gains') over () as gains,
               count(*) filter (where outcome = 'loses') over () as loses,
               count(*) filter (where outcome = 'moves') over () as moves
          from judged j join products d on d.id = j.product_id
          left join users u on u.id = j.user_id
         where outcome is not null
         order by array_position(array['loses', 'gains', 'moves'], outcome), email, product_id
         limit $1
        """,
        limit,
    )
