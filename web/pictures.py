"""Serves uploaded pictures: to anybody who knows the address, as the picture that it names."""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from latchkey.rules.pictures import FOLDER, named
from latchkey.store.pool import DATABASE_AWAY
from web.site import site_of

PATH = FOLDER + "{name}"
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""A picture's address names its content, so it never changes. Emails and other sites show it."""

log = structlog.get_logger("pictures")


async def picture(request: Request) -> Response:
    """One file of a picture."""
    name = named(request.path_params["name"])
    if name is None:
        return Response(status_code=404)
    headers = _HEADERS | {"ETag": f'"{name.digest[:16]}-{name.file}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    site = site_of(request)
    try:
        body = await site.picture_files.get(site.pool, name)
    except DATABASE_AWAY as error:
        log.error("picture unavailable", error=type(error).__name__)
        return Response(status_code=503)
    if body is None:
        return Response(status_code=404)
    return Response(body, media_type=name.media_type, headers=headers)
