"""What can go wrong with a page: something that doesn't exist, and invalid fields."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData

from latchkey.languages import _


class NotFoundError(Exception):
    """Something doesn't exist; the message says what."""


class UnreadableError(Exception):
    """The address or a field holds a character that can't be stored. The message says where, and
    `status` is the response's."""

    def __init__(self, status: int, where: str) -> None:
        super().__init__(
            _(
                "%(where)s contains an invisible character (NUL) that can't be stored."
                " Nothing was changed. Remove it and try again.",
                where=where,
            )
        )
        self.status = status


class RefusedFieldsError(UnreadableError):
    """Fields of a form hold a character that can't be stored. `fields` are what was typed, with �
    in its place. The page with the form shows them, and `errors`, each beside its field."""

    def __init__(self, fields: FormData, refused: Sequence[str]) -> None:
        super().__init__(422, _("The field “%(refused)s”", refused=refused[0]))
        self.fields = fields
        self.errors = {
            name: _(
                "This contains an invisible character that can't be stored. It is shown as �:"
                " remove it and try again."
            )
            for name in refused
        }


def errors_of(error: ValidationError) -> dict[str, str]:
    """The error of each field, as a sentence to show beside it."""
    return {str(item["loc"][0]): _plain(item) for item in error.errors(include_url=False)}


def _plain(item: Any) -> str:
    match item["type"]:
        case "string_too_long":
            return f"Use up to {item['ctx']['max_length']:,} characters."
        case "string_pattern_mismatch":
            return "Use only lowercase letters, digits, and single dashes between them."
        case "string_type" | "missing":
            return "This is required."
    message = str(item["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return f"This {message}." if message.startswith(("must", "should")) else message
