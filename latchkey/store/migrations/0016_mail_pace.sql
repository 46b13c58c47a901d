-- Spread mails wait in a line of their own, so that the others are found without passing them.
drop index mails_due;
create index mails_due on mails (pace, due_at) where state in ('queued', 'sending');
