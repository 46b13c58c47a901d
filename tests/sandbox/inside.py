"""A sandbox without a server: calls from within, and copies of all that it holds."""

import io
import json
import pickle
from types import FunctionType
from typing import Any
from urllib.parse import quote

from sandbox.api import Api
from sandbox.blanks import Blanks
from sandbox.box import build
from sandbox.delivery import Faults
from sandbox.schema import Published
from sandbox.shop import Shop, StripeApiError
from tests.harness import Json, flat


class Inside:
    """One account. It emits no events."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._kept: _Kept | None = None

    @classmethod
    def empty(cls, published: Published, *, chance: int = 1) -> "Inside":
        """An account with nothing in it, whose chance is fixed."""
        shop = build(base_url="http://sandbox", published=published, chance=chance).shop
        shop.silent = True
        shop.outgoing = lambda event: None
        return cls(shop)

    def fork(self) -> "Inside":
        """A copy that may be changed, of the account as it was at the first copy."""
        if self._kept is None:
            self._kept = _Kept(self.shop)
        return Inside(self._kept.copy())

    def ask(self, method: str, path: str, /, **params: Any) -> tuple[int, Json]:
        """Status and body of a call."""
        form = "&".join(f"{quote(key, safe='[]')}={quote(v)}" for key, v in flat(params).items())
        try:
            answer = Api(self.shop, Faults()).ask(method, f"/v1/{path}", form)
        except StripeApiError as fault:
            return fault.status, {"error": fault.body}
        return answer.status, json.loads(answer.body)

    def get(self, path: str, /, **params: Any) -> Json:
        """What a GET shows; it must succeed."""
        status, body = self.ask("GET", path, **params)
        assert status == 200, (path, params, body)
        return body

    def make(self, path: str, /, **params: Any) -> Json:
        """What a POST makes; it must succeed."""
        status, body = self.ask("POST", path, **params)
        assert status == 200, (path, params, body)
        return body


class _Kept:
    """A shop that can be copied fast: pickled but for code and what is published."""

    def __init__(self, shop: Shop) -> None:
        self._shared: dict[int, Any] = {}
        written = io.BytesIO()
        pickler = pickle.Pickler(written)
        pickler.persistent_id = self._share  # type: ignore[method-assign]
        pickler.dump((shop.world, shop.account))
        self._written = written.getvalue()

    def _share(self, found: Any) -> int | None:
        if isinstance(found, FunctionType | Published | Blanks):
            self._shared[id(found)] = found
            return id(found)
        return None

    def copy(self) -> Shop:
        unpickler = pickle.Unpickler(io.BytesIO(self._written))
        unpickler.persistent_load = self._shared.__getitem__  # type: ignore[method-assign]
        world, account = unpickler.load()
        shop = Shop(world, account)
        shop.silent = True
        return shop
