"""Labels that the team gives to people. A label exists while somebody has it, and is written as
whoever used it first wrote it: `vip` is the same as `VIP`.

Callers that change labels open a transaction. Changes of one label wait for each other, so that
nobody begins to write it differently meanwhile. Users are locked after that, so that nobody gets a
label who is being erased or merged away; whoever locks users as well claims the labels first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from latchkey.store.pool import Connection
from latchkey.store.users import listing, users
from latchkey.store.users.listing import UserFilter


async def names(connection: Connection) -> list[str]:
    """All labels in alphabetical order, found by skipping through their index from one to the
    next."""
    rows = await connection.fetch(
        """
        with recursive known as (
            (select label from user_labels order by label limit 1)
            union all
            select (select l.label from user_labels l where l.label > k.label
                     order by l.label limit 1)
              from known k where k.label is not null)
        select label from known where label is not null
        """
    )
    return sorted((row["label"] for row in rows), key=lambda label: (label.casefold(), label))


async def written(connection: Connection, labels: Iterable[str]) -> dict[str, str]:
    """How each of these labels is written: as it is so far, else as it comes first among them."""
    known = {name.casefold(): name for name in await names(connection)}
    return {label: known.setdefault(label.casefold(), label) for label in labels}


async def of_users(connection: Connection, user_ids: Sequence[int]) -> dict[int, list[str]]:
    """The labels of each user."""
    rows = await connection.fetch(
        "select user_id, label from user_labels where user_id = any($1::bigint[])"
        " order by lower(label), label",
        list(user_ids),
    )
    found: dict[int, list[str]] = {user_id: [] for user_id in user_ids}
    for row in rows:
        found[row["user_id"]].append(row["label"])
    return found


async def add(connection: Connection, label: str, user_ids: Sequence[int]) -> int:
    """Give a label to users; returns how many didn't have it. Nobody gets one who was erased."""
    return await _count(
        connection,
        """
        insert into user_labels (user_id, label)
        select id, $1 from users where id = any($2::bigint[]) and erased_at is null
         order by id for key share on conflict do nothing
        """,
        await _claimed(connection, label),
        list(user_ids),
    )


async def remove(connection: Connection, label: str, user_ids: Sequence[int]) -> int:
    """Take a label from users; returns how many had it."""
    return await _count(
        connection,
        "delete from user_labels where label = $1 and user_id = any($2::bigint[])",
        await _claimed(connection, label),
        list(user_ids),
    )


async def replace(connection: Connection, user_id: int, labels: Sequence[str]) -> list[str]:
    """Give a user these labels and no others; returns them."""
    first = {label.casefold(): label for label in reversed(labels)}
    await claim(connection, first.values())
    await users.lock(connection, [user_id])
    wanted = await written(connection, first.values())
    await connection.execute(
        "delete from user_labels where user_id = $1 and label <> all($2::text[])",
        user_id,
        list(wanted.values()),
    )
    for label in wanted.values():
        await add(connection, label, [user_id])
    return (await of_users(connection, [user_id]))[user_id]


async def add_to_all(connection: Connection, label: str, wanted: UserFilter) -> int:
    """Give a label to everybody whom a filter finds; returns how many didn't have it."""
    found, values = await listing.ids(connection, wanted)
    place = f"${len(values) + 1}"
    return await _count(
        connection,
        f"""
        insert into user_labels (user_id, label)
        select id, {place}::text from users
         where id in ({found}) and erased_at is null
         order by id for key share on conflict do nothing
        """,
        *values,
        await _claimed(connection, label),
    )


async def remove_from_all(connection: Connection, label: str, wanted: UserFilter) -> int:
    """Take a label from everybody whom a filter finds; returns how many had it."""
    found, values = await listing.ids(connection, wanted)
    place = f"${len(values) + 1}"
    return await _count(
        connection,
        f"delete from user_labels where label = {place} and user_id in ({found})",
        *values,
        await _claimed(connection, label),
    )


@dataclass(frozen=True)
class LineLabel:
    """A label that a line of an import gives to a user."""

    line: int
    user_id: int
    label: str


async def give_imported(
    connection: Connection, import_id: str, given: Sequence[LineLabel]
) -> Mapping[str, str]:
    """Give people the labels that lines of an import have for them, unless they have them already;
    returns how each is written. Undoing the import takes back what was given here. The caller has
    claimed the labels."""
    first: dict[tuple[int, str], LineLabel] = {}
    for one in given:
        first.setdefault((one.user_id, one.label.casefold()), one)
    names_of = await written(connection, [one.label for one in given])
    await connection.execute(
        """
        insert into user_labels (user_id, label, import_id, import_line)
        select g.user_id, g.label, $1, g.line
          from jsonb_to_recordset($2::jsonb) as g (user_id bigint, label text, line integer)
          join users u on u.id = g.user_id and u.erased_at is null
         order by g.user_id, g.label for key share of u on conflict do nothing
        """,
        import_id,
        [asdict(one) | {"label": names_of[one.label]} for one in first.values()],
    )
    return names_of


async def _claimed(connection: Connection, label: str) -> str:
    """The label as it is written, once nobody else changes who has it."""
    await claim(connection, [label])
    return (await written(connection, [label]))[label]


async def claim(connection: Connection, labels: Iterable[str]) -> None:
    """Wait until nobody else changes who has these labels; until the transaction ends, nobody else
    does."""
    await connection.execute(
        "select pg_advisory_xact_lock(hashtextextended('label ' || label, 0))"
        " from unnest($1::text[]) as label",
        sorted({label.casefold() for label in labels}),
    )


async def _count(connection: Connection, statement: str, *values: object) -> int:
    return int((await connection.execute(statement, *values)).split()[-1])
