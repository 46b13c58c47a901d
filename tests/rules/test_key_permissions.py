"""The permissions of a restricted key, and the address of Stripe's form for one."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from latchkey.rules.key_permissions import PERMISSIONS, READ, WRITE, creation_address
from sandbox.schema import Published


@pytest.mark.parametrize(
    ("livemode", "path"), [(True, "/apikeys/create"), (False, "/test/apikeys/create")]
)
def test_the_form_is_asked_for_each_permission_by_name(livemode: bool, path: str) -> None:
    parts = urlsplit(creation_address("https://members.example.com", livemode=livemode))
    assert (parts.netloc, parts.path) == ("dashboard.stripe.com", path)
    (name, *asked) = parse_qsl(parts.query)
    assert name == ("name", "Latchkey members.example.com")
    assert {field for field, _ in asked} == {"permissions[]"}
    tokens = [token for _, token in asked]
    assert len(tokens) == len(set(tokens)) == len(PERMISSIONS) + 2
    assert {"rak_plan_write", "rak_webhook_write", "rak_subscription_read"} <= set(tokens)


def test_a_long_host_leaves_the_name_short() -> None:
    asked = dict(
        parse_qsl(urlsplit(creation_address(f"https://{'a' * 200}.example", livemode=True)).query)
    )
    assert len(asked["name"]) == 60


def test_whatever_is_written_is_tried_by_a_call_that_creates(published: Published) -> None:
    for one in PERMISSIONS:
        assert one.level in (READ, WRITE)
        assert bool(one.written) == (one.level == WRITE)
        assert published.match("GET", one.path)
        assert not one.written or published.match("POST", one.written)
