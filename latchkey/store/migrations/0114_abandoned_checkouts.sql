-- Which price an attempt to buy is for, and finding the attempt by its session.
alter table checkout_attempts add column price_id text;
create index checkout_attempts_session_id on checkout_attempts (session_id);

-- Where the connected account is at home: Stripe asks buyers for consent to emails in one country
-- only.
alter table stripe_connection add column country text;

-- Kinds of email that are only sent to those who turned them on.
alter table users add column mails_on text[] not null default '{}';

-- Checkouts that expired unpaid and whose buyers got an email. `url` is Stripe's address that opens
-- another session like it until `open_until`, sealed.
create table abandoned_checkouts (
    id bigint generated always as identity primary key,
    session_id text not null unique,
    user_id bigint not null references users (id) on delete cascade,
    product_id text not null references products (id) on delete cascade,
    price_id text not null,
    url bytea not null,
    open_until timestamptz not null,
    created_at timestamptz not null default now()
);
create index abandoned_checkouts_user_id on abandoned_checkouts (user_id, created_at);
create index abandoned_checkouts_product_id on abandoned_checkouts (product_id);
