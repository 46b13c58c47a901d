"""What can go wrong with a page: something that doesn't exist, and invalid fields."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData

from latchkey.languages import A_, _, written


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
            return A_("Use up to %(item)s characters.", item=written(item["ctx"]["max_length"]))
        case "string_pattern_mismatch":
            return A_("Use only lowercase letters, digits, and single dashes between them.")
        case "string_type" | "missing":
            return A_("This is required.")
        case "string_too_short":
            return A_("Use at least %(item)s characters.", item=written(item["ctx"]["min_length"]))
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return A_("This must be a whole number.")
        case "greater_than_equal":
            return A_("This must be %(least)s or more.", least=written(item["ctx"]["ge"]))
        case "less_than_equal":
            return A_("This must be %(most)s at most.", most=written(item["ctx"]["le"]))
        case "literal_error" | "enum":
            return A_("Choose one of the options.")
        case "value_error":
            return _said(item)
    return A_("This isn't a valid value.")


def _said(item: Any) -> str:
    """The sentence of a validator of ours."""
    message = str(item["msg"]).removeprefix("Value error, ")
    source = str.lower(_reason(item) or message)
    return A_("This %(must)s.", must=message) if source.startswith(("must", "should")) else message


def _reason(item: Any) -> str:
    """The reason that a validator gave, as its source has it."""
    reasons = getattr((item.get("ctx") or {}).get("error"), "args", ())
    return str.__getitem__(reasons[0], slice(None)) if reasons else ""
