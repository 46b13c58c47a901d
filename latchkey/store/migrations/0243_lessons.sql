-- A product's lessons, in their order. A member may open one `released_after_days` times 24 hours
-- after their access to the product first began.
create table lessons (
    id text primary key,
    product_id text not null references products (id) on delete cascade,
    position integer not null,
    title text not null,
    body text not null default '',
    video_url text,
    released_after_days integer not null default 0
        check (released_after_days between 0 and 3650),
    status text not null default 'draft' check (status in ('draft', 'live')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index lessons_product_id on lessons (product_id, position);

-- The lessons that members marked as done.
create table lesson_marks (
    user_id bigint not null references users (id),
    lesson_id text not null references lessons (id) on delete cascade,
    done_at timestamptz not null default now(),
    primary key (user_id, lesson_id)
);
create index lesson_marks_lesson_id on lesson_marks (lesson_id);
