"""Questions about OAuth tokens that are asked at the same time are answered together, each for
itself."""

import pytest

from latchkey.store.oauth import authorizations
from latchkey.store.oauth.authorizations import TokenQuestion
from latchkey.store.pool import Pool

pytestmark = pytest.mark.anyio

SETUP = """
insert into users (id, email) overriding system value values
    (1, 'one@shop.example'), (2, 'two@shop.example');
insert into oauth_clients (id, name, confidential, first_party, pkce, redirect_uris,
                           post_logout_redirect_uris, scopes, product_required)
values ('mine', 'Mine', true, true, true, '{}', '{}', '{openid}', false),
       ('other', 'Other', true, true, true, '{}', '{}', '{openid}', false),
       ('public', 'Public', false, true, true, '{}', '{}', '{openid}', false);
insert into oauth_client_secrets (client_id, secret_hash, expires_at)
values ('mine', sha256('secret'), null), ('mine', sha256('old'), now()),
       ('other', sha256('theirs'), null), ('public', sha256('left'), null);
insert into oauth_authorizations (id, client_id, user_id, session_id, sid, scopes, redirect_uri,
                                  auth_time, via, code_hash, code_expires_at, code_used_at)
overriding system value
select id, 'mine', id, id, gen_random_uuid(), '{openid}', '', now(), 'link',
       sha256(id::text::bytea), now(), now() from users where id in (1, 2);
insert into oauth_tokens (token_hash, authorization_id, kind, scopes, expires_at)
values (sha256('first'), 1, 'access', '{openid}', now() + interval '1 hour'),
       (sha256('second'), 2, 'access', '{openid}', now() + interval '1 hour'),
       (sha256('expired'), 2, 'access', '{openid}', now());
"""


async def test_each_question_gets_its_own_answer(pool: Pool) -> None:
    await pool.execute(SETUP)
    mine, other = ("mine", "secret"), ("other", "theirs")
    questions = {
        TokenQuestion("first"): (False, 1),
        TokenQuestion("second", mine): (True, 2),
        TokenQuestion("second", other): (True, None),
        TokenQuestion("first", ("mine", "wrong")): (False, None),
        TokenQuestion("first", ("mine", "old")): (False, None),
        TokenQuestion("first", ("mine", "theirs")): (False, None),
        TokenQuestion("first", ("public", "left")): (False, None),
        TokenQuestion("first", mine): (True, 1),
        TokenQuestion("expired"): (False, None),
        TokenQuestion("unknown"): (False, None),
        TokenQuestion("unknown", mine): (True, None),
    }
    answers = await authorizations.answer(pool, list(questions))
    found = [(given.authentic, given.state and given.state.user.user_id) for given in answers]
    assert found == list(questions.values())
