-- Whose holding of a collection is due: asked whenever the timer of access given by hand rings.
create index collection_holders_due on collection_holders (until)
    where ended_at is null and until is not null;
