-- Why a subscription was cancelled: one of Stripe's answers, and the customer's own words.
alter table subscriptions
    add column cancel_feedback text,
    add column cancel_comment text;

create index subscriptions_by_cancellation on subscriptions (canceled_at desc, id desc)
 where canceled_at is not null;

-- Subscriptions that were cancelled, ended ones among them. `why` is the customer's answer or, where
-- Stripe ended it without them, what for.
create view cancellations as
select id, canceled_at, livemode, user_id, customer_id, scheduled_end, ended_at, created_at,
       cancelled_by_customer, cancel_comment as comment,
       case when cancel_feedback is not null then cancel_feedback
            when cancel_reason in ('payment_failed', 'payment_disputed') then cancel_reason
            else 'no_answer' end as why
  from subscriptions where canceled_at is not null;
