-- When whoever has a session last proved who they are: it counts for the session's absolute end and
-- for changes that ask for a fresh sign-in.
alter table sessions add column authenticated_at timestamptz;
update sessions set authenticated_at = created_at;
alter table sessions alter column authenticated_at set default now(),
                     alter column authenticated_at set not null;

alter table sessions drop constraint sessions_via_check;
alter table sessions add constraint sessions_via_check
    check (via in ('password', 'link', 'admin', 'passkey'));
