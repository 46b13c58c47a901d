"""Which of several purchases may concern the same person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latchkey.addresses import email_key
from latchkey.rules.identity import Reference
from latchkey.store.pool import Connection
from latchkey.store.purchases import buyers

_TAG = re.compile(r"\+[^@]*@")


@dataclass(frozen=True)
class Traces:
    """What a purchase shows of its buyer: customers and their accounts, addresses, a reference."""

    customers: Sequence[str]
    emails: Sequence[str]
    reference: Reference | None = None


async def people_of(connection: Connection, purchases: Mapping[str, Traces]) -> dict[str, int]:
    """A number for each purchase, by its id: purchases with different numbers concern different
    people. Those with the same one share, directly or through others, a customer, an address apart
    from a tag (`name+tag@host`), or a user who is known by one of these, by a reference, or as the
    owner.

    Locks those users, since the purchases are applied in another order than that of their ids.
    """
    keys = {email: email_key(email) for traces in purchases.values() for email in traces.emails}
    users = await _users(connection, purchases, keys)
    named = {given.reference.user_id or 0 for given in purchases.values() if given.reference}
    living = await buyers.survivors(connection, named - {0})
    groups: dict[str, set[str]] = {}
    known = {user for found in users.values() for user in found} | set(living.values())
    await _hold(connection, known)
    for purchase_id, traces in purchases.items():
        names = [purchase_id, *traces.customers, *(keys[email] for email in traces.emails)]
        ids = {user for name in names for user in users.get(name, ())}
        if traces.reference:
            ids.add(living.get(traces.reference.user_id or 0, 0))
        mine = {purchase_id, *traces.customers, *(f"user {user}" for user in ids - {0})}
        mine |= {_TAG.sub("@", keys[email]) for email in traces.emails}
        for mark in list(mine):
            mine |= groups.get(mark, set())
        groups |= dict.fromkeys(mine, mine)
    numbers = {id(group): number for number, group in enumerate(groups.values())}
    return {purchase_id: numbers[id(groups[purchase_id])] for purchase_id in purchases}


async def _hold(connection: Connection, user_ids: set[int]) -> None:
    """Lock these users until the transaction ends, in the order in which merges lock them."""
    await connection.execute(
        "select from users where id = any($1::bigint[]) order by id for no key update",
        sorted(user_ids),
    )


async def _users(
    connection: Connection, purchases: Mapping[str, Traces], named: Mapping[str, str]
) -> dict[str, list[int]]:
    """The users known by each purchase's id, customer or address."""
    rows = await connection.fetch(
        """
        select id as name, user_id from subscriptions where id = any($1::text[])
        union select id, user_id from orders where id = any($1::text[])
        union select id, user_id from customers where id = any($2::text[])
        union select customer_account, user_id from customers
               where customer_account = any($2::text[])
        union select email_key, id from users where email_key = any($3::text[])
        union select email_key, user_id from user_addresses where email_key = any($3::text[])
        """,
        list(purchases),
        [customer for traces in purchases.values() for customer in traces.customers],
        list(named.values()),
    )
    found: dict[str, list[int]] = {}
    for row in rows:
        if row["user_id"] is not None:
            found.setdefault(row["name"], []).append(row["user_id"])
    return found
