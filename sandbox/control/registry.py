"""The control API's table of calls: what a test or a person does to Stripe from outside."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.box import Sandbox
from sandbox.shop import Shop, StripeApiError
from sandbox.world import Json

PREFIX = "/_sandbox"


@dataclass
class Command:
    """One call: the sandbox, the id in the path, the query and the body."""

    box: Sandbox
    id: str
    query: dict[str, str]
    body: Json

    @property
    def shop(self) -> Shop:
        return self.box.shop

    def find(self, kind: str) -> Json:
        """The object named in the path. Raises Stripe's 404."""
        return self.shop.find(kind, self.id)


Act = Callable[[Command], Any]
_ACTS: list[tuple[str, str, Act]] = []


def control(method: str, path: str) -> Callable[[Act], Act]:
    """Register a call; its docstring is its documentation."""

    def register(act: Act) -> Act:
        _ACTS.append((method, path, act))
        return act

    return register


@control("GET", "/")
def index(command: Command) -> Json:
    """List the calls."""
    return {
        "data": [
            {"call": f"{method} {PREFIX}{path}", "does": inspect.getdoc(act) or ""}
            for method, path, act in _ACTS
        ]
    }


def documented() -> list[tuple[str, str]]:
    """Each call and what it does, for the documentation."""
    return [
        (f"{method} {path}", " ".join((inspect.getdoc(act) or "").split()))
        for method, path, act in _ACTS
    ]


def routes(box: Sandbox) -> list[Route]:
    """The control API of one sandbox."""
    return [
        Route(f"{PREFIX}{path}", _endpoint(box, act), methods=[method])
        for method, path, act in _ACTS
    ]


def _endpoint(box: Sandbox, act: Act) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if await request.body() else {}
            command = Command(
                box, request.path_params.get("id", ""), dict(request.query_params), body
            )
            answer = act(command)
            if isinstance(answer, Coroutine):
                answer = await answer
        except StripeApiError as fault:
            return JSONResponse({"error": fault.body}, fault.status)
        except KeyError as error:
            return JSONResponse({"error": {"message": f"missing field: {error}"}}, 400)
        except (TypeError, ValueError) as error:
            return JSONResponse({"error": {"message": f"bad request: {error}"}}, 400)
        box.flush()
        return JSONResponse(answer)

    return endpoint
