"""Makes the client of a connected server."""

from latchkey.community_api import Turns
from latchkey.discord import Discord
from latchkey.outgoing_http import OutgoingHttp
from latchkey.store.communities.communities import Community
from latchkey.vault import Purpose, Vault


def discord_of(
    community: Community, *, vault: Vault, outgoing: OutgoingHttp, turns: Turns | None = None
) -> Discord:
    """The client of a Discord server, by its bot's token. Raises `VaultError`."""
    return Discord(
        outgoing,
        vault.open(community.token, Purpose.COMMUNITY_TOKEN),
        guild=community.space_id,
        bot=community.bot_id,
        turns=turns or Turns(),
    )
