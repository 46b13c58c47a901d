-- A product may open a collection: whoever has the product has the products of the collection, too.
-- What is in a collection opens none itself, so nothing can lead in a circle.
alter table products add column opens_collection text references collections (id);
create index products_that_open on products (opens_collection) where opens_collection is not null;

create function keep_openers_out() returns trigger
    language plpgsql as $$
begin
    perform from products where id = new.product_id for no key update;
    if exists (select from products where id = new.product_id and opens_collection is not null) then
        raise exception 'the product % opens a collection, so it can''t be in one', new.product_id
              using errcode = 'check_violation', constraint = 'collections_hold_no_openers';
    end if;
    return new;
end
$$;
create trigger collections_hold_no_openers before insert or update on collection_products
    for each row execute function keep_openers_out();

-- The row is locked by the update, so a product that gets into a collection meanwhile waits for it.
create function keep_contents_closed() returns trigger
    language plpgsql as $$
begin
    if exists (select from collection_products where product_id = new.id) then
        raise exception 'the product % is in a collection, so it can''t open one', new.id
              using errcode = 'check_violation', constraint = 'collections_hold_no_openers';
    end if;
    return new;
end
$$;
create trigger collections_hold_no_openers before insert or update of opens_collection on products
    for each row when (new.opens_collection is not null) execute function keep_contents_closed();
