-- Members and what they own, from another system's CSV. The lines wait here while an admin says what
-- they mean, and are worked through in batches afterwards. `run` counts the times that work on them
-- was started: what an earlier run still does isn't wanted any more. `position` is the line that the
-- current run has reached.
create table member_imports (
    id text primary key,
    created_by bigint references users on delete set null,
    created_at timestamptz not null default now(),
    file_name text not null,
    encoding text not null,
    delimiter text not null,
    heading text[] not null,
    lines integer not null,
    columns text[] not null,
    dates text not null default 'unknown',
    plans jsonb not null default '{}',
    statuses jsonb not null default '{}',
    state text not null default 'columns'
        check (state in ('columns', 'plans', 'checking', 'ready', 'running', 'done', 'mailing')),
    run integer not null default 0,
    position integer not null default 0,
    worked integer not null default 0,
    figures jsonb,
    mails integer,
    started_at timestamptz,
    finished_at timestamptz,
    mailed_at timestamptz,
    forgotten_at timestamptz
);

-- `line` is the file's, from 1. What an arrival says is null until the line has been checked.
create table member_import_lines (
    import_id text not null references member_imports on delete cascade,
    line integer not null,
    cells text[] not null,
    email text,
    email_key text,
    product_id text,
    until timestamptz,
    outcome text,
    problem_column text,
    problem text,
    stripe_match text,
    is_new boolean,
    grant_id bigint,
    primary key (import_id, line)
);
