"""`python -m bench.door`: `/oauth/introspect`, `/oauth/userinfo` and `/auth/verify` against one
select by primary key."""

import asyncio
import base64
from collections.abc import Callable

from bench import load
from bench.ratio import Contestant, compare
from bench.stack import fetch, stack
from bench.webhooks import wait_port
from latchkey.signin_links import SitePass, sign_pass
from tests.harness import SECRETS, free_port

USERS, COUNT, ROUNDS, CONNECTIONS = 50_000, 4000, 5, 16
WANTED = 0.7

SEED = f"""
insert into products (id, slug, name, status) values ('prd_bench', 'bench', 'Bench', 'live');
insert into users (email) select 'user' || n || '@bench.example' from generate_series(1, {USERS}) n;
insert into grants (user_id, product_id, source, source_id, since, cause)
select id, 'prd_bench', 'subscription', 'sub_' || id, now(), 'import' from users;
insert into oauth_clients (id, name, confidential, first_party, pkce, redirect_uris,
                           post_logout_redirect_uris, scopes, product_required)
values ('client_bench', 'Bench', true, true, true, '{{}}', '{{}}', '{{openid,email,access}}',
        false);
insert into oauth_client_secrets (client_id, secret_hash)
values ('client_bench', sha256('secret'::bytea));
insert into oauth_authorizations (client_id, user_id, session_id, sid, scopes, redirect_uri,
                                  auth_time, via, code_hash, code_expires_at, code_used_at)
select 'client_bench', id, id, gen_random_uuid(), '{{openid,email,access}}', '', now(), 'link',
       sha256(('code' || id)::bytea), now(), now() from users where email like 'user%';
insert into oauth_tokens (token_hash, authorization_id, kind, scopes, expires_at)
select sha256(('token' || user_id)::bytea), id, 'access', scopes, now() + interval '1 hour'
  from oauth_authorizations;
insert into protected_sites (origin, without_access) values ('https://course.example', 'buy');
insert into protected_site_products (site_id, product_id)
select id, 'prd_bench' from protected_sites;
insert into sessions (id, token_hash, user_id, expires_at, via) overriding system value
select id, sha256(('session' || id)::bytea), id, now() + interval '1 day', 'link' from users
 where email like 'user%';
analyze;
"""

Request = Callable[[int], bytes]


def introspection(number: int) -> bytes:
    basic = base64.b64encode(b"client_bench:secret").decode()
    headers = {
        "Authorization": f"Basic {basic}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return load.request("POST", "/oauth/introspect", headers, f"token=token{number}".encode())


def userinfo(number: int) -> bytes:
    return load.request("GET", "/oauth/userinfo", {"Authorization": f"Bearer token{number}"})


def verify(number: int) -> bytes:
    """The question of nginx before a request of a member."""
    value = sign_pass(SitePass(1, number), secrets=SECRETS)
    headers = {
        "X-Original-URL": "https://course.example/week/1",
        "X-Original-Method": "GET",
        "X-Forwarded-For": "203.0.113.7",
        "Cookie": f"__Host-latchkey_entry={'x' * 43}; __Host-latchkey_pass={value}",
    }
    return load.request("GET", "/auth/verify?product=bench", headers)


def bare(number: int) -> bytes:
    return load.request("GET", f"/access?id={number}", {})


async def seed(dsn: str) -> list[int]:
    for statement in SEED.split(";"):
        if statement.strip():
            await fetch(dsn, statement)
    rows = await fetch(dsn, "select min(user_id) as low from oauth_authorizations")
    first = int(rows[0]["low"])
    return list(range(first, first + USERS, USERS // COUNT))


def player(port: int, made: Request, numbers: list[int]) -> Callable[[int], load.Result]:
    def play(_: int) -> load.Result:
        requests = iter([made(number) for number in numbers])
        return asyncio.run(load.run(port, requests, connections=CONNECTIONS))

    return play


def main() -> None:
    """Time the handlers in turn, with 50,000 users who have one grant, token and session each."""
    with stack(temporal=False, worker=False) as running:
        numbers = asyncio.run(seed(running.dsn))
        ours = int(running.environment["LATCHKEY_PORT"])
        other = free_port()
        running.spawn(
            "bare",
            "-m",
            "uvicorn",
            "bench.bare:app",
            "--port",
            str(other),
            "--no-access-log",
            "--log-level",
            "warning",
        )
        wait_port(other)
        asked = (("introspect", introspection), ("userinfo", userinfo), ("verify", verify))
        for name, made in asked:
            print(name)
            compare(
                running,
                Contestant("web", player(ours, made, numbers)),
                Contestant("bare", player(other, bare, numbers)),
                wanted=WANTED,
                rounds=ROUNDS,
            )


if __name__ == "__main__":
    main()
