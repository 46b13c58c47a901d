-- What "live" and "counting" mean, in one place. Plain selects, which the planner inlines. A column
-- that is added to one of the tables later reaches its view by `create or replace view`.

-- Grants that give access now.
create view live_grants as
select * from grants where ended_at is null and (until is null or until > now());

-- Those who have a collection now.
create view live_holders as
select * from collection_holders where ended_at is null and (until is null or until > now());

-- Links whose purchases count: those that stand, and removed ones whose members kept their access.
create view counting_links as
select * from links where removed_at is null or members = 'keep';
