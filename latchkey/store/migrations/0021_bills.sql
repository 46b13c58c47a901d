-- Bills of subscriptions of which money went back or is disputed, as they were last read: what the
-- feed tells is the difference. All other bills have no row.
create table bills (
    id text primary key,
    subscription_id text not null,
    amount_refunded bigint not null default 0,
    dispute_status text,
    money_changes integer not null default 0,
    ticket bigint not null default 0
);

insert into bills (id, subscription_id, amount_refunded, dispute_status, money_changes)
select data ->> 'invoice', min(source_id),
       coalesce(max((data ->> 'amount')::bigint) filter (where type = 'refunded'), 0),
       (array_agg(data ->> 'status' order by id desc) filter (where type = 'disputed'))[1],
       count(*)
  from activities
 where type in ('refunded', 'disputed') and data ? 'invoice'
 group by 1;
