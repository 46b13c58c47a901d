"""What was last found at the site's public address."""

from datetime import datetime

from latchkey.rules.public_address import AddressFinding, AddressState
from latchkey.store.pool import Connection

KEY = "public_address"


async def last(connection: Connection, url: str) -> AddressFinding | None:
    """The last finding at an address; None if it wasn't looked at."""
    found = await connection.fetchval(
        "select value from site_settings where key = $1 and value ->> 'url' = $2", KEY, url
    )
    if found is None or found["state"] not in list(AddressState):
        return None
    at = datetime.fromisoformat(found["at"])
    return AddressFinding(AddressState(found["state"]), at, found["detail"])


async def note(connection: Connection, url: str, finding: AddressFinding) -> None:
    """Record what was found."""
    value = {
        "url": url,
        "state": str(finding.state),
        "at": finding.at.isoformat(),
        "detail": finding.detail,
    }
    await connection.execute(
        """
        insert into site_settings (key, value) values ($1, $2)
        on conflict (key) do update set value = excluded.value, updated_at = now()
        """,
        KEY,
        value,
    )
