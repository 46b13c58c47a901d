"""The admin's side menu. An entry whose page doesn't exist isn't shown."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """`icon` is a name of `web.pages.icons`; with `exact` pages below the address aren't its."""

    address: str
    name: str
    icon: str
    exact: bool = False

    def current(self, path: str) -> bool:
        return path == self.address or (not self.exact and path.startswith(f"{self.address}/"))


@dataclass(frozen=True)
class Group:
    name: str
    entries: tuple[Entry, ...]


MENU = (
    Group("", (Entry("/admin", "Home", "home", exact=True),)),
    Group(
        "Site",
        (
            Entry("/admin/products", "Products", "product"),
            Entry("/admin/collections", "Collections", "collection"),
            Entry("/admin/sales", "Sales pages", "page"),
        ),
    ),
    Group(
        "People",
        (
            Entry("/admin/users", "Users", "users"),
            Entry("/admin/grants", "Bulk access", "grant"),
            Entry("/admin/merges", "Doubtful matches", "merge"),
        ),
    ),
    Group(
        "What happened",
        (
            Entry("/admin/activity", "Activity", "activity"),
            Entry("/admin/mails", "Mails", "mail"),
            Entry("/admin/inbox", "Inbox", "inbox"),
            Entry("/admin/drift", "Drift", "drift"),
            Entry("/admin/health", "Health", "health"),
        ),
    ),
    Group(
        "Set up",
        (
            Entry("/admin/connectors", "Connectors", "connector"),
            Entry("/admin/policy", "Access policy", "policy"),
            Entry("/admin/tokens", "API tokens", "token"),
            Entry("/admin/settings", "Settings", "settings"),
        ),
    ),
)


def menu_of(paths: Collection[str]) -> list[Group]:
    """The menu of a site that has pages at `paths`."""
    groups = [
        Group(group.name, tuple(entry for entry in group.entries if entry.address in paths))
        for group in MENU
    ]
    return [group for group in groups if group.entries]
