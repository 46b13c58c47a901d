-- More that each price's checkout does: take promotion codes (if the product takes any), and have
-- Stripe work out the tax.
alter table offers
    add column promotion_codes boolean not null default true,
    add column automatic_tax boolean not null default false;

-- Whoever had a free trial of a product isn't given another.
alter table products add column one_trial boolean not null default true;

create or replace view offer_states as
select o.product_id, o.price_id, o.error, o.created_at,
       case when s.deleted then 'product_deleted'
            when not s.active then 'product_archived'
            when r.active is not true then 'price_archived' end as obstacle,
       o.position, o.label, o.featured, o.trial_days, o.most, o.billing_address, o.tax_ids,
       o.promotion_codes, o.automatic_tax
  from offers o
  join stripe_connection c on c.account_id = o.account_id and c.livemode = o.livemode
  left join prices r on r.id = o.price_id
  left join stripe_products s on s.id = r.stripe_product;
