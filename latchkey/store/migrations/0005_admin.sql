-- What admins look at and look after: categories, the feed's filters, notes, acting, erasure.

create table categories (
    id bigint generated always as identity primary key,
    name text not null,
    position integer not null,
    created_at timestamptz not null default now()
);
create unique index categories_by_name on categories (lower(name));
create table product_categories (
    product_id text not null references products on delete cascade,
    category_id bigint not null references categories on delete cascade,
    primary key (product_id, category_id)
);
create index product_categories_by_category on product_categories (category_id);
create index products_by_name on products (lower(name), id);

-- The members of a product are counted from the index alone.
create index grants_live_members on grants (product_id, user_id) include (until)
    where ended_at is null;

create index activities_by_cause on activities (cause, id desc);
create index activities_by_product_type on activities (product_id, type, id desc);
create index activities_by_event on activities (event_id) where event_id is not null;
create index activities_by_time on activities (at);

create table user_notes (
    id bigint generated always as identity primary key,
    user_id bigint not null references users on delete cascade,
    author_id bigint references users on delete set null,
    text text not null,
    created_at timestamptz not null default now()
);
create index user_notes_by_user on user_notes (user_id, id desc);

-- An admin's session shows the site as a member sees it, for a while.
alter table sessions
    add column acting_as bigint references users on delete cascade,
    add column acting_until timestamptz;

-- Erased people stay as rows without the person: amounts and dates have to be kept.
alter table users add column erased_at timestamptz;
alter table customers add column erased boolean not null default false;

-- A file of users that was read and waits for a click. Kept for a day at most.
create table user_imports (
    id text primary key,
    created_by bigint references users on delete cascade,
    rows jsonb not null,
    created_at timestamptz not null default now()
);
