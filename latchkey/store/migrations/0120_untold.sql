-- Set where a burst applied a subscription, until the subscription's run has looked.
alter table subscriptions add column untold boolean not null default false;
create index subscriptions_untold on subscriptions (id) where untold and lifecycle_at is null;
