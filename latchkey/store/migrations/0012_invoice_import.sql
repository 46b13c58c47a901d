-- Which past one-off invoices a link's import reads, and what a preview knows of sessions' invoices.
alter table links add column invoices text not null default 'year'
    check (invoices in ('none', 'year', 'all'));
alter table preview_records add column invoice text;
