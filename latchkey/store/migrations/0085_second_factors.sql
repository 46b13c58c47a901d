-- Second factors: an authenticator app (TOTP) with recovery codes, and passkeys (WebAuthn).

-- The secret is sealed. `last_step` is the time step of the last code accepted: none is used twice.
create table authenticator_apps (
    user_id bigint primary key references users on delete cascade,
    secret bytea not null,
    last_step bigint not null,
    created_at timestamptz not null default now()
);

-- A code has 120 random bits, so a plain hash is enough.
create table recovery_codes (
    user_id bigint not null references users on delete cascade,
    code_hash bytea not null,
    created_at timestamptz not null default now(),
    used_at timestamptz,
    primary key (user_id, code_hash)
);

create table passkeys (
    id bigint generated always as identity primary key,
    user_id bigint not null references users on delete cascade,
    credential_id bytea not null unique,
    public_key bytea not null,
    sign_count bigint not null,
    name text not null,
    created_at timestamptz not null default now(),
    last_used_at timestamptz
);
create index passkeys_by_user on passkeys (user_id);

-- Each is answered once, within minutes, by the browser that asked: of `user_id` who adds a passkey,
-- or of a visitor who signs in with one.
create unlogged table passkey_challenges (
    challenge bytea primary key,
    browser bytea not null,
    user_id bigint references users on delete cascade,
    expires_at timestamptz not null
);
create index passkey_challenges_over on passkey_challenges (expires_at);

-- What a session began with besides a password or a link: null if nothing.
alter table sessions add column second_factor text
    check (second_factor in ('app', 'recovery_code', 'passkey'));

alter table sessions drop constraint sessions_via_check;
alter table sessions add constraint sessions_via_check
    check (via in ('password', 'link', 'admin', 'passkey', 'app', 'recovery_code'));
