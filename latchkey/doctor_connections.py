"""Doctor's count of the connections to Postgres that the site's programs may open."""

from collections.abc import Iterator
from dataclasses import dataclass

from latchkey.doctor_checks import Check, from_database
from latchkey.rules.plurals import counted
from latchkey.settings import Settings
from latchkey.store.checks import processes
from latchkey.store.pool import (
    COMMAND_CONNECTIONS,
    WEB_CONNECTIONS,
    WORKER_CONNECTIONS,
    Connection,
    is_pooled,
)


@dataclass(frozen=True)
class Connections:
    """How many web processes and workers run, how many connections others have at the moment, and
    how many Postgres allows, without those that it reserves."""

    webs: int
    workers: int
    others: int
    allowed: int

    @property
    def wanted(self) -> int:
        """What the programs may open, with a command or two."""
        mine = WEB_CONNECTIONS * self.webs + WORKER_CONNECTIONS * self.workers
        return mine + COMMAND_CONNECTIONS

    @property
    def wanted_at_most(self) -> int:
        """The same while the processes are replaced one by one."""
        return self.wanted + WEB_CONNECTIONS + WORKER_CONNECTIONS


async def of_connections(settings: Settings) -> list[Check]:
    """Whether Postgres has room for all of them. Nothing behind pgbouncer, which has its own
    limits, and where the database can't be read."""
    if settings.database_url is None or is_pooled(settings.database_url.get_secret_value()):
        return []
    found = await from_database(settings, _connections)
    return list(judged(found)) if found else []


def judged(found: Connections) -> Iterator[Check]:
    """One check, which is bad if the programs may want more than Postgres allows."""
    running = f"{counted(found.webs, 'web process', 'web processes')} and"
    running += f" {counted(found.workers, 'worker')} may open {found.wanted},"
    running += f" {found.wanted_at_most} while they are replaced; others have {found.others}, and"
    running += f" {found.allowed} are allowed"
    if found.wanted_at_most + found.others <= found.allowed:
        yield Check("connections", True, running)
        return
    advice = (
        "raise max_connections (or the role's or the database's own limit), or put pgbouncer in"
        " between: see docs/scaling.md"
    )
    yield Check("connections", False, running, advice)


async def _connections(connection: Connection) -> Connections:
    running = await processes.running(connection)
    row = await connection.fetchrow(
        """
        select (select count(*) from pg_stat_activity
                 where backend_type = 'client backend'
                   and not (datname = current_database() and application_name = 'latchkey'))
                   as others,
               (select min(found) from (values
                       (current_setting('max_connections')::int
                        - current_setting('superuser_reserved_connections')::int
                        - coalesce(current_setting('reserved_connections', true), '0')::int),
                       ((select rolconnlimit from pg_roles where rolname = current_user)),
                       ((select datconnlimit from pg_database where datname = current_database()))
                       ) as limits (found)
                 where found >= 0) as allowed
        """
    )
    assert row is not None, "it has one row"
    return Connections(
        max(1, sum(process.kind == "web" for process in running)),
        max(1, sum(process.kind == "worker" for process in running)),
        row["others"],
        row["allowed"],
    )
