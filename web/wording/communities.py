"""What each kind of community calls its parts."""

from dataclasses import dataclass

from latchkey.rules.vocabulary import WebhookFormat


@dataclass(frozen=True)
class CommunityWords:
    """`name` of the kind, which is the address of its pages, too; `site` is whose it is, `space`
    what members belong to, `role` what they are given, and `console` where its keys are made."""

    name: str
    site: str
    space: str
    role: str
    console: str

    @property
    def callback(self) -> str:
        """The page that members come back to."""
        return f"/account/communities/{self.name}"


COMMUNITY_WORDS = {
    WebhookFormat.DISCORD_ROLES: CommunityWords(
        "discord", "Discord", "server", "role", "the Discord Developer Portal"
    ),
    WebhookFormat.SLACK_CHANNELS: CommunityWords(
        "slack", "Slack", "workspace", "channel", "the settings of your Slack app"
    ),
}
COMMUNITY_KINDS = {words.name: kind for kind, words in COMMUNITY_WORDS.items()}
