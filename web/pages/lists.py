"""What lists have in common: their filters in the address, and pages by key."""

from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.requests import Request

from web.numbers import number

__all__ = ["LONGEST", "Query", "number"]

LONGEST = 200


class Query:
    """The filters that an address carries, each a text, cut to `LONGEST`; `q` is the search."""

    def __init__(self, request: Request, names: Sequence[str]) -> None:
        self._path = request.url.path
        given = request.query_params
        self.values = {
            name: "".join(c for c in given.get(name, "") if c >= " ").strip()[:LONGEST]
            for name in names
        }
        self.later = "after" in given

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    @property
    def filtered(self) -> bool:
        return any(self.values.values())

    @property
    def first(self) -> str:
        """The first page with the same filters."""
        return self.address()

    def address(self, **changes: object) -> str:
        """The same list with some filters changed (empty: taken away) or a page further on."""
        wanted = {**self.values, **changes}
        pairs = [(k, v) for k, v in wanted.items() if v not in ("", None)]
        return f"{self._path}?{urlencode(pairs, doseq=True)}" if pairs else self._path
