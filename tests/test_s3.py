"""Objects in a bucket: signed as Amazon documents it, read and written over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timezone, tzinfo
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from httpx_auth import AWS4Auth

from latchkey.doctor_pictures import of_pictures
from latchkey.s3 import S3, Bucket, S3Error
from latchkey.settings import Settings
from tests.bucket import BucketServer, bucket_server, is_signed
from tests.harness import free_port

pytestmark = pytest.mark.anyio

EXAMPLE = Bucket(
    "https://examplebucket.s3.amazonaws.com",
    "us-east-1",
    "examplebucket",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)
"""The key of the examples in Amazon's documentation of Signature Version 4."""


class AtExample(datetime):
    """When the examples were signed."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "AtExample":
        return cls(2013, 5, 24, tzinfo=tz)


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "signature"),
    [
        (
            "GET",
            "/test.txt",
            {"range": "bytes=0-9"},
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
            },
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET",
            "/?lifecycle",
            {},
            b"",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET",
            "/?max-keys=2&prefix=J",
            {},
            b"",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_amazons_examples(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
    signature: str,
) -> None:
    """The library signs them as Amazon did, and the server of the tests checks what it should."""
    clock = SimpleNamespace(datetime=AtExample, timezone=timezone)
    monkeypatch.setattr("httpx_auth._aws.datetime", clock)
    signer = AWS4Auth(
        EXAMPLE.access_key,
        EXAMPLE.secret_key,
        EXAMPLE.region,
        "s3",
        include_headers={"date", "range"},
    )
    request = httpx.Request(method, EXAMPLE.endpoint + target, headers=headers, content=body)
    signed = next(signer.auth_flow(request))
    assert signed.headers["authorization"].endswith(f", Signature={signature}")
    arrived: dict[str, Any] = {
        "method": method,
        "path": target.partition("?")[0],
        "query": target.partition("?")[2],
        "headers": signed.headers,
        "body": body,
    }
    assert is_signed(EXAMPLE, **arrived)
    changes: tuple[dict[str, Any], ...] = (
        {"method": "HEAD"},
        {"path": "/other"},
        {"query": "x="},
        {"headers": {**signed.headers, "x-amz-acl": "public-read"}},
        {"headers": {**signed.headers, "host": "other.example"}},
        {"body": body + b"x"},
    )
    for changed in changes:
        assert not is_signed(EXAMPLE, **arrived | changed)
    assert not is_signed(replace(EXAMPLE, secret_key="other"), **arrived)


def test_no_message_shows_the_key() -> None:
    assert EXAMPLE.secret_key not in repr(EXAMPLE)


@pytest.fixture
async def server() -> AsyncIterator[BucketServer]:
    async with bucket_server() as made:
        yield made


@pytest.fixture
async def bucket(server: BucketServer) -> AsyncIterator[S3]:
    made = S3(server.bucket)
    yield made
    await made.close()


async def test_objects_are_written_read_listed_and_deleted(
    server: BucketServer, bucket: S3
) -> None:
    key = "our pictures/ab/+é&1280.webp"
    assert await bucket.get(key) is None
    await bucket.put(key, b"RIFF", media_type="image/webp")
    await bucket.put(key, b"RIFF2", media_type="image/webp")
    assert server.objects == {key: ("image/webp", b"RIFF2")}
    assert await bucket.get(key) == b"RIFF2"
    await bucket.put("other", b"", media_type="image/webp")
    assert await bucket.get("other") == b""
    assert await bucket.keys("oth") == ["other"]
    await bucket.delete(key)
    await bucket.delete(key)
    assert server.objects.keys() == {"other"}


async def test_what_goes_wrong_is_named(server: BucketServer, bucket: S3) -> None:
    for changed, says in (
        (replace(server.bucket, secret_key="other"), "403 SignatureDoesNotMatch"),
        (replace(server.bucket, name="missing"), "404 NoSuchBucket"),
        (replace(server.bucket, endpoint=f"http://127.0.0.1:{free_port()}"), "no answer"),
    ):
        other = S3(changed)
        for call in (other.get("a"), other.put("a", b"", media_type="x/y"), other.keys("a")):
            with pytest.raises(S3Error, match=says):
                await call
        await other.close()
    for status, code in ((503, "SlowDown"), (404, "")):
        server.failing = (status, code)
        with pytest.raises(S3Error, match=f"{status} {code}".strip()):
            await bucket.get("a")
        with pytest.raises(S3Error, match=str(status)):
            await bucket.put("a", b"", media_type="image/webp")


async def test_a_request_on_a_closed_connection_is_sent_once_more() -> None:
    arrived = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        await reader.readuntil(b"\r\n\r\n")
        if arrived == 2:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nRIFF")
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port := free_port()):
        bucket = S3(replace(EXAMPLE, endpoint=f"http://127.0.0.1:{port}"))
        assert await bucket.get("a") == b"RIFF"
        assert arrived == 2
        with pytest.raises(S3Error, match="no answer"):
            await bucket.get("a")
        assert arrived == 4
        await bucket.close()


async def test_an_object_that_is_no_picture_is_not_read_whole(
    server: BucketServer, bucket: S3
) -> None:
    server.objects["large"] = ("image/webp", b"x" * (17 * 1024 * 1024))
    with pytest.raises(S3Error, match="larger"):
        await bucket.get("large")


def settings(server: BucketServer, **given: str) -> Settings:
    values = {
        "LATCHKEY_PICTURES": "s3://site-pictures/a/b",
        "LATCHKEY_S3_ENDPOINT": server.bucket.endpoint + "/",
        "LATCHKEY_S3_REGION": server.bucket.region,
        "LATCHKEY_S3_ACCESS_KEY_ID": "KEY",
        "LATCHKEY_S3_SECRET_ACCESS_KEY": "secret/+=",
    } | given
    return Settings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


async def test_doctor_writes_to_the_bucket(server: BucketServer) -> None:
    (fine,) = await of_pictures(settings(server))
    assert fine.ok
    assert server.objects == {}, "nothing is left there"
    for given, says in (
        ({"LATCHKEY_S3_SECRET_ACCESS_KEY": "wrong"}, "check LATCHKEY_S3_ACCESS_KEY_ID"),
        ({"LATCHKEY_PICTURES": "s3://site-picture"}, "create the bucket"),
        ({"LATCHKEY_S3_ENDPOINT": f"http://127.0.0.1:{free_port()}"}, "LATCHKEY_S3_ENDPOINT"),
        ({"LATCHKEY_S3_ACCESS_KEY_ID": ""}, "set what is missing"),
    ):
        (bad,) = await of_pictures(settings(server, **given))
        assert not bad.ok
        assert says in (bad.advice or "")
        assert "wrong" not in bad.found
    server.failing = (403, "AccessDenied")
    (denied,) = await of_pictures(settings(server))
    assert "list the bucket" in (denied.advice or "")
    assert await of_pictures(settings(server, LATCHKEY_PICTURES="postgres")) == []
    (missing,) = await of_pictures(settings(server, LATCHKEY_PICTURES="/nowhere/at/all"))
    assert not missing.ok


def test_places_servers_and_keys_are_checked() -> None:
    for place in ("s3://", "s3://A", "s3://bucket/../x y", "s3://bucket//x", "pictures"):
        with pytest.raises(ValueError, match="s3://bucket/folder"):
            Settings(_env_file=None, LATCHKEY_PICTURES=place)  # type: ignore[call-arg]
    for endpoint in ("s3.example.com", "https://s3.example.com/path", "ftp://a", "https://a b"):
        with pytest.raises(ValueError, match="without a path"):
            Settings(_env_file=None, LATCHKEY_S3_ENDPOINT=endpoint)  # type: ignore[call-arg]
    for key in ("…", "KEY\nx-amz-acl: public-read", "A KEY"):
        with pytest.raises(ValueError, match="ASCII without spaces"):
            Settings(_env_file=None, LATCHKEY_S3_ACCESS_KEY_ID=key)  # type: ignore[call-arg, arg-type]
