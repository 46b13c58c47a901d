-- Where a subscription stands, for the lists and in words: one state of several, by what matters
-- most to whoever looks. Kept beside what it follows from, so that a list can be read by index.
alter table subscriptions add column phase text not null generated always as (
    case when ended_at is not null or status in ('canceled', 'incomplete_expired') then 'ended'
         when status in ('past_due', 'unpaid') then 'payment_problem'
         when status = 'incomplete' then 'incomplete'
         when status = 'paused' or (collection_paused and status in ('active', 'trialing'))
              then 'paused'
         when status in ('active', 'trialing') and scheduled_end is not null then 'ending'
         when status in ('active', 'trialing') then status
         else 'other' end) stored;

create index subscriptions_by_time on subscriptions (created_at desc, id desc);
create index subscriptions_by_phase on subscriptions (phase, created_at desc, id desc);
create index subscriptions_by_session on subscriptions (checkout_session)
    where checkout_session is not null;
create index subscription_items_by_price on subscription_items (price_id);

-- When a customer was first seen here; of those from before, when they were last read.
alter table customers add column added_at timestamptz not null default now();
update customers set added_at = read_at;
create index customers_by_time on customers (added_at desc, id desc);
create index customers_of_nobody on customers (added_at desc, id desc) where user_id is null;
create index customers_deleted on customers (added_at desc, id desc) where deleted;
create index customers_by_grams on customers using gin (
    (grams(coalesce(email_key, '') || ' ' || lower(coalesce(name, '')), 2)
     || grams(coalesce(email_key, '') || ' ' || lower(coalesce(name, '')), 3)));
