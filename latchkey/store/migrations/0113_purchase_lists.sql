-- The list of purchases is read by index in its order, for each state of their money too.
create index orders_by_time on orders (created_at desc, id desc);
drop index orders_by_money_state;
create index orders_by_money_state on orders (money_state, created_at desc, id desc);
create index order_lines_by_price on order_lines (price_id);
