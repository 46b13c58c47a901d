-- Every event is written three times: it waits, is relayed and is handled. By default, its old rows
-- would only be removed once they are a fifth of the table.
alter table events set (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);
