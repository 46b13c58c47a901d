-- outside a transaction
create index concurrently if not exists user_labels_by_import
    on user_labels (import_id, import_line) where import_id is not null;
