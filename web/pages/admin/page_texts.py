"""The texts of members' pages in the team's own words: written, looked at, taken back."""

from typing import Annotated

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey import languages, variables
from latchkey.languages import A_, Language, _
from latchkey.store import page_texts, site_settings
from latchkey.store.page_texts import PageText
from latchkey.store.products import products
from web.inputs import Input, Line, Markdown
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of
from web.wording.page_texts import LONGEST, PLACES, Place, Words, default_text, reworded

HERE = "/admin/settings/texts"
_EMPTY = A_("This must not be empty.")


class TextForm(Input):
    """What the form sends."""

    heading: Annotated[Line, Field(max_length=200)]
    body: Annotated[Markdown, Field(max_length=LONGEST)]


def routes() -> list[Route]:
    return [
        Route(HERE, index),
        Route(HERE + "/{place}/{language}", edit, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    """Every place, and in which languages the team has written its text."""
    async with site_of(request).pool.acquire() as connection:
        texts = await page_texts.read(connection)
        language = (await site_settings.read(connection)).language
    return page(
        request,
        "admin/page_texts.html",
        places=PLACES.values(),
        written=texts.keys(),
        first=language,
    )


@admin_page
async def edit(request: Request) -> Response:
    """One text in one language. Besides saving it, the form shows it, or goes back to ours."""
    place, language = _asked(request)
    ours = default_text(place, language)
    site = site_of(request)
    if request.method == "GET":
        async with site.pool.acquire() as connection:
            stored = (await page_texts.read(connection)).get((place.key, language.code))
        return await _page(request, stored or ours, {})
    fields = await form(request)
    heading = text(fields, "heading") if place.heading else ""
    wanted = PageText(heading, text(fields, "body").replace("\r\n", "\n"))
    if text(fields, "do") == "default":
        wanted = ours
    elif errors := _errors(wanted, place):
        return await _page(request, wanted, errors)
    if text(fields, "do") == "preview":
        return await _page(request, wanted, {}, shown=await _shown(request, wanted))
    async with site.pool.acquire() as connection, connection.transaction():
        if wanted == ours:
            await page_texts.remove(connection, place.key, language.code)
        else:
            await page_texts.save(connection, place.key, language.code, wanted)
        written = await page_texts.read(connection)
    site.texts = written
    return redirect(f"{HERE}/{place.key}/{language.code}?done=saved")


def _asked(request: Request) -> tuple[Place, Language]:
    place = PLACES.get(request.path_params["place"])
    language = languages.LANGUAGES.get(request.path_params["language"])
    if place is None or language is None:
        raise NotFoundError(_("This text doesn't exist."))
    return place, language


def _errors(wanted: PageText, place: Place) -> dict[str, str]:
    """What is wrong with a text, by field."""
    try:
        TextForm.model_validate({"heading": wanted.heading, "body": wanted.body})
    except ValidationError as error:
        return errors_of(error)
    errors = {}
    for name, ours, given in (
        ("heading", place.heading, wanted.heading),
        ("body", place.body, wanted.body),
    ):
        if ours and not given:
            errors[name] = _EMPTY
        elif wrong := variables.refusal(given, place.variables, where="text"):
            errors[name] = wrong
    return errors


async def _shown(request: Request, wanted: PageText) -> Words:
    """The text as its reader would see it: the person who wrote it, about the newest product."""
    async with site_of(request).pool.acquire() as connection:
        newest = await products.newest_name(connection) or _("Your product")
    facts = {
        "site": site_of(request).look.name,
        "email": request.state.user.email,
        "product": newest,
        "products": newest,
    }
    return reworded(wanted, facts)


async def _page(
    request: Request, shown_text: PageText, errors: dict[str, str], *, shown: Words | None = None
) -> Response:
    place, language = _asked(request)
    async with site_of(request).pool.acquire() as connection:
        texts = await page_texts.read(connection)
    return page(
        request,
        "admin/page_text.html",
        422 if errors else 200,
        place=place,
        longest=LONGEST,
        language_shown=language,
        written={code for key, code in texts if key == place.key},
        values=shown_text,
        default=default_text(place, language),
        errors=errors,
        shown=shown,
    )
