"""The admin's side menu: which entries there are for whom, and which group is open."""

import pytest

from web import pages
from web.pages.navigation import MENU, Group, menu_of


def addresses(menu: list[Group]) -> set[str]:
    return {entry.address for group in menu for entry in group.entries}


def test_every_entry_leads_to_a_page() -> None:
    assert addresses(menu_of(pages.routes(), admin=True)) == addresses(list(MENU))


def test_support_sees_all_but_private_pages() -> None:
    menus = [addresses(menu_of(pages.routes(), admin=admin)) for admin in (True, False)]
    assert menus[0] - menus[1] == {"/admin/audit"}


def test_a_group_without_pages_is_not_shown() -> None:
    assert menu_of([], admin=True) == []


@pytest.mark.parametrize(
    ("path", "badges", "open_"),
    [
        ("/admin", set(), False),
        ("/admin/webhooks/we_1", set(), True),
        ("/admin/connectors", set(), True),
        ("/admin", {"/admin/webhooks"}, True),
        ("/admin", {"/admin/inbox"}, False),
    ],
)
def test_the_folded_group_opens_for_its_pages_and_badges(
    path: str, badges: set[str], open_: bool
) -> None:
    (folded,) = [group for group in MENU if group.folded]
    assert folded.open(path, badges) is open_
    assert all(group.open(path, badges) for group in MENU if not group.folded)


def test_at_most_one_entry_is_current() -> None:
    for address in addresses(list(MENU)):
        current = [e for group in MENU for e in group.entries if e.current(address)]
        assert [entry.address for entry in current] == [address]
