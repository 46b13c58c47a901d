-- outside a transaction
create index concurrently if not exists users_by_last_seen
    on users (coalesce(last_seen_at, '1970-01-01 00:00+00'::timestamptz), id);
