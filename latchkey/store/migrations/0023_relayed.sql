-- Of a relayed event that isn't handled Temporal is told again, since when it was first told: what it
-- was told may have been lost with its data, or with a run that was ended by hand.
alter table events add column relayed_at timestamptz;
create index events_relayed on events (not_before) where state = 'relayed';
