"""Pictures in a bucket of moto, which plays Amazon S3: it checks what a key may do, and signatures
with Amazon's own library."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from httpx_auth import AWS4Auth

from latchkey.doctor_pictures import of_pictures
from latchkey.s3 import S3, Bucket, S3Error
from latchkey.settings import Settings
from tests.harness import free_port, http_client, until
from tests.integrations.install import PYTHON

pytestmark = pytest.mark.anyio

REGION = "eu-central-1"
BUCKET, FOLDER = "members-pictures", "site"
FOR_FOLDER = ("s3:PutObject", "s3:GetObject", "s3:DeleteObject")
FOR_BUCKET = ("s3:ListBucket",)
"""What docs/branding.md says that the key needs."""


@asynccontextmanager
async def moto(folder: Path, *, unchecked: int) -> AsyncIterator[str]:
    """Its server, which checks everything but the first requests. Yields its address."""
    port, log = free_port(), folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            env=os.environ
            | {"PYTHONPATH": str(PYTHON), "INITIAL_NO_AUTH_ACTION_COUNT": str(unchecked)},
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:

        async def answers() -> bool:
            assert process.poll() is None, log.read_text()
            async with http_client() as client:
                try:
                    return (await client.get(f"{url}/moto-api/")).is_success
                except httpx.TransportError:
                    return False

        await until(answers, "moto serves")
        yield url
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


def policy(for_folder: tuple[str, ...], for_bucket: tuple[str, ...]) -> str:
    rights = (
        {"Action": [*for_folder], "Resource": f"arn:aws:s3:::{BUCKET}/{FOLDER}/*"},
        {"Action": [*for_bucket], "Resource": f"arn:aws:s3:::{BUCKET}"},
    )
    allowed = [{"Effect": "Allow"} | right for right in rights if right["Action"]]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


async def made(url: str, *policies: str) -> list[Bucket]:
    """A bucket, and a key to it for each policy; one request, and three for each key."""
    buckets = []
    async with http_client(base_url=url) as client:
        body = f"<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint>"
        body += "</CreateBucketConfiguration>"
        auth = AWS4Auth("admin", "admin", REGION, "s3")
        assert (await client.put(f"/{BUCKET}", content=body, auth=auth)).is_success
        for number, text in enumerate(policies):
            user = {"UserName": f"site-{number}", "Version": "2010-05-08"}
            for action in (
                {"Action": "CreateUser"},
                {"Action": "PutUserPolicy", "PolicyName": "pictures", "PolicyDocument": text},
                {"Action": "CreateAccessKey"},
            ):
                auth = AWS4Auth("admin", "admin", "us-east-1", "iam")
                answer = await client.post("/", data=user | action, auth=auth)
                assert answer.is_success, answer.text
            found = re.search(
                "<AccessKeyId>(.+)</AccessKeyId>.*<SecretAccessKey>(.+)</SecretAccessKey>",
                answer.text,
                re.DOTALL,
            )
            assert found is not None, answer.text
            buckets.append(Bucket(url, REGION, BUCKET, found[1], found[2]))
    return buckets


def settings(bucket: Bucket) -> Settings:
    values = {
        "LATCHKEY_PICTURES": f"s3://{bucket.name}/{FOLDER}",
        "LATCHKEY_S3_ENDPOINT": bucket.endpoint,
        "LATCHKEY_S3_REGION": bucket.region,
        "LATCHKEY_S3_ACCESS_KEY_ID": bucket.access_key,
        "LATCHKEY_S3_SECRET_ACCESS_KEY": bucket.secret_key,
    }
    return Settings(_env_file=None, **values)  # type: ignore[call-arg, arg-type]


async def test_pictures_need_what_the_docs_say(tmp_path: Path) -> None:
    policies = [
        policy(FOR_FOLDER, FOR_BUCKET),
        *(policy(tuple({*FOR_FOLDER} - {each}), FOR_BUCKET) for each in FOR_FOLDER),
        policy(FOR_FOLDER, ()),
    ]
    async with moto(tmp_path, unchecked=1 + 3 * len(policies)) as url:
        bucket, *others = await made(url, *policies)
        await every_request(bucket)
        await refused(bucket)
        (fine,) = await of_pictures(settings(bucket))
        assert fine.ok, fine
        for other in others:
            (denied,) = await of_pictures(settings(other))
            assert "AccessDenied" in denied.found
            assert "list the bucket" in (denied.advice or "")


async def every_request(bucket: Bucket) -> None:
    """Each of the four kinds, with keys of which each part has to be escaped."""
    s3 = S3(bucket)
    for name in ("ab/ab-1280.webp", "+é= %41%2F.webp", "!*'();:@,?#[]~_-.", "a//b", "日本"):
        key = f"{FOLDER}/{name}"
        assert await s3.get(key) is None
        await s3.put(key, b"RIFF", media_type="image/webp")
        assert await s3.get(key) == b"RIFF"
        assert await s3.keys(key) == [key]
        await s3.delete(key)
        assert await s3.keys(f"{FOLDER}/") == []
    with pytest.raises(S3Error, match="403 AccessDenied"):
        await s3.put("other/a", b"RIFF", media_type="image/webp")
    await s3.close()


async def refused(bucket: Bucket) -> None:
    for wrong, says in (
        (replace(bucket, secret_key="wrong"), "check LATCHKEY_S3_ACCESS_KEY_ID"),
        (replace(bucket, access_key="UNKNOWN"), "check LATCHKEY_S3_ACCESS_KEY_ID"),
        (replace(bucket, name="missing"), "AccessDenied"),
    ):
        (bad,) = await of_pictures(settings(wrong))
        assert not bad.ok
        assert says in f"{bad.found} {bad.advice}"
        assert bucket.secret_key not in bad.found
