"""The activity feed's page: an import or bulk change is one line until somebody asks for its
people."""

import re
from collections.abc import AsyncIterator
from html import unescape

import pytest

from tests.harness import Latchkey
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio

EMAIL = "brought@feed.example"
EACH = "Show each person"


@pytest.fixture
async def imported(shared: Latchkey) -> AsyncIterator[tuple[str, int]]:
    """A product and the person whom its link's import gave access, in the feed's latest lines."""
    product, person = await shared.product("Brought along"), await user(shared, EMAIL)
    link = await shared.pool.fetchval(
        """
        insert into links (product_id, account_id, livemode, stripe_product, state, progress,
                           dispatched_at)
        values ($1, 'acct_feed', false, 'prod_feed', 'listening', '{"granted": 1}', now())
        returning id
        """,
        product,
    )
    await shared.pool.execute(
        """
        insert into activities (fact, type, at, cause, user_id, product_id)
        values ('link_created:' || $1::bigint, 'link_created', '2100-01-01', 'admin', null, $2),
               ('imported:feed:1', 'imported', '2100-01-01', 'import', $3, $2),
               ('access_granted:feed:1', 'access_granted', '2100-01-01', 'import', $3, $2)
        """,
        link,
        product,
        person,
    )
    yield product, person
    await shared.pool.execute("delete from activities where product_id = $1", product)
    await shared.pool.execute("delete from links where id = $1", link)


async def feed(visitor: Visitor, query: str) -> str:
    return unescape((await visitor.get(f"/admin/activity?{query}")).text)


async def test_an_import_is_one_line_until_somebody_asks(
    shared: Latchkey, imported: tuple[str, int]
) -> None:
    product, person = imported
    given = f"product={product}"
    async with visit(shared) as admin:
        await admin.sign_in()
        folded = await feed(admin, given)
        assert EMAIL not in folded
        assert "1 person got access by its import" in folded
        assert f'href="/admin/activity?{given}&cause=import&type=imported"' in folded
        assert f'href="/admin/activity?{given}&imports=each"' in folded
        filtered = await feed(admin, f"{given}&type=access_granted")
        assert EMAIL not in filtered
        assert f'href="/admin/activity?{given}&imports=each&type=access_granted"' in filtered
        for asked in (
            "imports=each", "cause=import", "type=imported", f"user={person}", "q=brought%40feed",
        ):  # fmt: skip
            unfolded = await feed(admin, f"{given}&{asked}")
            assert EMAIL in unfolded, asked
            assert EACH not in unfolded, asked
        assert 'name="imports" value="each"' in await feed(admin, "imports=each")
        assert (await admin.get(f"/admin/activity.csv?{given}")).text.count(EMAIL) == 2
        home = (await admin.get("/admin")).text
        assert "1 person got access by its import" in home
        assert EMAIL not in home


async def test_a_list_of_people_is_one_line_that_leads_to_them(shared: Latchkey) -> None:
    product = await shared.product("Given to many")
    names = [f"{name}@many-feed.example" for name in ("ann", "bob")]
    async with visit(shared) as admin:
        await admin.sign_in()
        target, addresses = f"product:{product}", "\n".join(names)
        await admin.send("/admin/grants", target=target, lines=addresses, mail="", do="give")
        for place in (f"/admin/activity?product={product}", f"/admin/products/{product}/activity"):
            page = unescape((await admin.get(place)).text)
            assert "2 people got access. 2 users were created." in page
            assert "@many-feed.example" not in page
        [who] = re.findall(r'href="/admin/activity\?([^"]+)">Show who', page)
        people = await feed(admin, who)
        assert all(name in people for name in names)
        rows = (await admin.get(f"/admin/activity.csv?product={product}")).text.splitlines()
        assert [row.split(",")[1] for row in rows[1:]] == [
            "bulk_change",
            "manual_grant",
            "manual_grant",
        ]
        ann = await shared.pool.fetchval("select id from users where email = $1", names[0])
        own = await feed(admin, f"user={ann}")
        assert own.count('<span class="soft">by an admin, in bulk') == 2, (
            "created, and given access"
        )
        [line] = set(
            re.findall(r"/admin/activity/(\d+)\W[^>]*><strong>Access granted manually", own)
        )
        page = unescape((await admin.get(f"/admin/activity/{line}")).text)
        [all_of_it] = re.findall(r'href="/admin/activity\?([^"]+)">Show all of it', page)
        assert "Access changed in bulk" in await feed(admin, all_of_it)
    lines = await shared.lines(product=product, cause="bulk")
    assert sorted(line["email"] for line in lines) == names
