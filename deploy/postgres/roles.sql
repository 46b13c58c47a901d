-- The roles of Latchkey and of Temporal: each owns its databases, and may do nothing else. Run by the
-- superuser, before migrations; safe to run again, and also where the superuser owned everything.
\set ON_ERROR_STOP on
\getenv latchkey_password LATCHKEY_POSTGRES_PASSWORD
\getenv temporal_password TEMPORAL_POSTGRES_PASSWORD

create temporary table wanted (database text, role text);
insert into wanted values
    ('latchkey', 'latchkey_app'), ('temporal', 'temporal'), ('temporal_visibility', 'temporal');

select distinct format('create role %I', role) from wanted
 where not exists (select from pg_roles where rolname = role)
\gexec
alter role latchkey_app login nosuperuser nocreatedb nocreaterole password :'latchkey_password';
alter role temporal login nosuperuser nocreatedb nocreaterole password :'temporal_password';

select format('create database %I', database) from wanted
 where not exists (select from pg_database where datname = database)
\gexec
select format('alter database %I owner to %I', database, role) from wanted
\gexec
select format('revoke all on database %I from public', database) from wanted
\gexec

-- What an earlier release made with the superuser changes hands.
\connect latchkey
\set owner latchkey_app
\ir owner.sql
\connect temporal
\set owner temporal
\ir owner.sql
\connect temporal_visibility
\ir owner.sql
