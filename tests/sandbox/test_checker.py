"""The schema checker must catch mistakes in responses."""

import copy
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox import unpublished
from sandbox.box import Sandbox, build
from sandbox.schema import Published
from sandbox.versions import shaped, version_of

Json = dict[str, Any]

LEAST_CAUGHT = 0.99


@pytest.fixture(scope="module")
def box(published: Published) -> Sandbox:
    return build(base_url="http://127.0.0.1", seed="shop", chance=1, published=published)


def kept(box: Sandbox) -> Iterator[Json]:
    """One real object of each kind that the seeded shop holds."""
    for kind, table in box.shop.world.tables.items():
        if kind not in ("delivery", "event") and len(table):
            yield next(reversed(table.values()))


def test_every_object_of_the_seeded_shop_is_valid(box: Sandbox) -> None:
    published = box.shop.world.published
    for kind, table in box.shop.world.tables.items():
        if kind != "delivery":
            for source in table.values():
                assert published.object_errors(source) == [], source["id"]


FIELDS: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("fields.json").read_text())
"""The fields of each kind of object in the SDK of each version (`scripts/stripe_added.py`)."""


@pytest.mark.parametrize("version", FIELDS)
def test_every_object_has_the_fields_of_its_version(box: Sandbox, version: str) -> None:
    """No other field, but those that aren't published and, in 2024, those that came later; and each
    that our version has too."""
    world, spoken = box.shop.world, version_of(box.shop.world.published, version)
    seen = set()
    for source in kept(box):
        kind = source["object"]
        if kind not in FIELDS[version]:
            continue
        known = set(FIELDS[version][kind].split())
        ours = world.copy(source)
        unpublished.add(box.shop, ours)
        shown = set(shaped(box.shop, ours, spoken))
        later = set(ours) if "." not in version else set()
        assert shown - known - later <= set(unpublished.KEYS.get(kind, ())), kind
        assert (set(ours) & known) - shown == set(), kind
        seen.add(kind)
    assert {"charge", "customer", "invoice", "price", "product", "subscription"} <= seen


@pytest.mark.parametrize("today", ["2027-01-30", "2026-12-10", "2028-03-02", "2027-03-02"])
def test_the_seeded_shop_has_every_status_on_any_day(
    published: Published, today: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After months of 31, 30, 29 and 28 days."""
    moment = datetime.fromisoformat(f"{today}T12:00:00+00:00").timestamp()
    monkeypatch.setattr(time, "time", lambda: moment)
    box = build(base_url="http://127.0.0.1", seed="shop", chance=1, published=published)
    found = {row["status"] for row in box.shop.world.table("subscription").values()}
    assert found >= {"active", "trialing", "past_due", "paused", "incomplete", "canceled"}
    assert len(box.shop.world.table("customer")) == 30


@pytest.mark.parametrize("break_", ["drop", "rename", "retype"])
def test_breaks_are_caught(box: Sandbox, break_: str) -> None:
    published = box.shop.world.published
    total = caught = 0
    missed = []
    for source in kept(box):
        schema = published.resolve(published.object_schema(source["object"]))
        always = set(schema.get("else", schema)["required"])
        for key, value in source.items():
            if key in ("object", "metadata") or (break_ == "drop" and key not in always):
                continue
            broken = copy.copy(source)
            if break_ == "drop":
                del broken[key]
            elif break_ == "rename":
                broken[key + "_x"] = broken.pop(key)
            else:
                broken[key] = {"wrong": "type"} if not isinstance(value, dict) else 7
            total += 1
            if published.object_errors(broken):
                caught += 1
            else:
                missed.append(f"{source['object']}.{key}")
    assert total > 300
    assert caught / total >= LEAST_CAUGHT, missed


def test_an_invented_event_type_is_caught(box: Sandbox) -> None:
    event = box.shop.world.make(
        "event",
        "evt",
        type="moon.landed",
        api_version="x",
        data={"object": box.shop.account},
        pending_webhooks=0,
        request=None,
    )
    assert any("moon.landed" in error for error in box.shop.world.published.event_errors(event))


def test_what_is_wrong_around_or_within_an_event_is_caught(box: Sandbox) -> None:
    published = box.shop.world.published
    subscription = box.shop.world.table("subscription").values()[0]
    box.shop.emit("customer.subscription.updated", subscription, {**subscription, "metadata": None})
    event = box.shop.world.table("event").values()[-1]
    assert published.event_errors(event) == []
    inner = event["data"]["object"]
    item = {**inner["items"]["data"][0], "price": {"object": "price"}}
    broken: list[Json] = [
        {key: value for key, value in event.items() if key != "created"},
        {**event, "invented": 1},
        {**event, "data": {**event["data"], "invented": 1}},
        {**event, "data": {**event["data"], "object": {**inner, "status": "fine"}}},
        {
            **event,
            "data": {
                **event["data"],
                "object": {**inner, "items": {**inner["items"], "data": [item]}},
            },
        },
        {**event, "data": {**event["data"], "previous_attributes": {"invented": 1}}},
    ]
    for wrong in broken:
        assert published.event_errors(wrong) != []


def test_a_blank_part_is_new_each_time(box: Sandbox) -> None:
    first = box.shop.world.part("charge", "outcome")
    known = copy.deepcopy(first)
    first["type"] = "changed"
    assert box.shop.world.part("charge", "outcome") == known
