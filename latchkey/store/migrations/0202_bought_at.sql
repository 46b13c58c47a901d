-- When that was bought which an import found, before `since`: figures count it from then on.
-- Whether somebody had access isn't asked of it.
alter table grants add column bought_at timestamptz;

update grants g set bought_at = f.at
  from (select s.id, 'subscription' as source, s.created_at as at from subscriptions s
        union all
        select o.id, 'order', coalesce(o.paid_at, o.created_at) from orders o) f
 where f.source = g.source and f.id = g.source_id and g.cause = 'import' and f.at < g.since
   and not exists (
       select from grants e
        where (e.source_id, e.product_id, e.source) = (g.source_id, g.product_id, g.source)
          and e.id < g.id);

create index grants_bought_at on grants (bought_at) where bought_at is not null;
