-- The mail server that an admin entered, and how the last test of a mail server went: the entered
-- one's, or that of SMTP_URL.
create table mail_server (
    singleton boolean primary key default true check (singleton),
    host text,
    port integer check (port between 1 and 65535),
    security text check (security in ('tls', 'starttls', 'opportunistic')),
    username text,
    password_encrypted bytea,
    tested_server text,
    tested_at timestamptz,
    check ((host is null) = (port is null) and (host is null) = (security is null))
);
