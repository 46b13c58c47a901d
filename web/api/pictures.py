"""Uploaded pictures: upload them, see what shows them, replace and delete them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from latchkey import pictures
from latchkey.picture_files import DatabasePictures
from latchkey.pictures import PictureError, PicturesBusyError
from latchkey.rules.pictures import PictureName, PictureUse, absolute, address, of_address, relative
from latchkey.s3 import S3Error
from latchkey.store import audit_draft
from latchkey.store import pictures as stored
from latchkey.store.pictures import KnownPicture
from latchkey.store.pool import Connection
from web import bodies
from web.api.cursors import cursor, text
from web.api.problems import ApiError, not_found
from web.api.registry import Call, Output, Paging, endpoint
from web.inputs import Input


class PicturePlace(Output):
    """What shows a picture: a `product`, a `lesson`, the `sales_page` of the product with the `id`,
    a `text` of members' pages, or the `brand`, where `id` is the setting, such as `logo_url`."""

    kind: str
    id: str


class Picture(Output):
    """An uploaded picture. `id` is the SHA-256 of its largest file, and `url` that file's address,
    for `image_url` and the Markdown of texts. While nothing shows it, it is deleted after a day."""

    id: str
    url: str
    urls: list[str]
    shown_by: list[PicturePlace]
    created_at: datetime


class PictureList(Output):
    data: list[Picture]
    next: str | None


class NewPicture(Input):
    use: Literal["photo", "logo", "icon"] = Field(
        "photo",
        description="`photo` for products, sales pages and texts, `logo` or `icon` for the brand",
    )


class Replacement(Input):
    """The `id` or `url` of the picture to show instead."""

    by: str = Field(max_length=2000, json_schema_extra={"minLength": 1})


@endpoint("GET", "/pictures", query=Paging, answer=PictureList)
async def list_pictures(call: Call) -> PictureList:
    """List the uploaded pictures, with what shows each of them."""
    paging: Paging = call.query
    async with call.site.pool.acquire() as connection:
        found = await stored.known(connection, after=text(paging.after), limit=paging.limit + 1)
        shown = [await _shown(call, connection, one) for one in found[: paging.limit]]
    more = len(found) > paging.limit
    return PictureList(data=shown, next=cursor(shown[-1].id) if more else None)


@endpoint("GET", "/pictures/{id}", answer=Picture)
async def get_picture(call: Call) -> Picture:
    """Get one picture by its id, with what shows it."""
    async with call.site.pool.acquire() as connection:
        return await _found(call, connection, call.path["id"])


@endpoint(
    "POST",
    "/pictures",
    query=NewPicture,
    answer=Picture,
    status=201,
    most=bodies.PICTURE,
    stores=True,
    file=True,
)
async def upload_picture(call: Call) -> Picture:
    """Upload a picture: PNG, JPEG, WebP, GIF or AVIF, up to 10 MB.

    The body is the file. What it is, is read from its bytes: a `Content-Type` isn't believed. It is
    kept in the sizes of its `use`, without what cameras note in it. Give its `url` to what shall
    show it within a day. The same picture again has the same `id`.
    """
    wanted: NewPicture = call.query
    try:
        picture = await call.site.picture_reader.read(call.body, PictureUse(wanted.use))
        await pictures.keep(call.site.pool, call.site.picture_files, picture)
    except PicturesBusyError as busy:
        raise ApiError(503, "unavailable", str(busy)) from None
    except PictureError as refused:
        raise ApiError(422, "unreadable_picture", str(refused)) from None
    async with call.site.pool.acquire() as connection:
        return await _found(call, connection, picture.digest)


@endpoint("POST", "/pictures/{id}/replace", body=Replacement, answer=Picture)
async def replace_picture(call: Call) -> Picture:
    """Show another uploaded picture wherever this one is shown; answers with the other one.

    Both have to be kept in the same formats, as pictures of one `use` are. Pages show it at once,
    other processes' pages within seconds. Nothing shows the former one then.
    """
    wanted: Replacement = call.body
    by = of_address(relative(wanted.by, public_url=call.site.public_url))
    other = by.digest if by else wanted.by
    async with call.site.pool.acquire() as connection, connection.transaction():
        before = await _found(call, connection, call.path["id"])
        after = await _found(call, connection, other)
        if before.id == after.id:
            raise ApiError(422, "invalid", "body: by: this is the same picture")
        for digest in sorted((before.id, after.id)):
            if not await stored.lock(connection, digest):
                raise not_found("picture", digest)
        mine, theirs = [await _files(call, connection, one.id) for one in (before, after)]
        if {file.format for file in mine} != {file.format for file in theirs}:
            raise ApiError(
                409, "other_use", "the pictures were uploaded for different uses: upload it again"
            )
        await stored.use(connection, after.id)
        count = await stored.replace(connection, before.id, theirs)
        audit_draft.note(after={"by": after.id, "places": count})
        return await _found(call, connection, after.id)


@endpoint("DELETE", "/pictures/{id}", answer=None)
async def delete_picture(call: Call) -> None:
    """Delete a picture that nothing shows."""
    async with call.site.pool.acquire() as connection, connection.transaction():
        if not await stored.lock(connection, call.path["id"]):
            raise not_found("picture", call.path["id"])
        found = await _found(call, connection, call.path["id"])
        if found.shown_by:
            raise ApiError(
                409,
                "picture_in_use",
                "something shows this picture: take it out there, or replace it",
            )
        await stored.drop(connection, found.id)
        try:
            await call.site.picture_files.drop(connection, found.id)
        except (S3Error, OSError):
            raise _away() from None


async def _found(call: Call, connection: Connection, digest: str) -> Picture:
    """Raises a 404 `ApiError`."""
    known = await stored.known(connection, digest=digest)
    if not known:
        raise not_found("picture", digest)
    return await _shown(call, connection, known[0])


async def _shown(call: Call, connection: Connection, picture: KnownPicture) -> Picture:
    urls = [
        absolute(address(file.digest, file.file), public_url=call.site.public_url) or ""
        for file in await _files(call, connection, picture.digest)
    ]
    return Picture(
        id=picture.digest,
        url=urls[0] if urls else "",
        urls=urls,
        shown_by=[PicturePlace(kind=place.kind, id=place.id) for place in picture.places],
        created_at=picture.created_at,
    )


async def _files(call: Call, connection: Connection, digest: str) -> list[PictureName]:
    """A picture's files, the largest first; those that a folder or a bucket lacks are in the
    database. Raises a 503 `ApiError`."""
    try:
        found = await call.site.picture_files.names(connection, digest)
    except (S3Error, OSError):
        raise _away() from None
    if not found:
        found = await DatabasePictures().names(connection, digest)
    return sorted(found, key=lambda file: (file.width, file.format), reverse=True)


def _away() -> ApiError:
    return ApiError(
        503, "unavailable", "the pictures' files can't be reached at the moment: try again"
    )
