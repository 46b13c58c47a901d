"""The admin's side menu, grouped by what people do, the most used first. Only entries whose pages
exist are shown. A new page is one line in the group where people look for it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from starlette.routing import BaseRoute, Route

from web.pages.guard import is_private


@dataclass(frozen=True)
class Entry:
    """`icon` is a name in `web.pages.icons`; with `exact`, subpages don't mark it as current."""

    address: str
    name: str
    icon: str
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
            Entry("/admin", "Dashboard", "home", exact=True),
            Entry("/admin/activity", "Activity", "activity"),
        ),
    ),
    Group(
        "Site",
        (
            Entry("/admin/products", "Products", "product"),
            Entry("/admin/collections", "Collections", "collection"),
            Entry("/admin/sales", "Sales pages", "page"),
            Entry("/admin/policy", "Access policy", "policy"),
            Entry("/admin/settings", "Settings", "settings"),
        ),
    ),
    Group(
        "People",
        (
            Entry("/admin/users", "Users", "users"),
            Entry("/admin/mails", "Emails", "mail"),
            Entry("/admin/grants", "Bulk access", "grant"),
            Entry("/admin/merges", "Identity matches", "merge"),
        ),
    ),
    Group(
        "Money",
        (
            Entry("/admin/subscriptions", "Subscriptions", "clock"),
            Entry("/admin/purchases", "Purchases", "money"),
            Entry("/admin/customers", "Customers", "person"),
            Entry("/admin/at-risk", "Money at risk", "alert"),
        ),
    ),
    Group(
        "Health",
        (
            Entry("/admin/health", "Health", "health"),
            Entry("/admin/inbox", "Event inbox", "inbox"),
            Entry("/admin/drift", "Drift", "drift"),
            Entry("/admin/speed", "Speed", "speed"),
            Entry("/admin/audit", "Audit log", "audit"),
        ),
    ),
    Group(
        "Connections",
        (
            Entry("/admin/connectors", "Connectors", "connector"),
            Entry("/admin/connect", "Connect your site", "link"),
            Entry("/admin/clients", "Clients", "key"),
            Entry("/admin/protected-sites", "Protected sites", "door"),
            Entry("/admin/webhooks", "Webhooks", "webhook"),
            Entry("/admin/communities", "Communities", "users"),
            Entry("/admin/tokens", "API tokens", "token"),
        ),
        folded=True,
    ),
)


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
