-- Prices that are on sale, but that Stripe last refused to sell: the key may not, or the price can't
-- be sold like this. What is archived is an interrupted sale instead.
create view refused_sales as
select p.id as product_id, o.price_id, o.error
  from products p join offer_states o on o.product_id = p.id
 where p.purchase_method <> 'none' and p.checkout_target = 'stripe'
   and o.obstacle is null and o.error is not null;
