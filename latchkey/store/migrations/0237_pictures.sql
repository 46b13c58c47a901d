-- Uploaded pictures. The digest names the largest file's content. A picture that nothing has referred
-- to since used_at is deleted after a day. The files are WebP and PNG, so Postgres needn't try to
-- compress them.
create table pictures (
    digest text primary key check (digest ~ '^[0-9a-f]{64}$'),
    created_at timestamptz not null default now(),
    used_at timestamptz not null default now()
);
create index pictures_used_at on pictures (used_at);

create table picture_files (
    digest text not null references pictures (digest) on delete cascade,
    name text not null check (name ~ '^[0-9]{1,4}[.](webp|png)$'),
    body bytea not null,
    primary key (digest, name)
);
alter table picture_files alter column body set storage external;
