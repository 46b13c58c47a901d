-- The prices that a product is sold at by checkout sessions, made at the click. Until now the price
-- was that of the product's payment link, which stays what it is: an address to put elsewhere.
-- `error` is why Stripe last refused to sell it.
create table offers (
    product_id text not null references products (id) on delete cascade,
    account_id text not null,
    livemode boolean not null,
    price_id text not null,
    error text,
    created_at timestamptz not null default now(),
    primary key (product_id, account_id, livemode, price_id)
);

insert into offers (product_id, account_id, livemode, price_id)
select product_id, account_id, livemode, price_id from payment_links where wanted;

alter table products drop constraint products_checkout_target_check;
alter table products add constraint products_checkout_target_check
    check (checkout_target in ('stripe', 'payment_link', 'external'));

-- What keeps buyers from paying an offer's price, as Stripe was last read; null if nothing does.
create view offer_states as
select o.product_id, o.price_id, o.error, o.created_at,
       case when s.deleted then 'product_deleted'
            when not s.active then 'product_archived'
            when r.active is not true then 'price_archived' end as obstacle
  from offers o
  join stripe_connection c on c.account_id = o.account_id and c.livemode = o.livemode
  left join prices r on r.id = o.price_id
  left join stripe_products s on s.id = r.stripe_product;

-- Who began which purchase, so that a second click leads to the same checkout session. `key` is a
-- hash of both.
create table checkout_attempts (
    id bigint generated always as identity primary key,
    key bytea not null unique,
    product_id text not null references products (id) on delete cascade,
    user_id bigint references users (id) on delete cascade,
    begun_at timestamptz not null default now(),
    session_id text
);
create index checkout_attempts_begun_at on checkout_attempts (begun_at);
create index checkout_attempts_product_id on checkout_attempts (product_id);
create index checkout_attempts_user_id on checkout_attempts (user_id);
