"""Seeds a shop from a file in the format of the Stripe CLI's fixtures.

One addition to that format: `"days_ago"` says when an entry happened. Whatever falls due between
two entries (renewals, retries, cancellations) is done on the way, so a shop comes with a history.
"""

import json
import re
import time
from pathlib import Path
from typing import Any

from sandbox import calls, clock
from sandbox.shop import Shop, StripeApiError
from sandbox.world import Json, World

_FOLDER = Path(__file__).parent
_REFERENCE = re.compile(r"\$\{(\w+):([\w.\[\]]+)\}")


class SeedError(Exception):
    """The seed file can't be used."""


def plant(shop: Shop, name: str) -> None:
    """Create what a file describes, named or by path. No events are sent: it all happened before
    anyone listened. Raises `SeedError`."""
    path = Path(name) if name.endswith(".json") else _FOLDER / f"{name}.json"
    try:
        fixtures = json.loads(path.read_text())["fixtures"]
    except (OSError, ValueError, KeyError) as error:
        raise SeedError(f"{path} isn't a fixtures file: {error!r}") from None
    world, made, now = shop.world, dict[str, Json](), time.time()
    month_seconds, world.month_seconds = world.month_seconds, None
    shop.silent = True
    try:
        for entry in sorted(fixtures, key=lambda entry: -float(entry.get("days_ago", 0))):
            at = now - float(entry.get("days_ago", 0)) * 86400
            clock.do_due(shop, at)
            world.settle_clock(at)
            made[entry["name"]] = _do(shop, entry, made)
            world.settle_clock()
        clock.do_due(shop, now)
    finally:
        shop.silent = False
        world.settle_clock()
        world.month_seconds = month_seconds


def _do(shop: Shop, entry: Json, made: dict[str, Json]) -> Json:
    method, path = entry["method"].upper(), _filled(entry["path"], made)
    params = _filled(entry.get("params", {}), made)
    hidden = calls.unpublished(method, path)
    route = shop.world.published.match(method, path)
    if hidden:
        found, ids = hidden
    elif route and (known := calls.handler(method, route.template)):
        found = known
        parts = zip(route.template.split("/"), path.split("/"), strict=True)
        ids = tuple(given for named, given in parts if named.startswith("{"))
    else:
        raise SeedError(f"{entry['name']}: the sandbox doesn't support {method} {path}")
    try:
        return found(calls.Call(shop, ids, params, path))
    except StripeApiError as fault:
        if entry.get("expected_error_type") == fault.body["type"]:
            return {}
        raise SeedError(f"{entry['name']}: {fault}") from None


def _filled(node: Any, made: dict[str, Json]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, made) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, made) for value in node]
    if isinstance(node, str):
        return _REFERENCE.sub(lambda found: str(_field(made, found[1], found[2])), node)
    return node


def _field(made: dict[str, Json], name: str, path: str) -> Any:
    value: Any = made[name]
    for part in re.findall(r"\w+", path):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def account_settings(world: World) -> Json:
    """The account's settings, with the name that customers see."""
    schema = world.published.resolve(world.published.object_schema("account"))
    settings: Json = world.blanks.part(schema["else"]["properties"]["settings"])
    settings["dashboard"] = {"display_name": "Harbour School", "timezone": "Etc/UTC"}
    settings["payments"]["statement_descriptor"] = "HARBOUR SCHOOL"
    return settings
