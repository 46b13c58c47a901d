-- Files that lessons bring along. Their bytes are in parts of a fixed length, so that neither an
-- upload nor a download holds a whole file in memory. They rarely get smaller: stored as they are.
create table lesson_files (
    id text primary key,
    lesson_id text not null references lessons (id) on delete cascade,
    name text not null,
    size bigint not null,
    digest bytea not null,
    created_at timestamptz not null default now()
);
create index lesson_files_lesson_id on lesson_files (lesson_id);

create table lesson_file_parts (
    file_id text not null references lesson_files (id) on delete cascade,
    part integer not null,
    body bytea not null,
    primary key (file_id, part)
);
alter table lesson_file_parts alter column body set storage external;
