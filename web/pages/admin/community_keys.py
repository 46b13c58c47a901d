"""The keys of a community as an admin enters them: checked by asking whose they are."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import FormData

from latchkey.community_api import CommunityError
from latchkey.discord import Discord
from latchkey.languages import _
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.slack import Slack
from latchkey.store.communities.communities import Community
from latchkey.texts import is_web_address
from web.pages.guard import text
from web.site import Site
from web.wording.communities import COMMUNITY_WORDS
from web.wording.stored import said

LONGEST_TOKEN = 500
LONGEST_CLIENT = 100
LONGEST_ADDRESS = 2000


@dataclass(frozen=True)
class CommunityKeys:
    """Keys that work. `name` and `space_id` are empty if the server is still to be chosen."""

    token: str
    secret: str
    client_id: str
    bot_id: str
    name: str = ""
    space_id: str = ""
    invite_url: str | None = None


def sentence(error: CommunityError) -> str:
    """Why a call failed, as a sentence."""
    words = str(error)
    return said(f"{words[:1].upper()}{words[1:]}.")


async def checked_keys(
    site: Site,
    kind: WebhookFormat,
    fields: FormData,
    *,
    known: Community | None = None,
) -> tuple[CommunityKeys | None, dict[str, str]]:
    """The keys that were typed, for a community that is `known` or a new one; None and what is
    wrong by field if they don't work."""
    errors = {
        name: _(
            "Copy it from %(console)s: letters, digits, dots and dashes.",
            console=COMMUNITY_WORDS[kind].console,
        )
        for name in ("token", "secret")
        if not _is_key(text(fields, name), longest=LONGEST_TOKEN)
    }
    try:
        if kind is WebhookFormat.SLACK_CHANNELS:
            return await _slack(site, fields, known, errors)
        return await _discord(site, fields, known, errors)
    except CommunityError as error:
        return None, {"token": sentence(error)}


async def _discord(
    site: Site, fields: FormData, known: Community | None, errors: dict[str, str]
) -> tuple[CommunityKeys | None, dict[str, str]]:
    if errors:
        return None, errors
    token = text(fields, "token")
    asked = Discord(site.outgoing, token)
    bot, guilds = await asked.whose_token(), await asked.guilds()
    if known and known.space_id and known.space_id not in {guild.id for guild in guilds}:
        return None, {"token": _("This bot isn't on %(name)s. Invite it first.", name=known.name)}
    only = guilds[0] if len(guilds) == 1 else None
    keys = CommunityKeys(
        token,
        text(fields, "secret"),
        bot.client_id,
        bot.id,
        name=only.name if only else "",
        space_id=only.id if only else "",
    )
    return keys, {}


async def _slack(
    site: Site, fields: FormData, known: Community | None, errors: dict[str, str]
) -> tuple[CommunityKeys | None, dict[str, str]]:
    token, client, invite = (text(fields, name) for name in ("token", "client", "invite"))
    if "token" not in errors and not token.startswith("xoxb-"):
        errors["token"] = _(
            "This isn't a bot token: it begins with xoxb-. Copy it from OAuth &"
            " Permissions, with token rotation switched off."
        )
    if not _is_key(client, longest=LONGEST_CLIENT):
        errors["client"] = _("Copy it from Basic Information: digits with a dot between them.")
    if invite and not _is_invitation(invite):
        errors["invite"] = _("Copy it from Slack, or leave it empty. It begins with https://")
    if errors:
        return None, errors
    space = await Slack(site.outgoing, token).whose_token()
    if known and known.space_id != space.id:
        return None, {
            "token": _(
                "This app is in %(name)s, not in %(name2)s.", name=space.name, name2=known.name
            )
        }
    keys = CommunityKeys(
        token,
        text(fields, "secret"),
        client,
        space.bot_id,
        name=space.name,
        space_id=space.id,
        invite_url=invite or None,
    )
    return keys, {}


def _is_key(value: str, *, longest: int) -> bool:
    return (
        value.isascii() and value.isprintable() and " " not in value and 0 < len(value) <= longest
    )


def _is_invitation(address: str) -> bool:
    if len(address) > LONGEST_ADDRESS or not is_web_address(address):
        return False
    return urlsplit(address).scheme == "https"
