"""Errors of the JSON API, as RFC 9457 problem details."""

from typing import Any

import orjson
from starlette.responses import Response


class ApiError(Exception):
    """An error response. `code` is stable, `detail` says what to do, and `extra` members are added
    to the body. `challenge` is what the caller has to bring (`WWW-Authenticate`)."""

    def __init__(
        self, status: int, code: str, detail: str, *, challenge: str | None = None, **extra: Any
    ) -> None:
        super().__init__(detail)
        self.challenge = "Bearer" if status == 401 else challenge
        self.status = status
        self.code = code
        self.detail = detail
        self.extra = extra

    def response(self) -> Response:
        body = {
            "type": "about:blank",
            "title": self.code.replace("_", " ").capitalize(),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            **self.extra,
        }
        headers = {"WWW-Authenticate": self.challenge} if self.challenge else {}
        return Response(
            orjson.dumps(body),
            self.status,
            media_type="application/problem+json",
            headers=headers,
        )


def not_found(what: str, name: object) -> ApiError:
    return ApiError(404, "not_found", f"there is no {what} {name}")
