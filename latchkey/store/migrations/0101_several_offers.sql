-- Several prices of one product, in order, each with its own checkout: what it is called, whether it
-- is marked as the most popular, how long it is free, how many can be bought at once (null: one),
-- and whether the billing address and tax ids are asked for.
alter table offers
    add column position integer not null default 0,
    add column label text,
    add column featured boolean not null default false,
    add column trial_days integer check (trial_days between 1 and 730),
    add column most integer check (most between 2 and 9999),
    add column billing_address boolean not null default false,
    add column tax_ids boolean not null default false;

create unique index offers_one_featured on offers (product_id, account_id, livemode) where featured;

create or replace view offer_states as
select o.product_id, o.price_id, o.error, o.created_at,
       case when s.deleted then 'product_deleted'
            when not s.active then 'product_archived'
            when r.active is not true then 'price_archived' end as obstacle,
       o.position, o.label, o.featured, o.trial_days, o.most, o.billing_address, o.tax_ids
  from offers o
  join stripe_connection c on c.account_id = o.account_id and c.livemode = o.livemode
  left join prices r on r.id = o.price_id
  left join stripe_products s on s.id = r.stripe_product;
