"""Customers with an account (Accounts v2): Stripe names the customer, its account, or both."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from latchkey.rules.reading import Order, Subscription
from latchkey.store.pool import Connection

R = TypeVar("R", bound=Subscription | Order)


async def recognized(connection: Connection, readings: Sequence[R]) -> list[R]:
    """The readings, with each customer under the id by which it is known here: its own, or else the
    one under which the account's purchases are. Remembers the accounts of known customers."""
    named = [r.customer for r in readings if r.customer and r.customer.account]
    if not named:
        return list(readings)
    await connection.execute(
        """
        update customers c set customer_account = given.account
          from unnest($1::text[], $2::text[]) as given (id, account)
         where c.id = given.id and c.customer_account is null
        """,
        [customer.id for customer in named],
        [customer.account for customer in named],
    )
    rows = await connection.fetch(
        """
        select id, customer_account from customers where customer_account = any($1::text[])
         order by id = customer_account desc, read_at desc, id
        """,
        [customer.account for customer in named],
    )
    ids = {row["id"] for row in rows}
    known = {row["customer_account"]: row["id"] for row in rows}
    found = []
    for reading in readings:
        customer = reading.customer
        if customer and customer.account in known:
            own = customer.id in ids and customer.id != customer.account
            id_ = customer.id if own else known[customer.account]
            reading = replace(reading, customer=replace(customer, id=id_))
        found.append(reading)
    return found
