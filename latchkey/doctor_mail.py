"""Whether the mail server lets Latchkey in."""

from latchkey.doctor_checks import PATIENCE_SECONDS, Check, from_database
from latchkey.mail import server as servers
from latchkey.settings import Settings
from latchkey.vault import VaultError


async def of_mail_server(settings: Settings) -> list[Check]:
    """Signs in to the server of SMTP_URL or, without it, the one that was entered under Settings.
    Nothing where there is none, or where the database can't be read."""
    server = servers.of_settings(settings)
    where = "of SMTP_URL"
    if server is None and settings.secret is not None:
        where = "entered under Settings"
        try:
            server = await from_database(
                settings, lambda connection: servers.current(connection, settings)
            )
        except VaultError:
            found = f"the password of the one {where} can't be opened with LATCHKEY_SECRET"
            advice = "enter it again under Settings, Mail server, or add the earlier secret"
            return [Check("mail server", False, found, advice)]
    if server is None:
        return []
    try:
        await servers.check(server, timeout=PATIENCE_SECONDS)
    except servers.FAILURES as error:
        found = f"no email can be sent through the one {where}"
        return [Check("mail server", False, found, servers.explained(error, server))]
    return [Check("mail server", True, f"the one {where}, {server.host}:{server.port}, answers")]
