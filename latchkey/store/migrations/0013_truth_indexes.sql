-- What every admin page asks for stays quick however many mails and differences there are.
create index mails_failed on mails (id) where state = 'failed';
create index differences_open on differences (reconciliation_id) where state in ('open', 'failed');
