-- Which processes run, and which of their background loops make no progress.
create table processes (
    id text primary key,
    kind text not null check (kind in ('web', 'worker')),
    release text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    stuck text[] not null default '{}'
);

-- Since when Temporal hasn't been told.
alter table wakeups add column at timestamptz not null default now();
