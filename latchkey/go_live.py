"""Gathers the facts of the go-live checklist from the settings and the database."""

from datetime import timedelta

from latchkey.mail import server as servers
from latchkey.rules.go_live import GoLiveFacts
from latchkey.settings import Settings
from latchkey.store import mail_server, site_settings
from latchkey.store.checks import go_live, health, public_address
from latchkey.store.checks.findings import endpoint_problems
from latchkey.store.pool import Connection
from latchkey.store.users import factors
from latchkey.stripe_api import API_VERSION
from latchkey.vault import VaultError


async def facts(connection: Connection, settings: Settings) -> GoLiveFacts:
    """The facts as they are now, with a fixed number of queries."""
    figures = await health.figures(connection)
    recorded = await go_live.recorded(connection)
    site = await site_settings.read(connection)
    team = await factors.of_staff(connection)
    made, hours = figures.backed_up_at, settings.backup_hours
    fresh = made is not None and figures.now - made <= timedelta(hours=hours)
    return GoLiveFacts(
        https=settings.public_url.startswith("https://"),
        mail_tested=await _mail_tested(connection, settings),
        without_factor=sum(not member.factors.any for member in team),
        backed_up=fresh or hours == 0,
        clock_off=max(recorded.clock_off, timedelta() if settings.sandbox_url else recorded.behind),
        connected=figures.connection == "connected",
        missing=recorded.missing,
        endpoint_problems=len(endpoint_problems(figures, api_version=API_VERSION)),
        heard=recorded.heard,
        portal_linked=not site.portal or bool(site.privacy_url and site.terms_url),
        linked=recorded.linked,
        bought=recorded.bought,
        livemode=recorded.livemode,
        confirmed=recorded.confirmed,
        address=await public_address.last(connection, settings.public_url),
    )


async def _mail_tested(connection: Connection, settings: Settings) -> bool:
    """Whether the server that is set accepted a test email."""
    test = await mail_server.last_test(connection)
    try:
        server = await servers.current(connection, settings)
    except VaultError:
        return False
    return test is not None and server is not None and test.server == server.name
