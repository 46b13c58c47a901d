"""The customer portal's flows: what a session that is for one thing shows, does and refuses."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.harness import Json, Stripe, http_client
from tests.sandbox.lives import Life, begin, refused

pytestmark = pytest.mark.anyio
HOME, THANKS = "http://127.0.0.1/home", "http://127.0.0.1/thanks"
REDIRECT: Json = {"type": "redirect", "redirect": {"return_url": THANKS}}
EVERYTHING = (
    *("Cancel subscription", "Pause subscription", "Change to this plan", "Confirm"),
    *("Change card", "Billing information", "Invoice history"),
)


@pytest.fixture
async def visitor(stripe: Stripe) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(base_url=stripe.url) as client:
        yield client


async def configured(stripe: Stripe, *prices: str, **features: Json) -> str:
    """A configuration with everything on that offers these prices."""
    products: list[Json] = []
    for price in prices:
        product = (await stripe.get(f"prices/{price}"))["product"]
        products.append({"product": product, "prices": [price]})
    update: Json = {
        "enabled": bool(prices),
        "default_allowed_updates": ["price"],
        "products": products,
        **features.pop("subscription_update", {}),
    }
    whole: Json = {
        "customer_update": {"enabled": True, "allowed_updates": ["name"]},
        "payment_method_update": {"enabled": True},
        "invoice_history": {"enabled": True},
        "subscription_cancel": {"enabled": True},
        "subscription_pause": {"enabled": True},
        "subscription_update": update,
    }
    made = await stripe.post("billing_portal/configurations", features={**whole, **features})
    return str(made["id"])


def flow(kind: str, life: Life, *, after: Json = REDIRECT, **details: object) -> Json:
    about = {} if kind.endswith("_update") and kind != "subscription_update" else {kind: details}
    if about:
        details["subscription"] = life.id
    return {"type": kind, "after_completion": after, **about}


async def opened(stripe: Stripe, life: Life, configuration: str, flow_data: Json) -> str:
    session = await stripe.post(
        "billing_portal/sessions",
        customer=life.customer,
        configuration=configuration,
        return_url=HOME,
        flow_data=flow_data,
    )
    return str(session["url"]).removeprefix(stripe.url)


@pytest.mark.parametrize(
    ("kind", "shown", "entered"),
    [
        ("subscription_cancel", "Cancel subscription", {"do": "cancel"}),
        ("subscription_pause", "Pause subscription", {"do": "pause"}),
        ("payment_method_update", "Change card", {"do": "card", "card": "5555555555554444"}),
        ("customer_update", "Billing information", {"do": "details", "name": "Ada"}),
    ],
)
async def test_a_flow_shows_one_thing_and_leads_back(
    stripe: Stripe, visitor: httpx.AsyncClient, kind: str, shown: str, entered: dict[str, str]
) -> None:
    life = await begin(stripe, billing_mode={"type": "flexible"})
    page = await opened(stripe, life, await configured(stripe), flow(kind, life))
    text = (await visitor.get(page)).text
    assert [words for words in EVERYTHING if words in text] == [shown]
    assert f'href="{HOME}"' in text
    other = {"do": "undo", "subscription": life.id}
    assert "This page is for something else." in (await visitor.post(page, data=other)).text
    done = await visitor.post(page, data={"subscription": life.id, **entered})
    assert (done.status_code, done.headers["location"]) == (303, THANKS)
    assert (await visitor.get(page)).headers["location"] == THANKS
    found, customer = await life.now(), await stripe.get(f"customers/{life.customer}")
    method = customer["invoice_settings"]["default_payment_method"]
    brand = (await stripe.get(f"payment_methods/{method}"))["card"]["brand"]
    changed = {
        "subscription_cancel": found["cancel_at"] is not None,
        "subscription_pause": found["status"] == "paused",
        "payment_method_update": brand == "mastercard",
        "customer_update": customer["name"] == "Ada",
    }
    assert [name for name, is_so in changed.items() if is_so] == [kind]


async def test_a_flow_leads_to_a_confirmation_or_to_the_whole_portal(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe)
    configuration = await configured(stripe)
    card = {"do": "card", "card": "4242424242424242"}
    after: Json = {
        "type": "hosted_confirmation",
        "hosted_confirmation": {"custom_message": "Fair winds!"},
    }
    page = await opened(
        stripe, life, configuration, flow("payment_method_update", life, after=after)
    )
    wrong = (await visitor.post(page, data={**card, "card": "1"})).text
    assert "Your card number is invalid." in wrong
    assert "Fair winds!" not in wrong
    done = (await visitor.post(page, data=card)).text
    assert "Fair winds!" in done
    assert "Change card" not in done
    page = await opened(
        stripe,
        life,
        configuration,
        flow("payment_method_update", life, after={"type": "portal_homepage"}),
    )
    done = (await visitor.post(page, data=card)).text
    assert "Your card has been changed." in done
    assert "Cancel subscription" in done
    assert "Invoice history" in done


async def test_a_cancelling_flow_ends_with_the_reason(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe)
    reason = {"enabled": True, "options": ["unused"]}
    cancel: Json = {
        "enabled": True,
        "mode": "immediately",
        "proration_behavior": "create_prorations",
        "cancellation_reason": reason,
    }
    configuration = await configured(stripe, subscription_cancel=cancel)
    page = await opened(stripe, life, configuration, flow("subscription_cancel", life))
    asked = (await visitor.post(page, data={"do": "cancel", "subscription": life.id})).text
    assert "Why did you cancel?" in asked
    assert "Cancel subscription" not in asked
    entered = {"do": "reason", "subscription": life.id, "feedback": "unused"}
    assert (await visitor.post(page, data=entered)).headers["location"] == THANKS
    found = await life.now()
    assert (found["status"], found["cancellation_details"]["feedback"]) == ("canceled", "unused")
    pending = await stripe.get("invoiceitems", customer=life.customer, pending=True)
    assert [row["amount"] < 0 for row in pending["data"]] == [True], "the rest is credited"


async def test_a_flow_updates_or_confirms_a_plan(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life, other = await begin(stripe), await begin(stripe)
    dear = await stripe.price(await stripe.product("Dear"), 5000)
    hidden = await stripe.price(await stripe.product("Hidden"), 7000)
    configuration = await configured(stripe, dear)
    page = await opened(stripe, life, configuration, flow("subscription_update", life))
    shown = (await visitor.get(page)).text
    assert "Dear: $50.00 per month" in shown
    assert "Hidden" not in shown
    entered = {"do": "switch", "subscription": life.id, "price": hidden}
    assert "This plan isn&#39;t offered here." in (await visitor.post(page, data=entered)).text
    bound = {**entered, "price": dear, "quantity": "2"}
    assert "This quantity isn&#39;t possible here." in (await visitor.post(page, data=bound)).text
    foreign = {**entered, "price": dear, "subscription": other.id}
    assert "No such subscription." in (await visitor.post(page, data=foreign)).text
    done = await visitor.post(page, data={**entered, "price": dear})
    assert done.headers["location"] == THANKS
    assert (await life.now())["items"]["data"][0]["price"]["id"] == dear

    adjustable = {"enabled": True, "minimum": 1, "maximum": 3}
    product = (await stripe.get(f"prices/{dear}"))["product"]
    configuration = await configured(
        stripe,
        dear,
        subscription_update={
            "default_allowed_updates": ["quantity"],
            "products": [{"product": product, "prices": [dear], "adjustable_quantity": adjustable}],
        },
    )
    item = (await life.now())["items"]["data"][0]["id"]
    wanted = flow("subscription_update_confirm", life, items=[{"id": item, "quantity": 3}])
    page = await opened(stripe, life, configuration, wanted)
    assert "3 × Dear: $150.00 per month" in (await visitor.get(page)).text
    done = await visitor.post(page, data={"do": "confirm", "subscription": life.id})
    assert done.headers["location"] == THANKS
    assert (await life.now())["items"]["data"][0]["quantity"] == 3
    page = await opened(stripe, life, configuration, flow("subscription_update", life))
    many = {"do": "switch", "subscription": life.id, "price": dear, "quantity": "4"}
    assert "This quantity isn&#39;t possible here." in (await visitor.post(page, data=many)).text
    await visitor.post(page, data={**many, "quantity": "1"})
    assert (await life.now())["items"]["data"][0]["quantity"] == 1


async def test_a_shorter_interval_can_wait_for_the_end_of_the_period(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe)
    weekly = await stripe.price(await stripe.product("Weekly"), 9000, every="week")
    later = {"conditions": [{"type": "shortening_interval"}]}
    configuration = await configured(
        stripe, weekly, subscription_update={"schedule_at_period_end": later}
    )
    page = await opened(stripe, life, configuration, flow("subscription_update", life))
    entered = {"do": "switch", "subscription": life.id, "price": weekly}
    await visitor.post(page, data=entered)
    found = await life.now()
    assert (found["items"]["data"][0]["price"]["id"], bool(found["schedule"])) == (life.price, True)


async def test_flows_that_cannot_be_completed_are_refused(stripe: Stripe) -> None:
    life, other = await begin(stripe), await begin(stripe)
    dear = await stripe.price(await stripe.product("Dear"), 5000)
    configuration = await configured(stripe, dear)
    nothing = await configured(
        stripe,
        subscription_cancel={"enabled": False},
        payment_method_update={"enabled": False},
        subscription_pause={"enabled": False},
        customer_update={"enabled": False},
    )
    item = (await life.now())["items"]["data"][0]["id"]
    confirm = "subscription_update_confirm"
    wrong: list[tuple[str, Json, str]] = [
        (nothing, flow("subscription_cancel", life), "feature in the portal configuration is dis"),
        (nothing, flow("subscription_pause", life), "feature in the portal configuration is dis"),
        (nothing, flow("customer_update", life), "feature in the portal configuration is disabled"),
        (nothing, flow("payment_method_update", life), "portal configuration is disabled"),
        (
            nothing,
            flow("subscription_update", life),
            "This subscription cannot be updated because the subscription update feature in the"
            " portal configuration is disabled.",
        ),
        (configuration, flow("subscription_update", other), "isn't the customer's"),
        (configuration, {"type": "subscription_update"}, "Missing required param"),
        (
            configuration,
            {**flow("subscription_cancel", life), "subscription_pause": {"subscription": life.id}},
            "doesn't belong to a flow of the type subscription_cancel",
        ),
        (
            configuration,
            flow("subscription_cancel", life, after={"type": "redirect"}),
            "Missing required param: flow_data[after_completion][redirect].",
        ),
        (
            configuration,
            flow("subscription_cancel", life, after={**REDIRECT, "type": "portal_homepage"}),
            "doesn't belong to the type portal_homepage",
        ),
        (
            configuration,
            flow(confirm, life, items=[{"id": "si_other", "price": dear}]),
            "No such subscription_item: 'si_other'",
        ),
        (
            configuration,
            flow(confirm, life, items=[{"id": item, "price": life.price}]),
            "Cannot update the subscription because there are no changes to confirm.",
        ),
        (
            await configured(stripe, life.price),
            flow(confirm, life, items=[{"id": item, "price": dear}]),
            "does not include the price in its `features[subscription_update][products]`.",
        ),
        (
            configuration,
            flow(confirm, life, items=[{"id": item, "quantity": 2}]),
            "does not include `quantity` in its"
            " `features[subscription_update][default_allowed_updates]`.",
        ),
    ]
    for used, wanted, words in wrong:
        error = await refused(
            stripe,
            "billing_portal/sessions",
            customer=life.customer,
            configuration=used,
            flow_data=wanted,
        )
        assert (error["status"], words in error["message"]) == (400, True), error
    await life.update(cancel_at_period_end=True)
    cancel = flow("subscription_cancel", life)
    session: Json = {"customer": life.customer, "configuration": configuration}
    error = await refused(stripe, "billing_portal/sessions", **session, flow_data=cancel)
    assert error["message"] == (
        f"The subscription {life.id} is already set to be canceled at period end."
    )


async def test_a_configuration_says_what_it_lacks_and_shows_products_on_request(
    stripe: Stripe,
) -> None:
    price = await stripe.price(await stripe.product())
    product = (await stripe.get(f"prices/{price}"))["product"]
    path, update = "billing_portal/configurations", {"enabled": True}
    error = await refused(stripe, path, features={"subscription_update": update})
    wanted = ("parameter_missing", "features[subscription_update][products]")
    assert (error["code"], error["param"]) == wanted
    whole: Json = {**update, "products": [{"product": product, "prices": [price]}]}
    error = await refused(stripe, path, features={"subscription_update": whole})
    assert error["message"] == (
        "Cannot enable subscription updates while payment method update is disabled."
    )
    cancel = {"enabled": True, "proration_behavior": "create_prorations"}
    error = await refused(stripe, path, features={"subscription_cancel": cancel})
    assert error["param"] == "features[subscription_cancel][proration_behavior]"
    made = await configured(stripe, price)
    plain = await stripe.get(f"{path}/{made}")
    assert plain["features"]["subscription_cancel"]["proration_behavior"] == "none"
    assert "products" not in plain["features"]["subscription_update"]
    steps = "features.subscription_update.products"
    found = await stripe.get(f"{path}/{made}", **{"expand[]": steps})
    assert [row["prices"] for row in found["features"]["subscription_update"]["products"]] == [
        [price]
    ]
    listed = await stripe.get(path, **{"expand[]": f"data.{steps}"})
    assert listed["data"][0]["features"] == found["features"]
    features = {"payment_method_update": {"enabled": False}}
    error = await refused(stripe, f"{path}/{made}", features=features)
    assert error["status"] == 400
    assert (await stripe.get(f"{path}/{made}"))["features"] == plain["features"]


async def test_the_portal_changes_the_details_that_are_allowed(
    stripe: Stripe, visitor: httpx.AsyncClient
) -> None:
    life = await begin(stripe)
    for allowed, entered, rest in (
        (["phone"], {"phone": "+49 30 1"}, {"name": "No"}),
        (["address"], {"address[city]": "Kiel", "address[country]": "DE"}, {"phone": "1"}),
        (["shipping"], {"shipping[line1]": "Quay 1"}, {"address[city]": "Rome"}),
        (["tax_id"], {"tax_id_type": "eu_vat", "tax_id": "DE123456789"}, {"email": "no@no.de"}),
    ):
        configuration = await configured(
            stripe, customer_update={"enabled": True, "allowed_updates": allowed}
        )
        page = await opened(stripe, life, configuration, flow("customer_update", life))
        shown = (await visitor.get(page)).text
        assert all(f'name="{name}"' in shown for name in entered)
        assert not any(f'name="{name}"' in shown for name in rest)
        done = await visitor.post(page, data={"do": "details", **entered, **rest})
        assert done.headers["location"] == THANKS
    found = await stripe.get(f"customers/{life.customer}")
    assert (found["name"], found["email"], found["phone"]) == (None, "life@box.example", "+49 30 1")
    assert (found["address"]["city"], found["address"]["country"]) == ("Kiel", "DE")
    assert found["shipping"]["address"]["line1"] == "Quay 1"
    ids = await stripe.get(f"customers/{life.customer}/tax_ids")
    assert [row["value"] for row in ids["data"]] == ["DE123456789"]
