-- A statement of its own, since it reads the whole table, during which nobody waits for it.
alter table grants validate constraint grants_source_check;
