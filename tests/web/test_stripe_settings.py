"""A product's Stripe settings as a page: what is typed stays, and a preview says what changes."""

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest

from tests.harness import Latchkey
from tests.web.pages import Visitor, visit

pytestmark = pytest.mark.anyio


@pytest.fixture
async def admin(shared: Latchkey) -> AsyncIterator[Visitor]:
    async with visit(shared) as made:
        await made.sign_in()
        yield made


async def test_a_preview_says_what_is_created_and_what_it_replaces(
    shared: Latchkey, admin: Visitor
) -> None:
    stripe_product = await shared.stripe.product("Replaced one")
    price = await shared.stripe.price(stripe_product)
    await shared.stripe.subscribe("replaced@admin.example", price)
    product = await shared.product("Preview of new")
    await shared.link(product, stripe_product)
    here = f"/admin/products/{product}/stripe"
    typed: dict[str, Any] = {"choice": "new", "amount": "0", "currency": "eur", "interval": ""}
    asks = await admin.send(here, f"{here}/preview", expect=422, **typed)
    assert 'id="free-error"' in asks.text
    typed |= {"free": "yes"}
    shown = unescape((await admin.send(here, f"{here}/preview", expect=200, **typed)).text)
    assert "free, one-time" in shown
    assert "replaces the link to Replaced one, which has 1 live subscription." in shown
    assert f'<a href="/admin/products/{product}/members">its members</a>' in shown
    asks = await admin.send(here, expect=409, **typed)
    assert "What happens to the members?" in unescape(asks.text)
    current = await shared.call("GET", f"/products/{product}/link")
    assert current["stripe_product"] == stripe_product


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ({"amount": "-5", "currency": "12"}, "amount"),
        ({"amount": "5", "currency": "12"}, "currency"),
        ({"amount": "0", "currency": "EUR"}, "free"),
    ],
)
async def test_the_first_field_that_was_refused_has_the_focus_without_javascript_too(
    shared: Latchkey, admin: Visitor, typed: dict[str, str], first: str
) -> None:
    product = await shared.product(f"Focus on {first}")
    here = f"/admin/products/{product}/stripe"
    text = (await admin.send(here, expect=422, choice="new", interval="", **typed)).text
    focused = re.findall(r"<input[^>]* autofocus[^>]*>", text)
    assert [re.findall(r' name="(\w+)"', field) for field in focused] == [[first]]


async def test_refused_stripe_settings_keep_every_choice(shared: Latchkey, admin: Visitor) -> None:
    product = await shared.product("Kept choices")
    here = f"/admin/products/{product}/stripe"
    chosen: dict[str, Any] = {"mail": "suppress", "invoices": "none"}
    for path in (here, f"{here}/preview"):
        text = (await admin.send(here, path, expect=422, **chosen)).text
        assert 'id="stripe_product-error"' in text
        assert 'name="mail" value="suppress" checked' in text
        assert 'name="invoices" value="none" checked' in text
