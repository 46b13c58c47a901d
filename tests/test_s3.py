"""Objects in a bucket: signed as Amazon documents it, read and written over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from latchkey.doctor_pictures import of_pictures
from latchkey.s3 import S3, Bucket, S3Error, signature_headers
from latchkey.settings import Settings
from tests.bucket import BucketServer, bucket_server
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


@pytest.mark.parametrize(
    ("path", "query", "headers", "signature"),
    [
        (
            "/test.txt",
            "",
            {"range": "bytes=0-9"},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "/",
            "max-keys=2&prefix=J",
            {},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_amazons_examples(path: str, query: str, headers: dict[str, str], signature: str) -> None:
    signed = signature_headers(
        EXAMPLE,
        method="GET",
        host="examplebucket.s3.amazonaws.com",
        path=path,
        query=query,
        body=b"",
        headers=headers,
        at=datetime(2013, 5, 24, tzinfo=UTC),
    )
    assert signed["authorization"].endswith(f",Signature={signature}")


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


def test_places_and_servers_are_checked() -> None:
    for place in ("s3://", "s3://A", "s3://bucket/../x y", "s3://bucket//x", "pictures"):
        with pytest.raises(ValueError, match="s3://bucket/folder"):
            Settings(_env_file=None, LATCHKEY_PICTURES=place)  # type: ignore[call-arg]
    for endpoint in ("s3.example.com", "https://s3.example.com/path", "ftp://a", "https://a b"):
        with pytest.raises(ValueError, match="without a path"):
            Settings(_env_file=None, LATCHKEY_S3_ENDPOINT=endpoint)  # type: ignore[call-arg]
