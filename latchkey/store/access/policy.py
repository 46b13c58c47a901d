"""The access policy in the database: the site's cells, the products' own, and their changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from latchkey.rules.policy import DEFAULT_POLICY, Policy, Touched, touched
from latchkey.rules.vocabulary import ActivityType, Cause
from latchkey.store import audit_draft
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.products.products import UnknownProductError
from latchkey.store.purchases.linked_products import Draft, effective
from latchkey.store.stripe import wakeups
from latchkey.store.stripe.context import Account

SETTING = "access_policy"


@dataclass(frozen=True)
class Policies:
    """A policy and its parts: the site's cells and, for a product, its own."""

    site: Mapping[str, object]
    own: Mapping[str, object]

    @property
    def inherited(self) -> Policy:
        return effective(self.site, {})

    @property
    def effective(self) -> Policy:
        return effective(self.site, self.own)


@dataclass(frozen=True)
class PolicyRevision:
    """A saved change that is being applied to everyone. `state` is waiting, applying or done."""

    id: int
    product_id: str | None
    before: dict[str, Any]
    after: dict[str, Any]
    state: str
    checked: int
    granted: int
    ended: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def cells(self) -> frozenset[str]:
        old, new = DEFAULT_POLICY.with_overrides(self.before), self.new
        return old.differing(new)

    @property
    def new(self) -> Policy:
        return DEFAULT_POLICY.with_overrides(self.after)

    @property
    def touched(self) -> Touched:
        return touched(self.cells)


async def read(connection: Connection, product_id: str | None = None) -> Policies:
    """The site's policy, or a product's. Raises `UnknownProductError`."""
    row = await connection.fetchrow(
        """
        select (select value from site_settings where key = $2) as site,
               (select policy_overrides from products where id = $1) as own,
               exists (select from products where id = $1) as known
        """,
        product_id,
        SETTING,
    )
    assert row is not None, "a select without from has one row"
    if product_id is not None and not row["known"]:
        raise UnknownProductError(f"there is no product {product_id}")
    return Policies(row["site"] or {}, row["own"] or {})


async def save(connection: Connection, draft: Draft, *, actor: int | None) -> PolicyRevision | None:
    """Save a draft as the policy, and have it applied to everyone in the background.

    Returns the change, or None if nothing differs. Raises `UnknownProductError`, and `ValueError`
    for unknown cells or invalid values. The caller opens the transaction and wakes the relay
    afterwards.
    """
    await connection.execute("lock table policy_changes in share row exclusive mode")
    await _wait_for_applies(connection, draft.product_id)
    old = await read(connection, draft.product_id)
    new = _drafted(old, draft)
    audit_draft.note_changes(old.effective.cells(), new.effective.cells())
    if draft.product_id is None:
        await connection.execute(
            """
            insert into site_settings (key, value) values ($1, $2::jsonb)
            on conflict (key) do update set value = excluded.value, updated_at = now()
            """,
            SETTING,
            dict(draft.overrides),
        )
    else:
        await connection.execute(
            "update products set policy_overrides = $2::jsonb where id = $1",
            draft.product_id,
            dict(draft.overrides),
        )
    if not old.effective.differing(new.effective):
        return None
    row = await connection.fetchrow(
        f"""
        insert into policy_changes (product_id, before, after, created_by)
        values ($1, $2::jsonb, $3::jsonb, $4) returning {_FIELDS}
        """,
        draft.product_id,
        old.effective.cells(),
        new.effective.cells(),
        actor,
    )
    assert row is not None, "the insert returns its row"
    change = PolicyRevision(**dict(row))
    await wakeups.add(connection, wakeups.POLICY, [str(change.id)])
    await _tell(connection, change, actor)
    return change


async def _wait_for_applies(connection: Connection, product_id: str | None) -> None:
    """Wait for running applies, which lock the links they read the policy with, so that none
    continues with the old policy."""
    await connection.execute(
        "select from links where $1::text is null or product_id = $1 order by id for update",
        product_id,
    )


def _drafted(old: Policies, draft: Draft) -> Policies:
    if draft.product_id is None:
        return Policies(draft.overrides, {})
    return Policies(old.site, draft.overrides)


def drafted_cells(old: Policies, draft: Draft) -> frozenset[str]:
    """The cells that a draft would change. Raises `ValueError` as `save` does."""
    return old.effective.differing(_drafted(old, draft).effective)


async def _tell(connection: Connection, change: PolicyRevision, actor: int | None) -> None:
    cells = {name: [change.before[name], change.after[name]] for name in sorted(change.cells)}
    fact = Fact(
        key=f"policy_changed:{change.id}",
        type=ActivityType.POLICY_CHANGED,
        at=datetime.now(UTC),
        cause=Cause.ADMIN,
        product_id=change.product_id,
        source_id=str(change.id),
        actor_id=actor,
        data={"cells": cells},
    )
    await write_facts(connection, [fact])


_FIELDS = "id, product_id, before, after, state, checked, granted, ended, created_at, finished_at"


async def change(connection: Connection, change_id: int) -> PolicyRevision | None:
    row = await connection.fetchrow(
        f"select {_FIELDS} from policy_changes where id = $1", change_id
    )
    return PolicyRevision(**dict(row)) if row else None


async def last_change(connection: Connection, product_id: str | None) -> PolicyRevision | None:
    """The newest change to the site's policy, or to a product's."""
    row = await connection.fetchrow(
        f"""
        select {_FIELDS} from policy_changes where product_id is not distinct from $1
         order by id desc limit 1
        """,
        product_id,
    )
    return PolicyRevision(**dict(row)) if row else None


async def record_progress(
    connection: Connection, change_id: int, *, checked: int, granted: int, ended: int, done: bool
) -> None:
    await connection.execute(
        """
        update policy_changes
           set state = case when $5 then 'done' else 'applying' end, checked = $2, granted = $3,
               ended = $4, finished_at = case when $5 then coalesce(finished_at, now()) end
         where id = $1
        """,
        change_id,
        checked,
        granted,
        ended,
        done,
    )


async def subscriptions_touched(
    connection: Connection,
    what: Touched,
    *,
    account: Account,
    product_id: str | None,
    after: str | None,
    limit: int,
) -> list[str]:
    """Ids of the account's subscriptions that a change may affect, one page ordered by id."""
    if not what.statuses and not what.collection_paused:
        return []
    rows = await connection.fetch(
        """
        select s.id from subscriptions s
         where s.id > $1 and s.account_id = $6 and s.livemode = $7
           and (s.status = any($2::text[]) or ($3 and s.collection_paused))
           and (s.collection_paused
                or s.status in ('trialing', 'past_due', 'unpaid', 'paused', 'incomplete'))
           and exists (select from subscription_items i
                         join counting_links l on l.stripe_product = i.stripe_product
                        where i.subscription_id = s.id and l.account_id = s.account_id
                          and l.livemode = s.livemode
                          and ($4::text is null or l.product_id = $4))
         order by s.id limit $5
        """,
        after or "",
        sorted(what.statuses),
        what.collection_paused,
        product_id,
        limit,
        account.id,
        account.livemode,
    )
    return [row["id"] for row in rows]


async def orders_touched(
    connection: Connection,
    what: Touched,
    *,
    account: Account,
    product_id: str | None,
    after: str | None,
    limit: int,
) -> list[str]:
    """Ids of the account's one-off purchases that a change may affect, one page ordered by id."""
    if not what.refunds and not what.disputes:
        return []
    rows = await connection.fetch(
        """
        select o.id from orders o
         where o.id > $1 and o.account_id = $6 and o.livemode = $7
           and (($2 and (o.amount_refunded > 0 or o.credited_after > 0)) or ($3 and o.disputed))
           and (o.amount_refunded > 0 or o.disputed or o.credited_after > 0)
           and exists (select from order_lines i
                         join counting_links l on l.stripe_product = i.stripe_product
                        where i.order_id = o.id and l.account_id = o.account_id
                          and l.livemode = o.livemode
                          and ($4::text is null or l.product_id = $4))
         order by o.id limit $5
        """,
        after or "",
        what.refunds,
        what.disputes,
        product_id,
        limit,
        account.id,
        account.livemode,
    )
    return [row["id"] for row in rows]
