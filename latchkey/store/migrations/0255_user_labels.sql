-- What the team calls people, such as "Press" or "Moved in 2026". A label exists while somebody has
-- it.
create table user_labels (
    user_id bigint not null references users (id) on delete cascade,
    label text not null check (length(label) between 1 and 40),
    added_at timestamptz not null default now(),
    primary key (user_id, label)
);
create index user_labels_by_label on user_labels (label, user_id);
