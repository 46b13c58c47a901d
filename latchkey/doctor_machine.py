"""Doctor's checks of what Latchkey runs on: the clock, disks, and Postgres's archive of its log."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from latchkey.doctor_checks import Check, from_database
from latchkey.rules.go_live import CLOCK_TOLERANCE
from latchkey.settings import Settings
from latchkey.store.checks import go_live
from latchkey.store.pool import Connection

LEAST_FREE = 1_000_000_000
"""Bytes."""


async def of_machine(settings: Settings) -> list[Check]:
    """All of these. What the database says is left out where it can't be read."""
    return [
        *await of_clock(settings),
        *of_disks(settings, least=LEAST_FREE),
        *await of_archive(settings),
    ]


async def of_clock(settings: Settings) -> list[Check]:
    """How far this machine's clock is from that of the database and, unless something stands in for
    Stripe, behind Stripe's."""
    found = await from_database(settings, go_live.recorded)
    if found is None:
        return []
    behind = timedelta() if settings.stripe_api_base else found.behind
    off = max(found.clock_off, behind)
    if off <= CLOCK_TOLERANCE:
        return [Check("clock", True, "it agrees with the database's and Stripe's")]
    where = "the database's" if found.clock_off >= behind else "Stripe's"
    text = f"off by {off.total_seconds():.0f} s, compared with {where}"
    advice = "let NTP set the clocks of this machine and of Postgres: signatures and ends need them"
    return [Check("clock", False, text, advice)]


def of_disks(settings: Settings, *, least: int) -> list[Check]:
    """Whether there is room for what Latchkey writes to this machine's disks. Nothing where it
    writes nothing."""
    full = [
        f"{folder} ({free / 1e6:.0f} MB left)"
        for folder in _folders(settings)
        if (free := shutil.disk_usage(folder).free) < least
    ]
    if full:
        advice = "make room, or move the folder to a larger disk"
        return [Check("disks", False, f"nearly full: {', '.join(full)}", advice)]
    return []


def _folders(settings: Settings) -> Iterator[Path]:
    kept = [] if settings.pictures == "postgres" else [Path(settings.pictures)]
    for folder in (settings.data, *kept):
        if folder.is_dir():
            yield folder


@dataclass(frozen=True)
class LogArchive:
    """Whether Postgres is to archive its log, and when that last succeeded and failed."""

    wanted: bool
    archived_at: datetime | None
    failed_at: datetime | None


async def of_archive(settings: Settings) -> list[Check]:
    """Whether Postgres archives its log."""
    found = await from_database(settings, _archive)
    return list(judged_archive(found)) if found else []


def judged_archive(archive: LogArchive) -> Iterator[Check]:
    """Nothing where it isn't to: then backups are other files. What can't be archived stays on
    Postgres's disk until that is full."""
    if not archive.wanted:
        return
    failed, archived = archive.failed_at, archive.archived_at
    if failed and (archived is None or failed > archived):
        since = f"since {archived:%Y-%m-%d %H:%M} UTC" if archived else "yet"
        advice = (
            "see Postgres's log for what archive_command says: until it succeeds, the disk fills up"
        )
        yield Check("log archive", False, f"Postgres hasn't archived its log {since}", advice)
    else:
        yield Check("log archive", True, "Postgres archives its log")


async def _archive(connection: Connection) -> LogArchive:
    row = await connection.fetchrow(
        """
        select current_setting('archive_mode') <> 'off' as wanted,
               last_archived_time as archived_at, last_failed_time as failed_at
          from pg_stat_archiver
        """
    )
    assert row is not None, "the view has one row"
    return LogArchive(**dict(row))
