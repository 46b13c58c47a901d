-- What subscriptions brought that had ended before Latchkey knew of them: only for the figures. They
-- are no rows of `subscriptions`, so that nothing but counting knows about them, and they name a
-- customer by Stripe's id alone.
create table past_spans (
    subscription_id text not null,
    item_id text not null,
    account_id text not null,
    livemode boolean not null,
    customer_id text not null,
    stripe_product text not null,
    price_id text not null,
    quantity integer not null,
    discount bigint,
    trial boolean not null,
    since timestamptz not null,
    until timestamptz not null,
    recorded_at timestamptz not null default now(),
    primary key (subscription_id, item_id, trial)
);
create index past_spans_by_start on past_spans (since);
create index past_spans_by_end on past_spans (until);
create index past_spans_by_customer on past_spans (customer_id);
