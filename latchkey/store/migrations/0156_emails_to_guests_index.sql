-- outside a transaction
create index concurrently if not exists mails_to_guests on mails (created_at) where user_id is null;
