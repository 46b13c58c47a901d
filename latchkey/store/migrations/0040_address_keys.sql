-- The application writes the key of an address, so that one mailbox is one person in any script.
-- The migration's second part, in `latchkey/store/address_keys.py`, computes those that differ.
alter table users alter column email_key drop expression;

-- For the release before, which doesn't write the key, and for an address changed on its own.
create function fill_email_key() returns trigger language plpgsql as $$
begin
    if new.email_key is null
        or (tg_op = 'UPDATE' and new.email is distinct from old.email
            and new.email_key is not distinct from old.email_key) then
        new.email_key := lower(new.email);
    end if;
    return new;
end
$$;
create trigger users_email_key before insert or update of email on users
    for each row execute function fill_email_key();
