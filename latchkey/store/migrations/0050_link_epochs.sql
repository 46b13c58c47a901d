-- A mailed link that signs in signs this number too, so that raising it ends all older links.
alter table users add column link_epoch integer not null default 0;

-- A trigger, so that the release before this one raises it as well.
create function raise_link_epoch() returns trigger language plpgsql as $$
begin
    new.link_epoch := old.link_epoch + 1;
    return new;
end
$$;

create trigger users_link_epoch before update of email, role, password_hash, erased_at on users
    for each row
    when (old.email is distinct from new.email
          or old.role is distinct from new.role
          or old.password_hash is distinct from new.password_hash
          or old.erased_at is distinct from new.erased_at)
    execute function raise_link_epoch();
