-- Payment links carry the ticket of the reading that their state comes from.
alter table payment_links add column ticket bigint not null default 0;
create index payment_links_stripe_id on payment_links (stripe_id);

-- When what a product sells was last to be looked at in Stripe, and when it was.
alter table products add column sale_asked_at timestamptz not null default now();
alter table products add column sale_read_at timestamptz not null default now();

-- What keeps buyers from paying by a payment link, as Stripe was last read; null if nothing does.
-- `open` links can be paid.
create view payment_link_states as
select k.id, k.product_id, k.wanted, k.active and o.obstacle is null as open, o.obstacle
  from payment_links k
  join stripe_connection c on c.account_id = k.account_id and c.livemode = k.livemode
  left join prices r on r.id = k.price_id
  left join stripe_products s on s.id = r.stripe_product
 cross join lateral (
       select case when s.deleted then 'product_deleted'
                   when not s.active then 'product_archived'
                   when not r.active then 'price_archived'
                   when k.wanted and k.settled and not k.active
                        then case when k.error is null then 'link_off' else 'link_refused' end
              end as obstacle) o;

-- Products that are on sale here, but that nobody can buy at the moment, and why.
create view interrupted_sales as
select p.id as product_id, n.obstacle
  from products p
  join payment_link_states n on n.product_id = p.id and n.wanted and n.obstacle is not null
 where p.purchase_method <> 'none' and p.checkout_target = 'payment_link'
   and not exists (select from payment_link_states o where o.product_id = p.id and o.open)
union all
select p.id, min(n.obstacle)
  from products p
  join offer_states n on n.product_id = p.id
 where p.purchase_method <> 'none' and p.checkout_target = 'stripe'
 group by p.id
having count(n.obstacle) = count(*);
