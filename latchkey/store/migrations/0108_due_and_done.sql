-- Ends that are noticed late keep both moments: `ended_at` is when access ended here, `due_at` when
-- it was due. So do lines of the feed: `at` is when it happened here.
alter table grants add column due_at timestamptz;
alter table activities add column due_at timestamptz;
create or replace view live_grants as
select * from grants where ended_at is null and (until is null or until > now());

-- Until now an end carried the moment at which it was due. It was done when it was recorded, unless
-- the grant's own end had closed the door before.
update grants g
   set due_at = g.ended_at,
       ended_at = greatest(g.since, g.ended_at, least(a.recorded_at, g.until))
  from activities a
 where a.fact = 'access_ended:' || g.id and g.ended_at is not null
   and g.source in ('subscription', 'order') and g.end_reason <> 'ended_by_hand';

update activities a
   set due_at = g.due_at, at = g.ended_at
  from grants g
 where a.fact = 'access_ended:' || g.id and g.due_at is not null;

update activities
   set due_at = at, at = greatest(at, recorded_at)
 where type in ('product_purchased', 'subscription_started', 'subscription_cancelled')
    or type = 'payment_failed' and source_id like 'sub\_%';
