"""Stripe's lists: newest first, cursors in both directions, `created` ranges, at most 100 rows."""

from collections.abc import Callable
from itertools import islice
from math import inf

from sandbox import mistakes
from sandbox.shop import Shop, invalid, missing
from sandbox.world import Json

MOST = 100
_RANGES: dict[str, Callable[[int, int], bool]] = {
    "gt": lambda value, bound: value > bound,
    "gte": lambda value, bound: value >= bound,
    "lt": lambda value, bound: value < bound,
    "lte": lambda value, bound: value <= bound,
}

_NAMED = {
    **{
        kind: kind
        for kind in (
            *("charge", "coupon", "customer", "invoice", "payment_intent", "payment_link"),
            *("payment_method", "price", "product", "setup_intent", "subscription"),
        )
    },
    "plan": "price",
    "test_clock": "test_helpers.test_clock",
}
"""Filters that name an object, and its kind."""


def page(
    shop: Shop,
    kind: str,
    url: str,
    params: Json,
    *,
    equal: Json | None = None,
    keep: Callable[[Json], bool] | None = None,
    among: list[int] | None = None,
) -> Json:
    """One page of a table: the objects whose fields match `equal` and that pass `keep`; only those
    at the positions `among`, if given. Raises Stripe's 400 for a filter by an object that doesn't
    exist."""
    table = shop.world.table(kind)
    limit = _limit(params)
    _check_named(shop, params)
    created = params.get("created")
    positions: dict[str, int | None] = {"starting_after": None, "ending_before": None}
    if all(params.get(cursor) for cursor in positions):
        raise invalid(
            "Received both starting_after and ending_before parameters. Please pass in only one."
        )
    for cursor in positions:
        if given := params.get(cursor):
            positions[cursor] = table.position(given)
            if positions[cursor] is None:
                raise missing(kind, given, param=cursor)
    found = (
        source
        for source in table.newest_first(
            equal or {},
            before=positions["starting_after"],
            after=positions["ending_before"],
            among=among,
        )
        if (created is None or within(source.get("created") or source.get("date") or 0, created))
        and (keep is None or keep(source))
    )
    data = list(islice(found, limit + 1))
    more = len(data) > limit
    data = data[:limit]
    if positions["ending_before"] is not None:
        data.reverse()
    return {"object": "list", "data": data, "has_more": more, "url": url}


def slice_of(url: str, rows: list[Json], params: Json) -> Json:
    """One page of the rows that belong to one object, in their own order."""
    limit = _limit(params)
    ids = [row["id"] for row in rows]
    if after := params.get("starting_after"):
        if after not in ids:
            raise invalid(f"No such line item: '{after}'", param="starting_after")
        rows = rows[ids.index(after) + 1 :]
    elif before := params.get("ending_before"):
        if before not in ids:
            raise invalid(f"No such line item: '{before}'", param="ending_before")
        rows = rows[max(0, ids.index(before) - limit) : ids.index(before)]
    return {"object": "list", "data": rows[:limit], "has_more": len(rows) > limit, "url": url}


def _check_named(shop: Shop, params: Json) -> None:
    for name, kind in _NAMED.items():
        given = params.get(name)
        if not given or shop.world.table(kind).get(given) is not None:
            continue
        if f"deleted/{given}" not in shop.world.private:
            raise missing(name, given, param=name)


def _limit(params: Json) -> int:
    limit = int(params.get("limit", 10))
    if fault := mistakes.outside("limit", limit, least=1, most=MOST):
        raise fault
    return limit


def bounds(wanted: Json | int | str) -> tuple[float, float]:
    """The first and the last moment that a list's range filter may let through."""
    if not isinstance(wanted, dict):
        return int(wanted), int(wanted)
    first = [int(wanted[key]) for key in ("gt", "gte") if key in wanted]
    last = [int(wanted[key]) for key in ("lt", "lte") if key in wanted]
    return max(first, default=-inf), min(last, default=inf)


def within(value: int, wanted: Json | int | str) -> bool:
    """Whether a time is in a list's range filter: `{"gte": …}`, or one moment."""
    if isinstance(wanted, dict):
        return all(_RANGES[key](value, int(bound)) for key, bound in wanted.items())
    return value == int(wanted)
