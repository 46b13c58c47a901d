-- What pays a subscription, as far as Stripe says: the subscription's own payment method (`card_own`)
-- or its customer's default. `card_expires` is the first moment at which it isn't valid any more.
-- `open_amount` is what a subscription that is past due owes.
alter table subscriptions
    add column card_id text,
    add column card_own boolean not null default false,
    add column card_brand text,
    add column card_last4 text,
    add column card_expires timestamptz,
    add column open_amount bigint,
    add column open_currency text;
create index subscriptions_by_card on subscriptions (card_id) where card_id is not null;
create index subscriptions_card_expiring on subscriptions (period_end)
    where card_expires <= period_end and phase in ('active', 'trialing');

-- What is disputed of a payment, which may be a part of it.
alter table bills add column dispute_amount bigint, add column dispute_currency text;
alter table orders add column dispute_amount bigint, add column dispute_currency text;

-- Money that is expected or was received, and may be lost: whose last payment failed, whose card
-- expires before the next bill, what is set to end, what is disputed. `at` is when that began,
-- `ends_at` when access ends, the next bill is due or the subscription ends, as far as it is known.
-- `amount` is what is open or disputed; null stands for what one period costs. A card that had
-- expired before a bill was paid is left out: its bank takes payments all the same. The view takes
-- the place of `money_at_risk`, which the release before this one reads.
create view payments_at_risk as
select s.id, case when g.open then 'grace' else 'past_due' end as kind,
       coalesce(s.past_due_since, s.read_at) as at, g.until as ends_at, s.livemode, s.user_id,
       s.customer_id, s.id as subscription_id, null::text as order_id, s.open_amount as amount,
       s.open_currency as currency, null::text as email, null::text as name,
       null::text as payment_intent, s.card_brand, s.card_last4, s.card_expires
  from subscriptions s
 cross join lateral (
       select count(*) > 0 as open,
              case when count(*) = count(until) then max(until) end as until
         from live_grants where source = 'subscription' and source_id = s.id) g
 where s.phase = 'payment_problem'
union all
select s.id, 'card', greatest(i.began, s.period_end - interval '45 days'), s.period_end, s.livemode,
       s.user_id, s.customer_id, s.id, null, null, null, null, null, null, s.card_brand,
       s.card_last4, s.card_expires
  from subscriptions s
 cross join lateral (
       select max(period_start) as began from subscription_items where subscription_id = s.id) i
 where s.phase in ('active', 'trialing') and s.card_expires <= s.period_end
   and s.period_end > now() and s.period_end <= now() + interval '45 days'
   and (i.began is null or s.card_expires > i.began)
union all
select s.id, 'ending', coalesce(s.canceled_at, s.read_at), s.scheduled_end, s.livemode, s.user_id,
       s.customer_id, s.id, null, null, null, null, null, null, s.card_brand, s.card_last4,
       s.card_expires
  from subscriptions s where s.phase = 'ending'
union all
select o.id, 'disputed',
       coalesce((select max(a.at) from activities a
                  where a.source_id = o.id and a.type = 'disputed'), o.created_at),
       null, o.livemode, o.user_id, o.customer_id, null, o.id,
       coalesce(o.dispute_amount,
                least(o.charged::numeric - o.amount_refunded, o.charged)::bigint),
       coalesce(o.dispute_currency, o.currency), o.email, o.name, o.payment_intent, null, null, null
  from orders o where o.money_state = 'disputed'
union all
select b.id, 'disputed',
       coalesce((select max(a.at) from activities a
                  where a.source_id = s.id and a.type = 'disputed'), s.created_at),
       null, s.livemode, s.user_id, s.customer_id, s.id, null, b.dispute_amount,
       b.dispute_currency, null, null, null, s.card_brand, s.card_last4, s.card_expires
  from bills b join subscriptions s on s.id = b.subscription_id
 where b.dispute_status in ('needs_response', 'under_review', 'warning_needs_response',
                            'warning_under_review', 'appeal_needs_response', 'appeal_under_review');
