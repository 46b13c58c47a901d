-- The language in which a member reads pages and emails: what they chose, or what their browser asked
-- for when they first signed in or bought. Null while neither is known.
alter table users add column locale text check (char_length(locale) between 2 and 20);
