"""What differs between kinds of communities: the client, and how members say who they are."""

import base64
import hashlib
from contextlib import suppress

import structlog

from latchkey import discord, slack
from latchkey.community_api import CommunityApi, CommunityError, Member, Turns
from latchkey.discord import Discord
from latchkey.outgoing_http import OutgoingHttp
from latchkey.rules.vocabulary import WebhookFormat
from latchkey.slack import Slack
from latchkey.store.communities.communities import Community
from latchkey.vault import Purpose, Vault

log = structlog.get_logger("communities")


def api_of(
    community: Community, *, vault: Vault, outgoing: OutgoingHttp, turns: Turns | None = None
) -> CommunityApi:
    """The client of a community, by its bot's token. Raises `VaultError`."""
    token = vault.open(community.token, Purpose.COMMUNITY_TOKEN)
    if community.kind is WebhookFormat.SLACK_CHANNELS:
        return Slack(outgoing, token, turns=turns or Turns())
    return Discord(
        outgoing, token, guild=community.space_id, bot=community.bot_id, turns=turns or Turns()
    )


def consent_address(community: Community, *, redirect_uri: str, state: str, proof: str) -> str:
    """Where a member agrees that we learn who they are. `proof` is a secret of this attempt, which
    `identify` needs again: Discord takes it for a PKCE verifier. Slack has PKCE only for apps
    without a secret, so it is the nonce there."""
    if community.kind is WebhookFormat.SLACK_CHANNELS:
        return slack.consent_address(
            client_id=community.client_id,
            workspace=community.space_id,
            redirect_uri=redirect_uri,
            state=state,
            nonce=proof,
        )
    challenge = base64.urlsafe_b64encode(hashlib.sha256(proof.encode()).digest())
    return discord.consent_address(
        client_id=community.client_id,
        redirect_uri=redirect_uri,
        state=state,
        challenge=challenge.decode().rstrip("="),
    )


async def identify(
    community: Community,
    *,
    vault: Vault,
    outgoing: OutgoingHttp,
    code: str,
    redirect_uri: str,
    proof: str,
) -> Member:
    """Who agreed. They join a Discord server, if they aren't there and it lets them. Their token is
    given back in any case. Raises `CommunityError` and `VaultError`."""
    assert community.client_secret is not None, "members connect by it"
    secret = vault.open(community.client_secret, Purpose.COMMUNITY_SECRET)
    if community.kind is WebhookFormat.SLACK_CHANNELS:
        return await slack.identify(
            outgoing,
            client_id=community.client_id,
            client_secret=secret,
            workspace=community.space_id,
            code=code,
            redirect_uri=redirect_uri,
            nonce=proof,
        )
    token = await discord.exchange(
        outgoing,
        client_id=community.client_id,
        client_secret=secret,
        code=code,
        redirect_uri=redirect_uri,
        verifier=proof,
    )
    try:
        member = await discord.identify(outgoing, token)
        bot = Discord(
            outgoing,
            vault.open(community.token, Purpose.COMMUNITY_TOKEN),
            guild=community.space_id,
            bot=community.bot_id,
        )
        try:
            await bot.join(member.id, access_token=token)
        except CommunityError as error:
            log.warning("member couldn't join the Discord server", reason=str(error))
    finally:
        with suppress(CommunityError):
            await discord.revoke(
                outgoing, client_id=community.client_id, client_secret=secret, access_token=token
            )
    return member
