-- Discord servers on which members have roles while they have access. Each is told of access as an
-- endpoint of outgoing webhooks is, and shares its id. `token` and
-- `client_secret` are sealed. Without a `space_id`, the server hasn't been chosen yet. Since
-- `leaving_at`, what was given is taken back; then the row goes.
alter table webhook_endpoints
    drop constraint webhook_endpoints_format_check,
    add constraint webhook_endpoints_format_check check (
        format in ('json', 'slack', 'discord', 'digest', 'discord_roles'));

create table communities (
    endpoint_id text primary key references webhook_endpoints (id) on delete cascade,
    space_id text not null default '',
    bot_id text not null,
    token bytea not null,
    client_id text not null default '',
    client_secret bytea,
    leaving_at timestamptz
);

-- Which product gives which role. `problem` is why it can't be given, in words.
create table community_roles (
    endpoint_id text not null references communities (endpoint_id) on delete cascade,
    product_id text not null references products (id) on delete cascade,
    role_id text not null,
    role_name text not null,
    problem text,
    primary key (endpoint_id, product_id, role_id)
);
create index community_roles_product_id on community_roles (product_id);

-- The accounts that members connected. One that is disconnected stays, without its name, until what
-- it was given is taken back.
create table community_accounts (
    id bigint generated always as identity primary key,
    endpoint_id text not null references communities (endpoint_id) on delete cascade,
    user_id bigint not null references users (id),
    external_id text not null,
    name text,
    bound_at timestamptz not null default now(),
    unbound_at timestamptz,
    away_since timestamptz,
    settled_at timestamptz,
    unique (endpoint_id, external_id)
);
create index community_accounts_user_id on community_accounts (user_id);

-- What Latchkey gave, written just before it is given: only that is ever taken.
create table community_given (
    account_id bigint not null references community_accounts (id) on delete cascade,
    role_id text not null,
    given_at timestamptz not null default now(),
    primary key (account_id, role_id)
);
