-- What a product opens is a grant of its own for each product of the collection. Its source is
-- `product`, its source id the opening product and the id of the grant of it that it follows, as in
-- `prd_1/42`. It has that grant's user and end, and ends with it, in the same statement, whoever
-- ends it: so a grant that opens others needs no other writer to know of them.
alter table grants drop constraint grants_source_check;
alter table grants add constraint grants_source_check
    check (source in ('subscription', 'order', 'manual', 'collection', 'product')) not valid;

-- Brings what these grants open in line with them and with the collections: ends, then moves, then
-- gives, and returns each of these grants with what happened to it. What is given later than the
-- grant that it follows gets the cause `late`. A held grant isn't given again, by a later grant
-- from the same purchase neither. Each statement sees what was committed before it, and whoever
-- changes a collection locks it for update.
create function settle_opened(openers bigint[], late text default 'admin')
    returns table (grant_id bigint, to_user bigint, of_product text, happened text, inside boolean,
                   why text)
    language plpgsql as $$
begin
    perform from collections c
      where c.id in (select p.opens_collection from grants g join products p on p.id = g.product_id
                      where g.id = any(openers))
      order by c.id for key share;
    return query
        update grants c
           set ended_at = greatest(coalesce(g.ended_at, now()), c.since),
               due_at = case when g.due_at >= c.since then g.due_at end,
               end_reason = coalesce(g.end_reason, 'collection_changed')
          from grants g
         where g.id = any(openers) and c.source = 'product'
           and c.source_id = g.product_id || '/' || g.id and c.ended_at is null
           and (g.ended_at is not null
                or not exists (select from products p
                                 join collection_products i on i.collection_id = p.opens_collection
                                where p.id = g.product_id and i.product_id = c.product_id))
        returning c.id, c.user_id, c.product_id, 'ended', true, c.end_reason;
    return query
        update grants c
           set until = case when c.ended_at is null then g.until else c.until end,
               user_id = g.user_id
          from grants g
         where g.id = any(openers) and c.source = 'product'
           and c.source_id = g.product_id || '/' || g.id
           and (c.user_id <> g.user_id or c.ended_at is null and c.until is distinct from g.until)
        returning c.id, c.user_id, c.product_id, 'moved', true, null::text;
    return query
        with wanted as (
            select g.user_id, i.product_id, g.product_id || '/' || g.id as source_id, g.until,
                   g.created_at = now() as along, g.since, g.cause, g.bought_at,
                   exists (select from live_grants x
                            where x.user_id = g.user_id and x.product_id = i.product_id) as had
              from grants g
              join products p on p.id = g.product_id
              join collection_products i on i.collection_id = p.opens_collection
             where g.id = any(openers) and g.ended_at is null
               and (g.until is null or g.until > now())
               and not exists (
                   select from grants c
                    where c.source = 'product' and c.source_id = g.product_id || '/' || g.id
                      and c.product_id = i.product_id and c.ended_at is null)
               and not exists (
                   select from grants e
                     join grants c on c.source = 'product' and c.product_id = i.product_id
                      and c.source_id = e.product_id || '/' || e.id and c.held
                    where e.user_id = g.user_id and e.product_id = g.product_id
                      and e.source = g.source and e.source_id = g.source_id)
        ), made as (
            insert into grants (user_id, product_id, source, source_id, since, until, cause,
                                bought_at)
            select w.user_id, w.product_id, 'product', w.source_id,
                   case when along then w.since else now() end, w.until,
                   case when along then w.cause else late end,
                   case when along then w.bought_at end
              from wanted w order by w.source_id, w.product_id
            on conflict do nothing
            returning id, user_id, product_id, source_id
        )
        select m.id, m.user_id, m.product_id, 'given', w.had, null::text
          from made m join wanted w using (source_id, product_id);
end
$$;

create function open_with_given() returns trigger
    language plpgsql as $$
declare
    openers bigint[];
begin
    select array_agg(n.id) into openers
      from given n join products p on p.id = n.product_id
     where p.opens_collection is not null and n.ended_at is null;
    if openers is not null then
        perform from settle_opened(openers);
    end if;
    return null;
end
$$;
create trigger open_with_given after insert on grants
    referencing new table as given for each statement execute function open_with_given();

create function open_with_changed() returns trigger
    language plpgsql as $$
declare
    openers bigint[];
begin
    select array_agg(n.id) into openers
      from before_it o join after_it n using (id) join products p on p.id = n.product_id
     where p.opens_collection is not null
       and (o.ended_at, o.until, o.user_id) is distinct from (n.ended_at, n.until, n.user_id);
    if openers is not null then
        perform from settle_opened(openers);
    end if;
    return null;
end
$$;
create trigger open_with_changed after update on grants
    referencing old table as before_it new table as after_it
    for each statement execute function open_with_changed();

-- Of a product that is deleted nothing is left that a grant could follow.
create function close_with_gone() returns trigger
    language plpgsql as $$
begin
    update grants c set ended_at = greatest(now(), c.since), end_reason = 'collection_changed'
      from gone g
     where c.source = 'product' and c.source_id = g.product_id || '/' || g.id
       and c.ended_at is null;
    return null;
end
$$;
create trigger close_with_gone after delete on grants
    referencing old table as gone for each statement execute function close_with_gone();
