-- Facts whose lines LATCHKEY_ACTIVITY_DAYS has deleted from the feed, by the first 16 bytes of their
-- SHA-256. A later reading of the same object must not write them again, with emails and all.
create table forgotten_facts (digest bytea primary key);
