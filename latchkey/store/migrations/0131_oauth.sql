-- Other sites that people sign in to with their account here: OAuth's clients.
create table oauth_clients (
    id text primary key,
    name text not null,
    confidential boolean not null,
    first_party boolean not null,
    pkce boolean not null,
    redirect_uris text[] not null,
    post_logout_redirect_uris text[] not null,
    backchannel_logout_uri text,
    scopes text[] not null,
    product_required boolean not null,
    product_id text references products on delete set null,
    created_at timestamptz not null default now()
);

create table oauth_client_secrets (
    id bigint generated always as identity primary key,
    client_id text not null references oauth_clients on delete cascade,
    secret_hash bytea not null unique,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz
);
create index oauth_client_secrets_client on oauth_client_secrets (client_id);

create table oauth_consents (
    client_id text not null references oauth_clients on delete cascade,
    user_id bigint not null references users on delete cascade,
    scopes text[] not null,
    given_at timestamptz not null default now(),
    primary key (client_id, user_id)
);
create index oauth_consents_user on oauth_consents (user_id);

-- What a client asked for while its user still has to sign in, agree or buy.
create table oauth_requests (
    id text primary key,
    client_id text not null references oauth_clients on delete cascade,
    parameters jsonb not null,
    chosen_by bigint,
    agreed_by bigint,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index oauth_requests_expiry on oauth_requests (expires_at);

alter table sessions add column sid uuid not null default gen_random_uuid();

-- A code and all tokens that came of it. `check_at` is when to see next whether the row is still
-- needed.
create table oauth_authorizations (
    id bigint generated always as identity primary key,
    client_id text not null references oauth_clients on delete cascade,
    user_id bigint not null references users on delete cascade,
    session_id bigint not null,
    sid uuid not null,
    scopes text[] not null,
    redirect_uri text not null,
    nonce text,
    code_challenge text,
    auth_time timestamptz not null,
    via text not null,
    second_factor text,
    code_hash bytea not null unique,
    code_expires_at timestamptz not null,
    code_used_at timestamptz,
    created_at timestamptz not null default now(),
    ended_at timestamptz,
    check_at timestamptz not null default now() + interval '1 day'
);
create index oauth_authorizations_user on oauth_authorizations (user_id) where ended_at is null;
create index oauth_authorizations_client on oauth_authorizations (client_id);
create index oauth_authorizations_check on oauth_authorizations (check_at);

create table oauth_tokens (
    token_hash bytea primary key,
    authorization_id bigint not null references oauth_authorizations on delete cascade,
    kind text not null check (kind in ('access', 'refresh')),
    scopes text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz
);
create index oauth_tokens_authorization on oauth_tokens (authorization_id);
create index oauth_tokens_expiry on oauth_tokens (expires_at);

-- Clients to tell that a session has ended. Without `due_at`, it was given up.
create table oauth_logouts (
    id bigint generated always as identity primary key,
    client_id text not null references oauth_clients on delete cascade,
    subject text not null,
    sid uuid not null,
    created_at timestamptz not null default now(),
    due_at timestamptz default now(),
    attempts integer not null default 0,
    error text
);
create index oauth_logouts_due on oauth_logouts (due_at);

-- What ends a session, or all that a user has proven, ends what other sites were given for it. As
-- triggers, so that none of the many ways to end a session forgets it, in the release before neither.
create function end_authorizations(of_user bigint, of_session bigint, of_client text)
returns void language sql as $$
    with ended as (
        update oauth_authorizations set ended_at = now()
         where user_id = of_user and ended_at is null
           and (of_session is null or session_id = of_session)
           and (of_client is null or client_id = of_client)
        returning client_id, sid, code_used_at
    )
    insert into oauth_logouts (client_id, subject, sid)
    select distinct e.client_id, of_user::text, e.sid
      from ended e join oauth_clients c on c.id = e.client_id
     where e.code_used_at is not null and c.backchannel_logout_uri is not null
$$;

create function end_authorizations_of_session() returns trigger language plpgsql as $$
begin
    perform end_authorizations(old.user_id, old.id, null);
    return null;
end
$$;

-- A session that has expired by itself was ended by nobody.
create trigger sessions_end_authorizations after delete on sessions for each row
    when (old.expires_at > now()) execute function end_authorizations_of_session();

create function end_authorizations_of_user() returns trigger language plpgsql as $$
begin
    perform end_authorizations(old.id, null, null);
    return old;
end
$$;

create trigger users_end_authorizations after update on users for each row
    when (old.link_epoch is distinct from new.link_epoch)
    execute function end_authorizations_of_user();

create trigger users_end_authorizations_at_last before delete on users for each row
    execute function end_authorizations_of_user();
