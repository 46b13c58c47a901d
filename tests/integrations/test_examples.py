"""The examples of the client libraries: who bought the course reads it, others are led to where it
is sold, and what the site tells is believed only if the site signed it."""

import pytest

from latchkey.store.webhooks import endpoints
from latchkey.vault import Purpose, Vault
from tests.harness import Latchkey, free_port, http_client, until
from tests.integrations.conftest import Member
from tests.integrations.examples import SIGNED_IN, build_js, running
from tests.integrations.install import examples
from tests.receiver import add_endpoint

pytestmark = pytest.mark.anyio

NOT_SIGNED_IN = {"django": 302}


@pytest.fixture(scope="module")
def built() -> None:
    build_js()


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("name", examples())
async def test_the_example_opens_the_course_for_buyers(
    shared: Latchkey, member: Member, name: str
) -> None:
    port = free_port()
    hook = f"http://127.0.0.1:{port}/webhooks/latchkey"
    endpoint = await add_endpoint(shared, hook, "access.ended")
    try:
        sealed = await shared.pool.fetchval(
            "select secret from webhook_endpoints where id = $1", endpoint
        )
        secret = Vault(shared.settings.require_secrets()).open(sealed, Purpose.OUTGOING_SECRET)
        async with (
            running(name, shared, member.slug, port=port, secret=secret) as url,
            http_client(base_url=url) as browser,
        ):
            nobody = await browser.get("/course")
            assert nobody.status_code == NOT_SIGNED_IN.get(name, 401)
            buyer = await browser.get("/course", headers={SIGNED_IN: member.email})
            assert buyer.json() == {"lesson": f"Welcome, {member.email}"}
            other = await browser.get("/course", headers={SIGNED_IN: f"not-{member.email}"})
            assert other.status_code in (302, 303)
            assert other.headers["location"] == f"{shared.url}/buy/{member.slug}"

            forged = await browser.post("/webhooks/latchkey", content=b"{}")
            assert forged.status_code == 400
            grant = (await shared.access(member.slug, member.email))["grants"][0]["id"]
            await shared.call("DELETE", f"/grants/{grant}")

            async def told() -> bool:
                state = await shared.pool.fetchval(
                    "select state from webhook_deliveries where endpoint_id = $1", endpoint
                )
                return bool(state == "delivered")

            await until(told, "the example takes the webhook that the site has signed")
            late = await browser.get("/course", headers={SIGNED_IN: member.email})
            assert late.status_code in (302, 303)
    finally:
        async with shared.pool.acquire() as connection, connection.transaction():
            await endpoints.delete(connection, endpoint)
