"""Replaces everything personal in a copy of a site by made-up data that fits together."""

from dataclasses import dataclass
from enum import StrEnum
from secrets import token_hex

from latchkey.rules import vocabulary
from latchkey.store.personal_data import EMPTIED, REPLACED
from latchkey.store.pool import Connection

_PEOPLE = """
    create temporary table scrubbed_people on commit drop as
    select email_key, row_number() over (order by random()) as number
      from (select email_key from users union select email_key from user_addresses
            union select email_key from customers union select email_key from orders) as known
     where email_key is not null and email_key not like 'erased-%@erased.invalid'
"""

_CURRENCIES = """
    insert into scrub_words
    select currency from prices union select currency from orders where currency is not null
"""

_STRIPE_IDS = "acct|ch|cs|cus|dp|du|evt|il|in|ii|li|pi|plink|pm|price|prod|py|re|si|sub|txn|we"
"""What the ids begin with that are kept. Other words with a number may be somebody's."""

_WORDS_OF = r"""
    create function pg_temp.words_of(given jsonb) returns jsonb language plpgsql as $$
    begin
        return case jsonb_typeof(given)
            when 'object' then (
                select coalesce(jsonb_object_agg(key, pg_temp.words_of(value)), '{}')
                  from jsonb_each(given))
            when 'array' then (
                select coalesce(jsonb_agg(pg_temp.words_of(value)), '[]')
                  from jsonb_array_elements(given))
            when 'string' then case
                when given #>> '{}' in (select word from pg_temp.scrub_words)
                  or given #>> '{}' ~ '^(STRIPE_IDS)_[A-Za-z0-9_]*[0-9][A-Za-z0-9_]*$'
                  or given #>> '{}' ~ '^\d{4}-\d\d-\d\dT[\d:.+Z-]+$'
                then given else to_jsonb('removed'::text) end
            else given end;
    end $$
""".replace("STRIPE_IDS", _STRIPE_IDS)


@dataclass(frozen=True)
class Scrubbed:
    """How many rows were changed, by table, how many were deleted, and how many people there
    are."""

    people: int
    replaced: dict[str, int]
    deleted: int


async def others(connection: Connection) -> list[str]:
    """The programs that are connected to the database besides this one. Of other roles' connections
    Postgres doesn't say whether they are a client's."""
    rows = await connection.fetch(
        """
        select coalesce(nullif(application_name, ''), 'a program without a name') as name
          from pg_stat_activity
         where datname = current_database() and pid <> pg_backend_pid()
           and usesysid is not null and coalesce(backend_type, 'client backend') = 'client backend'
         order by 1
        """
    )
    return [row["name"] for row in rows]


async def scrub(connection: Connection) -> Scrubbed:
    """Replace what is personal. The caller opens the transaction, and has made sure that this is a
    copy on which nothing else runs."""
    words = [
        member.value
        for kind in vars(vocabulary).values()
        if isinstance(kind, type) and issubclass(kind, StrEnum)
        for member in kind
    ]
    await connection.execute("set local statement_timeout = 0")
    await connection.execute("select set_config('latchkey.audit_upkeep', 'on', true)")
    await connection.execute(_PEOPLE)
    await connection.execute("create unique index on scrubbed_people (email_key)")
    await connection.execute("create temporary table scrub_words (word text) on commit drop")
    await connection.executemany("insert into scrub_words values ($1)", [(w,) for w in words])
    await connection.execute(_CURRENCIES)
    await connection.execute(_WORDS_OF)
    counts = [await connection.fetchval(f"select count(*) from {name}") for name in EMPTIED]
    await connection.execute(f"truncate {', '.join(sorted(EMPTIED))}")
    domain = f"{token_hex(4)}.invalid"
    replaced = {name: await _replace(connection, name, domain) for name in REPLACED}
    people = await connection.fetchval("select count(*) from scrubbed_people")
    await connection.execute("select set_config('latchkey.audit_upkeep', 'off', true)")
    return Scrubbed(people, {name: rows for name, rows in replaced.items() if rows}, sum(counts))


async def _replace(connection: Connection, table: str, domain: str) -> int:
    columns = REPLACED[table]
    changes = ", ".join(
        f"{column} = {expression.format(column=column)}" for column, expression in columns.items()
    )
    person = "left join scrubbed_people p using (email_key)" if "email_key" in columns else ""
    number = "p.number" if person else "null::bigint"
    done = await connection.execute(
        f"""
        update {table} t set {changes}
          from (select r.ctid as place, {number} as number from {table} r {person}) p,
               (select '{domain}'::text as domain) d
         where t.ctid = p.place
        """
    )
    return int(done.rpartition(" ")[2])


async def clean_up(connection: Connection) -> None:
    """Remove what updates have left in the files of the database, and in its statistics. Outside of
    transactions."""
    await connection.execute("vacuum (full, analyze)", timeout=None)
