-- Staff propose that two users are one person; they are merged once the owners of the mailboxes
-- agreed. Not foreign keys: a request about a user who was merged or deleted is no longer valid.
create table merge_requests (
    id bigint generated always as identity primary key,
    match_id bigint references matches on delete cascade,
    into_user bigint not null,
    other_user bigint not null,
    into_epoch integer not null,
    other_epoch integer not null,
    into_agreed_at timestamptz,
    other_agreed_at timestamptz,
    reason text,
    asked_by bigint references users on delete set null,
    state text not null default 'open'
        check (state in ('open', 'merged', 'declined', 'replaced')),
    created_at timestamptz not null default now(),
    decided_at timestamptz
);
create index merge_requests_by_match on merge_requests (match_id);
create index merge_requests_by_users on merge_requests (into_user, other_user);
