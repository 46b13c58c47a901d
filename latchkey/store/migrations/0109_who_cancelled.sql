-- Who cancelled. An event says whether an API request caused it (null where it doesn't), and whether
-- it reports a cancellation.
alter table events
    add column requested boolean,
    add column cancels boolean;
-- When this site last opened the billing portal for a customer.
alter table customers add column portal_opened_at timestamptz;
-- The account behind a customer (Accounts v2). Where Stripe never named a customer, it is the id, too.
alter table customers add column customer_account text;
create index customers_by_account on customers (customer_account)
 where customer_account is not null;
