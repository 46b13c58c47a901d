"""The admin's side menu, grouped by what people do, the most used first. Only entries whose pages
exist are shown. A new page is one line in the group where people look for it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from starlette.routing import BaseRoute, Route

from latchkey.languages import A_
from web.pages.guard import is_private


@dataclass(frozen=True)
class Entry:
    """`icon` is a name in `web.pages.icons`; with `exact`, subpages don't mark it as current.
    `words` are what else people look for it by."""

    address: str
    name: str
    icon: str
    words: str = ""
    exact: bool = False

    def current(self, path: str) -> bool:
        return path == self.address or (not self.exact and path.startswith(f"{self.address}/"))


@dataclass(frozen=True)
class Group:
    """A `folded` group is closed until it is opened, or holds the current page or a badge."""

    name: str
    entries: tuple[Entry, ...]
    folded: bool = False

    def open(self, path: str, badges: Collection[str]) -> bool:
        """Whether its entries are shown at once."""
        return not self.folded or any(
            entry.current(path) or entry.address in badges for entry in self.entries
        )


MENU = (
    Group(
        "",
        (
            Entry("/admin", A_("Dashboard"), "home", "home overview start", exact=True),
            Entry("/admin/activity", A_("Activity"), "activity", "feed history log lines"),
        ),
    ),
    Group(
        A_("Site"),
        (
            Entry("/admin/products", A_("Products"), "product", "courses catalog"),
            Entry("/admin/collections", A_("Collections"), "collection", "bundles"),
            Entry("/admin/sales", A_("Sales pages"), "page", "landing offers"),
            Entry("/admin/policy", A_("Access policy"), "policy", "grace past due refunds rules"),
            Entry("/admin/settings", A_("Settings"), "settings", "site name logo colour color"),
        ),
    ),
    Group(
        A_("People"),
        (
            Entry("/admin/users", A_("Users"), "users", "people members accounts"),
            Entry("/admin/mails", A_("Emails"), "mail", "mail outbox sent"),
            Entry("/admin/grants", A_("Bulk access"), "grant", "grants gifts complimentary"),
            Entry("/admin/merges", A_("Identity matches"), "merge", "merge duplicates claims"),
        ),
    ),
    Group(
        A_("Money"),
        (
            Entry("/admin/numbers", A_("Numbers"), "numbers"),
            Entry(
                "/admin/subscriptions", A_("Subscriptions"), "clock", "renewals recurring trials"
            ),
            Entry("/admin/purchases", A_("Purchases"), "money", "orders payments refunds disputes"),
            Entry("/admin/customers", A_("Customers"), "person", "buyers billing"),
            Entry(
                "/admin/at-risk", A_("Money at risk"), "alert", "past due dunning expiring cards"
            ),
            Entry(
                "/admin/cancellations", A_("Cancellations"), "cross", "churn reasons feedback left"
            ),
        ),
    ),
    Group(
        A_("Health"),
        (
            Entry("/admin/health", A_("Health"), "health", "status problems permissions"),
            Entry("/admin/go-live", A_("Go-live checklist"), "check", "launch set up ready start"),
            Entry("/admin/inbox", A_("Event inbox"), "inbox", "stripe events failed resend"),
            Entry("/admin/drift", A_("Drift"), "drift", "compare reconcile repair reconciliation"),
            Entry("/admin/speed", A_("Speed"), "speed", "latency performance slow"),
            Entry("/admin/audit", A_("Audit log"), "audit", "who did what security"),
        ),
    ),
    Group(
        A_("Connections"),
        (
            Entry("/admin/connectors", A_("Connectors"), "connector", "stripe key account mode"),
            Entry(
                "/admin/connect",
                A_("Connect your site"),
                "link",
                "wordpress nginx integration",
            ),
            Entry(
                "/admin/clients", A_("Clients"), "key", "oauth openid connect single sign-on sso"
            ),
            Entry(
                "/admin/protected-sites",
                A_("Protected sites"),
                "door",
                "forward auth proxy caddy",
            ),
            Entry("/admin/webhooks", A_("Webhooks"), "webhook", "endpoints deliveries slack"),
            Entry("/admin/communities", A_("Communities"), "users", "discord roles"),
            Entry("/admin/tokens", A_("API tokens"), "token", "keys programs"),
        ),
        folded=True,
    ),
)


SUBPAGES = (
    Entry("/admin/first-steps", A_("First steps"), "check", "set up getting started guide begin"),
    Entry("/admin/products/categories", A_("Categories"), "collection", "products groups"),
    Entry("/admin/subscriptions/second", A_("Second subscriptions"), "clock", "twice double paid"),
    Entry("/admin/settings/brand", A_("Brand"), "page", "logo favicon colours font footer imprint"),
    Entry("/admin/settings/team", A_("Team"), "users", "staff owners admins support roles"),
    Entry(
        "/admin/settings/team/second-factor", A_("Second factors"), "key", "2fa two-factor passkeys"
    ),
    Entry("/admin/mails/settings", A_("Email settings"), "mail", "sender reply from templates"),
    Entry("/admin/settings/texts", A_("Texts"), "page", "wording welcome members pages translate"),
    Entry("/admin/mails/texts", A_("Email texts"), "mail", "templates wording subject translate"),
    Entry("/admin/settings/embed", A_("Buttons"), "page", "embed script snippet"),
    Entry("/account", A_("Your account"), "person", "password sessions sign-in"),
    Entry("/library", A_("View the site as a member"), "page", "library"),
)
"""Pages that the menu doesn't show, for the search."""

ACTIONS = (
    Entry("/admin/products/new", A_("Create a product"), "product", "new add"),
    Entry(
        "/admin/users/import",
        A_("Import members from CSV"),
        "users",
        "upload add users move migrate",
    ),
    Entry(
        "/admin/grants", A_("Give access to many people"), "grant", "bulk gift grant complimentary"
    ),
    Entry(
        "/admin/webhooks/new", A_("Add a webhook endpoint"), "webhook", "new create slack discord"
    ),
    Entry("/admin/clients/new", A_("Add a client"), "key", "new create oauth openid"),
    Entry("/admin/protected-sites/new", A_("Protect a site"), "door", "new add forward auth"),
    Entry(
        "/admin/communities/new/discord", A_("Connect a Discord server"), "users", "new community"
    ),
    Entry(
        "/admin/communities/new/slack", A_("Connect a Slack workspace"), "users", "new community"
    ),
    Entry("/admin/tokens", A_("Create an API token"), "token", "new key"),
    Entry("/admin/drift", A_("Compare with Stripe"), "drift", "drift repair reconcile check"),
)
"""What admins do from anywhere, for the search: pages whose forms support can't send."""


def pages_matching(search: str, menu: Iterable[Group], *, admin: bool) -> list[Entry]:
    """The pages and, for admins, actions whose name or words contain each word of a search; those
    whose name begins with it first. All of them if there is no search."""
    entries = [entry for group in menu for entry in group.entries]
    entries += [*SUBPAGES, *(ACTIONS if admin else ())]
    words = search.casefold().split()
    found = [
        entry
        for entry in entries
        if all(word in f"{entry.name} {entry.words}".casefold() for word in words)
    ]
    return sorted(found, key=lambda entry: not entry.name.casefold().startswith(search.casefold()))


def menu_of(routes: Iterable[BaseRoute], *, admin: bool) -> list[Group]:
    """The menu of a site that has these pages, for an admin or for support, who doesn't see the
    pages that they can't open."""
    paths = {
        route.path
        for route in routes
        if isinstance(route, Route) and (admin or not is_private(route.endpoint))
    }
    groups = [
        replace(group, entries=tuple(one for one in group.entries if one.address in paths))
        for group in MENU
    ]
    return [group for group in groups if group.entries]
