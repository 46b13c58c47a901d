-- What coupons that last forever take off each period of an item, in the minor unit; null where
-- nobody knows yet. Recurring revenue is less by it.
alter table subscription_items add column discount bigint;
alter table recurring_spans add column discount bigint;

-- As before, but a stretch keeps its discount, too: another one begins the next stretch. Where it
-- wasn't known, what is learned first counts from the beginning of the stretch.
create or replace function record_recurring_spans(ids text[]) returns void language plpgsql
    set enable_seqscan = off as $$
begin
    update recurring_spans r set discount = i.discount
      from subscription_items i
     where r.subscription_id = any(ids) and r.discount is null and r.until is null
       and (i.subscription_id, i.id) = (r.subscription_id, r.item_id)
       and (i.price_id, i.quantity) = (r.price_id, r.quantity) and i.discount is not null;

    insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                 discount, trial, since, until, imported)
    select s.id, i.id, i.stripe_product, i.price_id, i.quantity, i.discount, past.trial,
           past.since, past.until, s.created_at < now() - interval '1 day'
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
               i.discount, s.status = 'trialing' as trial
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
                  and (w.stripe_product, w.price_id, w.quantity, w.trial, coalesce(w.discount, 0))
                    = (r.stripe_product, r.price_id, r.quantity, r.trial,
                       coalesce(r.discount, 0)))
        returning r.subscription_id, r.item_id, r.trial, r.until
    )
    insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                 discount, trial, since)
    select w.subscription_id, w.item_id, w.stripe_product, w.price_id, w.quantity, w.discount,
           w.trial,
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
              and (r.stripe_product, r.price_id, r.quantity, r.trial, coalesce(r.discount, 0))
                = (w.stripe_product, w.price_id, w.quantity, w.trial, coalesce(w.discount, 0)));
end $$;
