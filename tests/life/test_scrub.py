"""A site with a past is copied and scrubbed: nothing of anybody is left, and its pages work."""

import re

import pytest
from pydantic import SecretStr

from latchkey import recovery, scrubbing
from latchkey.store.pool import Pool, create_pool
from latchkey.store.site_identity import SiteRole
from tests.dumps import copy_database, left_alone, text_of
from tests.harness import Latchkey, Postgres, http_client, run_latchkey
from tests.life.play import linked
from tests.receiver import add_endpoint
from tests.web.pages import Visitor, user, visit

pytestmark = pytest.mark.anyio

AGENT, IP = "Browser of the original 9", "203.0.113.77"
WRITTEN = ("Called about her divorce", "Won the raffle in Quito", "Token of Zebulon")
NAMES = ("Ottilie Original", "Bertram Original")
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
HASHES = (
    "select encode(token_hash, 'hex') from sessions",
    "select left(encode(token_hash, 'hex'), 32) from sessions",
    "select encode(token_hash, 'hex') from api_tokens",
    "select encode(url, 'hex') from webhook_endpoints",
    "select encode(secret, 'hex') from webhook_endpoints",
    "select encode(secrets_encrypted, 'hex') from stripe_connection",
    "select password_hash from users where password_hash is not null",
)
KNOWN = (
    "select count(*) from users",
    "select count(*) from customers c join users u on u.id = c.user_id"
    " and u.email_key = c.email_key and u.name is not distinct from c.name",
    "select count(*) from user_addresses a join users u on u.id = a.user_id"
    " and u.email_key = a.email_key",
    "select count(*) from live_grants",
    "select count(*) from orders where email_key is not null",
    "select count(*) from activities",
)
"""What fits together stays together."""


async def past(site: Latchkey) -> str:
    """Have things happen to people on a site; its product."""
    product, stripe_product, price = await linked(site)
    once = await site.stripe.price(stripe_product, every=None)
    await site.stripe.buy("ottilie@past.example", price, name=NAMES[0])
    await site.stripe.buy("bertram@past.example", once, mode="payment", name=NAMES[1])
    left = await site.stripe.buy("gone@past.example", price)
    for buyer in ("ottilie", "bertram", "gone"):
        await site.has(product, f"{buyer}@past.example")
    await site.stripe.delete(f"subscriptions/{left['subscription']}")
    await site.has(product, "gone@past.example", access=False)
    gift = {"email": "guest@past.example", "reason": WRITTEN[1]}
    await site.call("POST", f"/products/{product}/grants", 201, json=gift)
    await add_endpoint(site, "http://127.0.0.1:9/zebulon")
    async with visit(site) as admin:
        admin.client.headers.update({"User-Agent": AGENT, "X-Forwarded-For": IP})
        await admin.send("/login", expect=401, email="nobody@past.example", password="wrong")
        await admin.sign_in()
        ottilie = await user(site, "ottilie@past.example")
        here = f"/admin/users/{ottilie}"
        await admin.send(here, f"{here}/notes", text=WRITTEN[0])
        await admin.send("/admin/tokens", expect=200, name=WRITTEN[2])
        lines = "name;email\nListed Person;listed@past.example\n"
        await admin.send("/admin/users/import", lines=lines)
    async with visit(site) as member:
        member.client.headers.update({"User-Agent": AGENT, "X-Forwarded-For": IP})
        await member.sign_in_as(ottilie, "scrub")
        await member.send("/account/claims", email="work@past.example")
    await site.settled()
    return product


async def counts(pool: Pool) -> list[int]:
    return [await pool.fetchval(query) for query in KNOWN]


async def test_nothing_of_anybody_is_left_in_a_scrubbed_copy(
    site: Latchkey, postgres: Postgres, temporal_address: str
) -> None:
    product = await past(site)
    copied = await postgres.create_empty()
    await copy_database(site.settings.require_database(), copied)
    before = await text_of(copied)
    pool = await create_pool(copied, max_size=1)
    hashes = [row[0] for query in HASHES for row in await pool.fetch(query)]
    fitting = await counts(pool)
    await pool.close()
    await left_alone(copied)
    addresses = set(ADDRESS.findall(before))
    assert addresses >= {f"{one}@past.example" for one in ("guest", "work", "listed")}
    original = [*addresses, *hashes, *NAMES, *WRITTEN, AGENT, IP, "Listed Person"]
    settings = site.settings.model_copy(update={"database_url": SecretStr(copied)})

    done = await scrubbing.scrub_copy(settings, SiteRole.READ_ONLY)

    after = (await text_of(copied)).lower()
    assert [text for text in original if text.lower() in after] == []
    assert [text for text in original if text.lower() not in before.lower()] == []
    assert done.people >= 4
    assert done.replaced["users"] == fitting[0]
    options = {"STRIPE_SECRET_KEY": None}
    async with run_latchkey(copied, temporal_address, site.stripe, **options) as staging:
        assert await counts(staging.pool) == fitting
        await pages_work(staging, product)


async def pages_work(staging: Latchkey, product: str) -> None:
    """Look at the pages of a scrubbed copy as somebody who was let in by the command line."""
    link = (await recovery.recover(staging.settings, "dev@staging.example")).link
    person = await staging.pool.fetchval(
        "select user_id from live_grants where source = 'subscription'"
    )
    email = await staging.pool.fetchval("select email from users where id = $1", person)
    assert re.fullmatch(r"person\d+@\w+\.invalid", email)
    assert (await staging.access(product, email))["access"]
    async with http_client(base_url=staging.url) as client:
        developer = Visitor(staging, client)
        await developer.send(link.removeprefix(staging.url))
        for page in (
            *("/admin", "/admin/users", f"/admin/users/{person}", "/admin/activity"),
            *(f"/admin/products/{product}", "/admin/mails", "/admin/audit", "/admin/health"),
            *("/admin/connectors", "/admin/webhooks", "/admin/inbox", "/admin/drift"),
        ):
            shown = (await developer.get(page)).text
            assert "This is a copy of the site" in shown, page
