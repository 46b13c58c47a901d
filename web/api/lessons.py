"""A product's lessons: their texts and their order."""

from datetime import datetime

from pydantic import Field

from latchkey.store.pool import Connection
from latchkey.store.products import lessons
from latchkey.store.products.products import Product
from web.api.cursors import sliced
from web.api.lookup import product_of
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input, LessonChanges, NewLesson


class ListedLesson(Output):
    """A lesson without its text. `done` counts the people who marked it as done."""

    id: str
    title: str
    released_after_days: int
    status: str
    done: int


class LessonList(Output):
    data: list[ListedLesson]
    next: str | None


class Lesson(Output):
    """A lesson. `body` is Markdown, and members see it if `status` is `live`. It opens
    `released_after_days` times 24 hours after a member's access to the product first began."""

    id: str
    product_id: str
    title: str
    body: str
    video_url: str | None
    released_after_days: int
    status: str
    created_at: datetime
    updated_at: datetime


class LessonOrder(Input):
    """The ids of all lessons of the product, each once."""

    lessons: list[str] = Field(max_length=lessons.MOST)


@endpoint("GET", "/products/{id}/lessons", query=Paging, answer=LessonList)
async def list_lessons(call: Call) -> LessonList:
    """List a product's lessons in their order, drafts included."""
    async with call.site.pool.acquire() as connection:
        product = await product_of(connection, call.path["id"])
        rows = await lessons.listed(connection, product.id)
    page, after = sliced(rows, lambda row: row.id, call.query)
    return LessonList(data=[ListedLesson.model_validate(vars(row)) for row in page], next=after)


@endpoint("POST", "/products/{id}/lessons", body=NewLesson, answer=Lesson, status=201)
async def create_lesson(call: Call) -> Lesson:
    """Create a lesson after the others. A product can have up to 200.

    It is a draft unless `status` says `live`. Files are added in the admin pages.
    """
    given = call.body.model_dump(exclude_none=True)
    async with call.site.pool.acquire() as connection, connection.transaction():
        product = await product_of(connection, call.path["id"])
        try:
            made = await lessons.create(connection, product.id, lesson_id=lessons.new_id(), **given)
        except lessons.TooManyLessonsError as error:
            raise ApiError(409, "too_many_lessons", str(error)) from None
    assert made is not None, "the id is new"
    return Lesson.model_validate(vars(made))


@endpoint("GET", "/products/{id}/lessons/{lesson}", answer=Lesson)
async def get_lesson(call: Call) -> Lesson:
    """Get one lesson with its text."""
    async with call.site.pool.acquire() as connection:
        _, lesson = await _found(connection, call)
    return Lesson.model_validate(vars(lesson))


@endpoint("PATCH", "/products/{id}/lessons/{lesson}", body=LessonChanges, answer=Lesson)
async def change_lesson(call: Call) -> Lesson:
    """Change a lesson. Null clears the address of the video."""
    given = call.body.model_dump(exclude_unset=True)
    empty = [key for key, value in given.items() if value is None and key != "video_url"]
    if empty:
        raise ApiError(422, "invalid", f"body: {empty[0]}: must not be null")
    async with call.site.pool.acquire() as connection, connection.transaction():
        product, lesson = await _found(connection, call)
        changed = await lessons.update(connection, product.id, lesson.id, given)
    if changed is None:
        raise not_found("lesson", lesson.id)
    return Lesson.model_validate(vars(changed))


@endpoint("DELETE", "/products/{id}/lessons/{lesson}", answer=None)
async def delete_lesson(call: Call) -> None:
    """Delete a lesson, with its files and the marks of those who have done it."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        product, lesson = await _found(connection, call)
        await lessons.delete(connection, product.id, lesson.id)


@endpoint("PUT", "/products/{id}/lesson-order", body=LessonOrder, answer=LessonList)
async def order_lessons(call: Call) -> LessonList:
    """Put a product's lessons in another order.

    Answers 409 with `lessons_differ` if the list isn't exactly the product's lessons, for example
    because somebody has just added one: get the list again.
    """
    async with call.site.pool.acquire() as connection, connection.transaction():
        product = await product_of(connection, call.path["id"])
        try:
            await lessons.reorder(connection, product.id, call.body.lessons)
        except lessons.OtherLessonsError as error:
            raise ApiError(409, "lessons_differ", str(error)) from None
        rows = await lessons.listed(connection, product.id)
    return LessonList(data=[ListedLesson.model_validate(vars(row)) for row in rows], next=None)


async def _found(connection: Connection, call: Call) -> tuple[Product, lessons.Lesson]:
    """The lesson that a call names, and its product. Raises a 404 `ApiError`."""
    product = await product_of(connection, call.path["id"])
    lesson = await lessons.find(connection, product.id, call.path["lesson"])
    if lesson is None:
        raise not_found("lesson", call.path["lesson"])
    return product, lesson
