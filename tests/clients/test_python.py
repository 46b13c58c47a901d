"""The Python client against a real site: answers, errors, trouble on the way, webhooks, tokens."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from standardwebhooks import Webhook

from latchkey import webhook_signing
from latchkey.signing import SigningKeys
from latchkey.vault import Vault
from latchkey_client import (
    ApiError,
    AsyncLatchkey,
    Latchkey,
    UnavailableError,
    WebhookError,
    verify_webhook,
)
from latchkey_client._client import LONGEST_WAIT, _wait
from latchkey_client.tokens import TokenError, TokenVerifier
from tests.clients.trouble import HANG, HANG_UP, IN_USE, UNAVAILABLE, in_trouble
from tests.harness import TOKEN
from tests.harness import Latchkey as Site
from tests.images import picture

pytestmark = pytest.mark.anyio

VIDEO = "https://video.example"


async def given(site: Site) -> tuple[str, str]:
    """The slug of a product, and the address of somebody who may open it."""
    slug = f"client-{uuid4().hex[:8]}"
    await site.product(slug=slug)
    email = f"{slug}@clients.example"
    await site.call("POST", f"/products/{slug}/grants", 201, json={"email": email})
    return slug, email


async def test_both_clients_upload_files(shared: Site) -> None:
    raw = picture(size=(31, 17))

    def uploaded() -> str:
        with Latchkey(shared.url, TOKEN) as client:
            return client.post_pictures(raw, use="icon")["id"]

    async with AsyncLatchkey(shared.url, TOKEN) as client:
        made = await client.post_pictures(raw, use="icon")
        assert made["url"].endswith("-31.png")
        assert made["id"] == await asyncio.to_thread(uploaded)


async def test_both_clients_say_who_may_open_what(shared: Site) -> None:
    slug, email = await given(shared)

    def asked() -> list[bool]:
        with Latchkey(shared.url, TOKEN) as client:
            found = client.access(slug, email=email)
            assert found["until"] is None
            assert [grant["source"] for grant in found["grants"]] == ["manual"]
            return [
                client.has_access(slug, email=email),
                client.has_access(slug, email=f"not-{email}"),
            ]

    assert await asyncio.to_thread(asked) == [True, False]
    async with AsyncLatchkey(f"{shared.url}/", TOKEN) as client:
        assert await client.has_access(slug, email=email)
        user = (await client.get_users(search=email))["data"][0]["id"]
        assert await client.has_access(slug, user=user)
        assert not await client.has_access(slug, email=f"not-{email}")
        await client.delete_product(slug)
        with pytest.raises(ApiError, match="not_found"):
            await client.has_access(slug, email=email)


async def test_lists_are_read_page_by_page(shared: Site) -> None:
    slugs = {(await given(shared))[0] for _ in range(3)}

    def read() -> set[str]:
        with Latchkey(shared.url, TOKEN) as client:
            return {product["slug"] for product in client.all(client.get_products, limit=1)}

    assert slugs <= await asyncio.to_thread(read)
    async with AsyncLatchkey(shared.url, TOKEN) as client:
        assert slugs <= {item["slug"] async for item in client.all(client.get_products, limit=1)}


async def test_what_the_site_refuses_is_an_error_with_its_code(shared: Site) -> None:
    slug, email = await given(shared)
    async with AsyncLatchkey(shared.url, TOKEN) as client:
        with pytest.raises(ApiError) as unknown:
            await client.has_access("no-such-product", email=email)
        assert (unknown.value.status, unknown.value.code) == (404, "not_found")
        with pytest.raises(ApiError) as taken:
            await client.post_products({"name": "Again", "slug": slug})
        assert (taken.value.status, taken.value.code) == (409, "slug_taken")
        with pytest.raises(ApiError) as invalid:
            await client.get_product_access(slug, on="yesterday")
        assert invalid.value.body["errors"][0]["name"] == "on"
        with pytest.raises(ApiError) as elsewhere:
            await client.get_product("../users")
        assert elsewhere.value.status == 404
        for name in ("", ".", ".."):
            with pytest.raises(ValueError, match="another call"):
                await client.delete_collection_grant("crew", name)

    def denied() -> ApiError:
        with Latchkey(shared.url, "lk_wrong") as client, pytest.raises(ApiError) as error:
            client.has_access(slug, email=email)
        return error.value

    assert (await asyncio.to_thread(denied)).status == 401


@pytest.mark.parametrize("fault", [UNAVAILABLE, IN_USE, HANG, HANG_UP])
async def test_a_passing_trouble_is_waited_for(shared: Site, fault: str) -> None:
    slug, email = await given(shared)
    patience = 0.5 if fault == HANG else 60.0
    async with (
        in_trouble(shared.url, fault, fault) as trouble,
        AsyncLatchkey(trouble.url, TOKEN, timeout=patience, retries=100) as client,
    ):
        assert await client.has_access(slug, email=email)
        trouble.faults = [fault]
        made = await client.post_products({"name": "Once"})
        assert len(set(trouble.keys)) == 2, "all attempts of a call have one key"

        def by_the_other() -> bool:
            with Latchkey(trouble.url, TOKEN, timeout=patience, retries=100) as client:
                return client.has_access(made["slug"], email=email)

        trouble.faults, before = [fault, fault], len(trouble.keys)
        assert await asyncio.to_thread(by_the_other) is False
        assert len(set(trouble.keys[before:])) == 1


@pytest.mark.parametrize("fault", [UNAVAILABLE, IN_USE, HANG, HANG_UP])
async def test_a_lasting_trouble_is_an_error(shared: Site, fault: str) -> None:
    patience = 0.2 if fault == HANG else 60.0
    async with in_trouble(shared.url, *[fault] * 4) as trouble:
        async with AsyncLatchkey(trouble.url, TOKEN, timeout=patience, retries=1) as client:
            with pytest.raises(UnavailableError):
                await client.has_access("course", email="ada@clients.example")

        def by_the_other() -> None:
            with (
                Latchkey(trouble.url, TOKEN, timeout=patience, retries=1) as client,
                pytest.raises(UnavailableError),
            ):
                client.has_access("course", email="ada@clients.example")

        await asyncio.to_thread(by_the_other)
        assert fault == HANG or len(trouble.keys) == 4, "each attempt has met its fault"


async def test_another_server_than_the_site_is_unavailable(shared: Site) -> None:
    async with (
        in_trouble(shared.url, "200 OK") as trouble,
        AsyncLatchkey(trouble.url, TOKEN) as client,
    ):
        with pytest.raises(UnavailableError, match="the address of the site"):
            await client.has_access("course", email="ada@clients.example")


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (b"3", 3.0, 3.0),
        (b"86400", LONGEST_WAIT, LONGEST_WAIT),
        (b"soon", 0.1, 0.25),
        (b"-1", 0.1, 0.25),
        (b"\xb2", 0.1, 0.25),
    ],
    ids=["three", "a day", "a word", "negative", "a raised two"],
)
def test_the_site_says_how_long_to_wait(asked: bytes, least: float, most: float) -> None:
    answer = httpx.Response(503, headers=[(b"Retry-After", asked)])
    assert least <= _wait(0, answer) <= most


def test_a_webhook_is_verified_and_a_forged_one_refused() -> None:
    secret = webhook_signing.new_secret()
    event = {"type": "user.created", "version": 1, "timestamp": "2027-01-31T12:00:00.000Z"}
    body = json.dumps(event | {"data": {"user": {"id": 7, "email": "ada@clients.example"}}})
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", now, body),
    }
    found = verify_webhook(secret, body.encode(), headers)
    assert found["type"] == "user.created"
    assert found["data"]["user"]["id"] == 7
    forged = [
        (webhook_signing.new_secret(), body.encode(), headers),
        (secret, body.replace("7", "8").encode(), headers),
        (secret, b"\xff" + body.encode(), headers),
        (secret, body.encode(), headers | {"Webhook-Id": "msg_2"}),
        (secret, body.encode(), headers | {"Webhook-Timestamp": "1"}),
        (secret, body.encode(), {}),
    ]
    for arguments in forged:
        with pytest.raises(WebhookError):
            verify_webhook(*arguments)


async def test_a_server_verifies_tokens_with_the_keys_of_the_site(shared: Site) -> None:
    slug, email = await given(shared)
    async with AsyncLatchkey(shared.url, TOKEN) as client:
        made = await client.post_access_tokens({"product": slug, "email": email, "audience": VIDEO})
    verifier = TokenVerifier(shared.url, VIDEO)
    claims = await asyncio.to_thread(verifier.verify, made["token"], product=slug)
    assert claims["product"] == slug
    head, payload, signature = made["token"].split(".")
    signing = SigningKeys(shared.pool, Vault(shared.settings.require_secrets()))
    endless = {name: value for name, value in claims.items() if name != "exp"}
    refused = [
        (verifier, await signing.sign(claims), slug),
        (verifier, await signing.sign(endless, kind="at+jwt"), slug),
        (verifier, await signing.sign({**claims, "exp": 1}, kind="at+jwt"), slug),
        (verifier, made["token"], "another-product"),
        (verifier, f"{head}.{payload}.{signature[::-1]}", slug),
        (verifier, "not a token", slug),
        (TokenVerifier(shared.url, "https://other.example"), made["token"], slug),
    ]
    for by, token, product in refused:
        with pytest.raises(TokenError):
            await asyncio.to_thread(by.verify, token, product=product)


async def test_keys_that_cannot_be_read_are_asked_for_once_a_minute(shared: Site) -> None:
    async with in_trouble(shared.url, "200 OK") as trouble:
        verifier = TokenVerifier(trouble.url, VIDEO)

        async def refused(expected: type[Exception]) -> None:
            with pytest.raises(expected):
                await asyncio.to_thread(verifier.verify, "not a token", product="course")

        await refused(UnavailableError)
        await refused(TokenError)
        verifier._read_at = -60.0
        trouble.faults = [UNAVAILABLE]
        await refused(UnavailableError)
        await refused(TokenError)
        assert len(trouble.keys) == 3, "the last token was refused without asking"
