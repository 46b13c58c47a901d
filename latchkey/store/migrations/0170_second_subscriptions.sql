-- Subscriptions of a product that are billed or will be, unless something is done about them. One
-- whose first payment is missing expires by itself within a day.
create view held_subscriptions as
select s.id, s.user_id, s.customer_id, c.email_key, s.created_at, s.scheduled_end, l.product_id
  from subscriptions s
  join customers c on c.id = s.customer_id
  join stripe_connection k on k.account_id = s.account_id and k.livemode = s.livemode
  join subscription_items i on i.subscription_id = s.id and coalesce(i.quantity, 1) > 0
  join links l on l.stripe_product = i.stripe_product and l.removed_at is null
       and l.account_id = s.account_id and l.livemode = s.livemode
 where s.ended_at is null and s.status in ('trialing', 'active', 'past_due', 'unpaid', 'paused')
   and (s.scheduled_end is null or s.scheduled_end > now());

-- Each of them beside every other one by the same person: by user, and where one of the two has
-- none, by customer or address. A pair that shares several items is there several times.
create view subscription_pairs as
select h.id, h.product_id, h.user_id, h.created_at, h.scheduled_end, o.id as other_id,
       o.user_id as other_user_id, o.created_at as other_created_at,
       o.scheduled_end as other_scheduled_end,
       (o.created_at, o.id) < (h.created_at, h.id) as second
  from held_subscriptions h
 cross join lateral (
       select t.* from held_subscriptions t where t.user_id = h.user_id
       union all
       select t.* from held_subscriptions t
        where t.customer_id = h.customer_id and (t.user_id is null or h.user_id is null)
       union all
       select t.* from held_subscriptions t
        where t.email_key = h.email_key and t.customer_id <> h.customer_id
          and (t.user_id is null or h.user_id is null)) o
 where o.product_id = h.product_id and o.id <> h.id;

-- Those that were noticed. Whether there is still an earlier one is asked of the view above.
create table second_subscriptions (
    subscription_id text not null references subscriptions on delete cascade,
    product_id text not null references products on delete cascade,
    noticed_at timestamptz not null default now(),
    allowed_at timestamptz,
    primary key (subscription_id, product_id)
);
create index second_subscriptions_product on second_subscriptions (product_id);

-- Those that cost somebody money twice until somebody does something: neither of the two is set to
-- end, and nobody has said that it is meant.
create view unsettled_second_subscriptions as
select n.subscription_id, n.product_id, n.noticed_at, e.other_id as earlier_id
  from second_subscriptions n
 cross join lateral (
       select other_id from subscription_pairs
        where id = n.subscription_id and product_id = n.product_id and second
          and scheduled_end is null and other_scheduled_end is null
        order by other_created_at, other_id limit 1) e
 where n.allowed_at is null;
