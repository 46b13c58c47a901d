-- Where the money of a one-off purchase is, computed here alone: pages, lists and the API read it.
-- Credit notes: what was credited before the payment, and afterwards other than by a refund. A bill
-- is written off if it was voided or marked uncollectible.
alter table orders
    add column credited_before bigint not null default 0,
    add column credited_after bigint not null default 0,
    add column written_off boolean not null default false;
alter table orders
    add column money_state text not null generated always as (
        case
            when state = 'paid' and dispute_status = 'lost' then 'dispute_lost'
            when state = 'paid' and disputed and dispute_status in (
                'needs_response', 'under_review', 'warning_needs_response',
                'warning_under_review', 'appeal_needs_response', 'appeal_under_review')
                then 'disputed'
            when state = 'paid' and (refunded or 0 < charged and charged <= amount_refunded)
                then 'refunded'
            when 0 < amount and 0 < credited_before::numeric + credited_after
                 and amount <= credited_before::numeric + credited_after + amount_refunded
                then 'credited'
            when state = 'paid' and 0 < amount_refunded then 'partly_refunded'
            when state = 'paid' and 0 < credited_after then 'partly_credited'
            when state = 'paid' then 'paid'
            when written_off then 'written_off'
            when state in ('pending', 'failed') then state
            else 'open'
        end) stored;
create index orders_by_money_state on orders (money_state);
drop index orders_policy_judges;
create index orders_policy_judges on orders (id)
    where amount_refunded > 0 or disputed or credited_after > 0;
