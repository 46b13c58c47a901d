-- Which database this is, among all copies that dumps make of it: a restored dump is another one, a
-- standby that takes over isn't. Copies of the server's files are the same, so a site also asks its
-- own address: a proof is written here, and whoever answers at the address says whether it has it.
create function this_database() returns text language plpgsql stable as $$
declare
    server text;
begin
    begin
        select system_identifier::text into server from pg_control_system();
    exception when insufficient_privilege then
        server := 'unknown';
    end;
    return server || '/' || (select oid from pg_database where datname = current_database());
end
$$;

create table address_proofs (
    proof text primary key,
    made_at timestamptz not null default now()
);
