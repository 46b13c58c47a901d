-- What was proved, beside what was typed. Nobody signs in to an account without a link to its
-- address, or a password that was set after such a link.
alter table users add column proven_at timestamptz;
update users set proven_at = last_seen_at;

alter table user_addresses add column proven_at timestamptz;
update user_addresses set proven_at = added_at where source = 'claim';
update user_addresses a set proven_at = (m.kept #>> '{user,last_seen_at}')::timestamptz
  from user_merges m
 where a.source = 'merge' and m.into_user = a.user_id
   and a.email_key = m.email_key;

-- To whom the billing of a Stripe customer is open: the user with its address, proven. Not a foreign
-- key, so that a merge doesn't move it along: the survivor has to prove the address.
alter table customers add column billing_user bigint;
update customers c set billing_user = c.user_id
 where exists (select from users u where u.id = c.user_id and u.email_key = c.email_key)
    or exists (select from user_addresses a where a.user_id = c.user_id
                  and a.proven_at is not null and a.email_key = c.email_key)
    or c.bound_by in ('created', 'email')
       and not exists (select from user_merges m where m.into_user = c.user_id
                          and m.kept #> '{moved,customers.user_id}'
                              @> jsonb_build_array(jsonb_build_object('id', c.id)));

-- For the release before, which doesn't know the column.
create function open_own_billing() returns trigger language plpgsql as $$
begin
    if new.billing_user is distinct from new.user_id and exists (
        select from users u where u.id = new.user_id and u.email_key = new.email_key) then
        new.billing_user := new.user_id;
    end if;
    return new;
end
$$;
-- After customers_email_key, by the order of the alphabet.
create trigger customers_own_billing before insert or update of user_id on customers
    for each row when (new.user_id is not null) execute function open_own_billing();

-- Purchases that a member began, and that an address paid which isn't proven to be theirs.
create table other_payers (
    source_id text primary key,
    user_id bigint not null references users on delete cascade,
    email text not null,
    email_key text not null,
    claim_id bigint references claims on delete set null,
    created_at timestamptz not null default now(),
    proven_at timestamptz
);
create index other_payers_by_user on other_payers (user_id);

-- References of 0.1.0 name neither product nor end. Checkouts that began with one still count for a
-- week.
insert into site_settings (key, value)
values ('references', jsonb_build_object('unbounded_until', now() + interval '7 days'))
on conflict (key) do nothing;
