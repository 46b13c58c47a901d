-- Checkout sessions that would take money for nothing: the link of what they sell was removed. The
-- product's workflow closes them in Stripe.
alter table checkout_attempts add column orphaned boolean not null default false;
create index checkout_attempts_orphaned on checkout_attempts (product_id) where orphaned;
