-- Gives what the superuser owns in the schema public of this database to the role :owner. Sequences of
-- columns follow their table; what belongs to an extension stays with it, and what belongs to another
-- role with that.
select format('alter %s %s owner to %I', kind, name, :'owner')
  from (select case c.relkind when 'S' then 'sequence' when 'v' then 'view'
                              when 'm' then 'materialized view' else 'table' end as kind,
               c.oid::regclass::text as name, c.relowner as owner, 'pg_class'::regclass as class,
               c.oid
          from pg_class c
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'S')
        union all
        select 'routine', p.oid::regprocedure::text, p.proowner, 'pg_proc'::regclass, p.oid
          from pg_proc p where p.pronamespace = 'public'::regnamespace
        union all
        select 'type', t.oid::regtype::text, t.typowner, 'pg_type'::regclass, t.oid
          from pg_type t
         where t.typnamespace = 'public'::regnamespace and t.typtype in ('e', 'd')) as held
 where held.owner = current_user::regrole
   and not exists (select from pg_depend d
                    where d.classid = held.class and d.objid = held.oid
                      and d.deptype in ('e', 'a', 'i'))
\gexec
