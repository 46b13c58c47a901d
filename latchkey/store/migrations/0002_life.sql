-- Every life a purchase can have: policy, holds, identity, complimentary access, collections.

-- Overrides of the site's access policy, cell by cell.
alter table products add column policy_overrides jsonb not null default '{}';

-- A saved change of the policy on its way to everybody. `product_id` null: the site's default.
create table policy_changes (
    id bigint generated always as identity primary key,
    product_id text references products on delete cascade,
    before jsonb not null,
    after jsonb not null,
    state text not null default 'waiting' check (state in ('waiting', 'applying', 'done')),
    checked integer not null default 0,
    granted integer not null default 0,
    ended integer not null default 0,
    created_by bigint references users on delete set null,
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
create index policy_changes_by_product on policy_changes (product_id, id desc);

-- Without a user: mirrored, but nobody has an account for it (yet).
alter table subscriptions
    alter column user_id drop not null,
    add column canceled_at timestamptz,
    add column cancelled_by_customer boolean not null default false,
    add column resumes_at timestamptz,
    add column pause_reason text;
alter table subscription_items add column period_start timestamptz;
create index subscriptions_policy_judges on subscriptions (id)
    where collection_paused or status in ('trialing', 'past_due', 'unpaid', 'paused', 'incomplete');
create index subscriptions_without_user on subscriptions (customer_id) where user_id is null;

alter table orders
    alter column user_id drop not null,
    add column email text,
    add column name text,
    add column charged bigint not null default 0,
    add column refunded boolean not null default false,
    add column money_changes integer not null default 0;
create index orders_policy_judges on orders (id) where amount_refunded > 0 or disputed;
create index orders_without_user on orders (id) where user_id is null;
create index orders_by_customer on orders (customer_id) where customer_id is not null;
create index orders_by_address on orders (lower(email)) where email is not null;
create index customers_by_address on customers (lower(email)) where email is not null;

-- An ended grant that is held is not given again by Stripe's events until the hold is lifted.
alter table grants add column held boolean not null default false;
create index grants_held on grants (source_id, product_id) where held;

-- Further addresses of a user. They bind purchases just as the user's own one does.
create table user_addresses (
    email_key text primary key,
    email text not null,
    user_id bigint not null references users on delete cascade,
    source text not null check (source in ('claim', 'merge', 'admin')),
    added_at timestamptz not null default now()
);
create index user_addresses_by_user on user_addresses (user_id);
create index users_by_bare_address
    on users (regexp_replace(email_key, '\+[^@]*@', '@'));

-- A user who became part of another one. `kept` says what was where, should it be undone.
create table user_merges (
    from_user bigint primary key,
    into_user bigint not null references users,
    email text not null,
    reason text,
    kept jsonb not null,
    merged_by bigint references users on delete set null,
    merged_at timestamptz not null default now()
);
create index user_merges_by_user on user_merges (into_user);

-- Doubts about who is who, for a person to decide; the same doubt is raised once.
create table matches (
    id bigint generated always as identity primary key,
    key text not null unique,
    kind text not null,
    user_id bigint references users on delete cascade,
    other_id bigint references users on delete cascade,
    customer_id text,
    source text,
    source_id text,
    email text,
    state text not null default 'open'
        check (state in ('open', 'accepted', 'dismissed', 'settled')),
    created_at timestamptz not null default now(),
    decided_at timestamptz,
    decided_by bigint references users on delete set null
);
create index matches_open on matches (id desc) where state = 'open';

-- A member says that another address is theirs, too; a link mailed there proves it.
create table claims (
    id bigint generated always as identity primary key,
    user_id bigint not null references users on delete cascade,
    email text not null,
    created_at timestamptz not null default now(),
    confirmed_at timestamptz
);
create index claims_by_user on claims (user_id, created_at desc);
alter table mails add column recipient text;

-- Products that are granted together.
create table collections (
    id text primary key,
    name text not null,
    description text not null default '',
    created_at timestamptz not null default now()
);
create table collection_products (
    collection_id text not null references collections on delete cascade,
    product_id text not null references products on delete cascade,
    added_at timestamptz not null default now(),
    primary key (collection_id, product_id)
);
create index collection_products_by_product on collection_products (product_id);
create table collection_holders (
    id bigint generated always as identity primary key,
    collection_id text not null references collections,
    user_id bigint not null references users,
    since timestamptz not null default now(),
    until timestamptz,
    ended_at timestamptz,
    reason text,
    granted_by bigint references users on delete set null
);
create unique index collection_holders_live
    on collection_holders (collection_id, user_id) where ended_at is null;
create index collection_holders_by_user on collection_holders (user_id);
create index grants_by_hand_due on grants (until)
    where ended_at is null and until is not null and source in ('manual', 'collection');

-- What the relay has to tell Temporal after a commit, whatever becomes of the process meanwhile.
create table wakeups (
    kind text not null,
    ref text not null,
    seq bigint generated always as identity,
    primary key (kind, ref)
);
