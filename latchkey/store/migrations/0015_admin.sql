-- Filters of the activity feed that together match nothing must not read all of what one matches.
create index activities_by_product_cause on activities (product_id, cause, id desc);
create index activities_by_type_cause on activities (type, cause, id desc);
create index activities_by_type_time on activities (type, at);
