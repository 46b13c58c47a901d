-- What a token may do, and until when. Tokens from before, and those that the release before this
-- one makes meanwhile, may do everything, without an end.
alter table api_tokens
    add column scope text not null default 'everything'
        check (scope in ('access', 'read', 'write', 'everything')),
    add column expires_at timestamptz;
