-- An endpoint of the format `digest` is the mailbox of whoever made it: it gets one email for all that
-- happened in an hour or a day.
alter table webhook_endpoints
    add column every text not null default 'day' check (every in ('hour', 'day')),
    add column digested_at timestamptz not null default now();
