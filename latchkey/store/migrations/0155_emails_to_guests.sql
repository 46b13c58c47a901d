-- Some emails go to somebody who has no account here, only an address: the buyer of a checkout that
-- was left.
alter table mails alter column user_id drop not null;
alter table mails add constraint mails_reach_somebody
    check (user_id is not null or to_email is not null) not valid;

-- Which address the buyer of a checkout that was left had, as a digest, where they have no account.
alter table abandoned_checkouts alter column user_id drop not null;
alter table abandoned_checkouts add column address_digest bytea;
create index abandoned_checkouts_address on abandoned_checkouts (address_digest, created_at)
    where address_digest is not null;

-- Addresses that want no more emails of a kind, as digests: nobody has to have an account for that,
-- and it stays so when the person is erased.
create table unsubscribed_addresses (
    digest bytea not null,
    kind text not null,
    unsubscribed_at timestamptz not null default now(),
    primary key (digest, kind)
);
