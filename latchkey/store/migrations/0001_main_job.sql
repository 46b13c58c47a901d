-- The tables of the main job: link, import, listen, grant, end.
-- Rows that came from Stripe carry the account and the mode they came from.

create sequence reading_tickets;

create table site_settings (
    key text primary key,
    value jsonb not null,
    updated_at timestamptz not null default now()
);

-- One connection at a time; the single row is the current one.
create table stripe_connection (
    singleton boolean primary key default true check (singleton),
    state text not null default 'disconnected'
        check (state in ('disconnected', 'checking', 'connected', 'refused')),
    account_id text,
    account_name text,
    livemode boolean,
    key_fingerprint text,
    key_encrypted bytea,
    findings jsonb not null default '[]',
    error text,
    endpoint_id text,
    endpoint_url text,
    endpoint_state text not null default 'missing'
        check (endpoint_state in ('missing', 'registered', 'manual', 'failed')),
    endpoint_error text,
    secrets_encrypted bytea,
    dispatched_at timestamptz,
    checked_at timestamptz,
    updated_at timestamptz not null default now()
);
insert into stripe_connection default values;

create table users (
    id bigint generated always as identity primary key,
    email text not null,
    email_key text not null generated always as (lower(email)) stored unique,
    name text,
    role text not null default 'member' check (role in ('member', 'support', 'admin', 'owner')),
    password_hash text,
    created_at timestamptz not null default now(),
    last_seen_at timestamptz
);
create index users_by_role on users (role) where role <> 'member';

create table sessions (
    token_hash bytea primary key,
    user_id bigint not null references users on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_by_user on sessions (user_id);

create table used_links (
    nonce text primary key,
    used_at timestamptz not null default now()
);

create table api_tokens (
    id bigint generated always as identity primary key,
    name text not null,
    token_hash bytea not null unique,
    created_by bigint references users on delete set null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);

create table idempotency_keys (
    token text not null,
    key text not null,
    request_hash bytea not null,
    status integer,
    body text,
    created_at timestamptz not null default now(),
    primary key (token, key)
);

create table products (
    id text primary key,
    slug text not null unique,
    name text not null,
    description text not null default '',
    image_url text,
    status text not null default 'draft' check (status in ('draft', 'live')),
    access_mode text not null default 'assigned'
        check (access_mode in ('assigned', 'signed_in', 'public')),
    access_mail boolean not null default true,
    content text not null default '',
    content_url text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- A link that was removed stays as a row: its kept grants still follow Stripe.
create table links (
    id bigint generated always as identity primary key,
    product_id text not null references products on delete cascade,
    account_id text not null,
    livemode boolean not null,
    stripe_product text,
    create_params jsonb,
    state text not null default 'importing'
        check (state in ('importing', 'listening', 'failed', 'removed')),
    mail text not null default 'send' check (mail in ('send', 'suppress')),
    members text check (members in ('keep', 'end', 'complimentary')),
    progress jsonb not null default '{}',
    error text,
    created_by bigint references users on delete set null,
    created_at timestamptz not null default now(),
    listening_at timestamptz,
    removed_at timestamptz,
    dispatched_at timestamptz,
    check (stripe_product is not null or create_params is not null)
);
create unique index links_one_per_product on links (product_id) where removed_at is null;
create index links_by_stripe_product on links (stripe_product);
create index links_to_dispatch on links (id) where dispatched_at is null;

create table stripe_products (
    id text primary key,
    account_id text not null,
    livemode boolean not null,
    name text not null,
    description text,
    image_url text,
    active boolean not null,
    deleted boolean not null default false,
    active_subscriptions integer not null default 0,
    counted_at timestamptz,
    created_at timestamptz not null,
    ticket bigint not null,
    read_at timestamptz not null default now()
);

create table prices (
    id text primary key,
    account_id text not null,
    livemode boolean not null,
    stripe_product text not null,
    active boolean not null,
    type text not null,
    currency text not null,
    unit_amount bigint,
    interval text,
    interval_count integer,
    nickname text,
    created_at timestamptz not null,
    ticket bigint not null
);
create index prices_by_product on prices (stripe_product);

create table customers (
    id text primary key,
    account_id text not null,
    livemode boolean not null,
    user_id bigint references users,
    bound_by text check (bound_by in ('reference', 'email', 'created', 'admin')),
    email text,
    name text,
    deleted boolean not null default false,
    ticket bigint not null default 0,
    read_at timestamptz not null default now()
);
create index customers_by_user on customers (user_id);

create table subscriptions (
    id text primary key,
    account_id text not null,
    livemode boolean not null,
    customer_id text not null references customers,
    user_id bigint not null references users,
    status text not null,
    scheduled_end timestamptz,
    cancellations integer not null default 0,
    period_end timestamptz,
    trial_end timestamptz,
    past_due_since timestamptz,
    collection_paused boolean not null default false,
    ended_at timestamptz,
    cancel_reason text,
    checkout_session text,
    created_at timestamptz not null,
    state text not null default '',
    wake_at timestamptz,
    wake text,
    lifecycle_at timestamptz,
    ticket bigint not null,
    read_at timestamptz not null default now()
);
create index subscriptions_by_customer on subscriptions (customer_id);
create index subscriptions_by_user on subscriptions (user_id);
create index subscriptions_without_lifecycle on subscriptions (id) where lifecycle_at is null;

-- Readings that granted nothing while an import ran: an older page must not undo them.
create table passed_over (
    id text primary key,
    ticket bigint not null,
    at timestamptz not null default now()
);

create table subscription_items (
    subscription_id text not null references subscriptions on delete cascade,
    id text not null,
    stripe_product text not null,
    price_id text not null,
    quantity integer,
    period_end timestamptz,
    primary key (subscription_id, id)
);
create index subscription_items_by_product on subscription_items (stripe_product);

-- One-off purchases: a checkout session or an invoice that isn't a subscription's.
create table orders (
    id text primary key,
    account_id text not null,
    livemode boolean not null,
    customer_id text references customers,
    user_id bigint not null references users,
    state text not null,
    payment_intent text,
    invoice text,
    subscription_id text,
    currency text,
    amount bigint not null default 0,
    amount_refunded bigint not null default 0,
    disputed boolean not null default false,
    dispute_status text,
    created_at timestamptz not null,
    paid_at timestamptz,
    ticket bigint not null,
    read_at timestamptz not null default now()
);
create index orders_by_payment_intent on orders (payment_intent) where payment_intent is not null;
create index orders_by_invoice on orders (invoice) where invoice is not null;
create index orders_by_user on orders (user_id);

create table order_lines (
    order_id text not null references orders on delete cascade,
    id text not null,
    stripe_product text not null,
    price_id text not null,
    quantity integer,
    amount bigint not null default 0,
    primary key (order_id, id)
);
create index order_lines_by_product on order_lines (stripe_product);

-- One reason why a user may open a product. Ended, never deleted: history answers "why".
create table grants (
    id bigint generated always as identity primary key,
    user_id bigint not null references users,
    product_id text not null references products on delete cascade,
    source text not null check (source in ('subscription', 'order', 'manual', 'collection')),
    source_id text not null default '',
    link_id bigint references links,
    account_id text,
    livemode boolean,
    since timestamptz not null,
    until timestamptz,
    ended_at timestamptz,
    end_reason text,
    cause text not null,
    reason text,
    granted_by bigint references users on delete set null,
    created_at timestamptz not null default now()
);
create unique index grants_one_live_per_source
    on grants (user_id, product_id, source, source_id) where ended_at is null;
create index grants_live_by_product on grants (product_id, id) where ended_at is null;
create index grants_by_user on grants (user_id, product_id);
create index grants_by_source on grants (source_id, product_id);
create index grants_due on grants (until) where ended_at is null and until is not null;

-- The activity feed: one line per fact, whatever is delivered how often.
create table activities (
    id bigint generated always as identity primary key,
    fact text not null unique,
    type text not null,
    at timestamptz not null,
    cause text not null,
    user_id bigint references users,
    product_id text references products on delete set null,
    source_id text,
    event_id text,
    workflow_id text,
    actor_id bigint references users on delete set null,
    data jsonb not null default '{}',
    recorded_at timestamptz not null default now()
);
create index activities_by_user on activities (user_id, id desc);
create index activities_by_product on activities (product_id, id desc);
create index activities_by_type on activities (type, id desc);
create index activities_by_source on activities (source_id, id desc);

create table mails (
    id bigint generated always as identity primary key,
    key text not null unique,
    kind text not null,
    user_id bigint not null references users,
    product_id text references products on delete set null,
    data jsonb not null default '{}',
    state text not null default 'queued'
        check (state in ('queued', 'sending', 'sent', 'failed', 'suppressed')),
    attempts integer not null default 0,
    error text,
    due_at timestamptz not null default now(),
    claimed_at timestamptz,
    sent_at timestamptz,
    created_at timestamptz not null default now()
);
create index mails_due on mails (due_at) where state in ('queued', 'sending');
create index mails_by_user on mails (user_id, id desc);

-- The inbox. `target_*` is where routing says the event belongs; the body is what Stripe sent.
create table events (
    id text primary key,
    seq bigint generated always as identity unique,
    account_id text,
    livemode boolean not null,
    type text not null,
    object_id text not null,
    thin boolean not null,
    api_version text,
    created_at timestamptz not null,
    received_at timestamptz not null default now(),
    target_kind text not null,
    target_id text not null,
    checkout_session text,
    state text not null default 'waiting'
        check (state in ('waiting', 'relayed', 'handled', 'ignored', 'failed')),
    attempts integer not null default 0,
    not_before timestamptz not null default now(),
    error text,
    handled_at timestamptz,
    body text not null
);
create index events_waiting on events (not_before) where state = 'waiting';
create index events_by_target on events (target_id, received_at) where target_kind <> 'none';

create table previews (
    id text primary key,
    product_id text not null references products on delete cascade,
    stripe_product text not null,
    state text not null default 'running' check (state in ('running', 'done', 'failed')),
    error text,
    dispatched_at timestamptz,
    created_at timestamptz not null default now()
);

create table preview_records (
    preview_id text not null references previews on delete cascade,
    source_id text not null,
    customer_id text,
    email text,
    name text,
    outcome text not null,
    reason text not null,
    primary key (preview_id, source_id)
);
