"""Pages: checkout, payment link, customer portal, invoice, and the control pages."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from sandbox.box import Sandbox
from sandbox.pages.checkout import CheckoutPages
from sandbox.pages.control import ControlPages
from sandbox.pages.frame import TEMPLATES
from sandbox.pages.portal import PortalPages


def routes(box: Sandbox) -> list[Route]:
    """The pages of one sandbox."""
    buying, portal, control = CheckoutPages(box), PortalPages(box), ControlPages(box)
    both = ["GET", "POST"]
    return [
        Route("/", control.overview),
        Route("/webhooks", control.webhooks),
        Route("/webhooks/events/{id}", control.event),
        Route("/requests", control.requests),
        Route("/faults", control.faults),
        Route("/objects", control.objects),
        Route("/objects/{id}", control.one),
        Route("/control/{what}", control.act, methods=["POST"]),
        Route("/sandbox.css", _style),
        Route("/c/pay/{id}", buying.checkout, methods=both),
        Route("/c/embedded/{secret}", buying.embedded, methods=both),
        Route("/r/{id}", buying.recover),
        Route("/b/{id}", buying.payment_link),
        Route("/p/session/{id}", portal.portal, methods=both),
        Route("/3ds/{id}", buying.authenticate, methods=both),
        Route("/i/{id}", portal.invoice, methods=both),
        Route("/i/{id}/pdf", portal.invoice),
    ]


async def _style(request: Request) -> Response:
    return FileResponse(TEMPLATES / "sandbox.css")
