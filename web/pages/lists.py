"""What lists have in common: filters in the query string, and keyset pagination."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request

from web.numbers import number

__all__ = ["LONGEST", "Query", "number"]

LONGEST = 200


class Query:
    """The filters in a query string, each a text cut to `LONGEST`; `q` is the search and `sort` the
    order, which isn't a filter. `path` is that of the list, if it isn't the request's."""

    def __init__(self, request: Request, names: Sequence[str], *, path: str = "") -> None:
        self._path = path or request.url.path
        params = request.query_params
        self.values = {
            name: "".join(c for c in params.get(name, "") if c >= " ").strip()[:LONGEST]
            for name in names
        }
        self.later = "after" in params

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def filtered(self) -> bool:
        return any(value for name, value in self.values.items() if name != "sort")

    @property
    def first(self) -> str:
        """The first page with the same filters."""
        return self.address()

    def address(self, **changes: object) -> str:
        """The same list with some filters changed (empty removes one), or the next page."""
        wanted = {**self.values, **changes}
        pairs = [(k, v) for k, v in wanted.items() if v not in ("", None)]
        return f"{self._path}?{urlencode(pairs, doseq=True)}" if pairs else self._path
