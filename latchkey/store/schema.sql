-- The database as all migrations leave it. Written by `make schema`; don't edit it by hand.
-- Nothing runs this file: `latchkey migrate` applies `migrations/`. Everything is in `public`.

CREATE FUNCTION adopt_purchases() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    bound text[];
begin
    with unbound as (
        select id from customers where email_key = new.email_key and user_id is null and not erased
           for update skip locked
    ), taken as (
        update customers c set user_id = new.id, bound_by = 'email' from unbound
         where c.id = unbound.id returning c.id
    )
    select array_agg(id) into bound from taken;
    if bound is not null then
        update subscriptions set user_id = new.id
         where id = any(array(select id from subscriptions
                               where customer_id = any(bound) and user_id is null
                                 and not exists (select from matches m
                                                  where m.source_id = subscriptions.id
                                                    and m.state = 'open')
                                 for update skip locked));
    end if;
    update orders set user_id = new.id
     where id = any(array(select id from orders
                           where email_key = new.email_key and user_id is null
                             and not exists (select from matches m
                                              where m.source_id = orders.id and m.state = 'open')
                             for update skip locked));
    return null;
end
$$;

CREATE FUNCTION audit_erase(person bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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

CREATE FUNCTION audit_forget(life interval, most integer) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO '$user', 'public'
    AS $$
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

CREATE FUNCTION close_with_gone() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    update grants c set ended_at = greatest(now(), c.since), end_reason = 'collection_changed'
      from gone g
     where c.source = 'product' and c.source_id = g.product_id || '/' || g.id
       and c.ended_at is null;
    return null;
end
$$;

CREATE FUNCTION end_authorizations(of_user bigint, of_session bigint, of_client text) RETURNS void
    LANGUAGE sql
    AS $$
    with ended as (
        update oauth_authorizations set ended_at = now()
         where user_id = of_user and ended_at is null
           and (of_session is null or session_id = of_session)
           and (of_client is null or client_id = of_client)
        returning client_id, sid, code_used_at
    )
    insert into oauth_logouts (client_id, subject, sid)
    select distinct e.client_id, of_user::text, e.sid
      from ended e join oauth_clients c on c.id = e.client_id
     where e.code_used_at is not null and c.backchannel_logout_uri is not null
$$;

CREATE FUNCTION end_authorizations_of_session() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform end_authorizations(old.user_id, old.id, null);
    return null;
end
$$;

CREATE FUNCTION end_authorizations_of_user() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform end_authorizations(old.id, null, null);
    return old;
end
$$;

CREATE FUNCTION fill_email_key() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.email_key is null
        or (tg_op = 'UPDATE' and new.email is distinct from old.email
            and new.email_key is not distinct from old.email_key) then
        new.email_key := lower(new.email);
    end if;
    return new;
end
$$;

CREATE FUNCTION fill_to_email_key() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    new.to_email_key := coalesce(new.to_email_key, lower(new.to_email));
    return new;
end
$$;

CREATE FUNCTION grams(given text, size integer) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (SELECT COALESCE(array_agg(DISTINCT substr(grams.given, n.n, grams.size)), '{}'::text[]) AS "coalesce" FROM generate_series(1, ((length(grams.given) - grams.size) + 1)) n(n));

CREATE FUNCTION keep_audit_log() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE FUNCTION keep_contents_closed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from collection_products where product_id = new.id) then
        raise exception 'the product % is in a collection, so it can''t open one', new.id
              using errcode = 'check_violation', constraint = 'collections_hold_no_openers';
    end if;
    return new;
end
$$;

CREATE FUNCTION keep_openers_out() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    perform from products where id = new.product_id for no key update;
    if exists (select from products where id = new.product_id and opens_collection is not null) then
        raise exception 'the product % opens a collection, so it can''t be in one', new.product_id
              using errcode = 'check_violation', constraint = 'collections_hold_no_openers';
    end if;
    return new;
end
$$;

CREATE FUNCTION note_grants_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (at, kind, user_id, product_id, source, source_id, cause,
                                   grant_id, was, is_now, until_was, until_now, data)
        select coalesce(least(n.ended_at, now()), now()), 'grant', who.user_id, n.product_id,
               n.source, n.source_id, n.cause, n.id,
               o.ended_at is null and o.user_id = who.user_id,
               n.ended_at is null and n.user_id = who.user_id,
               o.until, n.until,
               jsonb_build_object('reason', case when n.user_id <> who.user_id then 'merged'
                                                 else n.end_reason end)
          from before_it o join after_it n using (id)
         cross join lateral (select o.user_id union select n.user_id) as who (user_id)
         where (o.ended_at is null, o.until, o.user_id)
               is distinct from (n.ended_at is null, n.until, n.user_id)
           and (o.ended_at is null or n.ended_at is null)
         order by n.id;
    end if;
    return null;
end
$$;

CREATE FUNCTION note_grants_given() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (kind, user_id, product_id, source, source_id, cause, grant_id,
                                   was, is_now, until_now)
        select 'grant', user_id, product_id, source, source_id, cause, id, false, true, until
          from given where ended_at is null order by id;
    end if;
    return null;
end
$$;

CREATE FUNCTION note_grants_gone() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (kind, user_id, product_id, source, source_id, cause, grant_id,
                                   was, is_now, until_was)
        select 'grant', user_id, product_id, source, source_id, cause, id, true, false, until
          from gone where ended_at is null order by id;
    end if;
    return null;
end
$$;

CREATE FUNCTION note_recurring_spans() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from changed) then
        perform record_recurring_spans(array(select distinct subscription_id from changed));
    end if;
    return null;
end $$;

CREATE FUNCTION note_users_created() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if exists (select from webhook_endpoints) then
        insert into webhook_facts (kind, user_id) select 'user', id from made order by id;
    end if;
    return null;
end
$$;

CREATE FUNCTION open_own_billing() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    if new.billing_user is distinct from new.user_id and exists (
        select from users u where u.id = new.user_id and u.email_key = new.email_key) then
        new.billing_user := new.user_id;
    end if;
    return new;
end
$$;

CREATE FUNCTION open_with_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    openers bigint[];
begin
    select array_agg(n.id) into openers
      from before_it o join after_it n using (id) join products p on p.id = n.product_id
     where p.opens_collection is not null
       and (o.ended_at, o.until, o.user_id) is distinct from (n.ended_at, n.until, n.user_id);
    if openers is not null then
        perform from settle_opened(openers);
    end if;
    return null;
end
$$;

CREATE FUNCTION open_with_given() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
declare
    openers bigint[];
begin
    select array_agg(n.id) into openers
      from given n join products p on p.id = n.product_id
     where p.opens_collection is not null and n.ended_at is null;
    if openers is not null then
        perform from settle_opened(openers);
    end if;
    return null;
end
$$;

CREATE FUNCTION raise_link_epoch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
begin
    new.link_epoch := old.link_epoch + 1;
    return new;
end
$$;

CREATE FUNCTION record_recurring_spans(ids text[]) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
begin
    update recurring_spans r set discount = i.discount
      from subscription_items i
     where r.subscription_id = any(ids) and r.discount is null and r.until is null
       and (i.subscription_id, i.id) = (r.subscription_id, r.item_id)
       and (i.price_id, i.quantity) = (r.price_id, r.quantity) and i.discount is not null;

    insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                 discount, trial, since, until, imported)
    select s.id, i.id, i.stripe_product, i.price_id, i.quantity, i.discount, past.trial,
           past.since, past.until, s.created_at < now() - interval '1 day'
      from subscriptions s
      join subscription_items i on i.subscription_id = s.id and i.quantity > 0
     cross join lateral (
           select greatest(s.trial_end, s.created_at) as trial_end, s.status = 'trialing' as trial,
                  least(s.ended_at, now()) as ended_at) t
     cross join lateral (
           select true as trial, s.created_at as since,
                  case when not t.trial or t.ended_at < now()
                       then least(t.trial_end, t.ended_at) end as until
            where t.trial or t.trial_end > s.created_at
           union all
           select false, t.trial_end,
                  case when s.status in ('active', 'past_due') and not s.collection_paused
                       then null
                       when s.status = 'unpaid' then coalesce(s.past_due_since, t.ended_at)
                       else t.ended_at end
            where s.status in ('active', 'past_due', 'unpaid', 'canceled')
              and t.trial_end < t.ended_at) past
     where s.id = any(ids) and past.since < coalesce(past.until, 'infinity')
       and not exists (select from recurring_spans r where r.subscription_id = s.id);

    with wanted as (
        select i.subscription_id, i.id as item_id, i.stripe_product, i.price_id, i.quantity,
               i.discount, s.status = 'trialing' as trial
          from subscriptions s
          join subscription_items i on i.subscription_id = s.id and i.quantity > 0
         where s.id = any(ids) and s.ended_at is null and not s.collection_paused
           and s.status in ('trialing', 'active', 'past_due')
    ), changed as (
        update recurring_spans r
           set until = greatest(r.since,
                   case when r.trial and s.trial_end <= now() then least(s.trial_end, s.ended_at)
                        else least(s.ended_at, now()) end)
          from subscriptions s
         where s.id = r.subscription_id and r.subscription_id = any(ids) and r.until is null
           and not exists (
               select from wanted w
                where w.subscription_id = r.subscription_id and w.item_id = r.item_id
                  and (w.stripe_product, w.price_id, w.quantity, w.trial, coalesce(w.discount, 0))
                    = (r.stripe_product, r.price_id, r.quantity, r.trial,
                       coalesce(r.discount, 0)))
        returning r.subscription_id, r.item_id, r.trial, r.until
    )
    insert into recurring_spans (subscription_id, item_id, stripe_product, price_id, quantity,
                                 discount, trial, since)
    select w.subscription_id, w.item_id, w.stripe_product, w.price_id, w.quantity, w.discount,
           w.trial,
           coalesce((select min(c.until) from changed c
                      where c.subscription_id = w.subscription_id and c.item_id = w.item_id
                        and c.trial and not w.trial),
                    greatest(now(), (
                    select max(greatest(r.since, r.until)) from recurring_spans r
                     where r.subscription_id = w.subscription_id and r.item_id = w.item_id)))
      from wanted w
     where not exists (
           select from recurring_spans r
            where r.subscription_id = w.subscription_id and r.item_id = w.item_id
              and r.until is null
              and (r.stripe_product, r.price_id, r.quantity, r.trial, coalesce(r.discount, 0))
                = (w.stripe_product, w.price_id, w.quantity, w.trial, coalesce(w.discount, 0)));
end $$;

CREATE FUNCTION settle_opened(openers bigint[], late text DEFAULT 'admin'::text) RETURNS TABLE(grant_id bigint, to_user bigint, of_product text, happened text, inside boolean, why text)
    LANGUAGE plpgsql
    AS $$
begin
    perform from collections c
      where c.id in (select p.opens_collection from grants g join products p on p.id = g.product_id
                      where g.id = any(openers))
      order by c.id for key share;
    return query
        update grants c
           set ended_at = greatest(coalesce(g.ended_at, now()), c.since),
               due_at = case when g.due_at >= c.since then g.due_at end,
               end_reason = coalesce(g.end_reason, 'collection_changed')
          from grants g
         where g.id = any(openers) and c.source = 'product'
           and c.source_id = g.product_id || '/' || g.id and c.ended_at is null
           and (g.ended_at is not null
                or not exists (select from products p
                                 join collection_products i on i.collection_id = p.opens_collection
                                where p.id = g.product_id and i.product_id = c.product_id))
        returning c.id, c.user_id, c.product_id, 'ended', true, c.end_reason;
    return query
        update grants c
           set until = case when c.ended_at is null then g.until else c.until end,
               user_id = g.user_id
          from grants g
         where g.id = any(openers) and c.source = 'product'
           and c.source_id = g.product_id || '/' || g.id
           and (c.user_id <> g.user_id or c.ended_at is null and c.until is distinct from g.until)
        returning c.id, c.user_id, c.product_id, 'moved', true, null::text;
    return query
        with wanted as (
            select g.user_id, i.product_id, g.product_id || '/' || g.id as source_id, g.until,
                   g.created_at = now() as along, g.since, g.cause, g.bought_at,
                   exists (select from live_grants x
                            where x.user_id = g.user_id and x.product_id = i.product_id) as had
              from grants g
              join products p on p.id = g.product_id
              join collection_products i on i.collection_id = p.opens_collection
             where g.id = any(openers) and g.ended_at is null
               and (g.until is null or g.until > now())
               and not exists (
                   select from grants c
                    where c.source = 'product' and c.source_id = g.product_id || '/' || g.id
                      and c.product_id = i.product_id and c.ended_at is null)
               and not exists (
                   select from grants e
                     join grants c on c.source = 'product' and c.product_id = i.product_id
                      and c.source_id = e.product_id || '/' || e.id and c.held
                    where e.user_id = g.user_id and e.product_id = g.product_id
                      and e.source = g.source and e.source_id = g.source_id)
        ), made as (
            insert into grants (user_id, product_id, source, source_id, since, until, cause,
                                bought_at)
            select w.user_id, w.product_id, 'product', w.source_id,
                   case when along then w.since else now() end, w.until,
                   case when along then w.cause else late end,
                   case when along then w.bought_at end
              from wanted w order by w.source_id, w.product_id
            on conflict do nothing
            returning id, user_id, product_id, source_id
        )
        select m.id, m.user_id, m.product_id, 'given', w.had, null::text
          from made m join wanted w using (source_id, product_id);
end
$$;

CREATE FUNCTION this_database() RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
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

CREATE TABLE abandoned_checkouts (
    id bigint NOT NULL,
    session_id text NOT NULL,
    user_id bigint,
    product_id text NOT NULL,
    price_id text NOT NULL,
    url bytea NOT NULL,
    open_until timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    address_digest bytea
);

ALTER TABLE abandoned_checkouts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME abandoned_checkouts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE activities (
    id bigint NOT NULL,
    fact text NOT NULL,
    type text NOT NULL,
    at timestamp with time zone NOT NULL,
    cause text NOT NULL,
    user_id bigint,
    product_id text,
    source_id text,
    event_id text,
    workflow_id text,
    actor_id bigint,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone
);

ALTER TABLE activities ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME activities_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE address_proofs (
    proof text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE api_tokens (
    id bigint NOT NULL,
    name text NOT NULL,
    token_hash bytea NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    scope text DEFAULT 'everything'::text NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT api_tokens_scope_check CHECK ((scope = ANY (ARRAY['access'::text, 'read'::text, 'write'::text, 'everything'::text])))
);

ALTER TABLE api_tokens ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME api_tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE audit_log (
    id bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL,
    actor_kind text NOT NULL,
    actor_id bigint,
    on_behalf_of bigint,
    ip text,
    agent text,
    target_kind text,
    target_id text,
    before jsonb,
    after jsonb,
    count integer DEFAULT 1 NOT NULL,
    CONSTRAINT audit_log_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['user'::text, 'token'::text, 'settings'::text, 'command'::text, 'visitor'::text]))),
    CONSTRAINT audit_log_check CHECK (((actor_id IS NULL) = (actor_kind <> ALL (ARRAY['user'::text, 'token'::text])))),
    CONSTRAINT audit_log_count_check CHECK ((count > 0)),
    CONSTRAINT audit_log_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'refused'::text, 'failed'::text])))
);

ALTER TABLE audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE authenticator_apps (
    user_id bigint NOT NULL,
    secret bytea NOT NULL,
    last_step bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE bills (
    id text NOT NULL,
    subscription_id text NOT NULL,
    amount_refunded bigint DEFAULT 0 NOT NULL,
    dispute_status text,
    money_changes integer DEFAULT 0 NOT NULL,
    ticket bigint DEFAULT 0 NOT NULL,
    credited_after bigint DEFAULT 0 NOT NULL,
    dispute_amount bigint,
    dispute_currency text
);

CREATE TABLE subscriptions (
    id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    customer_id text NOT NULL,
    user_id bigint,
    status text NOT NULL,
    scheduled_end timestamp with time zone,
    cancellations integer DEFAULT 0 NOT NULL,
    period_end timestamp with time zone,
    trial_end timestamp with time zone,
    past_due_since timestamp with time zone,
    collection_paused boolean DEFAULT false NOT NULL,
    ended_at timestamp with time zone,
    cancel_reason text,
    checkout_session text,
    created_at timestamp with time zone NOT NULL,
    state text DEFAULT ''::text NOT NULL,
    wake_at timestamp with time zone,
    wake text,
    lifecycle_at timestamp with time zone,
    ticket bigint NOT NULL,
    read_at timestamp with time zone DEFAULT now() NOT NULL,
    canceled_at timestamp with time zone,
    cancelled_by_customer boolean DEFAULT false NOT NULL,
    resumes_at timestamp with time zone,
    pause_reason text,
    phase text GENERATED ALWAYS AS (
CASE
    WHEN ((ended_at IS NOT NULL) OR (status = ANY (ARRAY['canceled'::text, 'incomplete_expired'::text]))) THEN 'ended'::text
    WHEN (status = ANY (ARRAY['past_due'::text, 'unpaid'::text])) THEN 'payment_problem'::text
    WHEN (status = 'incomplete'::text) THEN 'incomplete'::text
    WHEN ((status = 'paused'::text) OR (collection_paused AND (status = ANY (ARRAY['active'::text, 'trialing'::text])))) THEN 'paused'::text
    WHEN ((status = ANY (ARRAY['active'::text, 'trialing'::text])) AND (scheduled_end IS NOT NULL)) THEN 'ending'::text
    WHEN (status = ANY (ARRAY['active'::text, 'trialing'::text])) THEN status
    ELSE 'other'::text
END) STORED NOT NULL,
    untold boolean DEFAULT false NOT NULL,
    card_id text,
    card_own boolean DEFAULT false NOT NULL,
    card_brand text,
    card_last4 text,
    card_expires timestamp with time zone,
    open_amount bigint,
    open_currency text,
    cancel_feedback text,
    cancel_comment text
)
WITH (fillfactor='80');

CREATE VIEW cancellations AS
 SELECT id,
    canceled_at,
    livemode,
    user_id,
    customer_id,
    scheduled_end,
    ended_at,
    created_at,
    cancelled_by_customer,
    cancel_comment AS comment,
        CASE
            WHEN (cancel_feedback IS NOT NULL) THEN cancel_feedback
            WHEN (cancel_reason = ANY (ARRAY['payment_failed'::text, 'payment_disputed'::text])) THEN cancel_reason
            ELSE 'no_answer'::text
        END AS why
   FROM subscriptions
  WHERE (canceled_at IS NOT NULL);

CREATE TABLE catch_up (
    part text NOT NULL,
    account_id text NOT NULL,
    since timestamp with time zone NOT NULL,
    anchor_id text,
    anchor_at timestamp with time zone,
    looked_at timestamp with time zone,
    found bigint DEFAULT 0 NOT NULL,
    found_at timestamp with time zone,
    livemode boolean NOT NULL
);

CREATE TABLE categories (
    id bigint NOT NULL,
    name text NOT NULL,
    "position" integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE categories ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME categories_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE checkout_attempts (
    id bigint NOT NULL,
    key bytea NOT NULL,
    product_id text NOT NULL,
    user_id bigint,
    begun_at timestamp with time zone DEFAULT now() NOT NULL,
    session_id text,
    price_id text,
    orphaned boolean DEFAULT false NOT NULL,
    locale text,
    CONSTRAINT checkout_attempts_locale_check CHECK (((char_length(locale) >= 2) AND (char_length(locale) <= 20)))
);

ALTER TABLE checkout_attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME checkout_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE chores (
    name text NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    done_at timestamp with time zone
);

CREATE TABLE claims (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    email text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    confirmed_at timestamp with time zone,
    email_key text
);

ALTER TABLE claims ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME claims_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE collection_holders (
    id bigint NOT NULL,
    collection_id text NOT NULL,
    user_id bigint NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    until timestamp with time zone,
    ended_at timestamp with time zone,
    reason text,
    granted_by bigint
);

ALTER TABLE collection_holders ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME collection_holders_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE collection_products (
    collection_id text NOT NULL,
    product_id text NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE collections (
    id text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE communities (
    endpoint_id text NOT NULL,
    space_id text DEFAULT ''::text NOT NULL,
    bot_id text NOT NULL,
    token bytea NOT NULL,
    client_id text DEFAULT ''::text NOT NULL,
    client_secret bytea,
    leaving_at timestamp with time zone,
    invite_url text
);

CREATE TABLE community_accounts (
    id bigint NOT NULL,
    endpoint_id text NOT NULL,
    user_id bigint NOT NULL,
    external_id text NOT NULL,
    name text,
    bound_at timestamp with time zone DEFAULT now() NOT NULL,
    unbound_at timestamp with time zone,
    away_since timestamp with time zone,
    settled_at timestamp with time zone
);

ALTER TABLE community_accounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME community_accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE community_given (
    account_id bigint NOT NULL,
    role_id text NOT NULL,
    given_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE community_roles (
    endpoint_id text NOT NULL,
    product_id text NOT NULL,
    role_id text NOT NULL,
    role_name text NOT NULL,
    problem text
);

CREATE TABLE links (
    id bigint NOT NULL,
    product_id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    stripe_product text,
    create_params jsonb,
    state text DEFAULT 'importing'::text NOT NULL,
    mail text DEFAULT 'send'::text NOT NULL,
    members text,
    progress jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    listening_at timestamp with time zone,
    removed_at timestamp with time zone,
    dispatched_at timestamp with time zone,
    invoices text DEFAULT 'year'::text NOT NULL,
    CONSTRAINT links_check CHECK (((stripe_product IS NOT NULL) OR (create_params IS NOT NULL))),
    CONSTRAINT links_invoices_check CHECK ((invoices = ANY (ARRAY['none'::text, 'year'::text, 'all'::text]))),
    CONSTRAINT links_mail_check CHECK ((mail = ANY (ARRAY['send'::text, 'suppress'::text, 'spread'::text]))),
    CONSTRAINT links_members_check CHECK ((members = ANY (ARRAY['keep'::text, 'end'::text, 'complimentary'::text]))),
    CONSTRAINT links_state_check CHECK ((state = ANY (ARRAY['importing'::text, 'listening'::text, 'failed'::text, 'removed'::text])))
);

CREATE VIEW counting_links AS
 SELECT id,
    product_id,
    account_id,
    livemode,
    stripe_product,
    create_params,
    state,
    mail,
    members,
    progress,
    error,
    created_by,
    created_at,
    listening_at,
    removed_at,
    dispatched_at,
    invoices
   FROM links
  WHERE ((removed_at IS NULL) OR (members = 'keep'::text));

CREATE TABLE customers (
    id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    user_id bigint,
    bound_by text,
    email text,
    name text,
    deleted boolean DEFAULT false NOT NULL,
    ticket bigint DEFAULT 0 NOT NULL,
    read_at timestamp with time zone DEFAULT now() NOT NULL,
    erased boolean DEFAULT false NOT NULL,
    email_key text,
    billing_user bigint,
    portal_opened_at timestamp with time zone,
    customer_account text,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT customers_bound_by_check CHECK ((bound_by = ANY (ARRAY['reference'::text, 'email'::text, 'created'::text, 'admin'::text])))
);

CREATE TABLE differences (
    id bigint NOT NULL,
    reconciliation_id text NOT NULL,
    kind text NOT NULL,
    class text NOT NULL,
    reason text NOT NULL,
    source text DEFAULT ''::text NOT NULL,
    source_id text DEFAULT ''::text NOT NULL,
    product_id text,
    user_id bigint,
    email text,
    workflow_id text,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    error text,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    repaired_at timestamp with time zone,
    email_key text,
    CONSTRAINT differences_class_check CHECK ((class = ANY (ARRAY['safe'::text, 'person'::text, 'foreign'::text]))),
    CONSTRAINT differences_state_check CHECK ((state = ANY (ARRAY['open'::text, 'chosen'::text, 'repaired'::text, 'failed'::text])))
);

ALTER TABLE differences ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME differences_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE email_changes (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    email text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    confirmed_at timestamp with time zone,
    email_key text
);

ALTER TABLE email_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME email_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE events (
    id text NOT NULL,
    seq bigint NOT NULL,
    account_id text,
    livemode boolean NOT NULL,
    type text NOT NULL,
    object_id text NOT NULL,
    thin boolean NOT NULL,
    api_version text,
    created_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone DEFAULT now() NOT NULL,
    target_kind text NOT NULL,
    target_id text NOT NULL,
    checkout_session text,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    not_before timestamp with time zone DEFAULT now() NOT NULL,
    error text,
    handled_at timestamp with time zone,
    body text,
    source text DEFAULT 'webhook'::text NOT NULL,
    failed_at timestamp with time zone,
    ignored_reason text,
    ignored_by bigint,
    relayed_at timestamp with time zone,
    requested boolean,
    cancels boolean,
    trace text,
    CONSTRAINT events_source_check CHECK ((source = ANY (ARRAY['webhook'::text, 'catch_up'::text]))),
    CONSTRAINT events_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'relayed'::text, 'handled'::text, 'ignored'::text, 'failed'::text])))
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02');

ALTER TABLE events ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME events_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE figure_cohorts (
    product_id text NOT NULL,
    cohort date NOT NULL,
    month date NOT NULL,
    people bigint NOT NULL,
    joined bigint NOT NULL
);

CREATE TABLE figure_counts (
    singleton boolean DEFAULT true NOT NULL,
    counted_at timestamp with time zone,
    took interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT figure_counts_singleton_check CHECK (singleton)
);

CREATE TABLE figure_days (
    product_id text NOT NULL,
    day date NOT NULL,
    kind text NOT NULL,
    currency text NOT NULL,
    people bigint NOT NULL,
    amount numeric NOT NULL
);

CREATE TABLE forgotten_facts (
    digest bytea NOT NULL
);

CREATE TABLE grants (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    product_id text NOT NULL,
    source text NOT NULL,
    source_id text DEFAULT ''::text NOT NULL,
    link_id bigint,
    account_id text,
    livemode boolean,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone,
    ended_at timestamp with time zone,
    end_reason text,
    cause text NOT NULL,
    reason text,
    granted_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    held boolean DEFAULT false NOT NULL,
    due_at timestamp with time zone,
    bought_at timestamp with time zone,
    CONSTRAINT grants_source_check CHECK ((source = ANY (ARRAY['subscription'::text, 'order'::text, 'manual'::text, 'collection'::text, 'product'::text])))
);

ALTER TABLE grants ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME grants_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE stripe_connection (
    singleton boolean DEFAULT true NOT NULL,
    state text DEFAULT 'disconnected'::text NOT NULL,
    account_id text,
    account_name text,
    livemode boolean,
    key_fingerprint text,
    key_encrypted bytea,
    findings jsonb DEFAULT '[]'::jsonb NOT NULL,
    error text,
    endpoint_id text,
    endpoint_url text,
    endpoint_state text DEFAULT 'missing'::text NOT NULL,
    endpoint_error text,
    secrets_encrypted bytea,
    dispatched_at timestamp with time zone,
    checked_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    endpoint_found jsonb,
    endpoint_checked_at timestamp with time zone,
    connected_at timestamp with time zone,
    country text,
    CONSTRAINT stripe_connection_endpoint_state_check CHECK ((endpoint_state = ANY (ARRAY['missing'::text, 'registered'::text, 'manual'::text, 'failed'::text]))),
    CONSTRAINT stripe_connection_singleton_check CHECK (singleton),
    CONSTRAINT stripe_connection_state_check CHECK ((state = ANY (ARRAY['disconnected'::text, 'checking'::text, 'connected'::text, 'refused'::text])))
);

CREATE TABLE subscription_items (
    subscription_id text NOT NULL,
    id text NOT NULL,
    stripe_product text NOT NULL,
    price_id text NOT NULL,
    quantity integer,
    period_end timestamp with time zone,
    period_start timestamp with time zone,
    discount bigint
)
WITH (fillfactor='70');

CREATE VIEW held_subscriptions AS
 SELECT s.id,
    s.user_id,
    s.customer_id,
    c.email_key,
    s.created_at,
    s.scheduled_end,
    l.product_id
   FROM ((((subscriptions s
     JOIN customers c ON ((c.id = s.customer_id)))
     JOIN stripe_connection k ON (((k.account_id = s.account_id) AND (k.livemode = s.livemode))))
     JOIN subscription_items i ON (((i.subscription_id = s.id) AND (COALESCE(i.quantity, 1) > 0))))
     JOIN links l ON (((l.stripe_product = i.stripe_product) AND (l.removed_at IS NULL) AND (l.account_id = s.account_id) AND (l.livemode = s.livemode))))
  WHERE ((s.ended_at IS NULL) AND (s.status = ANY (ARRAY['trialing'::text, 'active'::text, 'past_due'::text, 'unpaid'::text, 'paused'::text])) AND ((s.scheduled_end IS NULL) OR (s.scheduled_end > now())));

CREATE TABLE idempotency_keys (
    token text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    body text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE offers (
    product_id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    price_id text NOT NULL,
    error text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    "position" integer DEFAULT 0 NOT NULL,
    label text,
    featured boolean DEFAULT false NOT NULL,
    trial_days integer,
    most integer,
    billing_address boolean DEFAULT false NOT NULL,
    tax_ids boolean DEFAULT false NOT NULL,
    promotion_codes boolean DEFAULT true NOT NULL,
    automatic_tax boolean DEFAULT false NOT NULL,
    CONSTRAINT offers_most_check CHECK (((most >= 2) AND (most <= 9999))),
    CONSTRAINT offers_trial_days_check CHECK (((trial_days >= 1) AND (trial_days <= 730)))
);

CREATE TABLE prices (
    id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    stripe_product text NOT NULL,
    active boolean NOT NULL,
    type text NOT NULL,
    currency text NOT NULL,
    unit_amount bigint,
    "interval" text,
    interval_count integer,
    nickname text,
    created_at timestamp with time zone NOT NULL,
    ticket bigint NOT NULL
);

CREATE TABLE stripe_products (
    id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    name text NOT NULL,
    description text,
    image_url text,
    active boolean NOT NULL,
    deleted boolean DEFAULT false NOT NULL,
    active_subscriptions integer DEFAULT 0 NOT NULL,
    counted_at timestamp with time zone,
    created_at timestamp with time zone NOT NULL,
    ticket bigint NOT NULL,
    read_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE VIEW offer_states AS
 SELECT o.product_id,
    o.price_id,
    o.error,
    o.created_at,
        CASE
            WHEN s.deleted THEN 'product_deleted'::text
            WHEN (NOT s.active) THEN 'product_archived'::text
            WHEN (r.active IS NOT TRUE) THEN 'price_archived'::text
            ELSE NULL::text
        END AS obstacle,
    o."position",
    o.label,
    o.featured,
    o.trial_days,
    o.most,
    o.billing_address,
    o.tax_ids,
    o.promotion_codes,
    o.automatic_tax
   FROM (((offers o
     JOIN stripe_connection c ON (((c.account_id = o.account_id) AND (c.livemode = o.livemode))))
     LEFT JOIN prices r ON ((r.id = o.price_id)))
     LEFT JOIN stripe_products s ON ((s.id = r.stripe_product)));

CREATE TABLE payment_links (
    id bigint NOT NULL,
    product_id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    price_id text NOT NULL,
    wanted boolean DEFAULT true NOT NULL,
    stripe_id text,
    url text,
    active boolean DEFAULT false NOT NULL,
    promotion_codes boolean DEFAULT false NOT NULL,
    error text,
    settled boolean DEFAULT false NOT NULL,
    told_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    retired_at timestamp with time zone,
    ticket bigint DEFAULT 0 NOT NULL,
    spent boolean DEFAULT false NOT NULL
);

CREATE VIEW payment_link_states AS
 SELECT k.id,
    k.product_id,
    k.wanted,
    (k.active AND (o.obstacle IS NULL)) AS open,
    o.obstacle
   FROM ((((payment_links k
     JOIN stripe_connection c ON (((c.account_id = k.account_id) AND (c.livemode = k.livemode))))
     LEFT JOIN prices r ON ((r.id = k.price_id)))
     LEFT JOIN stripe_products s ON ((s.id = r.stripe_product)))
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN s.deleted THEN 'product_deleted'::text
                    WHEN (NOT s.active) THEN 'product_archived'::text
                    WHEN (NOT r.active) THEN 'price_archived'::text
                    WHEN (k.wanted AND k.settled AND (NOT k.active)) THEN
                    CASE
                        WHEN (k.error IS NOT NULL) THEN 'link_refused'::text
                        WHEN k.spent THEN 'link_spent'::text
                        ELSE 'link_off'::text
                    END
                    ELSE NULL::text
                END AS obstacle) o);

CREATE TABLE products (
    id text NOT NULL,
    slug text NOT NULL,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    image_url text,
    status text DEFAULT 'draft'::text NOT NULL,
    access_mode text DEFAULT 'assigned'::text NOT NULL,
    access_mail boolean DEFAULT true NOT NULL,
    content text DEFAULT ''::text NOT NULL,
    content_url text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    policy_overrides jsonb DEFAULT '{}'::jsonb NOT NULL,
    purchase_method text DEFAULT 'none'::text NOT NULL,
    checkout_target text DEFAULT 'stripe'::text NOT NULL,
    external_url text,
    promotion_codes boolean DEFAULT false NOT NULL,
    show_locked boolean DEFAULT true NOT NULL,
    sale_asked_at timestamp with time zone DEFAULT now() NOT NULL,
    sale_read_at timestamp with time zone DEFAULT now() NOT NULL,
    one_trial boolean DEFAULT true NOT NULL,
    opens_collection text,
    CONSTRAINT products_access_mode_check CHECK ((access_mode = ANY (ARRAY['assigned'::text, 'signed_in'::text, 'public'::text]))),
    CONSTRAINT products_checkout_target_check CHECK ((checkout_target = ANY (ARRAY['stripe'::text, 'payment_link'::text, 'external'::text]))),
    CONSTRAINT products_purchase_method_check CHECK ((purchase_method = ANY (ARRAY['none'::text, 'sales_page'::text, 'checkout'::text]))),
    CONSTRAINT products_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'live'::text])))
);

CREATE VIEW interrupted_sales AS
 SELECT p.id AS product_id,
    n.obstacle
   FROM (products p
     JOIN payment_link_states n ON (((n.product_id = p.id) AND n.wanted AND (n.obstacle IS NOT NULL))))
  WHERE ((p.purchase_method <> 'none'::text) AND (p.checkout_target = 'payment_link'::text) AND (NOT (EXISTS ( SELECT
           FROM payment_link_states o
          WHERE ((o.product_id = p.id) AND o.open)))))
UNION ALL
 SELECT p.id AS product_id,
    min(n.obstacle) AS obstacle
   FROM (products p
     JOIN offer_states n ON ((n.product_id = p.id)))
  WHERE ((p.purchase_method <> 'none'::text) AND (p.checkout_target = 'stripe'::text))
  GROUP BY p.id
 HAVING (count(n.obstacle) = count(*));

CREATE TABLE lesson_file_parts (
    file_id text NOT NULL,
    part integer NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY lesson_file_parts ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE lesson_files (
    id text NOT NULL,
    lesson_id text NOT NULL,
    name text NOT NULL,
    size bigint NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE lesson_marks (
    user_id bigint NOT NULL,
    lesson_id text NOT NULL,
    done_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE lessons (
    id text NOT NULL,
    product_id text NOT NULL,
    "position" integer NOT NULL,
    title text NOT NULL,
    body text DEFAULT ''::text NOT NULL,
    video_url text,
    released_after_days integer DEFAULT 0 NOT NULL,
    status text DEFAULT 'draft'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT lessons_released_after_days_check CHECK (((released_after_days >= 0) AND (released_after_days <= 3650))),
    CONSTRAINT lessons_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'live'::text])))
);

ALTER TABLE links ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME links_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW live_grants AS
 SELECT id,
    user_id,
    product_id,
    source,
    source_id,
    link_id,
    account_id,
    livemode,
    since,
    until,
    ended_at,
    end_reason,
    cause,
    reason,
    granted_by,
    created_at,
    held,
    due_at
   FROM grants
  WHERE ((ended_at IS NULL) AND ((until IS NULL) OR (until > now())));

CREATE VIEW live_holders AS
 SELECT id,
    collection_id,
    user_id,
    since,
    until,
    ended_at,
    reason,
    granted_by
   FROM collection_holders
  WHERE ((ended_at IS NULL) AND ((until IS NULL) OR (until > now())));

CREATE TABLE mail_server (
    singleton boolean DEFAULT true NOT NULL,
    host text,
    port integer,
    security text,
    username text,
    password_encrypted bytea,
    tested_server text,
    tested_at timestamp with time zone,
    CONSTRAINT mail_server_check CHECK ((((host IS NULL) = (port IS NULL)) AND ((host IS NULL) = (security IS NULL)))),
    CONSTRAINT mail_server_port_check CHECK (((port >= 1) AND (port <= 65535))),
    CONSTRAINT mail_server_security_check CHECK ((security = ANY (ARRAY['tls'::text, 'starttls'::text, 'opportunistic'::text]))),
    CONSTRAINT mail_server_singleton_check CHECK (singleton)
);

CREATE TABLE mail_texts (
    variant text NOT NULL,
    language text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE mails (
    id bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    user_id bigint,
    product_id text,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    error text,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    claimed_at timestamp with time zone,
    sent_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    to_email text,
    pace text DEFAULT 'now'::text NOT NULL,
    issue integer DEFAULT 0 NOT NULL,
    issued_at timestamp with time zone DEFAULT now() NOT NULL,
    to_email_key text,
    CONSTRAINT mails_pace_check CHECK ((pace = ANY (ARRAY['now'::text, 'spread'::text]))),
    CONSTRAINT mails_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sending'::text, 'sent'::text, 'failed'::text, 'suppressed'::text])))
);

ALTER TABLE mails ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME mails_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE matches (
    id bigint NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    user_id bigint,
    other_id bigint,
    customer_id text,
    source text,
    source_id text,
    email text,
    state text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_at timestamp with time zone,
    decided_by bigint,
    email_key text,
    CONSTRAINT matches_state_check CHECK ((state = ANY (ARRAY['open'::text, 'accepted'::text, 'dismissed'::text, 'settled'::text])))
);

ALTER TABLE matches ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME matches_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE member_import_lines (
    import_id text NOT NULL,
    line integer NOT NULL,
    cells text[] NOT NULL,
    email text,
    email_key text,
    product_id text,
    until timestamp with time zone,
    outcome text,
    problem_column text,
    problem text,
    stripe_match text,
    is_new boolean,
    grant_id bigint,
    labels text[],
    undone_labels text[],
    undo text,
    account text,
    former_until timestamp with time zone,
    former_reason text
);

CREATE TABLE member_imports (
    id text NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    file_name text NOT NULL,
    encoding text NOT NULL,
    delimiter text NOT NULL,
    heading text[] NOT NULL,
    lines integer NOT NULL,
    columns text[] NOT NULL,
    dates text DEFAULT 'unknown'::text NOT NULL,
    plans jsonb DEFAULT '{}'::jsonb NOT NULL,
    statuses jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text DEFAULT 'columns'::text NOT NULL,
    run integer DEFAULT 0 NOT NULL,
    "position" integer DEFAULT 0 NOT NULL,
    worked integer DEFAULT 0 NOT NULL,
    figures jsonb,
    mails integer,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    mailed_at timestamp with time zone,
    forgotten_at timestamp with time zone,
    undo_accounts boolean DEFAULT false NOT NULL,
    undone_by bigint,
    undo_started_at timestamp with time zone,
    undone_at timestamp with time zone,
    undo_figures jsonb,
    CONSTRAINT member_imports_state_check CHECK ((state = ANY (ARRAY['columns'::text, 'plans'::text, 'checking'::text, 'ready'::text, 'running'::text, 'done'::text, 'mailing'::text, 'undoing'::text, 'deleting'::text, 'undone'::text])))
);

CREATE TABLE merge_requests (
    id bigint NOT NULL,
    match_id bigint,
    into_user bigint NOT NULL,
    other_user bigint NOT NULL,
    into_epoch integer NOT NULL,
    other_epoch integer NOT NULL,
    into_agreed_at timestamp with time zone,
    other_agreed_at timestamp with time zone,
    reason text,
    asked_by bigint,
    state text DEFAULT 'open'::text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    decided_at timestamp with time zone,
    CONSTRAINT merge_requests_state_check CHECK ((state = ANY (ARRAY['open'::text, 'merged'::text, 'declined'::text, 'replaced'::text])))
);

ALTER TABLE merge_requests ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME merge_requests_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE orders (
    id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    customer_id text,
    user_id bigint,
    state text NOT NULL,
    payment_intent text,
    invoice text,
    subscription_id text,
    currency text,
    amount bigint DEFAULT 0 NOT NULL,
    amount_refunded bigint DEFAULT 0 NOT NULL,
    disputed boolean DEFAULT false NOT NULL,
    dispute_status text,
    created_at timestamp with time zone NOT NULL,
    paid_at timestamp with time zone,
    ticket bigint NOT NULL,
    read_at timestamp with time zone DEFAULT now() NOT NULL,
    email text,
    name text,
    charged bigint DEFAULT 0 NOT NULL,
    refunded boolean DEFAULT false NOT NULL,
    money_changes integer DEFAULT 0 NOT NULL,
    compared_at timestamp with time zone,
    email_key text,
    credited_before bigint DEFAULT 0 NOT NULL,
    credited_after bigint DEFAULT 0 NOT NULL,
    written_off boolean DEFAULT false NOT NULL,
    money_state text GENERATED ALWAYS AS (
CASE
    WHEN ((state = 'paid'::text) AND (dispute_status = 'lost'::text)) THEN 'dispute_lost'::text
    WHEN ((state = 'paid'::text) AND disputed AND (dispute_status = ANY (ARRAY['needs_response'::text, 'under_review'::text, 'warning_needs_response'::text, 'warning_under_review'::text, 'appeal_needs_response'::text, 'appeal_under_review'::text]))) THEN 'disputed'::text
    WHEN ((state = 'paid'::text) AND (refunded OR ((0 < charged) AND (charged <= amount_refunded)))) THEN 'refunded'::text
    WHEN ((0 < amount) AND ((0)::numeric < ((credited_before)::numeric + (credited_after)::numeric)) AND ((amount)::numeric <= (((credited_before)::numeric + (credited_after)::numeric) + (amount_refunded)::numeric))) THEN 'credited'::text
    WHEN ((state = 'paid'::text) AND (0 < amount_refunded)) THEN 'partly_refunded'::text
    WHEN ((state = 'paid'::text) AND (0 < credited_after)) THEN 'partly_credited'::text
    WHEN (state = 'paid'::text) THEN 'paid'::text
    WHEN written_off THEN 'written_off'::text
    WHEN (state = ANY (ARRAY['pending'::text, 'failed'::text])) THEN state
    ELSE 'open'::text
END) STORED NOT NULL,
    dispute_amount bigint,
    dispute_currency text
);

CREATE VIEW money_at_risk AS
 SELECT s.id,
        CASE
            WHEN g.open THEN 'grace'::text
            ELSE 'past_due'::text
        END AS kind,
    COALESCE(s.past_due_since, s.read_at) AS at,
    g.until AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    NULL::bigint AS amount,
    NULL::text AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent
   FROM (subscriptions s
     CROSS JOIN LATERAL ( SELECT (count(*) > 0) AS open,
                CASE
                    WHEN (count(*) = count(live_grants.until)) THEN max(live_grants.until)
                    ELSE NULL::timestamp with time zone
                END AS until
           FROM live_grants
          WHERE ((live_grants.source = 'subscription'::text) AND (live_grants.source_id = s.id))) g)
  WHERE (s.phase = 'payment_problem'::text)
UNION ALL
 SELECT s.id,
    'ending'::text AS kind,
    COALESCE(s.canceled_at, s.read_at) AS at,
    s.scheduled_end AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    NULL::bigint AS amount,
    NULL::text AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent
   FROM subscriptions s
  WHERE (s.phase = 'ending'::text)
UNION ALL
 SELECT o.id,
    'disputed'::text AS kind,
    COALESCE(( SELECT max(a.at) AS max
           FROM activities a
          WHERE ((a.source_id = o.id) AND (a.type = 'disputed'::text))), o.created_at) AS at,
    NULL::timestamp with time zone AS ends_at,
    o.livemode,
    o.user_id,
    o.customer_id,
    NULL::text AS subscription_id,
    o.id AS order_id,
    (LEAST(((o.charged)::numeric - (o.amount_refunded)::numeric), (o.charged)::numeric))::bigint AS amount,
    o.currency,
    o.email,
    o.name,
    o.payment_intent
   FROM orders o
  WHERE (o.money_state = 'disputed'::text)
UNION ALL
 SELECT b.id,
    'disputed'::text AS kind,
    COALESCE(( SELECT max(a.at) AS max
           FROM activities a
          WHERE ((a.source_id = s.id) AND (a.type = 'disputed'::text))), s.created_at) AS at,
    NULL::timestamp with time zone AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    NULL::bigint AS amount,
    NULL::text AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent
   FROM (bills b
     JOIN subscriptions s ON ((s.id = b.subscription_id)))
  WHERE (b.dispute_status = ANY (ARRAY['needs_response'::text, 'under_review'::text, 'warning_needs_response'::text, 'warning_under_review'::text, 'appeal_needs_response'::text, 'appeal_under_review'::text]));

CREATE TABLE oauth_authorizations (
    id bigint NOT NULL,
    client_id text NOT NULL,
    user_id bigint NOT NULL,
    session_id bigint NOT NULL,
    sid uuid NOT NULL,
    scopes text[] NOT NULL,
    redirect_uri text NOT NULL,
    nonce text,
    code_challenge text,
    auth_time timestamp with time zone NOT NULL,
    via text NOT NULL,
    second_factor text,
    code_hash bytea NOT NULL,
    code_expires_at timestamp with time zone NOT NULL,
    code_used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    ended_at timestamp with time zone,
    check_at timestamp with time zone DEFAULT (now() + '1 day'::interval) NOT NULL
);

ALTER TABLE oauth_authorizations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME oauth_authorizations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE oauth_client_secrets (
    id bigint NOT NULL,
    client_id text NOT NULL,
    secret_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone
);

ALTER TABLE oauth_client_secrets ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME oauth_client_secrets_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE oauth_clients (
    id text NOT NULL,
    name text NOT NULL,
    confidential boolean NOT NULL,
    first_party boolean NOT NULL,
    pkce boolean NOT NULL,
    redirect_uris text[] NOT NULL,
    post_logout_redirect_uris text[] NOT NULL,
    backchannel_logout_uri text,
    scopes text[] NOT NULL,
    product_required boolean NOT NULL,
    product_id text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE oauth_consents (
    client_id text NOT NULL,
    user_id bigint NOT NULL,
    scopes text[] NOT NULL,
    given_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE oauth_logouts (
    id bigint NOT NULL,
    client_id text NOT NULL,
    subject text NOT NULL,
    sid uuid NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    due_at timestamp with time zone DEFAULT now(),
    attempts integer DEFAULT 0 NOT NULL,
    error text
);

ALTER TABLE oauth_logouts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME oauth_logouts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE oauth_requests (
    id text NOT NULL,
    client_id text NOT NULL,
    parameters jsonb NOT NULL,
    chosen_by bigint,
    agreed_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE oauth_tokens (
    token_hash bytea NOT NULL,
    authorization_id bigint NOT NULL,
    kind text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT oauth_tokens_kind_check CHECK ((kind = ANY (ARRAY['access'::text, 'refresh'::text])))
);

CREATE TABLE order_lines (
    order_id text NOT NULL,
    id text NOT NULL,
    stripe_product text NOT NULL,
    price_id text NOT NULL,
    quantity integer,
    amount bigint DEFAULT 0 NOT NULL
);

CREATE TABLE other_payers (
    source_id text NOT NULL,
    user_id bigint NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    claim_id bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    proven_at timestamp with time zone
);

CREATE TABLE page_texts (
    place text NOT NULL,
    language text NOT NULL,
    heading text NOT NULL,
    body text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE passed_over (
    id text NOT NULL,
    ticket bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE UNLOGGED TABLE passkey_challenges (
    challenge bytea NOT NULL,
    browser bytea NOT NULL,
    user_id bigint,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE passkeys (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_used_at timestamp with time zone
);

ALTER TABLE passkeys ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME passkeys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE past_spans (
    subscription_id text NOT NULL,
    item_id text NOT NULL,
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    customer_id text NOT NULL,
    stripe_product text NOT NULL,
    price_id text NOT NULL,
    quantity integer NOT NULL,
    discount bigint,
    trial boolean NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE payment_links ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME payment_links_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW payments_at_risk AS
 SELECT s.id,
        CASE
            WHEN g.open THEN 'grace'::text
            ELSE 'past_due'::text
        END AS kind,
    COALESCE(s.past_due_since, s.read_at) AS at,
    g.until AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    s.open_amount AS amount,
    s.open_currency AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent,
    s.card_brand,
    s.card_last4,
    s.card_expires
   FROM (subscriptions s
     CROSS JOIN LATERAL ( SELECT (count(*) > 0) AS open,
                CASE
                    WHEN (count(*) = count(live_grants.until)) THEN max(live_grants.until)
                    ELSE NULL::timestamp with time zone
                END AS until
           FROM live_grants
          WHERE ((live_grants.source = 'subscription'::text) AND (live_grants.source_id = s.id))) g)
  WHERE (s.phase = 'payment_problem'::text)
UNION ALL
 SELECT s.id,
    'card'::text AS kind,
    GREATEST(i.began, (s.period_end - '45 days'::interval)) AS at,
    s.period_end AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    NULL::bigint AS amount,
    NULL::text AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent,
    s.card_brand,
    s.card_last4,
    s.card_expires
   FROM (subscriptions s
     CROSS JOIN LATERAL ( SELECT max(subscription_items.period_start) AS began
           FROM subscription_items
          WHERE (subscription_items.subscription_id = s.id)) i)
  WHERE ((s.phase = ANY (ARRAY['active'::text, 'trialing'::text])) AND (s.card_expires <= s.period_end) AND (s.period_end > now()) AND (s.period_end <= (now() + '45 days'::interval)) AND ((i.began IS NULL) OR (s.card_expires > i.began)))
UNION ALL
 SELECT s.id,
    'ending'::text AS kind,
    COALESCE(s.canceled_at, s.read_at) AS at,
    s.scheduled_end AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    NULL::bigint AS amount,
    NULL::text AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent,
    s.card_brand,
    s.card_last4,
    s.card_expires
   FROM subscriptions s
  WHERE (s.phase = 'ending'::text)
UNION ALL
 SELECT o.id,
    'disputed'::text AS kind,
    COALESCE(( SELECT max(a.at) AS max
           FROM activities a
          WHERE ((a.source_id = o.id) AND (a.type = 'disputed'::text))), o.created_at) AS at,
    NULL::timestamp with time zone AS ends_at,
    o.livemode,
    o.user_id,
    o.customer_id,
    NULL::text AS subscription_id,
    o.id AS order_id,
    COALESCE(o.dispute_amount, (LEAST(((o.charged)::numeric - (o.amount_refunded)::numeric), (o.charged)::numeric))::bigint) AS amount,
    COALESCE(o.dispute_currency, o.currency) AS currency,
    o.email,
    o.name,
    o.payment_intent,
    NULL::text AS card_brand,
    NULL::text AS card_last4,
    NULL::timestamp with time zone AS card_expires
   FROM orders o
  WHERE (o.money_state = 'disputed'::text)
UNION ALL
 SELECT b.id,
    'disputed'::text AS kind,
    COALESCE(( SELECT max(a.at) AS max
           FROM activities a
          WHERE ((a.source_id = s.id) AND (a.type = 'disputed'::text))), s.created_at) AS at,
    NULL::timestamp with time zone AS ends_at,
    s.livemode,
    s.user_id,
    s.customer_id,
    s.id AS subscription_id,
    NULL::text AS order_id,
    b.dispute_amount AS amount,
    b.dispute_currency AS currency,
    NULL::text AS email,
    NULL::text AS name,
    NULL::text AS payment_intent,
    s.card_brand,
    s.card_last4,
    s.card_expires
   FROM (bills b
     JOIN subscriptions s ON ((s.id = b.subscription_id)))
  WHERE (b.dispute_status = ANY (ARRAY['needs_response'::text, 'under_review'::text, 'warning_needs_response'::text, 'warning_under_review'::text, 'appeal_needs_response'::text, 'appeal_under_review'::text]));

CREATE TABLE picture_files (
    digest text NOT NULL,
    name text NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT picture_files_name_check CHECK ((name ~ '^[0-9]{1,4}[.](webp|png)$'::text))
);
ALTER TABLE ONLY picture_files ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE pictures (
    digest text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT pictures_digest_check CHECK ((digest ~ '^[0-9a-f]{64}$'::text))
);

CREATE TABLE policy_changes (
    id bigint NOT NULL,
    product_id text,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    checked integer DEFAULT 0 NOT NULL,
    granted integer DEFAULT 0 NOT NULL,
    ended integer DEFAULT 0 NOT NULL,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT policy_changes_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'applying'::text, 'done'::text])))
);

ALTER TABLE policy_changes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME policy_changes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE portal_configurations (
    account_id text NOT NULL,
    livemode boolean NOT NULL,
    stripe_id text NOT NULL,
    fingerprint text NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE preview_records (
    preview_id text NOT NULL,
    source_id text NOT NULL,
    customer_id text,
    email text,
    name text,
    outcome text NOT NULL,
    reason text NOT NULL,
    invoice text,
    email_key text
);

CREATE TABLE previews (
    id text NOT NULL,
    product_id text NOT NULL,
    stripe_product text NOT NULL,
    state text DEFAULT 'running'::text NOT NULL,
    error text,
    dispatched_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT previews_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE processes (
    id text NOT NULL,
    kind text NOT NULL,
    release text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL,
    stuck text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT processes_kind_check CHECK ((kind = ANY (ARRAY['web'::text, 'worker'::text])))
);

CREATE TABLE product_categories (
    product_id text NOT NULL,
    category_id bigint NOT NULL
);

CREATE TABLE protected_site_products (
    site_id bigint NOT NULL,
    product_id text NOT NULL
);

CREATE TABLE protected_sites (
    id bigint NOT NULL,
    origin text NOT NULL,
    without_access text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    asked_at timestamp with time zone,
    CONSTRAINT protected_sites_without_access_check CHECK ((without_access = ANY (ARRAY['buy'::text, 'refuse'::text])))
);

ALTER TABLE protected_sites ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME protected_sites_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE SEQUENCE reading_tickets
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE reconciliation_seen (
    reconciliation_id text NOT NULL,
    id text NOT NULL
);

CREATE TABLE reconciliations (
    id text NOT NULL,
    product_id text,
    repair boolean NOT NULL,
    cause text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    progress jsonb DEFAULT '{}'::jsonb NOT NULL,
    error text,
    requested_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    compared_at timestamp with time zone,
    finished_at timestamp with time zone,
    dispatched_at timestamp with time zone,
    CONSTRAINT reconciliations_cause_check CHECK ((cause = ANY (ARRAY['admin'::text, 'api'::text, 'schedule'::text, 'catch_up'::text]))),
    CONSTRAINT reconciliations_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'done'::text, 'failed'::text])))
);

CREATE TABLE recovery_codes (
    user_id bigint NOT NULL,
    code_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    used_at timestamp with time zone
);

CREATE TABLE recurring_spans (
    id bigint NOT NULL,
    subscription_id text NOT NULL,
    item_id text NOT NULL,
    stripe_product text NOT NULL,
    price_id text NOT NULL,
    quantity integer NOT NULL,
    trial boolean NOT NULL,
    since timestamp with time zone NOT NULL,
    until timestamp with time zone,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    imported boolean DEFAULT false NOT NULL,
    discount bigint
);

ALTER TABLE recurring_spans ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME recurring_spans_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE VIEW refused_sales AS
 SELECT p.id AS product_id,
    o.price_id,
    o.error
   FROM (products p
     JOIN offer_states o ON ((o.product_id = p.id)))
  WHERE ((p.purchase_method <> 'none'::text) AND (p.checkout_target = 'stripe'::text) AND (o.obstacle IS NULL) AND (o.error IS NOT NULL));

CREATE TABLE sales_pages (
    product_id text NOT NULL,
    status text DEFAULT 'draft'::text NOT NULL,
    headline text DEFAULT ''::text NOT NULL,
    body text DEFAULT ''::text NOT NULL,
    image_url text,
    price_line text DEFAULT ''::text NOT NULL,
    button text DEFAULT ''::text NOT NULL,
    edition integer DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    blocks jsonb,
    CONSTRAINT sales_pages_blocks_check CHECK ((jsonb_typeof(blocks) = 'array'::text)),
    CONSTRAINT sales_pages_status_check CHECK ((status = ANY (ARRAY['draft'::text, 'live'::text])))
);

CREATE TABLE schema_migrations (
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL,
    oldest_release text
);

CREATE TABLE second_subscriptions (
    subscription_id text NOT NULL,
    product_id text NOT NULL,
    noticed_at timestamp with time zone DEFAULT now() NOT NULL,
    allowed_at timestamp with time zone
);

CREATE TABLE sent_events (
    type text NOT NULL,
    event_id text NOT NULL,
    created_at timestamp with time zone NOT NULL
);

CREATE TABLE sessions (
    token_hash bytea NOT NULL,
    user_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    id bigint NOT NULL,
    via text DEFAULT 'password'::text NOT NULL,
    ip text,
    agent text,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL,
    acting_as bigint,
    acting_until timestamp with time zone,
    secret_fingerprint bytea,
    authenticated_at timestamp with time zone DEFAULT now() NOT NULL,
    second_factor text,
    sid uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT sessions_second_factor_check CHECK ((second_factor = ANY (ARRAY['app'::text, 'recovery_code'::text, 'passkey'::text]))),
    CONSTRAINT sessions_via_check CHECK ((via = ANY (ARRAY['password'::text, 'link'::text, 'admin'::text, 'passkey'::text, 'app'::text, 'recovery_code'::text])))
);

ALTER TABLE sessions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME sessions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE signing_keys (
    id text NOT NULL,
    public_jwk jsonb NOT NULL,
    private_jwk bytea NOT NULL,
    signs_from timestamp with time zone NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE site_entries (
    id text NOT NULL,
    site_id bigint NOT NULL,
    product_id text,
    target text NOT NULL,
    browser_hash bytea NOT NULL,
    session_id bigint,
    ticket_hash bytea,
    ticket_expires_at timestamp with time zone,
    used_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);

CREATE TABLE site_settings (
    key text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE stripe_rate (
    only_row boolean DEFAULT true NOT NULL,
    level double precision DEFAULT 0 NOT NULL,
    refilled_at timestamp with time zone DEFAULT now() NOT NULL,
    factor double precision DEFAULT 1 NOT NULL,
    limited_at timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    paused_until timestamp with time zone DEFAULT '1970-01-01 00:00:00+00'::timestamp with time zone NOT NULL,
    CONSTRAINT stripe_rate_only_row_check CHECK (only_row)
)
WITH (fillfactor='10');

CREATE VIEW subscription_pairs AS
 SELECT h.id,
    h.product_id,
    h.user_id,
    h.created_at,
    h.scheduled_end,
    o.id AS other_id,
    o.user_id AS other_user_id,
    o.created_at AS other_created_at,
    o.scheduled_end AS other_scheduled_end,
    (ROW(o.created_at, o.id) < ROW(h.created_at, h.id)) AS second
   FROM (held_subscriptions h
     CROSS JOIN LATERAL ( SELECT t.id,
            t.user_id,
            t.customer_id,
            t.email_key,
            t.created_at,
            t.scheduled_end,
            t.product_id
           FROM held_subscriptions t
          WHERE (t.user_id = h.user_id)
        UNION ALL
         SELECT t.id,
            t.user_id,
            t.customer_id,
            t.email_key,
            t.created_at,
            t.scheduled_end,
            t.product_id
           FROM held_subscriptions t
          WHERE ((t.customer_id = h.customer_id) AND ((t.user_id IS NULL) OR (h.user_id IS NULL)))
        UNION ALL
         SELECT t.id,
            t.user_id,
            t.customer_id,
            t.email_key,
            t.created_at,
            t.scheduled_end,
            t.product_id
           FROM held_subscriptions t
          WHERE ((t.email_key = h.email_key) AND (t.customer_id <> h.customer_id) AND ((t.user_id IS NULL) OR (h.user_id IS NULL)))) o)
  WHERE ((o.product_id = h.product_id) AND (o.id <> h.id));

CREATE UNLOGGED TABLE tries (
    who bytea NOT NULL,
    window_ends timestamp with time zone NOT NULL,
    count integer DEFAULT 1 NOT NULL
);

CREATE VIEW unsettled_second_subscriptions AS
 SELECT n.subscription_id,
    n.product_id,
    n.noticed_at,
    e.other_id AS earlier_id
   FROM (second_subscriptions n
     CROSS JOIN LATERAL ( SELECT subscription_pairs.other_id
           FROM subscription_pairs
          WHERE ((subscription_pairs.id = n.subscription_id) AND (subscription_pairs.product_id = n.product_id) AND subscription_pairs.second AND (subscription_pairs.scheduled_end IS NULL) AND (subscription_pairs.other_scheduled_end IS NULL))
          ORDER BY subscription_pairs.other_created_at, subscription_pairs.other_id
         LIMIT 1) e)
  WHERE (n.allowed_at IS NULL);

CREATE TABLE unsubscribed_addresses (
    digest bytea NOT NULL,
    kind text NOT NULL,
    unsubscribed_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE used_links (
    nonce text NOT NULL,
    used_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE user_addresses (
    email_key text NOT NULL,
    email text NOT NULL,
    user_id bigint NOT NULL,
    source text NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    proven_at timestamp with time zone,
    CONSTRAINT user_addresses_source_check CHECK ((source = ANY (ARRAY['claim'::text, 'merge'::text, 'admin'::text])))
);

CREATE TABLE user_imports (
    id text NOT NULL,
    created_by bigint,
    rows jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE user_labels (
    user_id bigint NOT NULL,
    label text NOT NULL,
    added_at timestamp with time zone DEFAULT now() NOT NULL,
    import_id text,
    import_line integer,
    CONSTRAINT user_labels_label_check CHECK (((length(label) >= 1) AND (length(label) <= 40)))
);

CREATE TABLE user_merges (
    from_user bigint NOT NULL,
    into_user bigint NOT NULL,
    email text NOT NULL,
    reason text,
    kept jsonb NOT NULL,
    merged_by bigint,
    merged_at timestamp with time zone DEFAULT now() NOT NULL,
    email_key text
);

CREATE TABLE user_notes (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    author_id bigint,
    text text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE user_notes ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME user_notes_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE users (
    id bigint NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    name text,
    role text DEFAULT 'member'::text NOT NULL,
    password_hash text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone,
    mails_off text[] DEFAULT '{}'::text[] NOT NULL,
    erased_at timestamp with time zone,
    link_epoch integer DEFAULT 0 NOT NULL,
    proven_at timestamp with time zone,
    mails_on text[] DEFAULT '{}'::text[] NOT NULL,
    locale text,
    CONSTRAINT users_locale_check CHECK (((char_length(locale) >= 2) AND (char_length(locale) <= 20))),
    CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['member'::text, 'support'::text, 'admin'::text, 'owner'::text])))
);

ALTER TABLE users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE wakeups (
    kind text NOT NULL,
    ref text NOT NULL,
    seq bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE wakeups ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME wakeups_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_attempts (
    id bigint NOT NULL,
    delivery_id bigint NOT NULL,
    user_id bigint,
    at timestamp with time zone DEFAULT now() NOT NULL,
    request text,
    status integer,
    answer text,
    error text,
    milliseconds integer NOT NULL
);

ALTER TABLE webhook_attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_deliveries (
    id bigint NOT NULL,
    endpoint_id text NOT NULL,
    event_id bigint NOT NULL,
    user_id bigint,
    bulk boolean DEFAULT false NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    first_tried_at timestamp with time zone,
    due_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    done_at timestamp with time zone,
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text, 'dropped'::text])))
);

ALTER TABLE webhook_deliveries ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_deliveries_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_endpoints (
    id text NOT NULL,
    format text NOT NULL,
    url bytea,
    host text DEFAULT ''::text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    types text[] DEFAULT '{}'::text[] NOT NULL,
    secret bytea,
    earlier_secret bytea,
    earlier_until timestamp with time zone,
    created_by bigint,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    paused_at timestamp with time zone,
    off_at timestamp with time zone,
    off_reason text,
    failing_since timestamp with time zone,
    failures integer DEFAULT 0 NOT NULL,
    rests_until timestamp with time zone,
    delivered_at timestamp with time zone,
    every text DEFAULT 'day'::text NOT NULL,
    digested_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT webhook_endpoints_every_check CHECK ((every = ANY (ARRAY['hour'::text, 'day'::text]))),
    CONSTRAINT webhook_endpoints_format_check CHECK ((format = ANY (ARRAY['json'::text, 'slack'::text, 'discord'::text, 'digest'::text, 'discord_roles'::text, 'slack_channels'::text])))
);

CREATE TABLE webhook_events (
    id bigint NOT NULL,
    message_id text NOT NULL,
    type text NOT NULL,
    at timestamp with time zone NOT NULL,
    user_id bigint,
    product_id text,
    data jsonb DEFAULT '{}'::jsonb NOT NULL,
    bulk boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE webhook_events ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_facts (
    id bigint NOT NULL,
    tx bigint DEFAULT ((pg_current_xact_id())::text)::bigint NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    kind text NOT NULL,
    user_id bigint,
    product_id text,
    source text,
    source_id text,
    cause text,
    grant_id bigint,
    was boolean,
    is_now boolean,
    until_was timestamp with time zone,
    until_now timestamp with time zone,
    data jsonb DEFAULT '{}'::jsonb NOT NULL
);

ALTER TABLE webhook_facts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhook_facts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE webhook_refusals (
    code text NOT NULL,
    hour timestamp with time zone NOT NULL,
    count bigint NOT NULL,
    last_at timestamp with time zone NOT NULL
);

ALTER TABLE ONLY abandoned_checkouts
    ADD CONSTRAINT abandoned_checkouts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY abandoned_checkouts
    ADD CONSTRAINT abandoned_checkouts_session_id_key UNIQUE (session_id);

ALTER TABLE ONLY activities
    ADD CONSTRAINT activities_fact_key UNIQUE (fact);

ALTER TABLE ONLY activities
    ADD CONSTRAINT activities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY address_proofs
    ADD CONSTRAINT address_proofs_pkey PRIMARY KEY (proof);

ALTER TABLE ONLY api_tokens
    ADD CONSTRAINT api_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY api_tokens
    ADD CONSTRAINT api_tokens_token_hash_key UNIQUE (token_hash);

ALTER TABLE ONLY audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY authenticator_apps
    ADD CONSTRAINT authenticator_apps_pkey PRIMARY KEY (user_id);

ALTER TABLE ONLY bills
    ADD CONSTRAINT bills_pkey PRIMARY KEY (id);

ALTER TABLE ONLY catch_up
    ADD CONSTRAINT catch_up_pkey PRIMARY KEY (account_id, livemode, part);

ALTER TABLE ONLY categories
    ADD CONSTRAINT categories_pkey PRIMARY KEY (id);

ALTER TABLE ONLY checkout_attempts
    ADD CONSTRAINT checkout_attempts_key_key UNIQUE (key);

ALTER TABLE ONLY checkout_attempts
    ADD CONSTRAINT checkout_attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY chores
    ADD CONSTRAINT chores_pkey PRIMARY KEY (name);

ALTER TABLE ONLY claims
    ADD CONSTRAINT claims_pkey PRIMARY KEY (id);

ALTER TABLE ONLY collection_holders
    ADD CONSTRAINT collection_holders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY collection_products
    ADD CONSTRAINT collection_products_pkey PRIMARY KEY (collection_id, product_id);

ALTER TABLE ONLY collections
    ADD CONSTRAINT collections_pkey PRIMARY KEY (id);

ALTER TABLE ONLY communities
    ADD CONSTRAINT communities_pkey PRIMARY KEY (endpoint_id);

ALTER TABLE ONLY community_accounts
    ADD CONSTRAINT community_accounts_endpoint_id_external_id_key UNIQUE (endpoint_id, external_id);

ALTER TABLE ONLY community_accounts
    ADD CONSTRAINT community_accounts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY community_given
    ADD CONSTRAINT community_given_pkey PRIMARY KEY (account_id, role_id);

ALTER TABLE ONLY community_roles
    ADD CONSTRAINT community_roles_pkey PRIMARY KEY (endpoint_id, product_id, role_id);

ALTER TABLE ONLY customers
    ADD CONSTRAINT customers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY differences
    ADD CONSTRAINT differences_pkey PRIMARY KEY (id);

ALTER TABLE ONLY email_changes
    ADD CONSTRAINT email_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY events
    ADD CONSTRAINT events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY events
    ADD CONSTRAINT events_seq_key UNIQUE (seq);

ALTER TABLE ONLY figure_cohorts
    ADD CONSTRAINT figure_cohorts_pkey PRIMARY KEY (product_id, cohort, month);

ALTER TABLE ONLY figure_counts
    ADD CONSTRAINT figure_counts_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY figure_days
    ADD CONSTRAINT figure_days_pkey PRIMARY KEY (product_id, day, kind, currency);

ALTER TABLE ONLY forgotten_facts
    ADD CONSTRAINT forgotten_facts_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY grants
    ADD CONSTRAINT grants_pkey PRIMARY KEY (id);

ALTER TABLE ONLY idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (token, key);

ALTER TABLE ONLY lesson_file_parts
    ADD CONSTRAINT lesson_file_parts_pkey PRIMARY KEY (file_id, part);

ALTER TABLE ONLY lesson_files
    ADD CONSTRAINT lesson_files_pkey PRIMARY KEY (id);

ALTER TABLE ONLY lesson_marks
    ADD CONSTRAINT lesson_marks_pkey PRIMARY KEY (user_id, lesson_id);

ALTER TABLE ONLY lessons
    ADD CONSTRAINT lessons_pkey PRIMARY KEY (id);

ALTER TABLE ONLY links
    ADD CONSTRAINT links_pkey PRIMARY KEY (id);

ALTER TABLE ONLY mail_server
    ADD CONSTRAINT mail_server_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY mail_texts
    ADD CONSTRAINT mail_texts_pkey PRIMARY KEY (variant, language);

ALTER TABLE ONLY mails
    ADD CONSTRAINT mails_key_key UNIQUE (key);

ALTER TABLE ONLY mails
    ADD CONSTRAINT mails_pkey PRIMARY KEY (id);

ALTER TABLE mails
    ADD CONSTRAINT mails_reach_somebody CHECK (((user_id IS NOT NULL) OR (to_email IS NOT NULL))) NOT VALID;

ALTER TABLE ONLY matches
    ADD CONSTRAINT matches_key_key UNIQUE (key);

ALTER TABLE ONLY matches
    ADD CONSTRAINT matches_pkey PRIMARY KEY (id);

ALTER TABLE ONLY member_import_lines
    ADD CONSTRAINT member_import_lines_pkey PRIMARY KEY (import_id, line);

ALTER TABLE ONLY member_imports
    ADD CONSTRAINT member_imports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY merge_requests
    ADD CONSTRAINT merge_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY oauth_authorizations
    ADD CONSTRAINT oauth_authorizations_code_hash_key UNIQUE (code_hash);

ALTER TABLE ONLY oauth_authorizations
    ADD CONSTRAINT oauth_authorizations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY oauth_client_secrets
    ADD CONSTRAINT oauth_client_secrets_pkey PRIMARY KEY (id);

ALTER TABLE ONLY oauth_client_secrets
    ADD CONSTRAINT oauth_client_secrets_secret_hash_key UNIQUE (secret_hash);

ALTER TABLE ONLY oauth_clients
    ADD CONSTRAINT oauth_clients_pkey PRIMARY KEY (id);

ALTER TABLE ONLY oauth_consents
    ADD CONSTRAINT oauth_consents_pkey PRIMARY KEY (client_id, user_id);

ALTER TABLE ONLY oauth_logouts
    ADD CONSTRAINT oauth_logouts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY oauth_requests
    ADD CONSTRAINT oauth_requests_pkey PRIMARY KEY (id);

ALTER TABLE ONLY oauth_tokens
    ADD CONSTRAINT oauth_tokens_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY offers
    ADD CONSTRAINT offers_pkey PRIMARY KEY (product_id, account_id, livemode, price_id);

ALTER TABLE ONLY order_lines
    ADD CONSTRAINT order_lines_pkey PRIMARY KEY (order_id, id);

ALTER TABLE ONLY orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY other_payers
    ADD CONSTRAINT other_payers_pkey PRIMARY KEY (source_id);

ALTER TABLE ONLY page_texts
    ADD CONSTRAINT page_texts_pkey PRIMARY KEY (place, language);

ALTER TABLE ONLY passed_over
    ADD CONSTRAINT passed_over_pkey PRIMARY KEY (id);

ALTER TABLE ONLY passkey_challenges
    ADD CONSTRAINT passkey_challenges_pkey PRIMARY KEY (challenge);

ALTER TABLE ONLY passkeys
    ADD CONSTRAINT passkeys_credential_id_key UNIQUE (credential_id);

ALTER TABLE ONLY passkeys
    ADD CONSTRAINT passkeys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY past_spans
    ADD CONSTRAINT past_spans_pkey PRIMARY KEY (subscription_id, item_id, trial);

ALTER TABLE ONLY payment_links
    ADD CONSTRAINT payment_links_pkey PRIMARY KEY (id);

ALTER TABLE ONLY payment_links
    ADD CONSTRAINT payment_links_product_id_account_id_livemode_price_id_key UNIQUE (product_id, account_id, livemode, price_id);

ALTER TABLE ONLY payment_links
    ADD CONSTRAINT payment_links_stripe_id_key UNIQUE (stripe_id);

ALTER TABLE ONLY picture_files
    ADD CONSTRAINT picture_files_pkey PRIMARY KEY (digest, name);

ALTER TABLE ONLY pictures
    ADD CONSTRAINT pictures_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY policy_changes
    ADD CONSTRAINT policy_changes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY portal_configurations
    ADD CONSTRAINT portal_configurations_pkey PRIMARY KEY (account_id, livemode);

ALTER TABLE ONLY preview_records
    ADD CONSTRAINT preview_records_pkey PRIMARY KEY (preview_id, source_id);

ALTER TABLE ONLY previews
    ADD CONSTRAINT previews_pkey PRIMARY KEY (id);

ALTER TABLE ONLY prices
    ADD CONSTRAINT prices_pkey PRIMARY KEY (id);

ALTER TABLE ONLY processes
    ADD CONSTRAINT processes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY product_categories
    ADD CONSTRAINT product_categories_pkey PRIMARY KEY (product_id, category_id);

ALTER TABLE ONLY products
    ADD CONSTRAINT products_pkey PRIMARY KEY (id);

ALTER TABLE ONLY products
    ADD CONSTRAINT products_slug_key UNIQUE (slug);

ALTER TABLE ONLY protected_site_products
    ADD CONSTRAINT protected_site_products_pkey PRIMARY KEY (site_id, product_id);

ALTER TABLE ONLY protected_sites
    ADD CONSTRAINT protected_sites_origin_key UNIQUE (origin);

ALTER TABLE ONLY protected_sites
    ADD CONSTRAINT protected_sites_pkey PRIMARY KEY (id);

ALTER TABLE ONLY reconciliation_seen
    ADD CONSTRAINT reconciliation_seen_pkey PRIMARY KEY (reconciliation_id, id);

ALTER TABLE ONLY reconciliations
    ADD CONSTRAINT reconciliations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY recovery_codes
    ADD CONSTRAINT recovery_codes_pkey PRIMARY KEY (user_id, code_hash);

ALTER TABLE ONLY recurring_spans
    ADD CONSTRAINT recurring_spans_pkey PRIMARY KEY (id);

ALTER TABLE ONLY sales_pages
    ADD CONSTRAINT sales_pages_pkey PRIMARY KEY (product_id);

ALTER TABLE ONLY schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY second_subscriptions
    ADD CONSTRAINT second_subscriptions_pkey PRIMARY KEY (subscription_id, product_id);

ALTER TABLE ONLY sent_events
    ADD CONSTRAINT sent_events_pkey PRIMARY KEY (type);

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_id_key UNIQUE (id);

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (token_hash);

ALTER TABLE ONLY signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY site_entries
    ADD CONSTRAINT site_entries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY site_entries
    ADD CONSTRAINT site_entries_ticket_hash_key UNIQUE (ticket_hash);

ALTER TABLE ONLY site_settings
    ADD CONSTRAINT site_settings_pkey PRIMARY KEY (key);

ALTER TABLE ONLY stripe_connection
    ADD CONSTRAINT stripe_connection_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY stripe_products
    ADD CONSTRAINT stripe_products_pkey PRIMARY KEY (id);

ALTER TABLE ONLY stripe_rate
    ADD CONSTRAINT stripe_rate_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY subscription_items
    ADD CONSTRAINT subscription_items_pkey PRIMARY KEY (subscription_id, id);

ALTER TABLE ONLY subscriptions
    ADD CONSTRAINT subscriptions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tries
    ADD CONSTRAINT tries_pkey PRIMARY KEY (who);

ALTER TABLE ONLY unsubscribed_addresses
    ADD CONSTRAINT unsubscribed_addresses_pkey PRIMARY KEY (digest, kind);

ALTER TABLE ONLY used_links
    ADD CONSTRAINT used_links_pkey PRIMARY KEY (nonce);

ALTER TABLE ONLY user_addresses
    ADD CONSTRAINT user_addresses_pkey PRIMARY KEY (email_key);

ALTER TABLE ONLY user_imports
    ADD CONSTRAINT user_imports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY user_labels
    ADD CONSTRAINT user_labels_pkey PRIMARY KEY (user_id, label);

ALTER TABLE ONLY user_merges
    ADD CONSTRAINT user_merges_pkey PRIMARY KEY (from_user);

ALTER TABLE ONLY user_notes
    ADD CONSTRAINT user_notes_pkey PRIMARY KEY (id);

ALTER TABLE ONLY users
    ADD CONSTRAINT users_email_key_key UNIQUE (email_key);

ALTER TABLE ONLY users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY wakeups
    ADD CONSTRAINT wakeups_pkey PRIMARY KEY (kind, ref);

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_endpoint_id_event_id_key UNIQUE (endpoint_id, event_id);

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhook_events
    ADD CONSTRAINT webhook_events_message_id_key UNIQUE (message_id);

ALTER TABLE ONLY webhook_events
    ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhook_facts
    ADD CONSTRAINT webhook_facts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY webhook_refusals
    ADD CONSTRAINT webhook_refusals_pkey PRIMARY KEY (code, hour);

CREATE INDEX abandoned_checkouts_address ON abandoned_checkouts USING btree (address_digest, created_at) WHERE (address_digest IS NOT NULL);

CREATE INDEX abandoned_checkouts_product_id ON abandoned_checkouts USING btree (product_id);

CREATE INDEX abandoned_checkouts_user_id ON abandoned_checkouts USING btree (user_id, created_at);

CREATE INDEX activities_by_cause ON activities USING btree (cause, at DESC, id DESC);

CREATE INDEX activities_by_event ON activities USING btree (event_id) WHERE (event_id IS NOT NULL);

CREATE INDEX activities_by_product ON activities USING btree (product_id, at DESC, id DESC);

CREATE INDEX activities_by_product_cause ON activities USING btree (product_id, cause, at DESC, id DESC);

CREATE INDEX activities_by_product_type ON activities USING btree (product_id, type, cause, at DESC, id DESC);

CREATE INDEX activities_by_source ON activities USING btree (source_id, at DESC, id DESC);

CREATE INDEX activities_by_time ON activities USING btree (at DESC, id DESC);

CREATE INDEX activities_by_type ON activities USING btree (type, cause, at DESC, id DESC);

CREATE INDEX activities_by_user ON activities USING btree (user_id, at DESC, id DESC);

CREATE INDEX audit_log_action ON audit_log USING btree (action, id);

CREATE INDEX audit_log_actor ON audit_log USING btree (actor_kind, actor_id, id);

CREATE INDEX audit_log_at ON audit_log USING btree (at);

CREATE INDEX bills_disputed ON bills USING btree (subscription_id) WHERE (dispute_status IS NOT NULL);

CREATE UNIQUE INDEX categories_by_name ON categories USING btree (lower(name));

CREATE INDEX checkout_attempts_begun_at ON checkout_attempts USING btree (begun_at);

CREATE INDEX checkout_attempts_orphaned ON checkout_attempts USING btree (product_id) WHERE orphaned;

CREATE INDEX checkout_attempts_product_id ON checkout_attempts USING btree (product_id);

CREATE INDEX checkout_attempts_session_id ON checkout_attempts USING btree (session_id);

CREATE INDEX checkout_attempts_user_id ON checkout_attempts USING btree (user_id);

CREATE INDEX claims_by_user ON claims USING btree (user_id, created_at DESC);

CREATE INDEX collection_holders_by_user ON collection_holders USING btree (user_id);

CREATE INDEX collection_holders_due ON collection_holders USING btree (until) WHERE ((ended_at IS NULL) AND (until IS NOT NULL));

CREATE UNIQUE INDEX collection_holders_live ON collection_holders USING btree (collection_id, user_id) WHERE (ended_at IS NULL);

CREATE INDEX collection_products_by_product ON collection_products USING btree (product_id);

CREATE INDEX community_accounts_user_id ON community_accounts USING btree (user_id);

CREATE INDEX community_roles_product_id ON community_roles USING btree (product_id);

CREATE INDEX customers_by_account ON customers USING btree (customer_account) WHERE (customer_account IS NOT NULL);

CREATE INDEX customers_by_address ON customers USING btree (email_key) WHERE (email_key IS NOT NULL);

CREATE INDEX customers_by_grams ON customers USING gin (((grams(((COALESCE(email_key, ''::text) || ' '::text) || lower(COALESCE(name, ''::text))), 2) || grams(((COALESCE(email_key, ''::text) || ' '::text) || lower(COALESCE(name, ''::text))), 3))));

CREATE INDEX customers_by_time ON customers USING btree (added_at DESC, id DESC);

CREATE INDEX customers_by_user ON customers USING btree (user_id);

CREATE INDEX customers_deleted ON customers USING btree (added_at DESC, id DESC) WHERE deleted;

CREATE INDEX customers_of_nobody ON customers USING btree (added_at DESC, id DESC) WHERE (user_id IS NULL);

CREATE INDEX differences_by_run ON differences USING btree (reconciliation_id, id);

CREATE UNIQUE INDEX differences_once ON differences USING btree (reconciliation_id, kind, source_id, product_id, user_id, workflow_id) NULLS NOT DISTINCT;

CREATE INDEX differences_open ON differences USING btree (reconciliation_id) WHERE (state = ANY (ARRAY['open'::text, 'failed'::text]));

CREATE INDEX email_changes_by_user ON email_changes USING btree (user_id);

CREATE INDEX events_by_target ON events USING btree (target_id, received_at) WHERE (target_kind <> 'none'::text);

CREATE INDEX events_by_type ON events USING btree (type, seq);

CREATE INDEX events_relayed ON events USING btree (not_before) WHERE (state = 'relayed'::text);

CREATE INDEX events_unsettled ON events USING btree (state, seq) WHERE (state <> 'handled'::text);

CREATE INDEX events_waiting ON events USING btree (not_before) WHERE (state = 'waiting'::text);

CREATE INDEX grants_bought_at ON grants USING btree (bought_at) WHERE (bought_at IS NOT NULL);

CREATE INDEX grants_by_hand_due ON grants USING btree (until) WHERE ((ended_at IS NULL) AND (until IS NOT NULL) AND (source = ANY (ARRAY['manual'::text, 'collection'::text])));

CREATE INDEX grants_by_product ON grants USING btree (product_id, id);

CREATE INDEX grants_by_source ON grants USING btree (source_id, product_id);

CREATE INDEX grants_by_user ON grants USING btree (user_id, product_id);

CREATE INDEX grants_due ON grants USING btree (until) WHERE ((ended_at IS NULL) AND (until IS NOT NULL));

CREATE INDEX grants_ending ON grants USING btree (product_id, id) WHERE ((ended_at IS NULL) AND (until IS NOT NULL));

CREATE INDEX grants_held ON grants USING btree (source_id, product_id) WHERE held;

CREATE INDEX grants_live_by_product ON grants USING btree (product_id, id) WHERE (ended_at IS NULL);

CREATE INDEX grants_live_members ON grants USING btree (product_id, user_id) INCLUDE (until) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX grants_one_live_per_source ON grants USING btree (user_id, product_id, source, source_id) WHERE (ended_at IS NULL);

CREATE INDEX lesson_files_lesson_id ON lesson_files USING btree (lesson_id);

CREATE INDEX lesson_marks_lesson_id ON lesson_marks USING btree (lesson_id);

CREATE INDEX lessons_product_id ON lessons USING btree (product_id, "position");

CREATE INDEX links_by_stripe_product ON links USING btree (stripe_product);

CREATE UNIQUE INDEX links_one_per_product ON links USING btree (product_id) WHERE (removed_at IS NULL);

CREATE INDEX links_to_dispatch ON links USING btree (id) WHERE (dispatched_at IS NULL);

CREATE INDEX mails_by_address ON mails USING btree (to_email_key) WHERE (to_email_key IS NOT NULL);

CREATE INDEX mails_by_state ON mails USING btree (state, id DESC);

CREATE INDEX mails_by_user ON mails USING btree (user_id, id DESC);

CREATE INDEX mails_claimed ON mails USING btree (claimed_at) WHERE (claimed_at IS NOT NULL);

CREATE INDEX mails_due ON mails USING btree (pace, due_at) WHERE (state = ANY (ARRAY['queued'::text, 'sending'::text]));

CREATE INDEX mails_failed ON mails USING btree (id) WHERE (state = 'failed'::text);

CREATE INDEX mails_to_guests ON mails USING btree (created_at) WHERE (user_id IS NULL);

CREATE INDEX mails_win_backs ON mails USING btree (((data ->> 'code'::text))) WHERE (kind = 'win_back'::text);

CREATE INDEX matches_open ON matches USING btree (id DESC) WHERE (state = 'open'::text);

CREATE INDEX merge_requests_by_match ON merge_requests USING btree (match_id);

CREATE INDEX merge_requests_by_users ON merge_requests USING btree (into_user, other_user);

CREATE INDEX oauth_authorizations_check ON oauth_authorizations USING btree (check_at);

CREATE INDEX oauth_authorizations_client ON oauth_authorizations USING btree (client_id);

CREATE INDEX oauth_authorizations_user ON oauth_authorizations USING btree (user_id) WHERE (ended_at IS NULL);

CREATE INDEX oauth_client_secrets_client ON oauth_client_secrets USING btree (client_id);

CREATE INDEX oauth_consents_user ON oauth_consents USING btree (user_id);

CREATE INDEX oauth_logouts_due ON oauth_logouts USING btree (due_at);

CREATE INDEX oauth_requests_expiry ON oauth_requests USING btree (expires_at);

CREATE INDEX oauth_tokens_authorization ON oauth_tokens USING btree (authorization_id);

CREATE INDEX oauth_tokens_expiry ON oauth_tokens USING btree (expires_at);

CREATE UNIQUE INDEX offers_one_featured ON offers USING btree (product_id, account_id, livemode) WHERE featured;

CREATE INDEX order_lines_by_price ON order_lines USING btree (price_id);

CREATE INDEX order_lines_by_product ON order_lines USING btree (stripe_product);

CREATE INDEX orders_by_address ON orders USING btree (email_key) WHERE (email_key IS NOT NULL);

CREATE INDEX orders_by_amount ON orders USING btree (amount, id);

CREATE INDEX orders_by_compared ON orders USING btree (compared_at NULLS FIRST, id);

CREATE INDEX orders_by_customer ON orders USING btree (customer_id) WHERE (customer_id IS NOT NULL);

CREATE INDEX orders_by_invoice ON orders USING btree (invoice) WHERE (invoice IS NOT NULL);

CREATE INDEX orders_by_money_state ON orders USING btree (money_state, created_at DESC, id DESC);

CREATE INDEX orders_by_payment_intent ON orders USING btree (payment_intent) WHERE (payment_intent IS NOT NULL);

CREATE INDEX orders_by_time ON orders USING btree (created_at DESC, id DESC);

CREATE INDEX orders_by_user ON orders USING btree (user_id);

CREATE INDEX orders_policy_judges ON orders USING btree (id) WHERE ((amount_refunded > 0) OR disputed OR (credited_after > 0));

CREATE INDEX orders_without_user ON orders USING btree (id) WHERE (user_id IS NULL);

CREATE INDEX other_payers_by_user ON other_payers USING btree (user_id);

CREATE INDEX passkey_challenges_over ON passkey_challenges USING btree (expires_at);

CREATE INDEX passkeys_by_user ON passkeys USING btree (user_id);

CREATE INDEX past_spans_by_customer ON past_spans USING btree (customer_id);

CREATE INDEX past_spans_by_end ON past_spans USING btree (until);

CREATE INDEX past_spans_by_start ON past_spans USING btree (since);

CREATE UNIQUE INDEX payment_links_one_wanted ON payment_links USING btree (product_id) WHERE wanted;

CREATE INDEX payment_links_stripe_id ON payment_links USING btree (stripe_id);

CREATE INDEX payment_links_unsettled ON payment_links USING btree (id) WHERE (NOT settled);

CREATE INDEX pictures_used_at ON pictures USING btree (used_at);

CREATE INDEX policy_changes_by_product ON policy_changes USING btree (product_id, id DESC);

CREATE INDEX prices_by_product ON prices USING btree (stripe_product);

CREATE INDEX product_categories_by_category ON product_categories USING btree (category_id);

CREATE INDEX products_by_name ON products USING btree (lower(name), id);

CREATE INDEX products_that_open ON products USING btree (opens_collection) WHERE (opens_collection IS NOT NULL);

CREATE INDEX protected_site_products_product ON protected_site_products USING btree (product_id);

CREATE INDEX reconciliations_newest ON reconciliations USING btree (created_at DESC, id);

CREATE INDEX reconciliations_to_dispatch ON reconciliations USING btree (created_at) WHERE (dispatched_at IS NULL);

CREATE INDEX recurring_spans_by_end ON recurring_spans USING btree (until) WHERE (until IS NOT NULL);

CREATE INDEX recurring_spans_by_start ON recurring_spans USING btree (since);

CREATE INDEX recurring_spans_by_subscription ON recurring_spans USING btree (subscription_id);

CREATE INDEX recurring_spans_imported ON recurring_spans USING btree (recorded_at) WHERE imported;

CREATE INDEX second_subscriptions_product ON second_subscriptions USING btree (product_id);

CREATE INDEX sessions_by_user ON sessions USING btree (user_id);

CREATE INDEX sessions_over ON sessions USING btree (expires_at);

CREATE INDEX site_entries_expiry ON site_entries USING btree (expires_at);

CREATE INDEX site_entries_product ON site_entries USING btree (product_id) WHERE (product_id IS NOT NULL);

CREATE INDEX site_entries_session ON site_entries USING btree (session_id) WHERE (session_id IS NOT NULL);

CREATE INDEX site_entries_site ON site_entries USING btree (site_id);

CREATE INDEX subscription_items_by_price ON subscription_items USING btree (price_id);

CREATE INDEX subscription_items_by_product ON subscription_items USING btree (stripe_product);

CREATE INDEX subscriptions_by_cancellation ON subscriptions USING btree (canceled_at DESC, id DESC) WHERE (canceled_at IS NOT NULL);

CREATE INDEX subscriptions_by_card ON subscriptions USING btree (card_id) WHERE (card_id IS NOT NULL);

CREATE INDEX subscriptions_by_customer ON subscriptions USING btree (customer_id);

CREATE INDEX subscriptions_by_phase ON subscriptions USING btree (phase, created_at DESC, id DESC);

CREATE INDEX subscriptions_by_session ON subscriptions USING btree (checkout_session) WHERE (checkout_session IS NOT NULL);

CREATE INDEX subscriptions_by_time ON subscriptions USING btree (created_at DESC, id DESC);

CREATE INDEX subscriptions_by_user ON subscriptions USING btree (user_id);

CREATE INDEX subscriptions_card_expiring ON subscriptions USING btree (period_end) WHERE ((card_expires <= period_end) AND (phase = ANY (ARRAY['active'::text, 'trialing'::text])));

CREATE INDEX subscriptions_overdue ON subscriptions USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND (ended_at IS NULL));

CREATE INDEX subscriptions_policy_judges ON subscriptions USING btree (id) WHERE (collection_paused OR (status = ANY (ARRAY['trialing'::text, 'past_due'::text, 'unpaid'::text, 'paused'::text, 'incomplete'::text])));

CREATE INDEX subscriptions_untold ON subscriptions USING btree (id) WHERE (untold AND (lifecycle_at IS NULL));

CREATE INDEX subscriptions_without_lifecycle ON subscriptions USING btree (id) WHERE (lifecycle_at IS NULL);

CREATE INDEX subscriptions_without_user ON subscriptions USING btree (customer_id) WHERE (user_id IS NULL);

CREATE INDEX tries_over ON tries USING btree (window_ends);

CREATE INDEX used_links_over ON used_links USING btree (used_at);

CREATE INDEX user_addresses_by_user ON user_addresses USING btree (user_id);

CREATE INDEX user_labels_by_import ON user_labels USING btree (import_id, import_line) WHERE (import_id IS NOT NULL);

CREATE INDEX user_labels_by_label ON user_labels USING btree (label, user_id);

CREATE INDEX user_merges_by_user ON user_merges USING btree (into_user);

CREATE INDEX user_notes_by_user ON user_notes USING btree (user_id, id DESC);

CREATE INDEX users_by_bare_address ON users USING btree (regexp_replace(email_key, '\+[^@]*@'::text, '@'::text));

CREATE INDEX users_by_grams ON users USING gin (((grams(((email_key || ' '::text) || lower(COALESCE(name, ''::text))), 2) || grams(((email_key || ' '::text) || lower(COALESCE(name, ''::text))), 3))));

CREATE INDEX users_by_last_seen ON users USING btree (COALESCE(last_seen_at, '1970-01-01 00:00:00+00'::timestamp with time zone), id);

CREATE INDEX users_by_role ON users USING btree (role) WHERE (role <> 'member'::text);

CREATE INDEX users_by_seen ON users USING btree (last_seen_at);

CREATE INDEX webhook_attempts_delivery_id ON webhook_attempts USING btree (delivery_id, id);

CREATE INDEX webhook_attempts_user_id ON webhook_attempts USING btree (user_id);

CREATE INDEX webhook_deliveries_event_id ON webhook_deliveries USING btree (event_id);

CREATE INDEX webhook_deliveries_failed ON webhook_deliveries USING btree (endpoint_id) WHERE (state = 'failed'::text);

CREATE INDEX webhook_deliveries_of_user ON webhook_deliveries USING btree (endpoint_id, user_id, event_id) WHERE (state = 'waiting'::text);

CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries USING btree (endpoint_id, bulk, event_id) WHERE (state = 'waiting'::text);

CREATE INDEX webhook_endpoints_created_by ON webhook_endpoints USING btree (created_by);

CREATE INDEX webhook_events_created_at ON webhook_events USING btree (created_at);

CREATE INDEX webhook_facts_user_id ON webhook_facts USING btree (user_id);

CREATE TRIGGER audit_log_rows BEFORE DELETE OR UPDATE ON audit_log FOR EACH ROW EXECUTE FUNCTION keep_audit_log();

CREATE TRIGGER audit_log_table BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION keep_audit_log();

CREATE TRIGGER claims_email_key BEFORE INSERT OR UPDATE OF email ON claims FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER close_with_gone AFTER DELETE ON grants REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION close_with_gone();

CREATE TRIGGER collections_hold_no_openers BEFORE INSERT OR UPDATE ON collection_products FOR EACH ROW EXECUTE FUNCTION keep_openers_out();

CREATE TRIGGER collections_hold_no_openers BEFORE INSERT OR UPDATE OF opens_collection ON products FOR EACH ROW WHEN ((new.opens_collection IS NOT NULL)) EXECUTE FUNCTION keep_contents_closed();

CREATE TRIGGER customers_email_key BEFORE INSERT OR UPDATE OF email ON customers FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER customers_own_billing BEFORE INSERT OR UPDATE OF user_id ON customers FOR EACH ROW WHEN ((new.user_id IS NOT NULL)) EXECUTE FUNCTION open_own_billing();

CREATE TRIGGER differences_email_key BEFORE INSERT OR UPDATE OF email ON differences FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER email_changes_email_key BEFORE INSERT OR UPDATE OF email ON email_changes FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER mails_to_email_key BEFORE INSERT ON mails FOR EACH ROW EXECUTE FUNCTION fill_to_email_key();

CREATE TRIGGER matches_email_key BEFORE INSERT OR UPDATE OF email ON matches FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER note_grants_changed AFTER UPDATE ON grants REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT EXECUTE FUNCTION note_grants_changed();

CREATE TRIGGER note_grants_given AFTER INSERT ON grants REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION note_grants_given();

CREATE TRIGGER note_grants_gone AFTER DELETE ON grants REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_grants_gone();

CREATE TRIGGER note_items_added AFTER INSERT ON subscription_items REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_recurring_spans();

CREATE TRIGGER note_items_changed AFTER UPDATE ON subscription_items REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_recurring_spans();

CREATE TRIGGER note_items_removed AFTER DELETE ON subscription_items REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_recurring_spans();

CREATE TRIGGER note_users_created AFTER INSERT ON users REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION note_users_created();

CREATE TRIGGER open_with_changed AFTER UPDATE ON grants REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT EXECUTE FUNCTION open_with_changed();

CREATE TRIGGER open_with_given AFTER INSERT ON grants REFERENCING NEW TABLE AS given FOR EACH STATEMENT EXECUTE FUNCTION open_with_given();

CREATE TRIGGER orders_email_key BEFORE INSERT OR UPDATE OF email ON orders FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER preview_records_email_key BEFORE INSERT OR UPDATE OF email ON preview_records FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER sessions_end_authorizations AFTER DELETE ON sessions FOR EACH ROW WHEN ((old.expires_at > now())) EXECUTE FUNCTION end_authorizations_of_session();

CREATE TRIGGER user_merges_email_key BEFORE INSERT OR UPDATE OF email ON user_merges FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER users_adopt_purchases AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION adopt_purchases();

CREATE TRIGGER users_email_key BEFORE INSERT OR UPDATE OF email ON users FOR EACH ROW EXECUTE FUNCTION fill_email_key();

CREATE TRIGGER users_end_authorizations AFTER UPDATE ON users FOR EACH ROW WHEN ((old.link_epoch IS DISTINCT FROM new.link_epoch)) EXECUTE FUNCTION end_authorizations_of_user();

CREATE TRIGGER users_end_authorizations_at_last BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION end_authorizations_of_user();

CREATE TRIGGER users_link_epoch BEFORE UPDATE OF email, role, password_hash, erased_at ON users FOR EACH ROW WHEN (((old.email IS DISTINCT FROM new.email) OR (old.role IS DISTINCT FROM new.role) OR (old.password_hash IS DISTINCT FROM new.password_hash) OR (old.erased_at IS DISTINCT FROM new.erased_at))) EXECUTE FUNCTION raise_link_epoch();

ALTER TABLE ONLY abandoned_checkouts
    ADD CONSTRAINT abandoned_checkouts_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY abandoned_checkouts
    ADD CONSTRAINT abandoned_checkouts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY activities
    ADD CONSTRAINT activities_actor_id_fkey FOREIGN KEY (actor_id) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY activities
    ADD CONSTRAINT activities_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE SET NULL;

ALTER TABLE ONLY activities
    ADD CONSTRAINT activities_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY api_tokens
    ADD CONSTRAINT api_tokens_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY authenticator_apps
    ADD CONSTRAINT authenticator_apps_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY checkout_attempts
    ADD CONSTRAINT checkout_attempts_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY checkout_attempts
    ADD CONSTRAINT checkout_attempts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY claims
    ADD CONSTRAINT claims_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY collection_holders
    ADD CONSTRAINT collection_holders_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES collections(id);

ALTER TABLE ONLY collection_holders
    ADD CONSTRAINT collection_holders_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY collection_holders
    ADD CONSTRAINT collection_holders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY collection_products
    ADD CONSTRAINT collection_products_collection_id_fkey FOREIGN KEY (collection_id) REFERENCES collections(id) ON DELETE CASCADE;

ALTER TABLE ONLY collection_products
    ADD CONSTRAINT collection_products_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY communities
    ADD CONSTRAINT communities_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE;

ALTER TABLE ONLY community_accounts
    ADD CONSTRAINT community_accounts_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES communities(endpoint_id) ON DELETE CASCADE;

ALTER TABLE ONLY community_accounts
    ADD CONSTRAINT community_accounts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY community_given
    ADD CONSTRAINT community_given_account_id_fkey FOREIGN KEY (account_id) REFERENCES community_accounts(id) ON DELETE CASCADE;

ALTER TABLE ONLY community_roles
    ADD CONSTRAINT community_roles_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES communities(endpoint_id) ON DELETE CASCADE;

ALTER TABLE ONLY community_roles
    ADD CONSTRAINT community_roles_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY customers
    ADD CONSTRAINT customers_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY differences
    ADD CONSTRAINT differences_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY differences
    ADD CONSTRAINT differences_reconciliation_id_fkey FOREIGN KEY (reconciliation_id) REFERENCES reconciliations(id) ON DELETE CASCADE;

ALTER TABLE ONLY differences
    ADD CONSTRAINT differences_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY email_changes
    ADD CONSTRAINT email_changes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY events
    ADD CONSTRAINT events_ignored_by_fkey FOREIGN KEY (ignored_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY grants
    ADD CONSTRAINT grants_granted_by_fkey FOREIGN KEY (granted_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY grants
    ADD CONSTRAINT grants_link_id_fkey FOREIGN KEY (link_id) REFERENCES links(id);

ALTER TABLE ONLY grants
    ADD CONSTRAINT grants_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY grants
    ADD CONSTRAINT grants_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY lesson_file_parts
    ADD CONSTRAINT lesson_file_parts_file_id_fkey FOREIGN KEY (file_id) REFERENCES lesson_files(id) ON DELETE CASCADE;

ALTER TABLE ONLY lesson_files
    ADD CONSTRAINT lesson_files_lesson_id_fkey FOREIGN KEY (lesson_id) REFERENCES lessons(id) ON DELETE CASCADE;

ALTER TABLE ONLY lesson_marks
    ADD CONSTRAINT lesson_marks_lesson_id_fkey FOREIGN KEY (lesson_id) REFERENCES lessons(id) ON DELETE CASCADE;

ALTER TABLE ONLY lesson_marks
    ADD CONSTRAINT lesson_marks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY lessons
    ADD CONSTRAINT lessons_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY links
    ADD CONSTRAINT links_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY links
    ADD CONSTRAINT links_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY mails
    ADD CONSTRAINT mails_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE SET NULL;

ALTER TABLE ONLY mails
    ADD CONSTRAINT mails_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY matches
    ADD CONSTRAINT matches_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY matches
    ADD CONSTRAINT matches_other_id_fkey FOREIGN KEY (other_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY matches
    ADD CONSTRAINT matches_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY member_import_lines
    ADD CONSTRAINT member_import_lines_import_id_fkey FOREIGN KEY (import_id) REFERENCES member_imports(id) ON DELETE CASCADE;

ALTER TABLE ONLY member_imports
    ADD CONSTRAINT member_imports_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY member_imports
    ADD CONSTRAINT member_imports_undone_by_fkey FOREIGN KEY (undone_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY merge_requests
    ADD CONSTRAINT merge_requests_asked_by_fkey FOREIGN KEY (asked_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY merge_requests
    ADD CONSTRAINT merge_requests_match_id_fkey FOREIGN KEY (match_id) REFERENCES matches(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_authorizations
    ADD CONSTRAINT oauth_authorizations_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_authorizations
    ADD CONSTRAINT oauth_authorizations_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_client_secrets
    ADD CONSTRAINT oauth_client_secrets_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_clients
    ADD CONSTRAINT oauth_clients_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE SET NULL;

ALTER TABLE ONLY oauth_consents
    ADD CONSTRAINT oauth_consents_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_consents
    ADD CONSTRAINT oauth_consents_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_logouts
    ADD CONSTRAINT oauth_logouts_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_requests
    ADD CONSTRAINT oauth_requests_client_id_fkey FOREIGN KEY (client_id) REFERENCES oauth_clients(id) ON DELETE CASCADE;

ALTER TABLE ONLY oauth_tokens
    ADD CONSTRAINT oauth_tokens_authorization_id_fkey FOREIGN KEY (authorization_id) REFERENCES oauth_authorizations(id) ON DELETE CASCADE;

ALTER TABLE ONLY offers
    ADD CONSTRAINT offers_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY order_lines
    ADD CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders(id) ON DELETE CASCADE;

ALTER TABLE ONLY orders
    ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers(id);

ALTER TABLE ONLY orders
    ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY other_payers
    ADD CONSTRAINT other_payers_claim_id_fkey FOREIGN KEY (claim_id) REFERENCES claims(id) ON DELETE SET NULL;

ALTER TABLE ONLY other_payers
    ADD CONSTRAINT other_payers_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY passkey_challenges
    ADD CONSTRAINT passkey_challenges_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY passkeys
    ADD CONSTRAINT passkeys_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY payment_links
    ADD CONSTRAINT payment_links_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY picture_files
    ADD CONSTRAINT picture_files_digest_fkey FOREIGN KEY (digest) REFERENCES pictures(digest) ON DELETE CASCADE;

ALTER TABLE ONLY policy_changes
    ADD CONSTRAINT policy_changes_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY policy_changes
    ADD CONSTRAINT policy_changes_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY preview_records
    ADD CONSTRAINT preview_records_preview_id_fkey FOREIGN KEY (preview_id) REFERENCES previews(id) ON DELETE CASCADE;

ALTER TABLE ONLY previews
    ADD CONSTRAINT previews_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY product_categories
    ADD CONSTRAINT product_categories_category_id_fkey FOREIGN KEY (category_id) REFERENCES categories(id) ON DELETE CASCADE;

ALTER TABLE ONLY product_categories
    ADD CONSTRAINT product_categories_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY products
    ADD CONSTRAINT products_opens_collection_fkey FOREIGN KEY (opens_collection) REFERENCES collections(id);

ALTER TABLE ONLY protected_site_products
    ADD CONSTRAINT protected_site_products_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY protected_site_products
    ADD CONSTRAINT protected_site_products_site_id_fkey FOREIGN KEY (site_id) REFERENCES protected_sites(id) ON DELETE CASCADE;

ALTER TABLE ONLY reconciliations
    ADD CONSTRAINT reconciliations_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY reconciliations
    ADD CONSTRAINT reconciliations_requested_by_fkey FOREIGN KEY (requested_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY recovery_codes
    ADD CONSTRAINT recovery_codes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY recurring_spans
    ADD CONSTRAINT recurring_spans_subscription_id_fkey FOREIGN KEY (subscription_id) REFERENCES subscriptions(id) ON DELETE CASCADE;

ALTER TABLE ONLY sales_pages
    ADD CONSTRAINT sales_pages_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY second_subscriptions
    ADD CONSTRAINT second_subscriptions_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY second_subscriptions
    ADD CONSTRAINT second_subscriptions_subscription_id_fkey FOREIGN KEY (subscription_id) REFERENCES subscriptions(id) ON DELETE CASCADE;

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_acting_as_fkey FOREIGN KEY (acting_as) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY site_entries
    ADD CONSTRAINT site_entries_product_id_fkey FOREIGN KEY (product_id) REFERENCES products(id) ON DELETE CASCADE;

ALTER TABLE ONLY site_entries
    ADD CONSTRAINT site_entries_session_id_fkey FOREIGN KEY (session_id) REFERENCES sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY site_entries
    ADD CONSTRAINT site_entries_site_id_fkey FOREIGN KEY (site_id) REFERENCES protected_sites(id) ON DELETE CASCADE;

ALTER TABLE ONLY subscription_items
    ADD CONSTRAINT subscription_items_subscription_id_fkey FOREIGN KEY (subscription_id) REFERENCES subscriptions(id) ON DELETE CASCADE;

ALTER TABLE ONLY subscriptions
    ADD CONSTRAINT subscriptions_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers(id);

ALTER TABLE ONLY subscriptions
    ADD CONSTRAINT subscriptions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id);

ALTER TABLE ONLY user_addresses
    ADD CONSTRAINT user_addresses_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY user_imports
    ADD CONSTRAINT user_imports_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY user_labels
    ADD CONSTRAINT user_labels_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY user_merges
    ADD CONSTRAINT user_merges_into_user_fkey FOREIGN KEY (into_user) REFERENCES users(id);

ALTER TABLE ONLY user_merges
    ADD CONSTRAINT user_merges_merged_by_fkey FOREIGN KEY (merged_by) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY user_notes
    ADD CONSTRAINT user_notes_author_id_fkey FOREIGN KEY (author_id) REFERENCES users(id) ON DELETE SET NULL;

ALTER TABLE ONLY user_notes
    ADD CONSTRAINT user_notes_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_attempts
    ADD CONSTRAINT webhook_attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES webhook_deliveries(id) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_endpoint_id_fkey FOREIGN KEY (endpoint_id) REFERENCES webhook_endpoints(id) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_event_id_fkey FOREIGN KEY (event_id) REFERENCES webhook_events(id) ON DELETE CASCADE;

ALTER TABLE ONLY webhook_endpoints
    ADD CONSTRAINT webhook_endpoints_created_by_fkey FOREIGN KEY (created_by) REFERENCES users(id) ON DELETE SET NULL;
