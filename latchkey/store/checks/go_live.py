"""What the database knows of the go-live checklist, and what people confirmed of it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from latchkey.rules.go_live import GoLiveStep
from latchkey.store import audit_draft
from latchkey.store.pool import Connection

KEY = "go_live"
LATEST = 1000
"""How many of the latest events are searched for delivered ones. Where catch-up found them all, a
search without a limit would read the whole table."""


@dataclass(frozen=True)
class GoLiveRecord:
    """`heard`: one of the latest events was delivered, since Stripe was connected. `clock_off` is
    how far this process's clock is from the database's, `behind` how far the clock was behind
    Stripe's when the latest events were delivered."""

    heard: bool
    linked: bool
    bought: bool
    missing: int
    livemode: bool
    clock_off: timedelta
    behind: timedelta
    confirmed: frozenset[GoLiveStep]


async def recorded(connection: Connection) -> GoLiveRecord:
    began = datetime.now(UTC)
    row = await connection.fetchrow(
        """
        with delivered as (
            select seq, created_at, received_at
              from (select * from events order by seq desc limit $2) latest
             where source = 'webhook')
        select clock_timestamp() as now,
               coalesce((select received_at from delivered order by seq desc limit 1)
                        >= c.connected_at, false) as heard,
               exists (select from links where state = 'listening' and removed_at is null)
                   as linked,
               exists (select from activities
                        where type in ('product_purchased', 'subscription_started')) as bought,
               (select count(*) from jsonb_array_elements(c.findings) f
                 where not (f ->> 'ok')::boolean
                   and not coalesce((f ->> 'optional')::boolean, false)) as missing,
               (select max(created_at - received_at)
                  from (select * from delivered order by seq desc limit 20) last) as behind,
               coalesce(c.livemode, false) as livemode,
               (select value from site_settings where key = $1) as confirmed
          from stripe_connection c
        """,
        KEY,
        LATEST,
    )
    ended = datetime.now(UTC)
    assert row is not None, "the connection has its row"
    none = timedelta()
    return GoLiveRecord(
        heard=row["heard"],
        linked=row["linked"],
        bought=row["bought"],
        missing=row["missing"],
        livemode=row["livemode"],
        clock_off=max(began - row["now"], row["now"] - ended, none),
        behind=max(row["behind"] or none, none),
        confirmed=frozenset(GoLiveStep) & frozenset(row["confirmed"] or {}),
    )


async def confirm(connection: Connection, step: GoLiveStep) -> None:
    """Record that somebody says that a step is done. The caller opens the transaction."""
    audit_draft.note(after={"confirmed": str(step)})
    await connection.execute(
        """
        insert into site_settings (key, value) values ($1, jsonb_build_object($2::text, now()))
        on conflict (key) do update
           set value = site_settings.value || excluded.value, updated_at = now()
        """,
        KEY,
        str(step),
    )
