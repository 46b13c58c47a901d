-- Labels can come from the lines of an import. Undoing the import takes back those that it gave,
-- wherever they are by then.
alter table user_labels add column import_id text, add column import_line integer;

-- Of a line: the labels that it has, and those of them that undoing the import took back.
alter table member_import_lines add column labels text[], add column undone_labels text[];
