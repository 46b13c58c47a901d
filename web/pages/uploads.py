"""The picture that a form chooses: a file, an address, or the one that was there."""

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from latchkey import pictures
from latchkey.languages import _
from latchkey.pictures import PictureError
from latchkey.rules.pictures import PictureUse, of_address
from latchkey.store import pictures as stored
from web.pages.guard import text
from web.site import site_of


async def chosen_picture(request: Request, fields: FormData, name: str, use: PictureUse) -> str:
    """The address of the picture in the field `name` of `ui.upload`; empty for none. An uploaded
    file is kept at once, so that it isn't lost if another field is refused.

    Raises `PictureError`.
    """
    site = site_of(request)
    file = fields.get(f"{name}_file")
    if isinstance(file, UploadFile) and file.filename:
        raw = await file.read(pictures.MOST_BYTES + 1)
        picture = await site.picture_reader.read(raw, use)
        return await pictures.keep(site.pool, site.picture_files, picture)
    address = named_picture(fields, name)
    known = of_address(address)
    if known is None:
        return address
    async with site.pool.acquire() as connection:
        if await stored.use(connection, known.digest):
            return address
    raise PictureError(_("This picture isn't here any more. Choose it again."))


def named_picture(fields: FormData, name: str) -> str:
    """The address in the field, without the file: what was typed, or the picture that was there."""
    kept = "" if text(fields, f"{name}_remove") else text(fields, f"{name}_kept")
    return text(fields, name) or (kept if of_address(kept) else "")
