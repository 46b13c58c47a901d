-- Somebody may have bought before they became a user, without getting anything: a subscription that
-- was paused when it was imported, a payment that failed. Once they are a user, these are theirs, so
-- that they are led to mend them instead of buying again. Rows that are being applied at this moment
-- find their user themselves: waiting for them could end in a deadlock. So do those whose buyer was
-- unknown when they paid: once they are read again, their match is settled and access begins.
create function adopt_purchases() returns trigger language plpgsql as $$
declare
    bound text[];
begin
    with unbound as (
        select id from customers where email_key = new.email_key and user_id is null and not erased
           for update skip locked
    ), taken as (
        update customers c set user_id = new.id, bound_by = 'email' from unbound
         where c.id = unbound.id returning c.id
    )
    select array_agg(id) into bound from taken;
    if bound is not null then
        update subscriptions set user_id = new.id
         where id = any(array(select id from subscriptions
                               where customer_id = any(bound) and user_id is null
                                 and not exists (select from matches m
                                                  where m.source_id = subscriptions.id
                                                    and m.state = 'open')
                                 for update skip locked));
    end if;
    update orders set user_id = new.id
     where id = any(array(select id from orders
                           where email_key = new.email_key and user_id is null
                             and not exists (select from matches m
                                              where m.source_id = orders.id and m.state = 'open')
                             for update skip locked));
    return null;
end
$$;
create trigger users_adopt_purchases after insert on users
    for each row execute function adopt_purchases();
