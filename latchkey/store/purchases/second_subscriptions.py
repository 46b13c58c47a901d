"""Second subscriptions: a product subscribed to by somebody who has another subscription of it
that isn't over. At Stripe's checkout a buyer may type any address, so some are sold before anybody
knows who buys; they are noticed when they are applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.contracts import subscription_workflow_id
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.feed.outgoing import Mail, write_mails
from latchkey.store.pool import Connection
from latchkey.store.purchases.subscription_list import SUBSCRIPTIONS, ListedSubscription
from latchkey.store.stripe.context import ApplyContext

JUST_BOUGHT = timedelta(days=2)
"""For how long after a second subscription began its buyer is told by email. What is found later,
by an import or a comparison, is for the admins to settle."""

AT_ONCE = 1000
"""How many subscriptions of a whole site are compared by one query."""

_PAIRS = """
select distinct on (id, product_id) id, product_id, created_at, user_id, other_id as earlier,
       other_scheduled_end as earlier_ends
  from subscription_pairs where second and {} order by id, product_id, other_created_at
"""


@dataclass(frozen=True)
class SecondSubscription:
    """A subscription beside an earlier one of the same products by the same person."""

    subscription: ListedSubscription
    earlier: ListedSubscription
    products: tuple[tuple[str, str], ...]
    """Their ids and names."""


async def notice(connection: Connection, ids: Sequence[str], *, context: ApplyContext) -> None:
    """Note which of these subscriptions are second ones, or make others second ones: a line in the
    feed, and an email to the buyer of what was just bought. Each is noted once."""
    if not ids:
        return
    pairs = await connection.fetch(
        """
        select distinct case when second then id else other_id end as id
          from subscription_pairs where id = any($1::text[])
        """,
        list(ids),
    )
    if pairs:
        await _write(connection, [row["id"] for row in pairs], context=context)


async def notice_all(connection: Connection, *, context: ApplyContext) -> None:
    """Note all that nobody has noted yet, such as two that were applied at the same moment. Only
    those that share a user, customer or address with another are compared one by one."""
    rows = await connection.fetch(
        """
        select distinct id from (
            select id, user_id, email_key,
                   count(*) over (partition by product_id, user_id) as by_user,
                   count(*) over (partition by product_id, customer_id) as by_customer,
                   count(*) over (partition by product_id, email_key) as by_address
              from held_subscriptions) h
         where (user_id is not null and by_user > 1) or by_customer > 1
            or (email_key is not null and by_address > 1)
         order by id
        """
    )
    ids = [row["id"] for row in rows]
    for first in range(0, len(ids), AT_ONCE):
        await _write(connection, ids[first : first + AT_ONCE], context=context)


async def _write(connection: Connection, ids: list[str], *, context: ApplyContext) -> None:
    rows = await connection.fetch(
        f"""
        with pairs as ({_PAIRS.format("id = any($1::text[])")}), noted as (
            insert into second_subscriptions (subscription_id, product_id)
            select id, product_id from pairs order by id, product_id
            on conflict do nothing returning subscription_id, product_id
        )
        select p.* from pairs p join noted n on n.subscription_id = p.id
                                            and n.product_id = p.product_id
         order by p.id, p.product_id
        """,
        ids,
    )
    if not rows:
        return
    await write_facts(connection, [_fact(row, context) for row in rows])
    await _tell_buyers(connection, rows, context)


def _fact(row: Any, context: ApplyContext) -> Fact:
    return Fact(
        key=f"{ActivityType.SECOND_SUBSCRIPTION}:{row['id']}:{row['product_id']}",
        type=ActivityType.SECOND_SUBSCRIPTION,
        at=context.as_of,
        due_at=min(row["created_at"], context.as_of),
        cause=context.cause,
        user_id=row["user_id"],
        product_id=row["product_id"],
        source_id=row["id"],
        event_id=context.event_of(row["id"]),
        workflow_id=subscription_workflow_id(row["id"]),
        data={"earlier": row["earlier"]},
    )


async def _tell_buyers(connection: Connection, rows: Sequence[Any], context: ApplyContext) -> None:
    if context.cause is Cause.IMPORT:
        return
    told: dict[str, list[Any]] = {}
    for row in rows:
        if row["user_id"] is not None and context.as_of - row["created_at"] < JUST_BOUGHT:
            told.setdefault(row["id"], []).append(row)
    await write_mails(connection, [_mail(each) for each in told.values()])


def _mail(rows: list[Any]) -> Mail:
    first, ends = rows[0], rows[0]["earlier_ends"]
    products = [row["product_id"] for row in rows]
    return Mail(
        key=f"second_subscription:{first['id']}:{','.join(products)}",
        kind="second_subscription",
        user_id=first["user_id"],
        product_id=products[0],
        data={"source_id": first["id"], "products": products, "ends": ends},
    )


async def of_user(connection: Connection, user_id: int) -> dict[str, datetime | None]:
    """The user's second subscriptions, with when the earlier one ends if it is set to."""
    rows = await connection.fetch(_PAIRS.format("user_id = $1"), user_id)
    return {row["id"]: row["earlier_ends"] for row in rows}


async def listed(connection: Connection, *, limit: int) -> list[SecondSubscription]:
    """Those that cost somebody money twice until somebody does something, the latest first: neither
    of the two is set to end, and nobody has said that it is meant."""
    rows = await connection.fetch(
        """
        select u.subscription_id as id, min(u.earlier_id) as earlier,
               max(u.noticed_at) as noticed_at,
               json_agg(json_build_array(p.id, p.name) order by p.name, p.id) as products
          from unsettled_second_subscriptions u join products p on p.id = u.product_id
         group by u.subscription_id order by noticed_at desc, id limit $1
        """,
        limit,
    )
    ids = {key for row in rows for key in (row["id"], row["earlier"])}
    found = await SUBSCRIPTIONS.several(connection, sorted(ids))
    return [
        SecondSubscription(
            found[row["id"]],
            found[row["earlier"]],
            tuple((product, name) for product, name in row["products"]),
        )
        for row in rows
    ]


async def allow(connection: Connection, subscription_id: str) -> bool:
    """Note that this second subscription is meant. False if there is no such one."""
    rows = await connection.fetch(
        """
        update second_subscriptions set allowed_at = coalesce(allowed_at, now())
         where subscription_id = $1 returning product_id
        """,
        subscription_id,
    )
    return bool(rows)
