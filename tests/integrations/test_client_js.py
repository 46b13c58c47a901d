"""The JavaScript client against a real site: answers, errors, trouble on the way, webhooks; and
that its types refuse what the API doesn't take."""

import asyncio
import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from latchkey import webhook_signing
from tests.clients.trouble import HANG, HANG_UP, IN_USE, UNAVAILABLE, in_trouble
from tests.harness import PATIENCE, TOKEN, Latchkey
from tests.images import picture
from tests.integrations.conftest import Member
from tests.integrations.examples import CLIENTS, build_js
from tests.integrations.install import NODE
from tests.npm.install import MODULES

pytestmark = pytest.mark.anyio

STORY = Path(__file__).with_name("client.mjs")

WRONG = (
    'latchkey.hasAccess("course", {})',
    'latchkey.call("get", "/api/v1/nothing")',
    'latchkey.call("post", "/api/v1/pictures", { body: { name: "a.png" } })',
    'latchkey.call("delete", "/api/v1/access")',
    'latchkey.call("post", "/api/v1/products", { body: { slug: "x" } })',
    'latchkey.call("get", "/api/v1/products", { query: { limit: "many" } })',
    'const found: string = (await latchkey.access("x", { user: 1 })).access',
)
RIGHT = """
import { Latchkey, verifyWebhook } from "../js/src/index.js";
const latchkey = new Latchkey("https://members.example.com", "lk_x");
const until: string | null = (await latchkey.access("course", { email: "a@b.example" })).until;
for await (const user of latchkey.all("/api/v1/users")) console.log(user.email, until);
const event = await verifyWebhook("whsec_x", "{}", {});
if (event.type === "purchase.refunded") console.log(event.data.amount + 1);
if (event.type === "access.ended") console.log(event.data.reason);
const body = new Blob(["…"]);
const { url } = await latchkey.call("post", "/api/v1/pictures", { query: { use: "logo" }, body });
console.log(url);
"""


async def test_the_client_asks_retries_and_verifies(shared: Latchkey, member: Member) -> None:
    await asyncio.to_thread(build_js)
    secret, now = webhook_signing.new_secret(), datetime.now(UTC)
    body = json.dumps({"type": "user.created", "data": {"user": {"id": 7}}})
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": f"v1,{'A' * 43}= {Webhook(secret).sign('msg_1', now, body)}",
    }
    async with (
        in_trouble(shared.url, UNAVAILABLE, IN_USE, HANG, HANG_UP) as passing,
        in_trouble(shared.url, UNAVAILABLE, HANG, HANG_UP) as lasting,
    ):
        given = {
            "url": shared.url,
            "trouble": {"passing": passing.url, "lasting": lasting.url},
            "token": TOKEN,
            "slug": member.slug,
            "email": member.email,
            "user": member.id,
            "picture": base64.b64encode(picture(size=(29, 13))).decode(),
            "webhook": {
                "secret": secret,
                "other": webhook_signing.new_secret(),
                "body": body,
                "headers": headers,
            },
        }
        script = shutil.copy(STORY, NODE / STORY.name)
        process = await asyncio.create_subprocess_exec(
            "node", script, json.dumps(given), stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(PATIENCE):
            output, _ = await process.communicate()
        assert process.returncode == 0
        assert len(set(passing.keys)) == 1, "all attempts of a call have one key"
    found = json.loads(output)
    assert found["access"]["access"] is True
    assert found["access"]["until"] == member.until.isoformat().replace("+00:00", "Z")
    assert (found["byId"], found["other"], found["again"]) == (True, False, True)
    assert found["product"] == member.slug
    assert found["picture"] == "29.png"
    assert found["unknown"] == {"name": "ApiError", "code": "not_found", "status": 404}
    assert found["taken"] == {"name": "ApiError", "code": "slug_taken", "status": 409}
    assert found["denied"]["status"] == 401
    assert found["elsewhere"]["status"] == 404
    assert [error["name"] for error in found["another"]] == ["TypeError"] * 3
    assert member.slug in found["slugs"]
    assert len(found["slugs"]) == len(set(found["slugs"]))
    assert found["lasting"]["name"] == "UnavailableError"
    assert found["stopped"]["name"] == "AbortError"
    assert found["event"]["data"]["user"]["id"] == 7
    assert set(found["forged"]) == {"WebhookError"}


def test_types_refuse_what_the_api_does_not_take(tmp_path: Path) -> None:
    shutil.copytree(CLIENTS / "js", tmp_path / "js")
    usage = tmp_path / "usage"
    usage.mkdir()
    wrong = [f"// @ts-expect-error\n{{ {line} }}" for line in WRONG]
    (usage / "usage.ts").write_text("\n".join([RIGHT, *wrong, "export {};"]))
    options = {"rootDir": "..", "noEmit": True, "allowUnreachableCode": True}
    (usage / "tsconfig.json").write_text(
        json.dumps(
            {
                "extends": "../js/tsconfig.json",
                "compilerOptions": options,
                "include": ["usage.ts"],
            }
        )
    )
    tsc = MODULES / "typescript/bin/tsc"
    done = subprocess.run(
        ["node", str(tsc), "-p", str(usage)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
