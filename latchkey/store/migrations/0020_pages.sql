-- The feed is read in the order in which things happened, which is also what its dates filter by.
-- Every lane that its filters can ask for has an index that ends with that order.
drop index activities_by_user;
drop index activities_by_product;
drop index activities_by_type;
drop index activities_by_source;
drop index activities_by_cause;
drop index activities_by_product_type;
drop index activities_by_time;
drop index activities_by_product_cause;
drop index activities_by_type_cause;
drop index activities_by_type_time;
create index activities_by_time on activities (at desc, id desc);
create index activities_by_user on activities (user_id, at desc, id desc);
create index activities_by_source on activities (source_id, at desc, id desc);
create index activities_by_cause on activities (cause, at desc, id desc);
create index activities_by_type on activities (type, cause, at desc, id desc);
create index activities_by_product on activities (product_id, at desc, id desc);
create index activities_by_product_cause on activities (product_id, cause, at desc, id desc);
create index activities_by_product_type on activities (product_id, type, cause, at desc, id desc);

-- Parts of addresses and names are found by their pairs and triples of characters. pg_trgm does the
-- same, but knows no pairs (which are whole names in Chinese), and not everybody may install it.
create function grams(given text, size integer) returns text[]
    language sql immutable strict parallel safe
    return (select coalesce(array_agg(distinct substr(given, n, size)), '{}')
              from generate_series(1, length(given) - size + 1) n);
create index users_by_grams on users using gin (
    (grams(email_key || ' ' || lower(coalesce(name, '')), 2)
     || grams(email_key || ' ' || lower(coalesce(name, '')), 3)));
create index users_by_seen on users (last_seen_at);

-- A product's members whose access ends.
create index grants_ending on grants (product_id, id)
    where ended_at is null and until is not null;
