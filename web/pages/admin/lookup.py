"""The product or user that a URL names."""

from starlette.requests import Request

from latchkey.languages import _
from latchkey.store.pool import Connection
from latchkey.store.products import products
from latchkey.store.users import users
from web.pages.errors import NotFoundError
from web.pages.lists import number


async def product_of(request: Request, connection: Connection) -> products.Product:
    """The product that the URL names. Raises `NotFoundError`."""
    product = await products.find(connection, request.path_params["id"])
    if product is None:
        raise NotFoundError(_("This product doesn't exist."))
    return product


async def person_of(request: Request, connection: Connection) -> users.User:
    """The user that the URL names. Raises `NotFoundError`."""
    user_id = number(request.path_params["id"])
    person = await users.by_id(connection, user_id) if user_id else None
    if person is None:
        raise NotFoundError(_("This user doesn't exist."))
    return person
