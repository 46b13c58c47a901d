-- The code of the language in which somebody began a checkout, for an email to a buyer who has no
-- account; null if their browser asked for none of the site's.
alter table checkout_attempts add column locale text
    check (char_length(locale) between 2 and 20);
