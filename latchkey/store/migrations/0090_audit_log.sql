-- What staff, tokens and commands did. It references no other table: a line keeps the ids that it
-- was written with, whatever is merged or deleted later.
create table audit_log (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    action text not null,
    outcome text not null check (outcome in ('done', 'refused', 'failed')),
    actor_kind text not null
        check (actor_kind in ('user', 'token', 'settings', 'command', 'visitor')),
    actor_id bigint check ((actor_id is null) = (actor_kind not in ('user', 'token'))),
    on_behalf_of bigint,
    ip text,
    agent text,
    target_kind text,
    target_id text,
    before jsonb,
    after jsonb,
    count integer not null default 1 check (count > 0)
);

create index audit_log_at on audit_log (at);
create index audit_log_actor on audit_log (actor_kind, actor_id, id);
create index audit_log_action on audit_log (action, id);

-- Lines are added and never changed, except by the two functions below.
create function keep_audit_log() returns trigger language plpgsql as $$
begin
    if coalesce(current_setting('latchkey.audit_upkeep', true), '') <> 'on' then
        raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'UPDATE' then
        return new;
    elsif tg_op = 'DELETE' then
        return old;
    end if;
    return null;
end
$$;

create trigger audit_log_rows before update or delete on audit_log
    for each row execute function keep_audit_log();
create trigger audit_log_table before truncate on audit_log
    for each statement execute function keep_audit_log();

-- Delete at most `most` of the lines that are older than `life`, which is a month or more; returns
-- how many.
create function audit_forget(life interval, most integer) returns bigint
    language plpgsql security definer
    set search_path from current as $$
declare
    gone bigint;
begin
    if life < interval '30 days' then
        raise exception 'the audit log is kept for at least 30 days';
    end if;
    perform set_config('latchkey.audit_upkeep', 'on', true);
    delete from audit_log where id in (
        select id from audit_log where at < now() - life order by at limit most);
    get diagnostics gone = row_count;
    perform set_config('latchkey.audit_upkeep', 'off', true);
    return gone;
end
$$;

-- Remove from where a person acted, or somebody on their account. The ids stay.
create function audit_erase(person bigint) returns void
    language plpgsql security definer
    set search_path from current as $$
begin
    perform set_config('latchkey.audit_upkeep', 'on', true);
    update audit_log set ip = null, agent = null
     where (ip is not null or agent is not null)
       and ((actor_kind = 'user' and actor_id = person)
            or (target_kind = 'user' and target_id = person::text
                and actor_kind in ('user', 'visitor') and on_behalf_of is null
                and action in ('signed_in', 'sign_in_failed')));
    perform set_config('latchkey.audit_upkeep', 'off', true);
end
$$;
