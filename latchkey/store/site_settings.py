"""The site's settings in the database: name and colours, email, portal, visitors."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from latchkey.store import audit_draft
from latchkey.store.pool import Connection

KEY = "site"


@dataclass(frozen=True)
class SiteSettings:
    """`language` is that of people whose own isn't known. `logo_url` and `icon_url` are addresses,
    or paths of uploaded pictures. `colour` is `#rrggbb`, and so is `bar_colour`, that of the bar at
    the top of members' pages and emails; None for none. `font` is a key of `web.theme.FONTS`.
    `links` stand at the foot of members' pages and emails, each with a `name` and a `url`.
    `mail_from` is an address, None for LATCHKEY_MAIL_FROM.

    `login_mail` sends login instructions to every new user; `cancellation_mail` and `payment_mail`
    inform members about their billing, and `abandoned_mail` reminds those who agreed of a checkout
    that they left. `reminder_mail` sends a series of emails after a renewal failed, so many
    `reminder_days` later; `card_mail` sends one before a bill that a card expires before.
    `public_content` lets visitors see the library.
    `spread_per_hour` limits the emails of imports that are spread. `staff_second_factor` requires a
    second factor of everyone on the team, `member_second_factor` of everybody else.
    `embed_origins` are the origins whose pages may embed buttons (`https://host` each).
    """

    name: str = "Latchkey"
    language: str = "en"
    logo_url: str | None = None
    icon_url: str | None = None
    colour: str = "#3d4ed8"
    bar_colour: str | None = None
    font: str = "system"
    links: Sequence[Mapping[str, str]] = ()
    public_content: bool = False
    sender_name: str | None = None
    mail_from: str | None = None
    reply_to: str | None = None
    login_mail: bool = False
    cancellation_mail: bool = True
    payment_mail: bool = True
    abandoned_mail: bool = False
    reminder_mail: bool = False
    reminder_days: Sequence[int] = (0, 3, 7)
    card_mail: bool = False
    mails_per_minute: int = 120
    spread_per_hour: int = 300
    portal: bool = True
    portal_cancel: bool = True
    privacy_url: str | None = None
    terms_url: str | None = None
    staff_second_factor: bool = False
    member_second_factor: bool = False
    embed_origins: Sequence[str] = ()

    def requires_factor(self, *, staff: bool) -> bool:
        """Whether the site requires a second factor of somebody on the team, or of a member."""
        return self.staff_second_factor if staff else self.member_second_factor


def of(value: dict[str, Any] | None) -> SiteSettings:
    """The settings in a stored value; unknown keys of later releases are ignored."""
    known = SiteSettings.__dataclass_fields__
    return SiteSettings(**{name: given for name, given in (value or {}).items() if name in known})


async def read(connection: Connection) -> SiteSettings:
    return of(await connection.fetchval("select value from site_settings where key = $1", KEY))


async def change(connection: Connection, **changes: Any) -> SiteSettings:
    """Change some settings; the others stay as they are."""
    unknown = set(changes) - set(asdict(SiteSettings()))
    assert not unknown, f"no such settings: {sorted(unknown)}"
    audit_draft.note_changes(asdict(await read(connection)), changes)
    value = await connection.fetchval(
        """
        insert into site_settings (key, value) values ($1, $2)
        on conflict (key) do update
           set value = site_settings.value || excluded.value, updated_at = now()
        returning value
        """,
        KEY,
        changes,
    )
    return of(value)
