-- Outgoing webhooks. `url` and the secrets are sealed; `host` is what pages show of a URL that is
-- itself a secret. No `types` stands for all of them. While an endpoint fails, `failures` counts the
-- attempts since the last success, and nothing is sent to it until `rests_until`.
create table webhook_endpoints (
    id text primary key,
    format text not null check (format in ('json', 'slack', 'discord', 'digest')),
    url bytea,
    host text not null default '',
    description text not null default '',
    types text[] not null default '{}',
    secret bytea,
    earlier_secret bytea,
    earlier_until timestamptz,
    created_by bigint references users (id) on delete set null,
    created_at timestamptz not null default now(),
    paused_at timestamptz,
    off_at timestamptz,
    off_reason text,
    failing_since timestamptz,
    failures integer not null default 0,
    rests_until timestamptz,
    delivered_at timestamptz
);
create index webhook_endpoints_created_by on webhook_endpoints (created_by);

-- What changed, written in the transaction that changed it, until events are made of it. `kind` is
-- `grant`, `user`, or the type of an activity line. Of a grant, `was` and `is_now` say whether it
-- hadn't ended. Nothing is written on a site without endpoints. Users aren't referenced: what
-- happened to them stays true after a merge.
create table webhook_facts (
    id bigint generated always as identity primary key,
    tx bigint not null default pg_current_xact_id()::text::bigint,
    at timestamptz not null default now(),
    kind text not null,
    user_id bigint,
    product_id text,
    source text,
    source_id text,
    cause text,
    grant_id bigint,
    was boolean,
    is_now boolean,
    until_was timestamptz,
    until_now timestamptz,
    data jsonb not null default '{}'
);
create index webhook_facts_user_id on webhook_facts (user_id);

-- The events that receivers get, in their order. `data` holds ids and amounts, no personal data.
create table webhook_events (
    id bigint generated always as identity primary key,
    message_id text not null unique,
    type text not null,
    at timestamptz not null,
    user_id bigint,
    product_id text,
    data jsonb not null default '{}',
    bulk boolean not null default false,
    created_at timestamptz not null default now()
);
create index webhook_events_created_at on webhook_events (created_at);

create table webhook_deliveries (
    id bigint generated always as identity primary key,
    endpoint_id text not null references webhook_endpoints (id) on delete cascade,
    event_id bigint not null references webhook_events (id) on delete cascade,
    user_id bigint,
    bulk boolean not null default false,
    state text not null default 'waiting'
        check (state in ('waiting', 'delivered', 'failed', 'dropped')),
    attempts integer not null default 0,
    first_tried_at timestamptz,
    due_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    done_at timestamptz,
    unique (endpoint_id, event_id)
);
create index webhook_deliveries_of_user on webhook_deliveries (endpoint_id, user_id, event_id)
    where state = 'waiting';
create index webhook_deliveries_waiting on webhook_deliveries (endpoint_id, bulk, event_id)
    where state = 'waiting';
create index webhook_deliveries_failed on webhook_deliveries (endpoint_id) where state = 'failed';
create index webhook_deliveries_event_id on webhook_deliveries (event_id);

create table webhook_attempts (
    id bigint generated always as identity primary key,
    delivery_id bigint not null references webhook_deliveries (id) on delete cascade,
    user_id bigint,
    at timestamptz not null default now(),
    request text,
    status integer,
    answer text,
    error text,
    milliseconds integer not null
);
create index webhook_attempts_delivery_id on webhook_attempts (delivery_id, id);
create index webhook_attempts_user_id on webhook_attempts (user_id);

-- One statement is one insert, however many rows it changes.
create function note_grants_given() returns trigger language plpgsql as $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (kind, user_id, product_id, source, source_id, cause, grant_id,
                                   was, is_now, until_now)
        select 'grant', user_id, product_id, source, source_id, cause, id, false, true, until
          from given where ended_at is null order by id;
    end if;
    return null;
end
$$;
create trigger note_grants_given after insert on grants
    referencing new table as given
    for each statement execute function note_grants_given();

-- A grant that moves to another user has ended for the one and begun for the other.
create function note_grants_changed() returns trigger language plpgsql as $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (at, kind, user_id, product_id, source, source_id, cause,
                                   grant_id, was, is_now, until_was, until_now, data)
        select coalesce(least(n.ended_at, now()), now()), 'grant', who.user_id, n.product_id,
               n.source, n.source_id, n.cause, n.id,
               o.ended_at is null and o.user_id = who.user_id,
               n.ended_at is null and n.user_id = who.user_id,
               o.until, n.until,
               jsonb_build_object('reason', case when n.user_id <> who.user_id then 'merged'
                                                 else n.end_reason end)
          from before_it o join after_it n using (id)
         cross join lateral (select o.user_id union select n.user_id) as who (user_id)
         where (o.ended_at is null, o.until, o.user_id)
               is distinct from (n.ended_at is null, n.until, n.user_id)
           and (o.ended_at is null or n.ended_at is null)
         order by n.id;
    end if;
    return null;
end
$$;
create trigger note_grants_changed after update on grants
    referencing old table as before_it new table as after_it
    for each statement execute function note_grants_changed();

create function note_grants_gone() returns trigger language plpgsql as $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (kind, user_id, product_id, source, source_id, cause, grant_id,
                                   was, is_now, until_was)
        select 'grant', user_id, product_id, source, source_id, cause, id, true, false, until
          from gone where ended_at is null order by id;
    end if;
    return null;
end
$$;
create trigger note_grants_gone after delete on grants
    referencing old table as gone
    for each statement execute function note_grants_gone();

create function note_users_created() returns trigger language plpgsql as $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (kind, user_id) select 'user', id from made order by id;
    end if;
    return null;
end
$$;
create trigger note_users_created after insert on users
    referencing new table as made
    for each statement execute function note_users_created();
