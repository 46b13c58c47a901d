"""What goes wrong, as exceptions."""

from collections.abc import Mapping
from typing import Any


class LatchkeyError(Exception):
    """Anything that a call can raise."""


class ApiError(LatchkeyError):
    """The site refused the call. `code` is stable, `detail` says what to do, and `body` is the
    whole answer, with `errors` for each field of invalid input."""

    def __init__(self, status: int, code: str, detail: str, body: Mapping[str, Any]) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.body = body


class UnavailableError(LatchkeyError):
    """The site didn't answer in time, or answered that it can't, and trying again didn't help."""
