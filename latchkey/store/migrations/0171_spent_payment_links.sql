-- A payment link may be limited in Stripe to a number of sales. Once they are made, nobody can pay
-- by it any more.
alter table payment_links add column spent boolean not null default false;

create or replace view payment_link_states as
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
                        then case when k.error is not null then 'link_refused'
                                  when k.spent then 'link_spent'
                                  else 'link_off' end
              end as obstacle) o;
