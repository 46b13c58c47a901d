"""`python -m bench.access`: `GET /access` against one select by primary key."""

import asyncio
import statistics
from collections.abc import Iterator

from bench import load
from bench.stack import fetch, stack
from bench.webhooks import wait_port
from tests.harness import TOKEN, free_port

USERS, COUNT, ROUNDS, CONNECTIONS = 50_000, 6000, 5, 16

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
        ratios = []
        for number in range(ROUNDS + 1):
            step = range(1, USERS, USERS // COUNT)
            first = asyncio.run(
                load.run(
                    ours,
                    requests(
                        "/api/v1/access?product=prd_bench&email={}",
                        (f"user{n}@bench.example" for n in step),
                    ),
                    connections=CONNECTIONS,
                )
            )
            second = asyncio.run(
                load.run(
                    bare, requests("/access?id={}", (str(n) for n in step)), connections=CONNECTIONS
                )
            )
            if number == 0:
                continue
            ratios.append(first.rate / second.rate)
            print(f"latchkey {first.words()}")
            print(f"bare     {second.words()}   ratio {ratios[-1]:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f} (wanted: at least 0.85)")


if __name__ == "__main__":
    main()
