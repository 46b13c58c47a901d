-- Texts of members' pages that the site's team wrote. The place is one of those in
-- web/wording/page_texts.py, the language the code of one of the site's.
create table page_texts (
    place text not null,
    language text not null,
    heading text not null,
    body text not null,
    updated_at timestamptz not null default now(),
    primary key (place, language)
);
