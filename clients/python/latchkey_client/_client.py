"""The clients: one that waits, and one for `async` code."""

import asyncio
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self

import httpx

from latchkey_client import types
from latchkey_client._calls import AsyncCalls, SyncCalls
from latchkey_client._errors import ApiError, UnavailableError

P = ParamSpec("P")

AGAIN = {429, 502, 503, 504}
"""Answers after which a call is tried again."""

LONGEST_WAIT = 10.0
"""Seconds before another attempt, whatever the site asks for."""


def _options(url: str, token: str, timeout: float) -> dict[str, Any]:
    """What both of httpx's clients are made with."""
    return {
        "base_url": f"{url.rstrip('/')}/api/v1",
        "headers": {"Authorization": f"Bearer {token}", "User-Agent": "latchkey-client/0.1"},
        "timeout": timeout,
    }


def _request(
    http: httpx.Client | httpx.AsyncClient,
    method: str,
    path: str,
    query: Mapping[str, Any] | None,
    body: Any,
    file: bytes | None,
    idempotency_key: str | None,
) -> httpx.Request:
    """One request for all attempts, so that trying again can't do anything twice."""
    params = {name: value for name, value in (query or {}).items() if value is not None}
    headers = {} if file is None else {"Content-Type": "application/octet-stream"}
    if method == "POST":
        headers["Idempotency-Key"] = idempotency_key or str(uuid.uuid4())
    return http.build_request(
        method, path.removeprefix("/"), params=params, json=body, content=file, headers=headers
    )


def _wait(attempt: int, answer: httpx.Response | None) -> float:
    """Seconds before the next attempt: as the site says, or longer each time."""
    if answer is not None:
        asked = answer.headers.get("Retry-After", "")
        if asked.isdecimal():
            return min(float(asked), LONGEST_WAIT)
    longest: float = min(0.25 * 2**attempt, LONGEST_WAIT)
    return longest * random.uniform(0.5, 1)


def _again(answer: httpx.Response) -> bool:
    if answer.status_code == 409:
        return _problem(answer).code == "idempotency_key_in_use"
    return answer.status_code in AGAIN


def _problem(answer: httpx.Response) -> ApiError:
    try:
        body = answer.json()
        code, detail = str(body["code"]), str(body["detail"])
    except (ValueError, KeyError, TypeError):
        body, code, detail = {}, "unknown", f"the site answered {answer.status_code}"
    return ApiError(answer.status_code, code, detail, body)


def _read(answer: httpx.Response) -> Any:
    """What the site answered. Raises `ApiError`, or `UnavailableError` where it is a passing
    trouble or the answer of something else than the site."""
    if _again(answer):
        raise UnavailableError(str(_problem(answer)))
    if not answer.is_success:
        raise _problem(answer)
    if answer.status_code == 204:
        return None
    try:
        return answer.json()
    except ValueError:
        raise UnavailableError("the answer isn't JSON: is this the address of the site?") from None


class Latchkey(SyncCalls):
    """A client that waits for each answer. Use one for the whole process; threads may share it.

    `url` is the site's public URL, `token` an API token. A call takes at most `timeout` seconds for
    each attempt, and is tried again `retries` times where nothing or a passing trouble answers.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 10.0,
        retries: int = 2,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx.Client(**_options(url, token, timeout), transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def has_access(
        self, product: str, *, email: str | None = None, user: int | None = None
    ) -> bool:
        """Whether a person may open a product now, by slug or id. Name them by `email` or `user`.

        Raises `ApiError` with the code `not_found` if there is no such product.
        """
        return self.access(product, email=email, user=user)["access"]

    def access(
        self, product: str, *, email: str | None = None, user: int | None = None
    ) -> types.Access:
        """As `has_access`, with `until` and the grants that give it. The address isn't in the URL,
        which proxies log."""
        return self.post_access(_who(product, email, user))

    def all(
        self, call: Callable[P, Mapping[str, Any]], *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[Any]:
        """Every item of a list, page by page: `client.all(client.get_users, limit=200)`."""
        page = call(*args, **kwargs)
        yield from page["data"]
        while page["next"] is not None:
            page = call(*args, **{**kwargs, "after": page["next"]})
            yield from page["data"]

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        file: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        request = _request(self._http, method, path, query, body, file, idempotency_key)
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            answer = None
            try:
                answer = self._http.send(request)
            except httpx.TransportError as error:
                if last:
                    raise UnavailableError(f"the site didn't answer: {error!r}") from error
            if answer is not None and (last or not _again(answer)):
                return _read(answer)
            time.sleep(_wait(attempt, answer))
        raise AssertionError("the last attempt returns or raises")


class AsyncLatchkey(AsyncCalls):
    """The same for `async` code: one for the whole event loop."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 10.0,
        retries: int = 2,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx.AsyncClient(**_options(url, token, timeout), transport=transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def has_access(
        self, product: str, *, email: str | None = None, user: int | None = None
    ) -> bool:
        """Whether a person may open a product now; see `Latchkey.has_access`."""
        return (await self.access(product, email=email, user=user))["access"]

    async def access(
        self, product: str, *, email: str | None = None, user: int | None = None
    ) -> types.Access:
        """As `has_access`, with `until` and the grants that give it."""
        return await self.post_access(_who(product, email, user))

    async def all(
        self, call: Callable[P, Awaitable[Mapping[str, Any]]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[Any]:
        """Every item of a list, page by page: `client.all(client.get_users, limit=200)`."""
        page = await call(*args, **kwargs)
        for item in page["data"]:
            yield item
        while page["next"] is not None:
            page = await call(*args, **{**kwargs, "after": page["next"]})
            for item in page["data"]:
                yield item

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        file: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        request = _request(self._http, method, path, query, body, file, idempotency_key)
        for attempt in range(self._retries + 1):
            last = attempt == self._retries
            answer = None
            try:
                answer = await self._http.send(request)
            except httpx.TransportError as error:
                if last:
                    raise UnavailableError(f"the site didn't answer: {error!r}") from error
            if answer is not None and (last or not _again(answer)):
                return _read(answer)
            await asyncio.sleep(_wait(attempt, answer))
        raise AssertionError("the last attempt returns or raises")


def _who(product: str, email: str | None, user: int | None) -> types.Who:
    who: types.Who = {"product": product}
    if email is not None:
        who["email"] = email
    if user is not None:
        who["user"] = user
    return who
