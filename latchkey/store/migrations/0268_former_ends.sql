-- What complimentary access was before a line made it longer: its end, and its reason. Taking the
-- import back gives the end back. Null where the line made the access, and in imports of earlier
-- releases, whose undoing leaves the later end.
alter table member_import_lines
    add column former_until timestamptz,
    add column former_reason text;
