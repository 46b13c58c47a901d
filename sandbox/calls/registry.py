"""The table of calls, and the steps that many of them share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import lists, search
from sandbox.fields import apply
from sandbox.played import Played, played_by
from sandbox.schema import Route
from sandbox.shop import Shop, snapshot
from sandbox.world import Json


@dataclass
class Call:
    """One request: its shop, the ids in its path, and its parameters as typed values."""

    shop: Shop
    ids: tuple[str, ...]
    params: Json
    path: str

    def find(self, kind: str) -> Json:
        """The object named in the path. Raises Stripe's 404."""
        return self.shop.find(kind, self.ids[0])


Handler = Callable[[Call], Json]
ListTest = Callable[[Json, Any], bool]
"""Whether a list that is filtered by a value wants an object."""
_HANDLERS: dict[tuple[str, str], Handler] = {}


def _shape(template: str) -> str:
    return re.sub(r"\{\w+\}", "{}", template)


def call(method: str, template: str) -> Callable[[Handler], Handler]:
    """Register a call's handler: `@call("GET", "/v1/products/{}")`."""

    def register(function: Handler) -> Handler:
        _HANDLERS[method, template] = function
        return function

    return register


def handler(method: str, template: str) -> Handler | None:
    """The handler of a call, None if the sandbox doesn't have one."""
    return _HANDLERS.get((method, _shape(template)))


def played(route: Route) -> Played:
    """Which of its published parameters a call plays."""
    return played_by(route.method, _shape(route.template))


def readable(kind: str, url: str) -> None:
    """Register the retrieval of a kind by id."""
    call("GET", f"{url}/{{}}")(lambda c: c.find(kind))


def listable(
    kind: str, url: str, *fields: str, times: tuple[str, ...] = (), **tests: ListTest
) -> None:
    """Register a list with filters that compare fields of the object, that want `times` of it in a
    range, or that say by a test of their own whether an object is wanted."""

    def answer(c: Call) -> Json:
        equal = {field: c.params[field] for field in fields if field in c.params}

        def wanted(row: Json) -> bool:
            return all(
                test(row, c.params[name]) for name, test in tests.items() if name in c.params
            ) and all(
                row[name] is not None and lists.within(row[name], c.params[name])
                for name in times
                if name in c.params
            )

        return lists.page(c.shop, kind, url, c.params, equal=equal, keep=wanted)

    call("GET", url)(answer)


def searchable(kind: str, url: str) -> None:
    """Register the search of a kind."""
    path = f"{url}/search"
    call("GET", path)(lambda c: search.page(c.shop, kind, path, c.params))


def updatable(kind: str, url: str, event: str | None, *but: str) -> None:
    """Register the plain update of a kind, with its event."""

    def answer(c: Call) -> Json:
        found = c.find(kind)
        before = snapshot(found)
        apply(c.shop, kind, found, c.params, *but)
        if "updated" in found:
            found["updated"] = c.shop.world.now()
        return c.shop.save(found, event, before)

    call("POST", f"{url}/{{}}")(answer)


UNPUBLISHED: dict[tuple[str, str], Handler] = {}
"""Calls made by Stripe's own pages and CLI that its API description doesn't list."""


def unpublished(method: str, path: str) -> tuple[Handler, tuple[str, ...]] | None:
    """The handler of such a call, and the ids in its path."""
    for (known, template), found in UNPUBLISHED.items():
        match = re.fullmatch(template, path)
        if known == method and match:
            return found, match.groups()
    return None
