"""`/healthz`, `/readyz`, `/metrics`, and which database this is."""

import asyncio
from contextlib import suppress
from hmac import compare_digest

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.service import RPCError

from latchkey import address_proof
from latchkey.store.migrate import MigrationError, missing
from latchkey.store.pool import DATABASE_FAILED, is_read_only
from latchkey.temporal import lacks_namespace, no_namespace
from web.site import Site, site_of
from web.visitors import from_trusted_proxy

PATIENCE_SECONDS = 3.0
READ_ONLY = "takes no writes"
_ANSWERS = ("ok", READ_ONLY)
"""What Postgres may say while access, which is only read, can be answered."""


async def healthz(request: Request) -> Response:
    """The process is running."""
    return JSONResponse({"alive": True})


async def readyz(request: Request) -> Response:
    """Whether this process can serve requests: 503 unless Postgres answers and is migrated, and
    503 while it drains before it stops.

    For those who may see the metrics, also the state of the other dependencies and the background
    loops. With `?full=1` these count, too: without Temporal, access, pages and webhooks still
    answer, but events aren't processed; while Postgres takes no writes, access still answers.
    Stripe's state never counts.
    """
    site = site_of(request)
    if site.drain.begun:
        return JSONResponse({"ready": False, "draining": True}, 503)
    full = request.query_params.get("full") == "1"
    if not may_see(request):
        ready = not full and await postgres(site) in _ANSWERS
        return _closed() if full else JSONResponse({"ready": ready}, 200 if ready else 503)
    checks = dict(
        zip(
            ("postgres", "temporal"),
            await asyncio.gather(postgres(site), temporal(site)),
            strict=True,
        )
    )
    stuck = [f"{loop.name}: {loop.error or 'no progress'}" for loop in site.supervisor.stuck]
    checks["loops"] = f"stuck: {'; '.join(stuck)}" if stuck else "ok"
    answers = checks["postgres"] in _ANSWERS
    ready = all(state == "ok" for state in checks.values()) if full else answers
    stripe = (await site.keyring.connection()).state if answers else "unknown"
    return JSONResponse({"ready": ready, **checks, "stripe": stripe}, 200 if ready else 503)


async def which_database(request: Request) -> Response:
    """Whether a proof was written to the database of this site: how a copy finds out that it isn't
    the one at its address. Also whether a trusted proxy said who asks."""
    site = site_of(request)
    proof = request.query_params.get("proof", "")
    if not address_proof.is_proof(proof):
        return PlainTextResponse("Not found.\n", 404)
    url = site.settings.public_url
    signature = await address_proof.answer(site.pool, site.keyring.vault, url, proof)
    told = {"signature": signature, "forwarded": from_trusted_proxy(request)}
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


async def metrics(request: Request) -> Response:
    """Prometheus metrics. Figures from the database keep their last value while it doesn't
    answer."""
    site = site_of(request)
    if not may_see(request):
        return _closed()
    with suppress(*DATABASE_FAILED):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await site.bell.measure(site.pool)
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


def may_see(request: Request) -> bool:
    """Whether a request may see how the site runs: it has LATCHKEY_METRICS_TOKEN. Without that
    setting, anyone may on a site that the internet can't reach, and nobody elsewhere."""
    settings = site_of(request).settings
    if settings.metrics_token is None:
        return settings.is_local
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    wanted = settings.metrics_token.get_secret_value()
    return scheme.lower() == "bearer" and compare_digest(token.encode(), wanted.encode())


def _closed() -> Response:
    text = "Send LATCHKEY_METRICS_TOKEN as a bearer token. Without that setting, this is closed.\n"
    return PlainTextResponse(text, 401, {"WWW-Authenticate": "Bearer"})


async def postgres(site: Site) -> str:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), site.pool.acquire() as connection:
            lacking = await missing(connection)
            read_only = is_read_only(connection)
    except DATABASE_FAILED as error:
        return f"unreachable: {type(error).__name__}"
    except MigrationError as error:
        return str(error)
    if lacking:
        return f"not migrated: {', '.join(lacking)}"
    return READ_ONLY if read_only else "ok"


async def temporal(site: Site) -> str:
    """Whether Temporal answers and has the namespace."""
    named = DescribeNamespaceRequest(namespace=site.temporal.namespace)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await site.temporal.workflow_service.describe_namespace(named)
    except (RPCError, RuntimeError, TimeoutError) as error:
        if isinstance(error, RPCError) and lacks_namespace(error):
            return no_namespace(site.temporal.namespace)
        return f"unreachable: {type(error).__name__}"
    return "ok"
