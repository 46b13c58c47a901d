-- What each subscription item was worth, and when: a row for each stretch in which its price and
-- quantity stayed the same, on trial or paid for. `until` is null while it lasts. `imported` ones
-- began long before they were recorded: earlier prices and quantities aren't known.
create table recurring_spans (
    id bigint generated always as identity primary key,
    subscription_id text not null references subscriptions on delete cascade,
    item_id text not null,
    stripe_product text not null,
    price_id text not null,
    quantity integer not null,
    trial boolean not null,
    since timestamptz not null,
    until timestamptz,
    recorded_at timestamptz not null default now(),
    imported boolean not null default false
);
create index recurring_spans_imported on recurring_spans (recorded_at) where imported;
create index recurring_spans_by_subscription on recurring_spans (subscription_id);
create index recurring_spans_by_start on recurring_spans (since);
create index recurring_spans_by_end on recurring_spans (until) where until is not null;

-- Bring the stretches of these subscriptions up to date with their rows. Metered items have no
-- quantity, so they have no stretches. What is seen for the first time gets its past from the times
-- that Stripe gives: when it was created, when its trial ended, when it ended. A first import calls
-- this often with a plan that was made while the tables were empty: the plan must use indexes. A
-- transaction that began before the last recorded change continues from that change.
create function record_recurring_spans(ids text[]) returns void language plpgsql
    set enable_seqscan = off as $$
begin
    insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                 trial, since, until, imported)
    select s.id, i.id, i.stripe_product, i.price_id, i.quantity, past.trial, past.since, past.until,
           s.created_at < now() - interval '1 day'
      from subscriptions s
      join subscription_items i on i.subscription_id = s.id and i.quantity > 0
     cross join lateral (
           select greatest(s.trial_end, s.created_at) as trial_end, s.status = 'trialing' as trial,
                  least(s.ended_at, now()) as ended_at) t
     cross join lateral (
           select true as trial, s.created_at as since,
                  case when not t.trial or t.ended_at < now()
                       then least(t.trial_end, t.ended_at) end as until
            where t.trial or t.trial_end > s.created_at
           union all
           select false, t.trial_end,
                  case when s.status in ('active', 'past_due') and not s.collection_paused
                       then null
                       when s.status = 'unpaid' then coalesce(s.past_due_since, t.ended_at)
                       else t.ended_at end
            where s.status in ('active', 'past_due', 'unpaid', 'canceled')
              and t.trial_end < t.ended_at) past
     where s.id = any(ids) and past.since < coalesce(past.until, 'infinity')
       and not exists (select from recurring_spans r where r.subscription_id = s.id);

    with wanted as (
        select i.subscription_id, i.id as item_id, i.stripe_product, i.price_id, i.quantity,
               s.status = 'trialing' as trial
          from subscriptions s
          join subscription_items i on i.subscription_id = s.id and i.quantity > 0
         where s.id = any(ids) and s.ended_at is null and not s.collection_paused
           and s.status in ('trialing', 'active', 'past_due')
    ), changed as (
        update recurring_spans r
           set until = greatest(r.since,
                   case when r.trial and s.trial_end <= now() then least(s.trial_end, s.ended_at)
                        else least(s.ended_at, now()) end)
          from subscriptions s
         where s.id = r.subscription_id and r.subscription_id = any(ids) and r.until is null
           and not exists (
               select from wanted w
                where w.subscription_id = r.subscription_id and w.item_id = r.item_id
                  and (w.stripe_product, w.price_id, w.quantity, w.trial)
                    = (r.stripe_product, r.price_id, r.quantity, r.trial))
        returning r.subscription_id, r.item_id, r.trial, r.until
    )
    insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                 trial, since)
    select w.subscription_id, w.item_id, w.stripe_product, w.price_id, w.quantity, w.trial,
           coalesce((select min(c.until) from changed c
                      where c.subscription_id = w.subscription_id and c.item_id = w.item_id
                        and c.trial and not w.trial),
                    greatest(now(), (
                    select max(greatest(r.since, r.until)) from recurring_spans r
                     where r.subscription_id = w.subscription_id and r.item_id = w.item_id)))
      from wanted w
     where not exists (
           select from recurring_spans r
            where r.subscription_id = w.subscription_id and r.item_id = w.item_id
              and r.until is null
              and (r.stripe_product, r.price_id, r.quantity, r.trial)
                = (w.stripe_product, w.price_id, w.quantity, w.trial));
end $$;

create function note_recurring_spans() returns trigger language plpgsql as $$
begin
    if exists (select from changed) then
        perform record_recurring_spans(array(select distinct subscription_id from changed));
    end if;
    return null;
end $$;

create trigger note_items_added after insert on subscription_items
    referencing new table as changed for each statement execute function note_recurring_spans();
create trigger note_items_changed after update on subscription_items
    referencing new table as changed for each statement execute function note_recurring_spans();
create trigger note_items_removed after delete on subscription_items
    referencing old table as changed for each statement execute function note_recurring_spans();

select record_recurring_spans(array(select id from subscriptions));

-- How each figure changed, by day in UTC. A product's id, or '' for the whole site; a currency, or
-- '' where none matters.
create table figure_days (
    product_id text not null,
    day date not null,
    kind text not null,
    currency text not null,
    people bigint not null,
    amount numeric not null,
    primary key (product_id, day, kind, currency)
);

-- Of the customers whose first payment for a subscription was in the month `cohort`, how many more
-- (or fewer) pay at the end of `month` than at its start. `joined` is how many they are, in the row
-- of their first month.
create table figure_cohorts (
    product_id text not null,
    cohort date not null,
    month date not null,
    people bigint not null,
    joined bigint not null,
    primary key (product_id, cohort, month)
);

-- When the two were last counted, and how long that took.
create table figure_counts (
    singleton boolean primary key default true check (singleton),
    counted_at timestamptz,
    took interval not null default '0'
);
insert into figure_counts default values;
