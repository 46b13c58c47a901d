-- Emails that invite people back, by the promotion code that they name.
create index mails_win_backs on mails ((data ->> 'code')) where kind = 'win_back';
