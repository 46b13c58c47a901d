-- Every table that holds an address holds its key too, so that claiming, merging, erasing and
-- searching find it however the person wrote it. The application computes the keys; the migration's
-- second part, in `latchkey/store/address_keys.py`, those of existing rows.
alter table customers add column email_key text;
alter table orders add column email_key text;
alter table claims add column email_key text;
alter table email_changes add column email_key text;
alter table matches add column email_key text;
alter table differences add column email_key text;
alter table preview_records add column email_key text;
alter table user_merges add column email_key text;
alter table mails add column to_email_key text;

update customers set email_key = lower(email) where email is not null;
update orders set email_key = lower(email) where email is not null;
update claims set email_key = lower(email);
update email_changes set email_key = lower(email);
update matches set email_key = lower(email) where email is not null;
update differences set email_key = lower(email) where email is not null;
update preview_records set email_key = lower(email) where email is not null;
update user_merges set email_key = lower(email);
update mails set to_email_key = lower(to_email) where to_email is not null;

-- What `lower` gives is right for all but few addresses. The release before writes no other key,
-- and the application corrects those few.
create function fill_to_email_key() returns trigger language plpgsql as $$
begin
    new.to_email_key := coalesce(new.to_email_key, lower(new.to_email));
    return new;
end
$$;
create trigger customers_email_key before insert or update of email on customers
    for each row execute function fill_email_key();
create trigger orders_email_key before insert or update of email on orders
    for each row execute function fill_email_key();
create trigger claims_email_key before insert or update of email on claims
    for each row execute function fill_email_key();
create trigger email_changes_email_key before insert or update of email on email_changes
    for each row execute function fill_email_key();
create trigger matches_email_key before insert or update of email on matches
    for each row execute function fill_email_key();
create trigger differences_email_key before insert or update of email on differences
    for each row execute function fill_email_key();
create trigger preview_records_email_key before insert or update of email on preview_records
    for each row execute function fill_email_key();
create trigger user_merges_email_key before insert or update of email on user_merges
    for each row execute function fill_email_key();
create trigger mails_to_email_key before insert on mails
    for each row execute function fill_to_email_key();

drop index customers_by_address;
drop index orders_by_address;
create index customers_by_address on customers (email_key) where email_key is not null;
create index orders_by_address on orders (email_key) where email_key is not null;
create index mails_by_address on mails (to_email_key) where to_email_key is not null;
