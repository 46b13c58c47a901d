"""The web process: site, admin pages, JSON API, webhook endpoint and the relay."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from latchkey import address_proof, adoption, first_owner, presence, temporal, tracing
from latchkey.keyring import Keyring
from latchkey.namespace_guard import NamespaceGuard
from latchkey.serving import Drain
from latchkey.settings import Settings, load_settings
from latchkey.store.pool import WEB_CONNECTIONS, create_pool
from latchkey.vault import Vault
from web import api, downloads, forward_auth, health, oauth, pages, pictures
from web.bodies import BoundedBodies
from web.hosts import KnownHosts
from web.measuring import Measured
from web.pages.navigation import menu_of
from web.paths import WEBHOOKS, ExactPaths, PlainPaths
from web.relay import Relay
from web.request_ids import RequestIds
from web.security import SecurityHeaders
from web.site import Site
from web.traced import Traced
from web.visitors import VisitorAddresses
from web.webhooks import WebhookEndpoint

log = structlog.get_logger("web")


class StaticAssets(StaticFiles):
    """Static files. Browsers cache them permanently if the URL carries the content's version."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        versioned = scope["query_string"].startswith(b"v=")
        response.headers.setdefault(
            "Cache-Control", "public, max-age=31536000, immutable" if versioned else "no-cache"
        )
        return response


class _WebProcess(Starlette):
    """The routes and what surrounds them. Outside of everything, so that not even an error page
    goes without them, are the security headers. The apps of `exact`, by method and path, answer
    their own errors: Starlette's layers aren't around them."""

    def __init__(
        self, settings: Settings, *, exact: dict[tuple[str, str], ASGIApp], **given: Any
    ) -> None:
        self._settings = settings
        self._exact = exact
        super().__init__(**given)

    def build_middleware_stack(self) -> ASGIApp:
        settings = self._settings
        app: ASGIApp = ExactPaths(super().build_middleware_stack(), table=self._exact)
        app = KnownHosts(BoundedBodies(app), settings=settings)
        app = RequestIds(PlainPaths(app))
        app = VisitorAddresses(app, trusted=settings.trusted_proxies)
        app = SecurityHeaders(app, settings)
        return Measured(app if tracing.tracer() is None else Traced(app))


class _Webhooks:
    """Holds the webhook route until the lifespan has created the endpoint, then delegates to it."""

    def __init__(self) -> None:
        self.endpoint: WebhookEndpoint | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.endpoint is not None, "the lifespan sets it"
        await self.endpoint(scope, receive, send)


def create_app(settings: Settings | None = None, drain: Drain | None = None) -> Starlette:
    """The ASGI app. Its lifespan opens and closes everything it uses. `drain` says when its server
    is about to stop."""
    settings = settings or load_settings()
    drain = drain or Drain()
    webhooks = _Webhooks()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_site(settings, drain) as site:
            app.state.site = site
            webhooks.endpoint = WebhookEndpoint(
                site.pool, site.keyring, site.event_due, site.refusals.count
            )
            relay = Relay(
                site.pool,
                site.temporal,
                arrived=site.arrived,
                wake=site.wake,
                refusals=site.refusals,
                audit=site.audit,
                burst_from=settings.burst_from,
            )
            app.state.relay = relay
            async with presence.reported(site.pool, site.supervisor, kind="web"):
                relaying = asyncio.create_task(relay.run(site.supervisor))
                log.info("web ready", url=settings.public_url)
                try:
                    yield
                finally:
                    site.supervisor.stop()
                    await asyncio.wait([relaying], timeout=10)
                    await site.audit.flush_last(site.pool)

    inner = Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz),
            Route("/metrics", health.metrics),
            Route(address_proof.PATH, health.which_database),
            Mount("/static", StaticAssets(directory=Path(__file__).with_name("static"))),
            *pages.routes(),
        ],
        middleware=[
            Middleware(
                GZipMiddleware,
                minimum_size=1000,
                exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, downloads.FILE_TYPE),
            )
        ],
        exception_handlers=pages.exception_handlers(),
    )
    outer = _WebProcess(
        settings,
        routes=[
            Route(WEBHOOKS, webhooks),
            *api.routes(),
            *oauth.routes(),
            *forward_auth.routes(),
            Route(pictures.PATH, pictures.picture),
            Route(pictures.LOGO, pictures.logo),
            Mount("/", inner),
        ],
        exact={("POST", WEBHOOKS): webhooks} | api.exact() | oauth.exact() | forward_auth.exact(),
        lifespan=lifespan,
    )
    inner.router.redirect_slashes = outer.router.redirect_slashes = False
    inner.state = outer.state
    outer.state.menus = {admin: menu_of(inner.routes, admin=admin) for admin in (True, False)}
    return outer


@asynccontextmanager
async def open_site(settings: Settings, drain: Drain) -> AsyncIterator[Site]:
    """The site of this process. Creates the first admin if the settings name one."""
    pool = await create_pool(settings.require_database(), max_size=WEB_CONNECTIONS)
    keyring = Keyring(
        pool,
        Vault(settings.require_secrets()),
        key=settings.stripe_secret_key.get_secret_value() if settings.stripe_secret_key else None,
        secrets=settings.webhook_secrets,
        api_base=settings.stripe_api_base,
        address=settings.public_url,
    )
    guard = NamespaceGuard(pool, settings.public_url)
    client = await temporal.connect(keys=settings.payload_keys, lazy=True, interceptors=[guard])
    guard.watch(client)
    site = Site(settings, pool, keyring, client, drain)
    try:
        await adoption.claim(pool, settings)
        await first_owner.ensure(pool, settings)
        yield site
    finally:
        await site.outgoing.aclose()
        await site.picture_files.close()
        await keyring.close()
        await pool.close()
