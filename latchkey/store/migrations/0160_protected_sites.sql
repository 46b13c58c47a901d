-- Other sites whose web server asks here, at each request, whether to let somebody in.
create table protected_sites (
    id bigint generated always as identity primary key,
    origin text not null unique,
    without_access text not null check (without_access in ('buy', 'refuse')),
    created_at timestamptz not null default now()
);

create table protected_site_products (
    site_id bigint not null references protected_sites on delete cascade,
    product_id text not null references products on delete cascade,
    primary key (site_id, product_id)
);
create index protected_site_products_product on protected_site_products (product_id);

-- Somebody on their way into a protected site: where to, from which browser, and the ticket that
-- leads back, once they may.
create table site_entries (
    id text primary key,
    site_id bigint not null references protected_sites on delete cascade,
    product_id text references products on delete cascade,
    target text not null,
    browser_hash bytea not null,
    session_id bigint references sessions (id) on delete cascade,
    ticket_hash bytea unique,
    ticket_expires_at timestamptz,
    used_at timestamptz,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index site_entries_site on site_entries (site_id);
create index site_entries_product on site_entries (product_id) where product_id is not null;
create index site_entries_session on site_entries (session_id) where session_id is not null;
create index site_entries_expiry on site_entries (expires_at);
