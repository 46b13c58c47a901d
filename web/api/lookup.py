"""The product or user that a call names."""

from latchkey.store.pool import Connection
from latchkey.store.products import products
from latchkey.store.users import users
from web import numbers
from web.api.problems import not_found


async def product_of(connection: Connection, id_or_slug: str) -> products.Product:
    """The product with this id or slug. Raises a 404 `ApiError`."""
    found = await products.find(connection, id_or_slug)
    if found is None:
        raise not_found("product", id_or_slug)
    return found


async def user_of(connection: Connection, user_id: str) -> users.User:
    """The user with the id in a path. Raises a 404 `ApiError`."""
    number = numbers.number(user_id)
    found = await users.by_id(connection, number) if number else None
    if found is None:
        raise not_found("user", user_id)
    return found
