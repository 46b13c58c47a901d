"""The mail server that an admin entered, and the last successful test of a mail server."""

from dataclasses import dataclass
from datetime import datetime

from latchkey.rules.vocabulary import MailSecurity
from latchkey.store import audit_draft
from latchkey.store.pool import Connection


@dataclass(frozen=True)
class StoredMailServer:
    """What was entered. The password is sealed; see `latchkey.vault`."""

    host: str
    port: int
    security: MailSecurity
    username: str | None
    password_encrypted: bytes | None


@dataclass(frozen=True)
class MailTest:
    """The last test email that a server accepted. `server` is the server's `name`."""

    server: str
    at: datetime


async def read(connection: Connection) -> StoredMailServer | None:
    """The server that was entered, if one was."""
    row = await connection.fetchrow(
        """
        select host, port, security, username, password_encrypted from mail_server
         where host is not null
        """
    )
    return StoredMailServer(**{**row, "security": MailSecurity(row["security"])}) if row else None


async def save(connection: Connection, server: StoredMailServer) -> None:
    """Send emails through this server from now on. The caller opens the transaction."""
    audit_draft.note_changes(_noted(await read(connection)), _noted(server))
    await connection.execute(
        """
        insert into mail_server (host, port, security, username, password_encrypted)
        values ($1, $2, $3, $4, $5)
        on conflict (singleton) do update
           set host = excluded.host, port = excluded.port, security = excluded.security,
               username = excluded.username, password_encrypted = excluded.password_encrypted
        """,
        server.host,
        server.port,
        server.security,
        server.username,
        server.password_encrypted,
    )


async def remove(connection: Connection) -> None:
    """Forget the server that was entered. The caller opens the transaction."""
    audit_draft.note_changes(_noted(await read(connection)), _noted(None))
    await connection.execute("delete from mail_server")


async def note_test(connection: Connection, server: str) -> None:
    """Record that a server accepted a test email just now. `server` is its `name`."""
    await connection.execute(
        """
        insert into mail_server (tested_server, tested_at) values ($1, now())
        on conflict (singleton) do update
           set tested_server = excluded.tested_server, tested_at = excluded.tested_at
        """,
        server,
    )


async def last_test(connection: Connection) -> MailTest | None:
    row = await connection.fetchrow(
        """
        select tested_server as server, tested_at as at from mail_server
         where tested_at is not null
        """
    )
    return MailTest(**row) if row else None


def _noted(server: StoredMailServer | None) -> dict[str, str | int | None]:
    """What the audit log says of a server: not who signs in there, which is often an address."""
    if server is None:
        return dict.fromkeys(("host", "port", "security"))
    return {"host": server.host, "port": server.port, "security": str(server.security)}
