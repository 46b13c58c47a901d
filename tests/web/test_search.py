"""The search page of the team: groups and their order, roles, and what there is without results."""

import re

import pytest
from starlette.routing import Match

from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit
from tests.web.test_admin_users import shown
from web import pages
from web.pages.navigation import ACTIONS, MENU, SUBPAGES, Entry, menu_of, pages_matching

pytestmark = pytest.mark.anyio


def found(text: str, *, admin: bool = True) -> list[str]:
    menu = menu_of(pages.routes(), admin=admin)
    return [entry.name for entry in pages_matching(text, menu, admin=admin)]


def test_everything_that_is_offered_exists() -> None:
    routes = pages.routes()
    for entry in (*SUBPAGES, *ACTIONS):
        scope = {"type": "http", "method": "GET", "path": entry.address, "headers": []}
        assert any(route.matches(scope)[0] is Match.FULL for route in routes), entry.address


def test_no_two_results_are_called_the_same() -> None:
    everything: list[Entry] = [entry for group in MENU for entry in group.entries]
    names = [entry.name for entry in (*everything, *SUBPAGES, *ACTIONS)]
    assert len(names) == len(set(names))


def test_a_name_that_begins_with_the_text_comes_first() -> None:
    assert found("sub")[0] == "Subscriptions"
    assert found("PROD")[0] == "Products"
    assert found("wordpress") == ["Connect your site"]
    assert found("webhook add") == ["Add a webhook endpoint"]
    assert found("no such page") == []


def test_support_finds_neither_private_pages_nor_what_it_cannot_do() -> None:
    assert "Audit log" in found("log")
    assert "Audit log" not in found("log", admin=False)
    assert "Create a product" not in found("product", admin=False)
    assert found("product", admin=False)[0] == "Products"


async def groups(visitor: Visitor, text: str) -> list[str]:
    """The headings of what a search finds, in order."""
    answer = await visitor.get("/admin/search", params={"q": text})
    return re.findall(r'<h2 id="found-\d+">(.*?)</h2>', answer.text)


async def test_people_products_and_pages_are_found(shared: Latchkey) -> None:
    person = await user(shared, "sailor@search.example")
    product = await shared.product("Searchable sailing")
    await user(shared, "helper@search.example", "support")
    async with visit(shared) as admin:
        await admin.sign_in()
        text = (await admin.get("/admin/search?q=sailor%40SEARCH.example")).text
        assert f'href="/admin/users/{person}"' in text
        assert (
            f'href="/admin/products/{product}"'
            in (await admin.get("/admin/search?q=searchable")).text
        )
        assert (await groups(admin, "search"))[:2] == ["People", "Products"]
        assert (await groups(admin, "subscr"))[0] == "Pages"
        assert (await groups(admin, str(person)))[0] == "People"
        assert (
            f'href="/admin/users/{person}"' in (await admin.get(f"/admin/search?q={person}")).text
        )
        assert await groups(admin, "s") == ["Pages", "Actions"], "too short to look for people"
        assert await groups(admin, "") == ["Pages", "Actions"]
        assert "No results" in await shown(admin, "/admin/search?q=sub_of_nobody")
        many = [await user(shared, f"many{n}@search.example") for n in range(9)]
        text = (await admin.get("/admin/search?q=many")).text
        assert f'href="/admin/users/{many[-1]}"' in text
        assert f'href="/admin/users/{many[0]}"' not in text
        assert 'href="/admin/users?q=many"' in text


async def test_people_are_shown_by_their_address_first(shared: Latchkey) -> None:
    await user(shared, "shown@search.example", "support")
    await shared.pool.execute(
        "update users set name = 'Sho <Wn>' where email = 'shown@search.example'"
    )
    async with visit(shared) as admin:
        await admin.sign_in()
        text = (await admin.get("/admin/search?q=sho+%3Cw")).text
    assert (
        '<span>shown@search.example</span> <span class="soft small">Sho &lt;Wn&gt; · Support</span>'
        in text
    )


async def test_support_searches_people_too(shared: Latchkey) -> None:
    helper = await user(shared, "searcher@search.example", "support")
    member = await user(shared, "not-staff@search.example")
    async with visit(shared) as support, visit(shared) as stranger:
        await support.sign_in_as(helper, "search")
        assert await groups(support, "searcher@") == ["People"]
        assert "Audit log" not in await shown(support, "/admin/search")
        await stranger.sign_in_as(member, "search")
        await stranger.get("/admin/search?q=sailor", 403)
