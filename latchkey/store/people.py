"""Who is who: finds or creates the users behind buyers, in bulk.

Signed reference, then Stripe customer id, then e-mail address; only the first two bind strongly.
Once a customer is bound to a user it stays so: a changed address in Stripe moves nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from latchkey.rules.identity import email_key
from latchkey.rules.reading import Customer
from latchkey.store.linked_products import Account
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class Buyer:
    """One buyer as a read shows them. `key` is the caller's own; guests have no `customer_id`."""

    key: str
    customer_id: str | None
    email: str | None
    name: str | None
    reference_user: int | None = None


@dataclass(frozen=True)
class Person:
    user_id: int
    created: bool
    bound_by: str


async def known_customers(
    connection: Connection, customer_ids: Sequence[str]
) -> dict[str, int | None]:
    """The user bound to each known customer; customers never seen are absent."""
    rows = await connection.fetch(
        "select id, user_id from customers where id = any($1::text[])", list(set(customer_ids))
    )
    return {row["id"]: row["user_id"] for row in rows}


async def resolve(
    connection: Connection, buyers: Sequence[Buyer], *, account: Account, ticket: int
) -> dict[str, Person]:
    """The user behind each buyer, by `Buyer.key`, created where unknown.

    Buyers of whom neither a bound customer, nor a reference, nor an address is known are absent.
    Also records the customers and binds them.
    """
    bound = await known_customers(connection, [b.customer_id for b in buyers if b.customer_id])
    referenced = await _existing_users(
        connection, {b.reference_user for b in buyers if b.reference_user is not None}
    )
    by_email = await _by_email(
        connection,
        [
            buyer
            for buyer in buyers
            if buyer.email
            and bound.get(buyer.customer_id or "") is None
            and buyer.reference_user not in referenced
        ],
    )
    people: dict[str, Person] = {}
    chosen: dict[str, Person] = {}
    for buyer in buyers:
        person = _choose(buyer, bound=bound, referenced=referenced, by_email=by_email)
        if person is None:
            continue
        if buyer.customer_id:
            person = chosen.setdefault(buyer.customer_id, person)
        people[buyer.key] = person
    await _record_customers(connection, buyers, chosen, account=account, ticket=ticket)
    return people


def _choose(
    buyer: Buyer,
    *,
    bound: dict[str, int | None],
    referenced: set[int],
    by_email: dict[str, tuple[int, bool]],
) -> Person | None:
    user = bound.get(buyer.customer_id or "")
    if user is not None:
        return Person(user, created=False, bound_by="customer")
    if buyer.reference_user is not None and buyer.reference_user in referenced:
        return Person(buyer.reference_user, created=False, bound_by="reference")
    if buyer.email and (found := by_email.get(email_key(buyer.email))):
        user, created = found
        return Person(user, created=created, bound_by="created" if created else "email")
    return None


async def _existing_users(connection: Connection, ids: set[int]) -> set[int]:
    if not ids:
        return set()
    rows = await connection.fetch("select id from users where id = any($1::bigint[])", list(ids))
    return {row["id"] for row in rows}


async def _by_email(connection: Connection, buyers: Sequence[Buyer]) -> dict[str, tuple[int, bool]]:
    """User id and whether it was created just now, by e-mail key."""
    if not buyers:
        return {}
    wanted = {email_key(b.email): (b.email.strip(), b.name) for b in buyers if b.email}
    keys = sorted(wanted)
    created = await connection.fetch(
        """
        insert into users (email, name)
        select given.email, given.name from unnest($1::text[], $2::text[]) as given (email, name)
         where not exists (select from users where users.email_key = lower(given.email))
        on conflict (email_key) do nothing
        returning id, email_key
        """,
        [wanted[key][0] for key in keys],
        [wanted[key][1] for key in keys],
    )
    found = {row["email_key"]: (row["id"], True) for row in created}
    missing = [key for key in keys if key not in found]
    if missing:
        rows = await connection.fetch(
            "select id, email_key from users where email_key = any($1::text[])", missing
        )
        found |= {row["email_key"]: (row["id"], False) for row in rows}
    return found


async def _record_customers(
    connection: Connection,
    buyers: Sequence[Buyer],
    chosen: dict[str, Person],
    *,
    account: Account,
    ticket: int,
) -> None:
    rows = {b.customer_id: b for b in buyers if b.customer_id and b.customer_id in chosen}
    if not rows:
        return
    ids = sorted(rows)
    await connection.execute(
        """
        insert into customers (id, account_id, livemode, user_id, bound_by, email, name, ticket)
        select id, $1, $2, user_id, nullif(bound_by, 'customer'), email, name, $3
          from unnest($4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[])
               as given (id, user_id, bound_by, email, name)
        on conflict (id) do update
           set user_id = coalesce(customers.user_id, excluded.user_id),
               bound_by = coalesce(customers.bound_by, excluded.bound_by),
               email = case when not customers.erased
                            then coalesce(excluded.email, customers.email) end,
               name = case when not customers.erased
                           then coalesce(excluded.name, customers.name) end,
               ticket = excluded.ticket, read_at = now()
         where customers.ticket <= excluded.ticket
        """,
        account.id,
        account.livemode,
        ticket,
        ids,
        [chosen[i].user_id for i in ids],
        [chosen[i].bound_by for i in ids],
        [rows[i].email for i in ids],
        [rows[i].name for i in ids],
    )


async def mirror_customer(connection: Connection, customer: Customer, *, ticket: int) -> None:
    """Keep a known customer's address and name in step; whose customer it is stays as it is."""
    await connection.execute(
        """
        update customers
           set email = case when not erased then coalesce($2, email) end,
               name = case when not erased then coalesce($3, name) end,
               deleted = $4, ticket = $5, read_at = now()
         where id = $1 and ticket <= $5
        """,
        customer.id,
        customer.email,
        customer.name,
        customer.deleted,
        ticket,
    )
