"""Each response names its request, so that the lines of the log about it can be found."""

import pytest

from tests.harness import Latchkey

pytestmark = pytest.mark.anyio

FORWARDED = {"X-Forwarded-For": "203.0.113.7"}


@pytest.mark.parametrize("path", ["/healthz", "/login", "/api/v1/products", "/nowhere", "//login"])
async def test_every_response_names_its_request(shared: Latchkey, path: str) -> None:
    first, second = [await shared.api.get(f"{shared.url}{path}") for _ in range(2)]
    assert first.headers["x-request-id"] != second.headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "taken"),
    [("req-0a1B_2c3d", True), ("short", False), ("a b c d e f", False), ("x" * 65, False)],
)
async def test_a_trusted_proxys_id_is_kept_if_it_is_plain(
    shared: Latchkey, given: str, taken: bool
) -> None:
    answer = await shared.api.get(
        f"{shared.url}/healthz", headers={**FORWARDED, "X-Request-ID": given}
    )
    assert (answer.headers["x-request-id"] == given) is taken


async def test_a_visitors_own_id_is_ignored(shared: Latchkey) -> None:
    answer = await shared.api.get(f"{shared.url}/healthz", headers={"X-Request-ID": "req-chosen"})
    assert answer.headers["x-request-id"] != "req-chosen"
