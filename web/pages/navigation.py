"""The admin's side menu. Only entries whose pages exist are shown."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """`icon` is a name in `web.pages.icons`; with `exact`, subpages don't mark it as current.
    Support doesn't see a `private` one."""

    address: str
    name: str
    icon: str
    exact: bool = False
    private: bool = False

    def current(self, path: str) -> bool:
        return path == self.address or (not self.exact and path.startswith(f"{self.address}/"))


@dataclass(frozen=True)
class Group:
    name: str
    entries: tuple[Entry, ...]


MENU = (
    Group("", (Entry("/admin", "Dashboard", "home", exact=True),)),
    Group(
        "Catalog",
        (
            Entry("/admin/products", "Products", "product"),
            Entry("/admin/collections", "Collections", "collection"),
            Entry("/admin/sales", "Sales pages", "page"),
        ),
    ),
    Group(
        "Billing",
        (
            Entry("/admin/subscriptions", "Subscriptions", "clock"),
            Entry("/admin/purchases", "Purchases", "money"),
            Entry("/admin/customers", "Customers", "person"),
        ),
    ),
    Group(
        "People",
        (
            Entry("/admin/users", "Users", "users"),
            Entry("/admin/grants", "Bulk access", "grant"),
            Entry("/admin/merges", "Identity matches", "merge"),
        ),
    ),
    Group(
        "Monitoring",
        (
            Entry("/admin/activity", "Activity", "activity"),
            Entry("/admin/mails", "Emails", "mail"),
            Entry("/admin/inbox", "Event inbox", "inbox"),
            Entry("/admin/drift", "Drift", "drift"),
            Entry("/admin/health", "Health", "health"),
            Entry("/admin/speed", "Speed", "speed"),
            Entry("/admin/audit", "Audit log", "audit", private=True),
        ),
    ),
    Group(
        "Setup",
        (
            Entry("/admin/connectors", "Connectors", "connector"),
            Entry("/admin/connect", "Connect your site", "link"),
            Entry("/admin/policy", "Access policy", "policy"),
            Entry("/admin/tokens", "API tokens", "token"),
            Entry("/admin/clients", "Clients", "key"),
            Entry("/admin/protected-sites", "Protected sites", "door"),
            Entry("/admin/webhooks", "Webhooks", "webhook"),
            Entry("/admin/communities", "Communities", "users"),
            Entry("/admin/settings", "Settings", "settings"),
        ),
    ),
)


def menu_of(paths: Collection[str], *, admin: bool) -> list[Group]:
    """The menu of a site that has pages at `paths`, for an admin or for support."""
    groups = [
        Group(
            group.name,
            tuple(
                entry
                for entry in group.entries
                if entry.address in paths and (admin or not entry.private)
            ),
        )
        for group in MENU
    ]
    return [group for group in groups if group.entries]
