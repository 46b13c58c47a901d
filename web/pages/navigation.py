"""The admin's side menu, grouped by what people do, the most used first. Only entries whose pages
exist are shown. A new page is one line in the group where people look for it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from starlette.routing import BaseRoute, Route

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
            Entry("/admin", "Dashboard", "home", "home overview start", exact=True),
            Entry("/admin/activity", "Activity", "activity", "feed history log lines"),
        ),
    ),
    Group(
        "Site",
        (
            Entry("/admin/products", "Products", "product", "courses catalog"),
            Entry("/admin/collections", "Collections", "collection", "bundles"),
            Entry("/admin/sales", "Sales pages", "page", "landing offers"),
            Entry("/admin/policy", "Access policy", "policy", "grace past due refunds rules"),
            Entry("/admin/settings", "Settings", "settings", "site name logo colour color"),
        ),
    ),
    Group(
        "People",
        (
            Entry("/admin/users", "Users", "users", "people members accounts"),
            Entry("/admin/mails", "Emails", "mail", "mail outbox sent"),
            Entry("/admin/grants", "Bulk access", "grant", "grants gifts complimentary"),
            Entry("/admin/merges", "Identity matches", "merge", "merge duplicates claims"),
        ),
    ),
    Group(
        "Money",
        (
            Entry("/admin/numbers", "Numbers", "numbers"),
            Entry("/admin/subscriptions", "Subscriptions", "clock", "renewals recurring trials"),
            Entry("/admin/purchases", "Purchases", "money", "orders payments refunds disputes"),
            Entry("/admin/customers", "Customers", "person", "buyers billing"),
            Entry("/admin/at-risk", "Money at risk", "alert", "past due dunning expiring cards"),
            Entry("/admin/cancellations", "Cancellations", "cross", "churn reasons feedback left"),
        ),
    ),
    Group(
        "Health",
        (
            Entry("/admin/health", "Health", "health", "status problems permissions"),
            Entry("/admin/go-live", "Go-live checklist", "check", "launch set up ready start"),
            Entry("/admin/inbox", "Event inbox", "inbox", "stripe events failed resend"),
            Entry("/admin/drift", "Drift", "drift", "compare reconcile repair reconciliation"),
            Entry("/admin/speed", "Speed", "speed", "latency performance slow"),
            Entry("/admin/audit", "Audit log", "audit", "who did what security"),
        ),
    ),
    Group(
        "Connections",
        (
            Entry("/admin/connectors", "Connectors", "connector", "stripe key account mode"),
            Entry(
                "/admin/connect",
                "Connect your site",
                "link",
                "wordpress nginx integration",
            ),
            Entry("/admin/clients", "Clients", "key", "oauth openid connect single sign-on sso"),
            Entry(
                "/admin/protected-sites",
                "Protected sites",
                "door",
                "forward auth proxy caddy",
            ),
            Entry("/admin/webhooks", "Webhooks", "webhook", "endpoints deliveries slack"),
            Entry("/admin/communities", "Communities", "users", "discord roles"),
            Entry("/admin/tokens", "API tokens", "token", "keys programs"),
        ),
        folded=True,
    ),
)


SUBPAGES = (
    Entry("/admin/first-steps", "First steps", "check", "set up getting started guide begin"),
    Entry("/admin/products/categories", "Categories", "collection", "products groups"),
    Entry("/admin/subscriptions/second", "Second subscriptions", "clock", "twice double paid"),
    Entry("/admin/settings/brand", "Brand", "page", "logo favicon colours font footer imprint"),
    Entry("/admin/settings/team", "Team", "users", "staff owners admins support roles"),
    Entry("/admin/settings/team/second-factor", "Second factors", "key", "2fa two-factor passkeys"),
    Entry("/admin/mails/settings", "Email settings", "mail", "sender reply from templates"),
    Entry("/admin/settings/texts", "Texts", "page", "wording welcome members pages translate"),
    Entry("/admin/mails/texts", "Email texts", "mail", "templates wording subject translate"),
    Entry("/admin/settings/embed", "Buttons", "page", "embed script snippet"),
    Entry("/account", "Your account", "person", "password sessions sign-in"),
    Entry("/library", "View the site as a member", "page", "library"),
)
"""Pages that the menu doesn't show, for the search."""

ACTIONS = (
    Entry("/admin/products/new", "Create a product", "product", "new add"),
    Entry(
        "/admin/users/import",
        "Import members from CSV",
        "users",
        "upload add users move migrate",
    ),
    Entry("/admin/grants", "Give access to many people", "grant", "bulk gift grant complimentary"),
    Entry("/admin/webhooks/new", "Add a webhook endpoint", "webhook", "new create slack discord"),
    Entry("/admin/clients/new", "Add a client", "key", "new create oauth openid"),
    Entry("/admin/protected-sites/new", "Protect a site", "door", "new add forward auth"),
    Entry("/admin/communities/new/discord", "Connect a Discord server", "users", "new community"),
    Entry("/admin/communities/new/slack", "Connect a Slack workspace", "users", "new community"),
    Entry("/admin/tokens", "Create an API token", "token", "new key"),
    Entry("/admin/drift", "Compare with Stripe", "drift", "drift repair reconcile check"),
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
