-- Texts of emails that the site's team wrote in place of ours. The variant is one of those in
-- latchkey/mail/variants.py, the language the code of one of the site's.
create table mail_texts (
    variant text not null,
    language text not null,
    subject text not null,
    body text not null,
    updated_at timestamptz not null default now(),
    primary key (variant, language)
);
