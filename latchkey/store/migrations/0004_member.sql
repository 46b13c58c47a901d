-- What members and visitors use: selling, sales pages, sign-in, account, mail.

alter table products
    add column purchase_method text not null default 'none'
        check (purchase_method in ('none', 'sales_page', 'checkout')),
    add column checkout_target text not null default 'stripe'
        check (checkout_target in ('stripe', 'external')),
    add column external_url text,
    add column promotion_codes boolean not null default false,
    add column show_locked boolean not null default true;

-- One row per product and price; at most one of a product is wanted, and Stripe is made to agree.
create table payment_links (
    id bigint generated always as identity primary key,
    product_id text not null references products on delete cascade,
    account_id text not null,
    livemode boolean not null,
    price_id text not null,
    wanted boolean not null default true,
    stripe_id text unique,
    url text,
    active boolean not null default false,
    promotion_codes boolean not null default false,
    error text,
    settled boolean not null default false,
    told_at timestamptz,
    created_at timestamptz not null default now(),
    retired_at timestamptz,
    unique (product_id, account_id, livemode, price_id)
);
create unique index payment_links_one_wanted on payment_links (product_id) where wanted;
create index payment_links_unsettled on payment_links (id) where not settled;

create table sales_pages (
    product_id text primary key references products on delete cascade,
    status text not null default 'draft' check (status in ('draft', 'live')),
    headline text not null default '',
    body text not null default '',
    image_url text,
    price_line text not null default '',
    button text not null default '',
    edition integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

-- Made once per account and mode, then reused: Stripe never deletes one.
create table portal_configurations (
    account_id text not null,
    livemode boolean not null,
    stripe_id text not null,
    fingerprint text not null,
    updated_at timestamptz not null default now(),
    primary key (account_id, livemode)
);

alter table sessions
    add column id bigint generated always as identity unique,
    add column via text not null default 'password'
        check (via in ('password', 'link', 'admin')),
    add column ip text,
    add column agent text,
    add column last_seen_at timestamptz not null default now();

alter table users add column mails_off text[] not null default '{}';

-- Tries by whom and at what, hashed; a row is worthless once its window is over.
create unlogged table tries (
    who bytea not null,
    window_ends timestamptz not null,
    count integer not null default 1,
    primary key (who)
);
create index tries_over on tries (window_ends);

create table email_changes (
    id bigint generated always as identity primary key,
    user_id bigint not null references users on delete cascade,
    email text not null,
    created_at timestamptz not null default now(),
    confirmed_at timestamptz
);
create index email_changes_by_user on email_changes (user_id);

alter table mails
    add column to_email text,
    add column pace text not null default 'now' check (pace in ('now', 'spread')),
    add column issue integer not null default 0,
    add column issued_at timestamptz not null default now();
create index mails_claimed on mails (claimed_at) where claimed_at is not null;
create index mails_by_state on mails (state, id desc);

alter table links drop constraint links_mail_check;
alter table links add constraint links_mail_check check (mail in ('send', 'suppress', 'spread'));
