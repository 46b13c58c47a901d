-- Keys that sign tokens for other sites. Each signs from `signs_from` until the next one does.
create table signing_keys (
    id text primary key,
    public_jwk jsonb not null,
    private_jwk bytea not null,
    signs_from timestamptz not null,
    created_at timestamptz not null default now()
);
