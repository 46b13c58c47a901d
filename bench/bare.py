"""The baselines of the benchmarks: minimal handlers for the same job."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
import stripe
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECRET = os.environ.get("BARE_SECRET", "")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], max_size=20)
    yield
    await app.state.pool.close()


async def webhook(request: Request) -> Response:
    """Verify and insert one row."""
    body = await request.body()
    stripe.WebhookSignature.verify_header(
        body.decode(), request.headers["stripe-signature"], SECRET, 300
    )
    event = orjson.loads(body)
    await request.app.state.pool.execute(
        "insert into bare_events (id, body) values ($1, $2) on conflict do nothing",
        event["id"],
        body.decode(),
    )
    return Response(b'{"received":true}', media_type="application/json")


async def access(request: Request) -> Response:
    """One select by primary key."""
    row = await request.app.state.pool.fetchrow(
        "select id, until from grants where id = $1", int(request.query_params["id"])
    )
    return Response(
        orjson.dumps({"access": row is not None, "until": row and row["until"]}),
        media_type="application/json",
    )


app = Starlette(
    routes=[Route("/webhook", webhook, methods=["POST"]), Route("/access", access)],
    lifespan=lifespan,
)
