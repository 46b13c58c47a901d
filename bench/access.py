"""`python -m bench.access`: `GET /access` against one select by primary key."""

import asyncio
from collections.abc import Iterator

from bench import load
from bench.ratio import Contestant, compare
from bench.stack import fetch, stack
from bench.webhooks import wait_port
from tests.harness import TOKEN, free_port

USERS, COUNT, ROUNDS, CONNECTIONS = 50_000, 3000, 11, 16

SEED = """
insert into products (id, slug, name, status) values ('prd_bench', 'bench', 'Bench', 'live');
insert into users (email) select 'user' || n || '@bench.example' from generate_series(1, {users}) n;
insert into grants (user_id, product_id, source, source_id, since, cause)
select id, 'prd_bench', 'subscription', 'sub_' || id, now(), 'import' from users;
analyze;
"""


def requests(path: str, values: Iterator[str]) -> Iterator[bytes]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return iter([load.request("GET", path.format(value), headers) for value in values])


async def seed(dsn: str) -> None:
    for statement in SEED.format(users=USERS).split(";"):
        if statement.strip():
            await fetch(dsn, statement)


def main() -> None:
    """Time both handlers in turn, with 50,000 users who have one grant each."""
    with stack(temporal=False, worker=False) as running:
        asyncio.run(seed(running.dsn))
        ours = int(running.environment["LATCHKEY_PORT"])
        bare = free_port()
        running.spawn(
            "bare",
            "-m",
            "uvicorn",
            "bench.bare:app",
            "--port",
            str(bare),
            "--no-access-log",
            "--log-level",
            "warning",
        )
        wait_port(bare)
        step = range(1, USERS, USERS // COUNT)

        def play_ours(_: int) -> load.Result:
            addresses = (f"user{n}@bench.example" for n in step)
            sent = requests("/api/v1/access?product=prd_bench&email={}", addresses)
            return asyncio.run(load.run(ours, sent, connections=CONNECTIONS))

        def play_bare(_: int) -> load.Result:
            sent = requests("/access?id={}", (str(n) for n in step))
            return asyncio.run(load.run(bare, sent, connections=CONNECTIONS))

        compare(
            running,
            Contestant("web", play_ours),
            Contestant("bare", play_bare),
            wanted=0.85,
            rounds=ROUNDS,
        )


if __name__ == "__main__":
    main()
