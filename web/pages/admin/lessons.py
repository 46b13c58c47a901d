"""A product's lessons: list and order, create, edit with a preview, delete; their files."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from markupsafe import Markup
from pydantic import BeforeValidator, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.rules.lessons import MOST_DAYS
from latchkey.store.pool import Connection
from latchkey.store.products import lesson_files, lessons
from latchkey.store.products.lesson_files import LessonFile
from latchkey.store.products.lessons import Lesson
from latchkey.store.products.products import Product
from latchkey.texts import visible
from web import bodies, markdown
from web.inputs import Input, Markdown, Name, Url
from web.numbers import number
from web.pages.admin.lookup import product_of
from web.pages.admin.places import places_of
from web.pages.errors import NotFoundError, errors_of
from web.pages.guard import admin_page, form, redirect, text
from web.pages.render import page
from web.site import site_of

_FIELDS = ("title", "body", "video_url", "released_after_days", "status")
_LESSON_ID = re.compile(r"les_[0-9a-f]{16}")


def _days(value: object) -> object:
    days = number(value.strip(), digits=9) if isinstance(value, str) else None
    if days is None or days > MOST_DAYS:
        raise ValueError(
            _(
                "This must be a whole number of days, from 0 to %(most_days)s.",
                most_days=MOST_DAYS,
            )
        )
    return days


class LessonForm(Input):
    """What the editor sends."""

    title: Name
    body: Markdown
    video_url: Url | None
    released_after_days: Annotated[int, BeforeValidator(_days), Field(ge=0, le=MOST_DAYS)]
    status: Literal["draft", "live"]


def routes() -> list[Route]:
    base = "/admin/products/{id}/lessons"
    return [
        Route(base, index),
        Route(f"{base}/new", new, methods=["GET", "POST"]),
        Route(f"{base}/{{lesson}}", edit, methods=["GET", "POST"]),
        Route(f"{base}/{{lesson}}/move", move, methods=["POST"]),
        Route(f"{base}/{{lesson}}/delete", delete, methods=["GET", "POST"]),
        Route(f"{base}/{{lesson}}/files", upload, methods=["POST"]),
        Route(f"{base}/{{lesson}}/files/{{file}}/delete", remove, methods=["GET", "POST"]),
    ]


@admin_page
async def index(request: Request) -> Response:
    """The lessons in the order in which members see them."""
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
        rows = await lessons.listed(connection, product.id)
    return page(
        request, "admin/lessons.html", product=product, rows=rows, full=len(rows) >= lessons.MOST
    )


@admin_page
async def new(request: Request) -> Response:
    """The form carries the id of the new lesson, so sending it twice creates one."""
    fields = await form(request, most=bodies.LONG_TEXT) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        product = await product_of(request, connection)
    if fields is None:
        empty = {"status": "live", "released_after_days": 0}
        return _form_page(request, product, empty, lesson_id=lessons.new_id())
    lesson_id = text(fields, "lesson_id")
    if not _LESSON_ID.fullmatch(lesson_id):
        lesson_id = lessons.new_id()
    values = {name: text(fields, name) for name in _FIELDS}
    if text(fields, "do") == "preview":
        preview = await markdown.rendered(values["body"])
        return _form_page(request, product, values, lesson_id=lesson_id, preview=preview)
    try:
        checked = _checked(values)
    except ValidationError as error:
        return _form_page(request, product, values, errors_of(error), lesson_id=lesson_id)
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        try:
            made = await lessons.create(connection, product.id, lesson_id=lesson_id, **checked)
        except lessons.TooManyLessonsError as error:
            return _form_page(request, product, values, {"form": str(error)}, lesson_id=lesson_id)
    if made is None:
        raise NotFoundError(_("This lesson belongs to another product."))
    return redirect(f"/admin/products/{product.id}/lessons?done=saved")


@admin_page
async def edit(request: Request) -> Response:
    """The text, the video and when it opens. With `preview` it is shown, not saved."""
    fields = await form(request, most=bodies.LONG_TEXT) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection:
        product, lesson = await _lesson_of(request, connection)
    if fields is None:
        return await _edit_page(request, product, lesson, vars(lesson))
    values = {name: text(fields, name) for name in _FIELDS}
    if text(fields, "do") == "preview":
        preview = await markdown.rendered(values["body"])
        return await _edit_page(request, product, lesson, values, preview=preview)
    try:
        checked = _checked(values)
    except ValidationError as error:
        return await _edit_page(request, product, lesson, values, errors_of(error))
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        if await lessons.update(connection, product.id, lesson.id, checked) is None:
            raise NotFoundError(_("This lesson doesn't exist."))
    return redirect(f"/admin/products/{product.id}/lessons/{lesson.id}?done=saved")


@admin_page
async def move(request: Request) -> Response:
    """Move a lesson up or down, by one place or by so many."""
    by = places_of(await form(request))
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product, lesson = await _lesson_of(request, connection)
        await lessons.move(connection, product.id, lesson.id, by=by)
    return redirect(f"/admin/products/{product.id}/lessons")


@admin_page
async def delete(request: Request) -> Response:
    """Asks for confirmation, then deletes the lesson."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product, lesson = await _lesson_of(request, connection)
        if fields is None:
            return page(request, "admin/lesson_delete.html", product=product, lesson=lesson)
        await lessons.delete(connection, product.id, lesson.id)
    return redirect(f"/admin/products/{product.id}/lessons?done=deleted")


@admin_page
async def upload(request: Request) -> Response:
    """Add a file. It goes into the database part by part."""
    most = site_of(request).settings.file_mib * bodies.MIB
    fields = await form(request, files=1, most=most + bodies.MIB)
    chosen = fields.get("file")
    problem = _("Choose a file.")
    async with site_of(request).pool.acquire() as connection:
        product, lesson = await _lesson_of(request, connection)
    if isinstance(chosen, UploadFile) and chosen.filename:
        name = visible(re.split(r"[/\\]", chosen.filename)[-1], longest=200) or "file"
        try:
            async with site_of(request).pool.acquire() as connection, connection.transaction():
                await lesson_files.add(
                    connection, lesson.id, name=name, read=chosen.read, most=most
                )
        except lesson_files.FileRefusedError as error:
            problem = str(error)
        else:
            return redirect(f"/admin/products/{product.id}/lessons/{lesson.id}?done=saved#files")
    return await _edit_page(request, product, lesson, vars(lesson), {"file": problem})


@admin_page
async def remove(request: Request) -> Response:
    """Asks for confirmation, then deletes a file."""
    fields = await form(request) if request.method == "POST" else None
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        product, lesson = await _lesson_of(request, connection)
        file = await lesson_files.find(connection, lesson.id, request.path_params["file"])
        if file is None:
            raise NotFoundError(_("This file doesn't exist."))
        if fields is None:
            return page(
                request,
                "admin/lesson_file_delete.html",
                product=product,
                lesson=lesson,
                file=file,
            )
        await lesson_files.delete(connection, lesson.id, file.id)
    return redirect(f"/admin/products/{product.id}/lessons/{lesson.id}?done=deleted#files")


async def _edit_page(
    request: Request,
    product: Product,
    lesson: Lesson,
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
    *,
    preview: Markup | None = None,
) -> Response:
    """The editor of a lesson, with its files."""
    async with site_of(request).pool.acquire() as connection:
        files = await lesson_files.of_lesson(connection, lesson.id)
    return _form_page(request, product, values, errors, lesson=lesson, files=files, preview=preview)


async def _lesson_of(request: Request, connection: Connection) -> tuple[Product, Lesson]:
    """The lesson that the URL names, and its product. Raises `NotFoundError`."""
    product = await product_of(request, connection)
    lesson = await lessons.find(connection, product.id, request.path_params["lesson"])
    if lesson is None:
        raise NotFoundError(_("This lesson doesn't exist."))
    return product, lesson


def _checked(values: dict[str, str]) -> dict[str, Any]:
    given = values | {"video_url": values["video_url"] or None}
    return LessonForm.model_validate(given).model_dump()


def _form_page(
    request: Request,
    product: Product,
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
    *,
    lesson: Lesson | None = None,
    lesson_id: str = "",
    files: Sequence[LessonFile] = (),
    preview: Markup | None = None,
) -> Response:
    """The editor: of a lesson, or of a new one with the given id."""
    return page(
        request,
        "admin/lesson_edit.html",
        422 if errors else 200,
        product=product,
        lesson=lesson,
        lesson_id=lesson_id,
        files=files,
        most_mib=site_of(request).settings.file_mib,
        values=values,
        errors=errors or {},
        preview=preview,
    )
