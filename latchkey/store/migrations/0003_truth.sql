-- The truth kept over years: missed events, comparison with Stripe, what operators watch.

-- A listed event (catch-up) has no body: Stripe lists it in another API version than ours.
alter table events
    alter column body drop not null,
    add column source text not null default 'webhook' check (source in ('webhook', 'catch_up')),
    add column failed_at timestamptz,
    add column ignored_reason text,
    add column ignored_by bigint references users on delete set null;
create index events_unsettled on events (state, seq) where state <> 'handled';
create index events_by_type on events (type, seq);

-- How far each part of Stripe's event list has been looked at. Without an anchor (the newest event
-- that surely has nothing late before it) the list is read from `since` on.
create table catch_up (
    part text primary key,
    account_id text not null,
    since timestamptz not null,
    anchor_id text,
    anchor_at timestamptz,
    looked_at timestamptz,
    found bigint not null default 0,
    found_at timestamptz
);

-- What Stripe sent last of each type, as far as catch-up has seen.
create table sent_events (
    type text primary key,
    event_id text not null,
    created_at timestamptz not null
);

-- Webhook requests that were refused, by reason and hour.
create table webhook_refusals (
    code text not null,
    hour timestamptz not null,
    count bigint not null,
    last_at timestamptz not null,
    primary key (code, hour)
);

-- What the last look at our webhook endpoint found, in Stripe's words.
alter table stripe_connection
    add column endpoint_found jsonb,
    add column endpoint_checked_at timestamptz;

-- Chores that go on where they stopped.
create table chores (
    name text primary key,
    position bigint not null default 0,
    done_at timestamptz
);

-- A comparison of Stripe with the grants. `repair`: what is safe is repaired as it is found.
create table reconciliations (
    id text primary key,
    product_id text references products on delete cascade,
    repair boolean not null,
    cause text not null check (cause in ('admin', 'api', 'schedule', 'catch_up')),
    state text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
    progress jsonb not null default '{}',
    error text,
    requested_by bigint references users on delete set null,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    compared_at timestamptz,
    finished_at timestamptz,
    dispatched_at timestamptz
);
create index reconciliations_to_dispatch on reconciliations (created_at) where dispatched_at is null;
create index reconciliations_newest on reconciliations (created_at desc, id);

create table differences (
    id bigint generated always as identity primary key,
    reconciliation_id text not null references reconciliations on delete cascade,
    kind text not null,
    class text not null check (class in ('safe', 'person', 'foreign')),
    reason text not null,
    source text not null default '',
    source_id text not null default '',
    product_id text references products on delete cascade,
    user_id bigint references users on delete set null,
    email text,
    workflow_id text,
    detail jsonb not null default '{}',
    state text not null default 'open' check (state in ('open', 'chosen', 'repaired', 'failed')),
    error text,
    found_at timestamptz not null default now(),
    repaired_at timestamptz
);
create unique index differences_once on differences
    (reconciliation_id, kind, source_id, product_id, user_id, workflow_id) nulls not distinct;
create index differences_by_run on differences (reconciliation_id, id);

-- What a comparison has seen: Stripe's objects and Temporal's runs. Emptied when it ends.
create table reconciliation_seen (
    reconciliation_id text not null,
    id text not null,
    primary key (reconciliation_id, id)
);

alter table orders add column compared_at timestamptz;
create index orders_by_compared on orders (compared_at nulls first, id);
create index subscriptions_overdue on subscriptions (wake_at)
    where wake_at is not null and ended_at is null;
create index grants_by_product on grants (product_id, id);
