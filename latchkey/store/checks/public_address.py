"""What was last found at the site's public address."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from latchkey.rules.public_address import AddressFinding, AddressState
from latchkey.store.pool import Connection

KEY = "public_address"
STALE = timedelta(hours=3)
"""Older findings say nothing about now: nobody has looked since."""
PASSING = timedelta(minutes=9)
"""A proxy that restarts is back before the next look."""


@dataclass(frozen=True)
class AddressTrouble:
    """What has been in the way of an address that led here before, since `since` (UTC)."""

    finding: AddressFinding
    since: datetime


async def last(connection: Connection, url: str) -> AddressFinding | None:
    """The last finding at an address; None if it wasn't looked at."""
    found = await connection.fetchval(
        "select value from site_settings where key = $1 and value ->> 'url' = $2", KEY, url
    )
    return _of(found)


def trouble(found: dict[str, Any] | None, url: str, *, now: datetime) -> AddressTrouble | None:
    """What is in the way of an address by the stored finding. None where it led here when somebody
    last looked, or never did: a machine needn't be able to reach its own address. Who visits is
    judged by the sessions."""
    last = _of(found) if found is not None and found["url"] == url else None
    if last is None or last.state in (AddressState.HERE, AddressState.VISITORS_HIDDEN):
        return None
    assert found is not None, "the finding was made of it"
    since = datetime.fromisoformat(found.get("since") or found["at"])
    if not found.get("led_here") or now - last.at > STALE or now - since < PASSING:
        return None
    return AddressTrouble(last, since)


def _of(found: dict[str, Any] | None) -> AddressFinding | None:
    if found is None or found["state"] not in list(AddressState):
        return None
    at = datetime.fromisoformat(found["at"])
    return AddressFinding(AddressState(found["state"]), at, found["detail"])


async def note(connection: Connection, url: str, finding: AddressFinding) -> None:
    """Record what was found, since when it is so, and whether the address ever led here."""
    fine = finding.state is AddressState.HERE
    at = finding.at.isoformat()
    value = {
        "url": url,
        "state": str(finding.state),
        "at": at,
        "detail": finding.detail,
        "since": None if fine else at,
        "led_here": fine,
    }
    await connection.execute(
        """
        insert into site_settings as s (key, value) values ($1, $2)
        on conflict (key) do update
           set value = excluded.value || case
                   when s.value ->> 'url' <> excluded.value ->> 'url' or $3 then '{}'::jsonb
                   else jsonb_build_object(
                       'led_here', coalesce(s.value -> 'led_here', 'false'),
                       'since', coalesce(s.value ->> 'since', excluded.value ->> 'since'))
               end,
               updated_at = now()
        """,
        KEY,
        value,
        fine,
    )
