-- What credit notes gave back of a subscription's invoice after its payment, other than by a refund.
alter table bills add column credited_after bigint not null default 0;
