"""Health: events, delays, dependencies, and repairing the webhook endpoint."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import dispatch
from latchkey.languages import _
from latchkey.rules.endpoint import elsewhere
from latchkey.rules.routing import HANDLED_EVENTS
from latchkey.store.checks import health, processes
from latchkey.store.checks.findings import endpoint_problems
from latchkey.store.products import checkout
from latchkey.stripe_api import API_VERSION
from web import health as probes
from web.pages.guard import admin_page, form, redirect
from web.pages.render import page
from web.site import site_of

UNUSUAL = ("missing", "caught up")
"""States of an event type that somebody should look at."""


def routes() -> list[Route]:
    return [
        Route("/admin/health", show),
        Route("/admin/health/repair", repair, methods=["POST"]),
    ]


@admin_page
async def show(request: Request) -> Response:
    return await _page(request)


@admin_page
async def repair(request: Request) -> Response:
    """Check the key, and register or fix the endpoint, through the connection's workflow."""
    await form(request)
    site = site_of(request)
    try:
        await dispatch.check_connection(site.temporal)
    except (dispatch.TemporalUnavailableError, dispatch.WorkflowFailedError) as error:
        return await _page(request, error=_("The check didn't finish: %(error)s", error=error))
    await site.keyring.reload()
    site.bell.forget()
    return redirect("/admin/health?done=checked")


async def _page(request: Request, *, error: str | None = None) -> Response:
    site = site_of(request)
    async with site.pool.acquire() as connection:
        report = await health.report(connection, HANDLED_EVENTS)
        running = await processes.running(connection)
        unsold = await checkout.interrupted(connection, limit=health.MANY)
        refused_sales = await checkout.refused_sales(connection, limit=health.MANY)
    postgres, temporal = await asyncio.gather(probes.postgres(site), probes.temporal(site))
    problems = endpoint_problems(report.figures, api_version=API_VERSION)
    smtp = site.settings.smtp_url is not None or report.figures.mail_server
    troubled = {
        "endpoint": bool(problems) or report.figures.endpoint_found is None,
        "types": any(seen.state in UNUSUAL for seen in report.types),
        "events": bool(report.figures.failed or report.figures.overdue or report.refusals),
        "sales": bool(unsold or refused_sales),
        "missed": not report.looks,
        "around": {postgres, temporal} != {"ok"}
        or report.figures.connection != "connected"
        or not smtp
        or report.figures.mails_failed > 0,
        "processes": any(process.stuck for process in running)
        or all(process.kind != "worker" for process in running),
    }
    if report.findings:
        troubled["key"] = not all(
            finding["ok"] or finding.get("optional") for finding in report.findings
        )
    return page(
        request,
        "admin/health.html",
        422 if error else 200,
        report=report,
        figures=report.figures,
        endpoint=report.figures.endpoint_found,
        endpoint_problems=problems,
        elsewhere=elsewhere(report.figures.endpoint_found),
        troubled=troubled,
        unusual=UNUSUAL,
        todo=(await site.bell.alarms(site.pool)).todo,
        version=API_VERSION,
        processes=running,
        unsold=unsold,
        refused_sales=refused_sales,
        dependencies={"Postgres": postgres, "Temporal": temporal},
        smtp=smtp,
        catch_up_seconds=site.settings.catchup_seconds,
        by_hand=site.keyring.secrets_by_hand or site.settings.register_webhook == "off",
        error=error,
    )
