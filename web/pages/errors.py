"""What goes wrong with a page: something that isn't there, and fields that don't hold."""

from typing import Any

from pydantic import ValidationError


class NotFoundError(Exception):
    """There is no such thing; the message names it."""


def errors_of(error: ValidationError) -> dict[str, str]:
    """What is wrong by field, in words that stand beside it."""
    return {str(item["loc"][0]): _plain(item) for item in error.errors(include_url=False)}


def _plain(item: Any) -> str:
    match item["type"]:
        case "string_too_long":
            return f"This is too long: at most {item['ctx']['max_length']} characters."
        case "string_pattern_mismatch":
            return "Only lower-case letters, digits and single dashes between them."
        case "string_type" | "missing":
            return "This is needed."
    words = str(item["msg"]).removeprefix("Value error, ")
    return f"This {words}." if words.startswith(("must", "should")) else words
