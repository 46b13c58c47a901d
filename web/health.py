"""`/healthz`, `/readyz`, `/metrics`."""

import asyncio
from contextlib import suppress

import asyncpg
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from latchkey.store.migrate import missing
from web.site import Site, site_of

PATIENCE_SECONDS = 3.0


async def healthz(request: Request) -> Response:
    """The process is running."""
    return JSONResponse({"alive": True})


async def readyz(request: Request) -> Response:
    """The state of each dependency and of the background loops; 503 unless Postgres, Temporal and
    the loops are ok. Without Temporal, events are still stored but not processed. Stripe's state is
    shown but doesn't affect the status."""
    site = site_of(request)
    checks = dict(
        zip(
            ("postgres", "temporal"),
            await asyncio.gather(postgres(site), temporal(site)),
            strict=True,
        )
    )
    stuck = [f"{loop.name}: {loop.error or 'no progress'}" for loop in site.supervisor.stuck]
    checks["loops"] = f"stuck: {'; '.join(stuck)}" if stuck else "ok"
    ready = all(state == "ok" for state in checks.values())
    stripe = (await site.keyring.connection()).state if checks["postgres"] == "ok" else "unknown"
    return JSONResponse({"ready": ready, **checks, "stripe": stripe}, 200 if ready else 503)


async def metrics(request: Request) -> Response:
    """Prometheus metrics. Figures from the database keep their last value while it doesn't
    answer."""
    site = site_of(request)
    with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await site.bell.measure(site.pool)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


async def postgres(site: Site) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), site.pool.acquire() as connection:
            lacking = await missing(connection)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"unreachable: {type(error).__name__}"
    return f"not migrated: {', '.join(lacking)}" if lacking else "ok"


async def temporal(site: Site) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await site.temporal.service_client.check_health()
    except (RPCError, RuntimeError, TimeoutError) as error:
        return f"unreachable: {type(error).__name__}"
    return "ok"
