-- `mails.to_email` came to be meanwhile.
alter table mails drop column recipient;
