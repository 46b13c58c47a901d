"""The lessons of a product, for those who may open it."""

from datetime import UTC, datetime
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from latchkey.languages import _
from latchkey.rules.lessons import LessonStep, following
from latchkey.store.access import lesson_progress
from latchkey.store.products import lesson_files, lessons
from web import markdown
from web.downloads import download
from web.pages.errors import NotFoundError
from web.pages.guard import NotYoursError, form, member_page, reader_page, redirect, text
from web.pages.member.reading import Reading, opened
from web.pages.render import page
from web.site import site_of


def routes() -> list[Route]:
    base = "/products/{slug}/lessons/{lesson}"
    return [
        Route(base, show),
        Route(f"{base}/done", mark, methods=["POST"]),
        Route(f"{base}/files/{{file}}", file),
    ]


@reader_page
async def show(request: Request) -> Response:
    """A lesson; before it opens, when it does."""
    reading = await opened(request)
    if isinstance(reading, Response):
        return reading
    steps, place = await _place(request, reading)
    product, step = reading.product, steps[place]
    if not step.is_open(datetime.now(UTC)):
        return _locked(request, reading, step)
    async with site_of(request).pool.acquire() as connection:
        lesson = await lessons.find(connection, product.id, step.id)
        files = await lesson_files.of_lesson(connection, step.id)
    if lesson is None:
        raise NotFoundError(_("This lesson doesn't exist."))
    return page(
        request,
        "member/lesson.html",
        product=product,
        lesson=lesson,
        content=await markdown.rendered(lesson.body),
        files=files,
        step=step,
        place=place,
        steps=steps,
        before=steps[place - 1] if place else None,
        after=steps[place + 1] if place + 1 < len(steps) else None,
        now=datetime.now(UTC),
    )


@member_page
async def mark(request: Request) -> Response:
    """Mark a lesson as done and go to the next one, or take the mark back."""
    fields = await form(request)
    user, now = request.state.user, datetime.now(UTC)
    if user.acted_by:
        raise NotYoursError
    reading = await opened(request)
    if isinstance(reading, Response):
        return reading
    steps, place = await _place(request, reading)
    step, here = steps[place], f"/products/{reading.product.slug}"
    if not step.is_open(now):
        return _locked(request, reading, step)
    done = text(fields, "do") != "undo"
    async with site_of(request).pool.acquire() as connection, connection.transaction():
        await lesson_progress.mark(connection, user.id, step.id, done=done)
    if not done:
        return redirect(f"{here}/lessons/{step.id}")
    continued = following(steps, now, after=step.id)
    return redirect(f"{here}/lessons/{continued.id}" if continued else f"{here}#lessons")


@reader_page
async def file(request: Request) -> Response:
    """A lesson's file, for those who may read the lesson now."""
    reading = await opened(request)
    if isinstance(reading, Response):
        return reading
    steps, place = await _place(request, reading)
    if not steps[place].is_open(datetime.now(UTC)):
        return _locked(request, reading, steps[place])
    pool = site_of(request).pool
    async with pool.acquire() as connection:
        found = await lesson_files.find(connection, steps[place].id, request.path_params["file"])
    if found is None:
        raise NotFoundError(_("This file doesn't exist."))
    return download(
        request,
        name=found.name,
        size=found.size,
        digest=found.digest,
        content=partial(lesson_files.content, pool, found),
    )


async def _place(request: Request, reading: Reading) -> tuple[list[LessonStep], int]:
    """The product's lessons for the reader, and the place of the one that the URL names. Raises
    `NotFoundError`."""
    user = request.state.user
    async with site_of(request).pool.acquire() as connection:
        steps = await lesson_progress.steps(
            connection, reading.product.id, user_id=user.id if user else None, whole=reading.draft
        )
    for place, step in enumerate(steps):
        if step.id == request.path_params["lesson"]:
            return steps, place
    raise NotFoundError(_("This lesson doesn't exist."))


def _locked(request: Request, reading: Reading, step: LessonStep) -> Response:
    return page(request, "member/lesson_locked.html", 403, product=reading.product, step=step)
