"""Finds or creates the users behind buyers, in bulk.

A valid signed reference decides first, then the Stripe customer id, then the email address. A
reference decides about its own purchase alone: the customer is bound to that member only if the
paid address is the member's own. Once a customer belongs to a user, that doesn't change, even if
the address in Stripe does. Doubtful cases are raised as matches for a person to decide (`matches`);
access doesn't wait for that.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from latchkey import languages
from latchkey.addresses import email_key, shown
from latchkey.rules.identity import Reference, ReferenceFault, other_person
from latchkey.rules.reading import Customer
from latchkey.rules.vocabulary import ActivityType, GrantSource
from latchkey.store import address_keys
from latchkey.store.feed.facts import Fact, write_facts
from latchkey.store.pool import Connection
from latchkey.store.purchases import matches, other_payers
from latchkey.store.purchases.matches import Doubt, DoubtKind
from latchkey.store.purchases.other_payers import OtherPayer
from latchkey.store.stripe.context import ApplyContext


@dataclass(frozen=True)
class Buyer:
    """One buyer as a read shows them. `key` is the id of the purchase; guests have no
    `customer_id`. Without `create`, only known people are found.

    `products` are those that the purchase opens, `begun` is when its checkout began, `account` is
    the one behind the customer. `language` is the tag of the one that they bought in.
    """

    key: str
    source: GrantSource
    customer_id: str | None
    email: str | None
    name: str | None
    reference: Reference | None = None
    products: tuple[str, ...] = ()
    begun: datetime | None = None
    create: bool = True
    account: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Person:
    """Who a buyer is. `owns` says whether the paid address is proven to be theirs: only then their
    Stripe customer's billing is open to them."""

    user_id: int
    created: bool
    bound_by: str
    owns: bool = False


@dataclass(frozen=True)
class AddressHolder:
    """The user with an address. It is `proven` where it is their main address, since nobody else
    can sign in to that account, and where a link to it was followed."""

    user_id: int
    created: bool
    proven: bool


@dataclass(frozen=True)
class Named:
    """The member that a reference names, or led to before their account was merged, and what is
    wrong with it."""

    user_id: int | None
    fault: ReferenceFault | None


@dataclass(frozen=True)
class _Known:
    """What the database knows about a batch of buyers."""

    bound: dict[str, int | None]
    named: dict[str, Named]
    by_email: dict[str, AddressHolder]

    def by_customer(self, buyer: Buyer) -> int | None:
        return self.bound.get(buyer.customer_id or "")

    def by_reference(self, buyer: Buyer) -> int | None:
        named = self.named.get(buyer.key)
        return named.user_id if named and named.fault is None else None

    def by_address(self, buyer: Buyer) -> AddressHolder | None:
        return self.by_email.get(email_key(buyer.email)) if buyer.email else None


async def resolve(
    connection: Connection, buyers: Sequence[Buyer], *, context: ApplyContext
) -> dict[str, Person]:
    """The user behind each buyer, by `Buyer.key`, created if unknown and requested.

    Buyers without a reference, a known customer or an address are absent; if they paid, they are
    queued as matches. Also records the customers and binds them to users.
    """
    if not buyers:
        return {}
    known = await _look_up(connection, buyers)
    people: dict[str, Person] = {}
    chosen: dict[str, Person] = {}
    doubts: list[Doubt] = []
    for buyer in buyers:
        person = _choose(buyer, known, chosen)
        if person is None:
            doubts += [_nobody(buyer)] if buyer.create else []
            continue
        holder = _customers_person(buyer, person, known)
        if buyer.customer_id and holder:
            chosen.setdefault(buyer.customer_id, holder)
        people[buyer.key] = person
        doubts += _contradictions(buyer, person, known)
    await other_payers.note(connection, _paid_by_others(buyers, people, known), context=context)
    doubts += await _namesakes(connection, buyers, people)
    bound = await _record_customers(connection, buyers, chosen, context=context)
    people = _as_bound(buyers, people, bound)
    await _tell_created(connection, people, context=context)
    doubts += await _similar_addresses(connection, people.values())
    await matches.raise_doubts(connection, doubts)
    return people


async def _look_up(connection: Connection, buyers: Sequence[Buyer]) -> _Known:
    bound = await known_customers(connection, [b.customer_id for b in buyers if b.customer_id])
    named = await named_by_references(connection, buyers)
    found = await _existing(connection, [b.email for b in buyers if b.email])
    unknown = _unknown(buyers, _Known(bound, named, found))
    return _Known(bound, named, found | await _create(connection, unknown))


async def named_by_references(connection: Connection, buyers: Sequence[Buyer]) -> dict[str, Named]:
    """Whom the buyers' references name, by `Buyer.key`; absent where there is none."""
    given = {buyer.key: buyer.reference for buyer in buyers if buyer.reference}
    if not given:
        return {}
    living = await survivors(
        connection, {buyer.user_id for buyer in given.values() if buyer.user_id is not None}
    )
    until = None
    if any(buyer.unbounded for buyer in given.values()):
        until = await connection.fetchval(
            "select (value ->> 'unbounded_until')::timestamptz from site_settings"
            " where key = 'references'"
        )
    return {
        buyer.key: Named(
            living.get(given[buyer.key].user_id or 0),
            given[buyer.key].fault(
                products=buyer.products, begun=_begun(buyer), unbounded_until=until
            ),
        )
        for buyer in buyers
        if buyer.key in given
    }


def _begun(buyer: Buyer) -> datetime:
    assert buyer.begun is not None, "a purchase with a reference has a checkout"
    return buyer.begun


def _unknown(buyers: Sequence[Buyer], known: _Known) -> list[Buyer]:
    """The buyers for whom a user is created: at most one per customer, whatever addresses they
    gave, and none if the customer is known."""
    unknown: list[Buyer] = []
    settled: set[str] = set()
    for buyer in buyers:
        if buyer.customer_id in settled:
            continue
        person = _choose(buyer, known, {})
        if person is None:
            if not (buyer.create and buyer.email):
                continue
            unknown.append(buyer)
        elif _customers_person(buyer, person, known) is None:
            continue
        if buyer.customer_id:
            settled.add(buyer.customer_id)
    return unknown


async def known_customers(
    connection: Connection, customer_ids: Sequence[str]
) -> dict[str, int | None]:
    """The user of each known customer; unknown customers are absent."""
    if not customer_ids:
        return {}
    rows = await connection.fetch(
        "select id, user_id from customers where id = any($1::text[])", list(set(customer_ids))
    )
    return {row["id"]: row["user_id"] for row in rows}


async def survivors(connection: Connection, ids: set[int]) -> dict[int, int]:
    """The surviving user behind each id: itself, or the user it was merged into."""
    if not ids:
        return {}
    rows = await connection.fetch(
        """
        select id as given, id as living from users where id = any($1::bigint[])
        union all
        select from_user, into_user from user_merges where from_user = any($1::bigint[])
        """,
        list(ids),
    )
    return {row["given"]: row["living"] for row in rows}


def _choose(buyer: Buyer, known: _Known, chosen: dict[str, Person]) -> Person | None:
    """Choose the person behind a buyer. `chosen` holds the customers' people from previous
    buyers."""
    user = known.by_reference(buyer)
    if user is not None:
        return Person(user, created=False, bound_by="reference", owns=_owns(buyer, user, known))
    user = known.by_customer(buyer)
    if user is not None:
        return Person(user, created=False, bound_by="customer")
    if person := chosen.get(buyer.customer_id or ""):
        return person
    return _by_address(buyer, known)


def _by_address(buyer: Buyer, known: _Known) -> Person | None:
    found = known.by_address(buyer)
    if found is None:
        return None
    bound_by = "created" if found.created else "email"
    return Person(found.user_id, found.created, bound_by, found.proven)


def _owns(buyer: Buyer, user: int, known: _Known) -> bool:
    """Whether the paid address is proven to be this user's."""
    found = known.by_address(buyer)
    return found is not None and found.user_id == user and found.proven


def _customers_person(buyer: Buyer, person: Person, known: _Known) -> Person | None:
    """Whose the buyer's Stripe customer is. A reference alone doesn't say so, since whoever pays by
    a member's link would be bound to that member: then it belongs to whoever has the address, if
    anybody."""
    if person.bound_by != "reference" or person.owns:
        return person
    return _by_address(buyer, known)


def _paid_by_others(
    buyers: Sequence[Buyer], people: dict[str, Person], known: _Known
) -> list[OtherPayer]:
    """The purchases that a member began, but another address paid."""
    return [
        OtherPayer(
            source_id=buyer.key,
            user_id=person.user_id,
            email=buyer.email,
            products=buyer.products,
            asks=buyer.create,
            language=_locale(buyer),
        )
        for buyer in buyers
        if (person := people.get(buyer.key))
        and person.bound_by == "reference"
        and buyer.email
        and not person.owns
        and known.by_customer(buyer) != person.user_id
    ]


def _nobody(buyer: Buyer) -> Doubt:
    return Doubt(
        key=f"no_address:{buyer.key}",
        kind=DoubtKind.NO_ADDRESS,
        customer_id=buyer.customer_id,
        source=buyer.source,
        source_id=buyer.key,
    )


def _contradictions(buyer: Buyer, person: Person, known: _Known) -> list[Doubt]:
    """Doubts where a signed reference names one person, but the customer or address another or
    nobody, and where the reference can't be believed."""
    if person.bound_by != "reference":
        return _refused(buyer, person, known)
    customer = known.by_customer(buyer)
    address = known.by_address(buyer)
    others = [
        (DoubtKind.REFERENCE_AND_CUSTOMER, customer),
        (DoubtKind.REFERENCE_AND_ADDRESS, address.user_id if address else None),
    ]
    found = [(kind, other) for kind, other in others if other not in (None, person.user_id)]
    if not found and address is None and buyer.email and customer is None:
        return [
            Doubt(
                key=f"{DoubtKind.OTHER_PAYER}:{person.user_id}:{email_key(buyer.email)}",
                kind=DoubtKind.OTHER_PAYER,
                user_id=person.user_id,
                customer_id=buyer.customer_id,
                source=buyer.source,
                source_id=buyer.key,
                email=buyer.email,
            )
        ]
    return [
        Doubt(
            key=f"{kind}:{person.user_id}:{other}",
            kind=kind,
            user_id=person.user_id,
            other_id=other,
            customer_id=buyer.customer_id,
            source=buyer.source,
            source_id=buyer.key,
            email=buyer.email,
        )
        for kind, other in found[:1]
    ]


def _refused(buyer: Buyer, person: Person, known: _Known) -> list[Doubt]:
    """The doubt about a reference that is forged, expired, or for another product, unless the
    purchase is that member's anyway."""
    named = known.named.get(buyer.key)
    if named is None or named.fault is None or named.user_id == person.user_id:
        return []
    return [
        Doubt(
            key=f"{named.fault}:{buyer.key}",
            kind=DoubtKind(named.fault),
            user_id=person.user_id,
            other_id=named.user_id,
            customer_id=buyer.customer_id,
            source=buyer.source,
            source_id=buyer.key,
            email=buyer.email,
        )
    ]


async def _namesakes(
    connection: Connection, buyers: Sequence[Buyer], people: dict[str, Person]
) -> list[Doubt]:
    """Doubts about customers matched by an address that another customer with a different name also
    has."""
    by_email = {
        buyer.customer_id: buyer
        for buyer in buyers
        if buyer.customer_id and (p := people.get(buyer.key)) and p.bound_by == "email"
    }
    if not by_email:
        return []
    rows = await connection.fetch(
        "select id, user_id, name from customers where user_id = any($1::bigint[]) and not deleted",
        list({people[buyer.key].user_id for buyer in by_email.values()}),
    )
    doubts = []
    for customer_id, buyer in by_email.items():
        user = people[buyer.key].user_id
        theirs = [row for row in rows if row["user_id"] == user and row["id"] != customer_id]
        if any(other_person(row["name"], buyer.name) for row in theirs):
            doubts.append(
                Doubt(
                    key=f"shared_address:{customer_id}",
                    kind=DoubtKind.SHARED_ADDRESS,
                    user_id=user,
                    customer_id=customer_id,
                    source=buyer.source,
                    source_id=buyer.key,
                    email=buyer.email,
                )
            )
    return doubts


async def _similar_addresses(connection: Connection, people: Collection[Person]) -> list[Doubt]:
    """Doubts about new users whose address differs from another user's only by a tag
    (`name+tag@host`)."""
    created = sorted({p.user_id for p in people if p.created})
    if not created:
        return []
    rows = await connection.fetch(
        r"""
        select n.id, n.email, min(o.id) as other_id from users n
          join users o on o.id <> n.id
           and regexp_replace(o.email_key, '\+[^@]*@', '@')
             = regexp_replace(n.email_key, '\+[^@]*@', '@')
         where n.id = any($1::bigint[]) group by n.id, n.email
        """,
        created,
    )
    return [
        Doubt(
            key=f"similar_address:{row['id']}",
            kind=DoubtKind.SIMILAR_ADDRESS,
            user_id=row["other_id"],
            other_id=row["id"],
            email=row["email"],
        )
        for row in rows
    ]


async def _existing(connection: Connection, emails: Sequence[str]) -> dict[str, AddressHolder]:
    """Users by the key of their main or an additional address."""
    if not emails:
        return {}
    rows = await connection.fetch(
        """
        select email_key, user_id, proven_at is not null as proven from user_addresses
         where email_key = any($1::text[])
        union all
        select email_key, id, true from users where email_key = any($1::text[])
        """,
        sorted({email_key(email) for email in emails}),
    )
    return {row["email_key"]: AddressHolder(row["user_id"], False, row["proven"]) for row in rows}


async def _create(connection: Connection, buyers: Sequence[Buyer]) -> dict[str, AddressHolder]:
    """Create users for these addresses; another transaction may have created some just now."""
    if not buyers:
        return {}
    wanted = {email_key(b.email): (shown(b.email), b.name, _locale(b)) for b in buyers if b.email}
    keys = sorted(wanted)
    rows = await connection.fetch(
        """
        insert into users (email, email_key, name, locale)
        select email, key, name, locale
          from unnest($1::text[], $2::text[], $3::text[], $4::text[])
            as given (email, key, name, locale)
        on conflict (email_key) do nothing
        returning id, email_key
        """,
        [wanted[key][0] for key in keys],
        keys,
        [wanted[key][1] for key in keys],
        [wanted[key][2] for key in keys],
    )
    made = {row["email_key"]: AddressHolder(row["id"], created=True, proven=True) for row in rows}
    missing = [key for key in keys if key not in made]
    return made | await _existing(connection, missing)


def _locale(buyer: Buyer) -> str | None:
    language = languages.nearest(buyer.language) if buyer.language else None
    return language.code if language else None


async def _tell_created(
    connection: Connection, people: Mapping[str, Person], *, context: ApplyContext
) -> None:
    """Write a line about each new user, caused by the first of their purchases."""
    created: dict[int, str] = {}
    for key, person in people.items():
        if person.created:
            created.setdefault(person.user_id, key)
    await write_facts(
        connection,
        [
            Fact(
                key=f"user_created:{user_id}",
                type=ActivityType.USER_CREATED,
                at=context.as_of,
                cause=context.cause,
                user_id=user_id,
                event_id=context.event_of(created[user_id]),
            )
            for user_id in sorted(created)
        ],
    )


async def _record_customers(
    connection: Connection,
    buyers: Sequence[Buyer],
    chosen: dict[str, Person],
    *,
    context: ApplyContext,
) -> dict[str, int | None]:
    """Bind these customers to users unless they are already bound, with the subscriptions that had
    no user, and update addresses and names from later readings."""
    rows = {b.customer_id: b for b in buyers if b.customer_id}
    if not rows:
        return {}
    ids = sorted(rows)
    people = [chosen.get(i) for i in ids]
    recorded = await connection.fetch(
        """
        with recorded as (
            insert into customers (id, account_id, livemode, user_id, bound_by, email, name, ticket,
                                   billing_user, customer_account)
            select id, $1, $2, user_id, nullif(bound_by, 'customer'), email, name, $3, billing_user,
                   account
              from unnest($4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                          $9::bigint[], $10::text[])
                   as given (id, user_id, bound_by, email, name, billing_user, account)
            on conflict (id) do update
               set user_id = coalesce(customers.user_id, excluded.user_id),
                   billing_user = case when customers.user_id is null then excluded.billing_user
                                       else customers.billing_user end,
                   bound_by = coalesce(customers.bound_by, excluded.bound_by),
                   email = case when customers.erased then null
                                when customers.ticket > excluded.ticket then customers.email
                                else coalesce(excluded.email, customers.email) end,
                   name = case when customers.erased then null
                               when customers.ticket > excluded.ticket then customers.name
                               else coalesce(excluded.name, customers.name) end,
                   customer_account =
                       coalesce(customers.customer_account, excluded.customer_account),
                   ticket = greatest(customers.ticket, excluded.ticket), read_at = now()
            returning id, user_id
        ), unowned as (
            select s.id from subscriptions s
             where s.customer_id = any($4::text[]) and s.user_id is null
               and not exists (select from matches m where m.source_id = s.id and m.state = 'open')
               for update skip locked
        ), adopted as (
            update subscriptions s set user_id = r.user_id from recorded r, unowned n
             where s.id = n.id and s.customer_id = r.id and r.user_id is not null
        )
        select id, user_id from recorded
        """,
        context.account.id,
        context.account.livemode,
        context.ticket,
        ids,
        [p.user_id if p else None for p in people],
        [p.bound_by if p else None for p in people],
        [rows[i].email for i in ids],
        [rows[i].name for i in ids],
        [p.user_id if p and p.owns else None for p in people],
        [rows[i].account for i in ids],
    )
    await address_keys.correct(connection, "customers", {i: rows[i].email for i in ids})
    return {row["id"]: row["user_id"] for row in recorded}


def _as_bound(
    buyers: Sequence[Buyer], people: dict[str, Person], bound: dict[str, int | None]
) -> dict[str, Person]:
    """The same people, except where another transaction has just bound the customer to another
    user: then that user counts. A reference still takes precedence."""
    found = dict(people)
    for buyer in buyers:
        person = people.get(buyer.key)
        user = bound.get(buyer.customer_id or "")
        if person is None or user is None or person.bound_by not in ("email", "created"):
            continue
        if user != person.user_id:
            found[buyer.key] = Person(user, created=False, bound_by="customer")
    return found


async def hand_over_late(
    connection: Connection,
    buyers: Sequence[Buyer],
    owners: dict[str, int | None],
    *,
    context: ApplyContext,
) -> None:
    """Give purchases to the members whom signed references name, when these become known after the
    purchase. The caller has locked the purchases' rows."""
    bound = await known_customers(connection, [b.customer_id for b in buyers if b.customer_id])
    named = await named_by_references(connection, buyers)
    found = await _existing(connection, [b.email for b in buyers if b.email])
    known = _Known(bound, named, found)
    people: dict[str, Person] = {}
    doubts: list[Doubt] = []
    for buyer in buyers:
        owner = owners[buyer.key]
        assert owner is not None, "only purchases that belong to somebody are handed over"
        user = known.by_reference(buyer)
        if user is None:
            doubts += _refused(buyer, Person(owner, created=False, bound_by="customer"), known)
        elif user != owner:
            person = Person(user, False, "reference", _owns(buyer, user, known))
            people[buyer.key] = person
            await _hand_over(connection, buyer.key, from_user=owner, to_user=user)
            doubts += _contradictions(buyer, person, known)
    await other_payers.note(connection, _paid_by_others(buyers, people, known), context=context)
    await matches.raise_doubts(connection, doubts)


async def _hand_over(
    connection: Connection, source_id: str, *, from_user: int, to_user: int
) -> None:
    """Move one purchase, with everything recorded about it, to another user."""
    for table, column in (
        ("subscriptions", "id"),
        ("orders", "id"),
        ("grants", "source_id"),
        ("activities", "source_id"),
    ):
        await connection.execute(
            f"update {table} set user_id = $3 where {column} = $1 and user_id = $2",
            source_id,
            from_user,
            to_user,
        )
    await connection.execute(
        """
        update mails set user_id = $3
         where user_id = $2 and data ->> 'source_id' = $1 and state <> 'sent'
        """,
        source_id,
        from_user,
        to_user,
    )


async def mirror_customer(
    connection: Connection, customer: Customer, *, context: ApplyContext
) -> bool:
    """Update a known customer's address and name, but not whose customer it is.

    An address that belongs to another user is raised as a match, even if a purchase has brought a
    later one in the meantime. True if the customer's purchases don't belong to anyone yet and there
    is an address now.
    """
    row = await connection.fetchrow(
        """
        update customers
           set email = case when not erased then coalesce($2, email) end,
               name = case when not erased then coalesce($3, name) end,
               deleted = $4, ticket = $5, read_at = now()
         where id = $1 and ticket <= $5 returning user_id, $2 as email
        """,
        customer.id,
        customer.email,
        customer.name,
        customer.deleted,
        context.ticket,
    )
    await address_keys.correct(connection, "customers", {customer.id: customer.email})
    row = row or await connection.fetchrow(
        "select user_id, email from customers where id = $1", customer.id
    )
    if row is None or not row["email"]:
        return False
    if row["user_id"] is None:
        return True
    found = (await _existing(connection, [row["email"]])).get(email_key(row["email"]))
    if found and found.user_id == row["user_id"] and found.proven:
        await connection.execute(
            "update customers set billing_user = user_id where id = $1", customer.id
        )
    if found and found.user_id != row["user_id"]:
        await matches.raise_doubts(
            connection,
            [
                Doubt(
                    key=f"address_changed:{customer.id}:{found.user_id}",
                    kind=DoubtKind.ADDRESS_CHANGED,
                    user_id=row["user_id"],
                    other_id=found.user_id,
                    customer_id=customer.id,
                    email=row["email"],
                )
            ],
        )
    return False
