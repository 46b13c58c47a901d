"""The site's brand: logo, icon, colours, font, and the links at the foot."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import A_
from latchkey.mail.look import FONTS
from latchkey.pictures import PictureError
from latchkey.rules.pictures import PictureUse
from latchkey.store import site_settings
from web import bodies, theme
from web.inputs import Input, Name, PictureUrl, Url
from web.pages.errors import errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.pages.uploads import chosen_picture, named_picture
from web.site import site_of

MOST_LINKS = 5
_PICTURES = {"logo_url": PictureUse.LOGO, "icon_url": PictureUse.ICON}
_CACHED = {"Cache-Control": "public, max-age=31536000, immutable"}


def _colour(value: str) -> str:
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ValueError(A_("must be a colour such as #3d4ed8"))
    return value.lower()


def _font(value: str) -> str:
    if value not in FONTS:
        raise ValueError(A_("must be one of the fonts in the list"))
    return value


Colour = Annotated[str, AfterValidator(_colour)]


class Brand(Input):
    """What the form sends, without the links."""

    logo_url: PictureUrl | None
    icon_url: PictureUrl | None
    colour: Colour
    bar_colour: Colour | None
    font: Annotated[str, AfterValidator(_font)]


class FootLink(Input):
    """A link at the foot of pages and emails."""

    name: Name
    url: Url


def routes() -> list[Route]:
    return [
        Route("/theme.css", style_sheet),
        Route("/admin/settings/brand", brand, methods=["GET", "POST"]),
    ]


async def style_sheet(request: Request) -> Response:
    """The site's colours and font. The address says all that it depends on, so browsers keep it."""
    asked = request.query_params
    font = asked.get("font", "")
    make = theme.sample_sheet if asked.get("sample") else theme.style_sheet
    sheet = make(
        _asked_colour(asked.get("colour")) or theme.DEFAULT,
        bar=_asked_colour(asked.get("bar")),
        font=font if font in FONTS else "system",
    )
    return Response(sheet, media_type="text/css", headers=_CACHED)


def _asked_colour(digits: str | None) -> str | None:
    try:
        return _colour(f"#{digits}")
    except ValueError:
        return None


@admin_page
async def brand(request: Request) -> Response:
    site = site_of(request)
    if request.method == "GET":
        async with site.pool.acquire() as connection:
            current = await site_settings.read(connection)
        return _page(request, vars(current) | {"links": list(current.links)}, {})
    fields = await form(request, files=len(_PICTURES), most=2 * bodies.PICTURE)
    values, errors = await _pictures(request, fields)
    values |= {
        "colour": text(fields, "colour"),
        "bar_colour": text(fields, "bar_colour") if text(fields, "bar") == "yes" else None,
        "font": text(fields, "font"),
    }
    links, link_errors = _links(fields)
    errors |= link_errors
    try:
        wanted = Brand.model_validate(values)
    except ValidationError as error:
        errors = errors_of(error) | errors
    values["links"] = links
    if errors:
        return _page(request, values, errors, 422)
    if text(fields, "do") == "preview":
        return _page(request, values, {})
    async with site.pool.acquire() as connection, connection.transaction():
        site.look = await site_settings.change(
            connection,
            **wanted.model_dump(),
            links=[link for link in links if link["name"]],
        )
    return redirect("/admin/settings/brand?done=saved")


async def _pictures(request: Request, fields: FormData) -> tuple[dict[str, Any], dict[str, str]]:
    """The logo and the icon, and the errors by field."""
    values: dict[str, Any] = {}
    errors = {}
    for name, use in _PICTURES.items():
        try:
            values[name] = await chosen_picture(request, fields, name, use) or None
        except PictureError as error:
            values[name] = named_picture(fields, name) or None
            errors[name] = str(error)
    return values, errors


def _links(fields: FormData) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The links as they were typed, row by row, and the errors by field."""
    rows, errors = [], {}
    for number in range(MOST_LINKS):
        row = {part: text(fields, f"link_{part}_{number}") for part in ("name", "url")}
        rows.append(row)
        if any(row.values()):
            try:
                FootLink.model_validate(row)
            except ValidationError as error:
                for part, why in errors_of(error).items():
                    errors[f"link_{part}_{number}"] = why
    return rows, errors


def _page(
    request: Request, values: dict[str, Any], errors: dict[str, str], status: int = 200
) -> Response:
    links = values["links"]
    shown = "colour" not in errors and "bar_colour" not in errors and "font" not in errors
    sheet = theme.address(
        values["colour"] if shown else theme.DEFAULT,
        bar=values["bar_colour"] if shown else None,
        font=values["font"] if shown else "system",
    )
    return page(
        request,
        "admin/brand.html",
        status,
        values=values,
        links=links + [{"name": "", "url": ""}] * (MOST_LINKS - len(links)),
        errors=errors,
        fonts=[(name, font.label) for name, font in FONTS.items()],
        advice=theme.advice(values["colour"]) if shown else [],
        sample_address=f"{sheet}&sample=1",
    )
