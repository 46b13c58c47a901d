"""`python -m bench.buy`: from the click on `/buy` to the redirect, beside the sandbox's share."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

from bench.stack import Json, Stack, fetch, stack
from latchkey import signin_links
from tests.harness import KEY, SECRETS, flat

CLICKS, WARM_UP, WANTED_MS = 100, 10, 30.0


def main() -> None:
    """Sell a product, have new members click one after the other, and print both times."""
    with stack() as running, httpx.Client(base_url=running.sandbox, timeout=60) as stripe:
        stripe.headers["Authorization"] = f"Bearer {KEY}"
        slug = _for_sale(running, stripe)
        asyncio.run(_members(running))
        session = _created(stripe, "checkout/sessions", **_params(stripe))
        assert session["status"] == "open"
        sandbox = [_timed(stripe, _params(stripe)) for _ in range(CLICKS)]
        clicks = []
        for number in range(1, CLICKS + WARM_UP + 1):
            with _signed_in(running, number) as client:
                began = time.perf_counter()
                answer = client.get(f"/buy/{slug}")
                clicks.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 303, answer.text
            assert urlsplit(answer.headers["location"]).path.startswith("/c/pay/")
    _print("click to redirect", clicks[WARM_UP:])
    _print("the sandbox alone", sandbox)
    beside = statistics.median(clicks[WARM_UP:]) - statistics.median(sandbox)
    print(f"p50 beside the sandbox's own time: {beside:.1f} ms (wanted: under {WANTED_MS:.0f})")


def _for_sale(running: Stack, stripe: httpx.Client) -> str:
    product = _created(stripe, "products", name="Bench")["id"]
    recurring = {"interval": "month"}
    price = _created(
        stripe, "prices", product=product, currency="usd", unit_amount=900, recurring=recurring
    )
    running.api("GET", "/stripe/products", params={"refresh": "true"})
    made = running.api("POST", "/products", json={"name": "Bench", "status": "live"})
    running.api("PUT", f"/products/{made['id']}/link", json={"stripe_product": product})
    choice = {"enabled": True, "price": price["id"], "payment_link": False}
    running.api("PUT", f"/products/{made['id']}/checkout", json=choice)
    return str(made["slug"])


def _params(stripe: httpx.Client) -> Json:
    price = stripe.get("/v1/prices", params={"limit": 1}).json()["data"][0]["id"]
    return {
        "mode": "subscription",
        "line_items": [{"price": price, "quantity": 1}],
        "success_url": "https://bench.example/done",
        "customer_email": "bench@bench.example",
    }


def _created(stripe: httpx.Client, path: str, **params: object) -> Json:
    answer = stripe.post(f"/v1/{path}", data=flat(params))
    answer.raise_for_status()
    found: Json = answer.json()
    return found


def _timed(stripe: httpx.Client, params: Json) -> float:
    began = time.perf_counter()
    _created(stripe, "checkout/sessions", **params)
    return (time.perf_counter() - began) * 1000


async def _members(running: Stack) -> None:
    await fetch(
        running.dsn,
        "insert into users (email) select 'buyer' || n || '@bench.example'"
        f" from generate_series(1, {CLICKS + WARM_UP}) n",
    )


@contextmanager
def _signed_in(running: Stack, number: int) -> Iterator[httpx.Client]:
    found = asyncio.run(
        fetch(running.dsn, "select id from users where email = $1", f"buyer{number}@bench.example")
    )
    token = signin_links.sign(found[0]["id"], f"bench {number}", secrets=SECRETS)
    with httpx.Client(base_url=running.url, timeout=60) as client:
        page = client.get(f"/login/{token}").text
        csrf = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        answer = client.post(f"/login/{token}", data={"csrf_token": csrf})
        assert answer.status_code == 303, answer.text
        yield client


def _print(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(
        f"{what}: p50 {statistics.median(ordered):.1f} ms,"
        f" p99 {ordered[int(len(ordered) * 0.99)]:.1f} ms"
    )


if __name__ == "__main__":
    main()
