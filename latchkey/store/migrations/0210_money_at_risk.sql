create index bills_disputed on bills (subscription_id) where dispute_status is not null;

-- Money that is expected or was received, and may be lost: whose last payment failed, what is set
-- to end, what is disputed. `at` is when that began, `ends_at` when access ends or the subscription
-- does, as far as it is known. A one-off purchase says what it brought, and who paid.
create view money_at_risk as
select s.id, case when g.open then 'grace' else 'past_due' end as kind,
       coalesce(s.past_due_since, s.read_at) as at, g.until as ends_at, s.livemode, s.user_id,
       s.customer_id, s.id as subscription_id, null::text as order_id, null::bigint as amount,
       null::text as currency, null::text as email, null::text as name,
       null::text as payment_intent
  from subscriptions s
 cross join lateral (
       select count(*) > 0 as open,
              case when count(*) = count(until) then max(until) end as until
         from live_grants where source = 'subscription' and source_id = s.id) g
 where s.phase = 'payment_problem'
union all
select s.id, 'ending', coalesce(s.canceled_at, s.read_at), s.scheduled_end, s.livemode, s.user_id,
       s.customer_id, s.id, null, null, null, null, null, null
  from subscriptions s where s.phase = 'ending'
union all
select o.id, 'disputed',
       coalesce((select max(a.at) from activities a
                  where a.source_id = o.id and a.type = 'disputed'), o.created_at),
       null, o.livemode, o.user_id, o.customer_id, null, o.id,
       least(o.charged::numeric - o.amount_refunded, o.charged)::bigint, o.currency, o.email,
       o.name, o.payment_intent
  from orders o where o.money_state = 'disputed'
union all
select b.id, 'disputed',
       coalesce((select max(a.at) from activities a
                  where a.source_id = s.id and a.type = 'disputed'), s.created_at),
       null, s.livemode, s.user_id, s.customer_id, s.id, null, null, null, null, null, null
  from bills b join subscriptions s on s.id = b.subscription_id
 where b.dispute_status in ('needs_response', 'under_review', 'warning_needs_response',
                            'warning_under_review', 'appeal_needs_response', 'appeal_under_review');
