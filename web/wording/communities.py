"""What each kind of community calls its parts."""

from dataclasses import dataclass

from latchkey.languages import A_, N_
from latchkey.rules.vocabulary import WebhookFormat


@dataclass(frozen=True)
class CommunityWords:
    """`name` of the kind, which is the address of its pages, too; `site` is whose it is, `space`
    what members belong to, `role` what they are given, and `console` where its keys are made.
    `join_first` and `given` are sentences for members."""

    name: str
    site: str
    space: str
    role: str
    console: str
    join_first: str
    given: str

    @property
    def callback(self) -> str:
        """The page that members come back to."""
        return f"/account/communities/{self.name}"


COMMUNITY_WORDS = {
    WebhookFormat.DISCORD_ROLES: CommunityWords(
        "discord",
        "Discord",
        A_("server"),
        A_("role"),
        A_("the Discord Developer Portal"),
        N_(
            "You aren't in the server. Join it, and you get your roles within an hour, or at once"
            " if you press the button."
        ),
        N_("Your roles: %(names)s"),
    ),
    WebhookFormat.SLACK_CHANNELS: CommunityWords(
        "slack",
        "Slack",
        A_("workspace"),
        A_("channel"),
        A_("the settings of your Slack app"),
        N_(
            "You aren't in the workspace. Join it, and you get your channels within an hour, or at"
            " once if you press the button."
        ),
        N_("Your channels: %(names)s"),
    ),
}
COMMUNITY_KINDS = {words.name: kind for kind, words in COMMUNITY_WORDS.items()}
