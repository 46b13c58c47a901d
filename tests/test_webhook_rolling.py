"""Where a webhook endpoint's secret can't be rolled, nothing is asked of Stripe. `tests/drill`
rolls one."""

import pytest

from latchkey.settings import Settings
from latchkey.store.pool import Pool
from latchkey.store.stripe.connection import NotConnectedError
from latchkey.webhook_rolling import RollError, roll
from tests.harness import KEY, SECRET

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("given", "error", "advice"),
    [
        ({"STRIPE_WEBHOOK_SECRET": "whsec_1"}, RollError, "STRIPE_WEBHOOK_SECRET"),
        ({"LATCHKEY_REGISTER_WEBHOOK": "off"}, RollError, "by hand"),
        ({"STRIPE_SECRET_KEY": None}, NotConnectedError, "isn't connected"),
        ({}, RollError, "press Repair"),
    ],
)
async def test_it_says_why_it_cannot_and_what_to_do(
    pool: Pool, dsn: str, given: dict[str, str | None], error: type[Exception], advice: str
) -> None:
    settings = Settings.model_validate(
        {"DATABASE_URL": dsn, "LATCHKEY_SECRET": SECRET, "STRIPE_SECRET_KEY": KEY, **given}
    )
    with pytest.raises(error, match=advice):
        await roll(settings, overlap=0)
    assert await pool.fetchval("select secrets_encrypted is null from stripe_connection")
