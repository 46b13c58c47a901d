"""The product or person that an address names."""

from starlette.requests import Request

from latchkey.store.pool import Connection
from latchkey.store.products import products
from latchkey.store.users import users
from web.pages.errors import NotFoundError
from web.pages.lists import number


async def product_of(request: Request, connection: Connection) -> products.Product:
    """The product that the address names. Raises `NotFoundError`."""
    found = await products.find(connection, request.path_params["id"])
    if found is None:
        raise NotFoundError("There is no such product.")
    return found


async def person_of(request: Request, connection: Connection) -> users.User:
    """The user that the address names. Raises `NotFoundError`."""
    user_id = number(request.path_params["id"])
    found = await users.by_id(connection, user_id) if user_id else None
    if found is None:
        raise NotFoundError("There is no such user.")
    return found
