-- outside a transaction
create index concurrently if not exists orders_by_amount on orders (amount, id);
