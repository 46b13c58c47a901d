-- Each account and mode has a list of events of its own. What was remembered is the connection's.
delete from catch_up where account_id is distinct from (select account_id from stripe_connection);
alter table catch_up add column livemode boolean;
update catch_up set livemode = (select livemode from stripe_connection);
alter table catch_up
    alter column livemode set not null,
    drop constraint catch_up_pkey,
    add primary key (account_id, livemode, part);

-- Since when this account is connected in this mode: so long missed events may not have been looked
-- for.
alter table stripe_connection add column connected_at timestamptz;
update stripe_connection set connected_at = checked_at where state <> 'disconnected';
