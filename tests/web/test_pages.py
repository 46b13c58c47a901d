"""Pages: who may see them, forged forms, hostile text, headers."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest

from latchkey import signin_links
from tests.digest import digest
from tests.harness import ADMIN, PASSWORD, SECRETS, Latchkey, http_client

pytestmark = pytest.mark.anyio

HOSTILE = '"><script>alert(1)</script>'
ADMIN_PAGES = [
    "/admin", "/admin/settings", "/admin/settings/team", "/admin/products", "/admin/products/new",
    "/admin/products/categories", "/admin/activity",
    "/admin/users", "/admin/mails", "/admin/inbox", "/admin/connectors", "/admin/tokens",
    "/admin/drift", "/admin/health",
]  # fmt: skip


@pytest.fixture
async def visitor(shared: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=shared.url) as client:
        yield client


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=shared.url) as client:
        answer = await post(client, "/login", "/login", email=ADMIN, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        yield client


async def token(client: httpx.AsyncClient, path: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', (await client.get(path)).text)
    assert found, f"{path} holds no form"
    return found[1]


async def post(client: httpx.AsyncClient, page: str, path: str, **fields: Any) -> httpx.Response:
    """Submit a form as it appears on a page."""
    return await client.post(path, data={"csrf_token": await token(client, page), **fields})


async def member(shared: Latchkey, client: httpx.AsyncClient, email: str) -> int:
    """Sign a client in as a member."""
    product = await shared.product()
    grant = await shared.call("POST", f"/products/{product}/grants", 201, json={"email": email})
    link = signin_links.sign(grant["user_id"], f"test:{email}", secrets=SECRETS)
    answer = await post(client, f"/login/{link}", f"/login/{link}")
    assert answer.status_code == 303
    return int(grant["user_id"])


@pytest.mark.parametrize("path", ["/login", "/admin/products", "/library", "/nothing", "/healthz"])
async def test_every_response_has_its_headers(admin: httpx.AsyncClient, path: str) -> None:
    headers = (await admin.get(path)).headers
    policy = headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"]


async def test_pages_load_nothing_from_elsewhere(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    """But the images that admins chose for their products."""
    rows = await shared.pool.fetch("select image_url from products where image_url is not null")
    chosen = tuple(row["image_url"] for row in rows)
    for path in ADMIN_PAGES:
        text = (await admin.get(path)).text
        for address in re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', text):
            assert address.startswith(("/static/", "/theme.css", *chosen)), (
                f"{path} loads {address}"
            )
        assert "style=" not in text
        assert not re.search(r"<script(?![^>]*src=)", text)


async def test_a_form_without_its_token_changes_nothing(
    shared: Latchkey, admin: httpx.AsyncClient, visitor: httpx.AsyncClient
) -> None:
    product = await shared.product("Guarded")
    forms = [
        "/admin/products/new",
        f"/admin/products/{product}",
        f"/admin/products/{product}/content",
        f"/admin/products/{product}/settings",
        f"/admin/products/{product}/delete",
        f"/admin/products/{product}/grants",
        f"/admin/products/{product}/stripe",
        f"/admin/products/{product}/stripe/preview",
        f"/admin/products/{product}/stripe/remove",
        "/admin/grants/1/end",
        "/admin/connectors/stripe",
        "/admin/connectors/stripe/check",
        "/admin/connectors/stripe/disconnect",
        "/admin/tokens",
        "/admin/tokens/1/revoke",
        "/admin/inbox/evt_1/resend",
        "/admin/mails/1/resend",
        "/logout",
        "/login",
        "/login/link",
    ]
    stolen = await token(visitor, "/login")
    before = await digest(shared)
    for path in forms:
        for fields in ({}, {"csrf_token": "wrong"}, {"csrf_token": stolen}):
            answer = await admin.post(path, data={"name": "Forged", **fields})
            assert answer.status_code == 403, path
            assert "Nothing was changed" in unescape(answer.text)
    elsewhere = await admin.post(
        "/admin/products/new",
        data={
            "name": "Forged",
            "csrf_token": await token(admin, "/admin/products/new"),
        },
        headers={"Origin": "https://evil.example"},
    )
    assert elsewhere.status_code == 403
    assert await digest(shared) == before


async def test_hostile_text_is_shown_not_run(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    product = await shared.product(
        HOSTILE, description=HOSTILE, content=f"{HOSTILE}\n\n[x](javascript:alert(1))"
    )
    await shared.call(
        "POST",
        f"/products/{product}/grants",
        201,
        json={"email": "rtl@pages.example", "reason": HOSTILE},
    )
    slug = (await shared.call("GET", f"/products/{product}"))["slug"]
    for path in (
        "/admin/products", f"/admin/products/{product}", f"/admin/products/{product}/content",
        f"/admin/products/{product}/members",
        f"/admin/products/{product}/stripe", f"/products/{slug}", "/admin/activity",
    ):  # fmt: skip
        text = (await admin.get(path)).text
        assert "<script>alert" not in text, path
        assert 'href="javascript:' not in text, path


async def test_a_name_from_stripe_of_any_length_and_script(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    names = {"rtl": "محمد العربي", "long": "N" * 10_000, "html": HOSTILE, "lines": "A\nB\tC"}
    stripe_product = await shared.stripe.product()
    price = await shared.stripe.price(stripe_product)
    product = await shared.product("Names")
    await shared.link(product, stripe_product)
    for key, name in names.items():
        await shared.stripe.buy(f"{key}@names.example", price, name=name)
        await shared.has(product, f"{key}@names.example")
    await shared.settled()
    shown = (await admin.get(f"/admin/products/{product}")).text
    assert "<script>alert" not in shown
    for row in await shared.pool.fetch("select id from mails where product_id = $1", product):
        assert (await admin.get(f"/admin/mails/{row['id']}")).status_code == 200


async def test_bad_forms_say_what_is_wrong_beside_the_field(
    shared: Latchkey, admin: httpx.AsyncClient
) -> None:
    before = await shared.pool.fetchval("select count(*) from products")
    for fields, words in (
        ({"name": ""}, "name-error"),
        ({"name": "x" * 201}, "name-error"),
        ({"name": "x", "slug": "Bad Slug"}, "slug-error"),
        ({"name": "x", "image_url": "javascript:alert(1)"}, "image_url-error"),
    ):
        answer = await post(admin, "/admin/products/new", "/admin/products/new", **fields)
        assert answer.status_code == 422
        assert words in answer.text
    assert await shared.pool.fetchval("select count(*) from products") == before


async def test_wrong_passwords_and_too_many_of_them(
    shared: Latchkey, visitor: httpx.AsyncClient
) -> None:
    email = "guess@pages.example"
    for _ in range(10):
        answer = await post(visitor, "/login", "/login", email=email, password="wrong")
        assert answer.status_code == 401
    answer = await post(visitor, "/login", "/login", email=email, password="wrong")
    assert answer.status_code == 429


async def test_signing_out_ends_the_session(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    cookie = admin.cookies["latchkey_session"]
    await post(admin, "/admin/products", "/logout")
    async with http_client(base_url=shared.url, cookies={"latchkey_session": cookie}) as thief:
        assert (await thief.get("/admin/products")).status_code == 303


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("/library", True),
        ("//evil.example", False),
        ("https://evil.example", False),
        ("/\\evil.example", False),
        ("/" + "x" * 1000, False),
    ],
)
async def test_signing_in_redirects_only_within_the_site(
    shared: Latchkey, visitor: httpx.AsyncClient, target: str, safe: bool
) -> None:
    answer = await post(visitor, "/login", "/login", email=ADMIN, password=PASSWORD, next=target)
    assert answer.status_code == 303
    assert answer.headers["location"] == (target if safe else "/admin")


async def test_old_and_broken_links_sign_nobody_in(visitor: httpx.AsyncClient) -> None:
    old = signin_links.sign(1, "n", secrets=SECRETS, issued_at=0)
    other = signin_links.sign(1, "n", secrets=("another secret",))
    for link in (old, other, "nonsense"):
        answer = await visitor.get(f"/login/{link}")
        assert answer.status_code == 400
        assert "Ask for a new one" in answer.text


async def test_drafts_are_hidden_and_locked_products_locked(
    shared: Latchkey, visitor: httpx.AsyncClient
) -> None:
    draft = await shared.call("POST", "/products", 201, json={"name": "Draft"})
    live = await shared.call("GET", f"/products/{await shared.product('Locked')}")
    public = await shared.call(
        "GET", f"/products/{await shared.product('Open', access_mode='public')}"
    )
    assert (await visitor.get(f"/products/{draft['slug']}")).status_code == 404
    assert (await visitor.get(f"/products/{live['slug']}")).status_code == 303
    assert (await visitor.get(f"/products/{public['slug']}")).status_code == 200
    await member(shared, visitor, "locked@pages.example")
    assert (await visitor.get(f"/products/{live['slug']}")).status_code == 403


async def test_the_feed_and_lists_page(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    for path in ("/admin/activity", "/admin/inbox", "/admin/mails", "/admin/users"):
        answer = await admin.get(path, params={"after": "999999"})
        assert answer.status_code == 200
        assert (await admin.get(path, params={"after": "x'; drop table"})).status_code == 200


@pytest.mark.parametrize("number", ["²", "9" * 20])
async def test_malformed_ids_return_404(
    shared: Latchkey, admin: httpx.AsyncClient, number: str
) -> None:
    for path in ("/admin/merges?after=", "/library?category="):
        assert (await admin.get(path + number)).status_code == 200, path
    for path in (f"/admin/users/{number}/merge", f"/admin/users/{number}/unmerge"):
        assert (await admin.get(path)).status_code == 404, path
    form = {"csrf_token": await token(admin, "/account/settings")}
    ended = await admin.post(f"/account/sessions/{number}/end", data=form)
    assert ended.status_code == 404


async def test_no_secret_is_shown(shared: Latchkey, admin: httpx.AsyncClient) -> None:
    for path in ADMIN_PAGES:
        text = (await admin.get(path)).text
        assert "sk_test_latchkey" not in text
        assert "whsec_" not in re.sub(r'placeholder="[^"]*"', "", text)
        assert SECRETS[0] not in text
