"""Serves uploaded pictures: to anybody who knows the address, as the picture that it names."""

from collections.abc import Mapping
from dataclasses import replace

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from latchkey.rules.pictures import FOLDER, PictureName, named, of_address
from latchkey.s3 import S3Error
from latchkey.store.pool import DATABASE_AWAY
from web.site import site_of

PATH, LOGO = FOLDER + "{name}", "/logo.png"
_HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""A picture's address names its content, so it never changes. Emails and other sites show it."""

_HOUR = {"Cache-Control": "public, max-age=3600"}

log = structlog.get_logger("pictures")


async def logo(request: Request) -> Response:
    """The present logo, as PNG: what emails show. There is none where the site has no logo."""
    site = site_of(request)
    try:
        await site.refresh_look()
    except DATABASE_AWAY:
        return Response(status_code=503)
    address = site.look.logo_url
    uploaded = of_address(address)
    if uploaded is None:
        return RedirectResponse(address, 302) if address else Response(status_code=404)
    return await _file(request, replace(uploaded, format="png"), _HEADERS | _HOUR)


async def picture(request: Request) -> Response:
    """One file of a picture."""
    name = named(request.path_params["name"])
    return Response(status_code=404) if name is None else await _file(request, name, _HEADERS)


async def _file(request: Request, name: PictureName, headers: Mapping[str, str]) -> Response:
    headers = {**headers, "ETag": f'"{name.digest[:16]}-{name.file}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    site = site_of(request)
    try:
        body = await site.picture_files.get(site.pool, name)
    except (*DATABASE_AWAY, S3Error) as error:
        log.error("picture unavailable", error=f"{type(error).__name__}: {error}")
        return Response(status_code=503)
    if body is None:
        return Response(status_code=404)
    return Response(body, media_type=name.media_type, headers=headers)
