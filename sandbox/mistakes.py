"""What is wrong with a request's parameters, in Stripe's words."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from sandbox.schema import BOOLEANS, INTEGER, NUMBER, Published
from sandbox.shop import StripeApiError, invalid

Json = dict[str, Any]
_EMAILS = ("email", "receipt_email", "customer_email")
_LONGEST = {"client_reference_id": 200, "email": 512, "phone": 20}
"""The most characters of a parameter, at the top of a call."""
_ADDRESSES = ("success_url", "cancel_url", "return_url")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_METADATA = {"keys": 50, "key": 40, "value": 500}


def unknown(names: list[str]) -> StripeApiError:
    """Stripe's 400 for parameters that a call doesn't have."""
    plural = "s" if len(names) > 1 else ""
    return invalid(
        f"Received unknown parameter{plural}: {', '.join(names)}",
        param=names[0],
        code="parameter_unknown",
    )


def missing(name: str) -> StripeApiError:
    """Stripe's 400 for a parameter that a call needs."""
    return invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")


def empty(name: str) -> StripeApiError:
    """Stripe's 400 for an empty text where nothing can be unset."""
    return invalid(
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a"
        f" parameter; however '{name}' cannot be unset. You should remove '{name}' from your"
        " request or supply a non-empty value.",
        param=name,
        code="parameter_invalid_empty",
    )


def outside(name: str, value: int, *, least: int, most: int | None = None) -> StripeApiError | None:
    """Stripe's 400 for a number that is too small or too large, None if it is neither."""
    if value < least:
        bound = f"greater than or equal to {least}"
    elif most is not None and value > most:
        bound = f"less than or equal to {most}"
    else:
        return None
    return invalid(f"This value must be {bound}.", param=name, code="parameter_invalid_integer")


def wrong(published: Published, schema: Json, path: str, tree: Json) -> StripeApiError:
    """Stripe's 400 for the value that stands at a path of a decoded form with this schema."""
    value: Any = tree
    for part in re.findall(r"[^\[\]]+", path):
        if isinstance(value, list):
            value, schema = value[int(part)], _inside(published, schema, "array").get("items", {})
        else:
            value, schema = value.get(part), _property(published, schema, part)
    return _fault(published, schema, path, value) or invalid(f"Invalid {path}", param=path)


def _fault(published: Published, schema: Json, path: str, value: Any) -> StripeApiError | None:
    choices = published.alternatives(schema)
    if isinstance(value, dict):
        found = _inside(published, schema, "object")
        return _of_object(published, found, path, value) if found else _kind(choices, path, value)
    if isinstance(value, list):
        found = _inside(published, schema, "array")
        if not found:
            return _kind(choices, path, value)
        faults = (
            _fault(published, found["items"], f"{path}[{number}]", one)
            for number, one in enumerate(value)
        )
        return next((fault for fault in faults if fault), None)
    if any(_allows(choice, value) for choice in choices):
        return None
    return empty(path) if value == "" else _kind(choices, path, value)


def _of_object(published: Published, schema: Json, path: str, value: Json) -> StripeApiError | None:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    if not others:
        strange = [f"{path}[{name}]" for name in value if name not in known]
        if strange:
            return unknown(strange)
    for name in schema.get("required", ()):
        if name not in value:
            return missing(f"{path}[{name}]")
    for name, inner in value.items():
        expected = known.get(name, others if isinstance(others, dict) else {})
        if fault := _fault(published, expected, f"{path}[{name}]", inner):
            return fault
    return None


def _inside(published: Published, schema: Json, kind: str) -> Json:
    """The choice of a schema that is an object, or an array; empty if there isn't one."""
    choices = published.alternatives(schema)
    return next((choice for choice in choices if choice.get("type") == kind), {})


def _property(published: Published, schema: Json, name: str) -> Json:
    found = _inside(published, schema, "object")
    others = found.get("additionalProperties")
    inner: Json = found.get("properties", {}).get(name, others if isinstance(others, dict) else {})
    return inner


def _allows(choice: Json, value: Any) -> bool:
    if "const" in choice:
        return bool(value == choice["const"])
    if "enum" in choice:
        return value in choice["enum"]
    if "pattern" in choice:
        return bool(re.search(choice["pattern"], str(value)))
    return bool(choice.get("type", "string") == "string")


def _kind(choices: list[Json], path: str, value: Any) -> StripeApiError:
    """What a value should have been."""
    kinds = {choice.get("type") for choice in choices}
    enums = [choice["enum"] for choice in choices if "enum" in choice]
    words = [word for enum in enums if enum != BOOLEANS for word in enum if word]
    words += [choice["const"] for choice in choices if choice.get("const")]
    if isinstance(value, str):
        if any(choice.get("pattern") == INTEGER for choice in choices):
            return invalid(
                f"Invalid integer: {value}", param=path, code="parameter_invalid_integer"
            )
        if any(choice.get("pattern") == NUMBER for choice in choices):
            return invalid(f"Invalid decimal: {value}", param=path)
        if words:
            return invalid(f"Invalid {path}: must be one of {_one_of(words)}", param=path)
        if BOOLEANS in enums:
            return invalid(f"Invalid boolean: {value}", param=path)
    if "object" in kinds:
        return invalid("Invalid object", param=path)
    if "array" in kinds:
        return invalid("Invalid array", param=path)
    return invalid(f"Invalid string: {value}", param=path)


def _one_of(words: list[str]) -> str:
    *most, last = words
    if not most:
        return last
    return f"{', '.join(most)}{',' if len(most) > 1 else ''} or {last}"


def limits(tree: Json) -> StripeApiError | None:
    """Stripe's 400 for what is too long in a request that writes, or isn't an address."""
    for name, most in _LONGEST.items():
        value = tree.get(name)
        if isinstance(value, str) and len(value) > most:
            shown = f"{value[:17]}...{value[-17:]}"
            message = f"Invalid string: {shown}; must be at most {most} characters"
            return invalid(message, param=name)
    for name in _EMAILS:
        value = tree.get(name)
        if isinstance(value, str) and value and not _is_email(value):
            return invalid(f"Invalid email address: {value}", param=name, code="email_invalid")
    for name in _ADDRESSES:
        value = tree.get(name)
        if isinstance(value, str) and value and not _ADDRESS.fullmatch(value):
            return invalid("Not a valid URL", param=name, code="url_invalid")
    for where, count in _quantities(tree):
        if fault := outside(where, count, least=0):
            return fault
    return next((fault for given in _metadata(tree) if (fault := _too_much(given))), None)


def _is_email(text: str) -> bool:
    """Whether something stands on both sides of an `@`, however that is written."""
    local, _, domain = unicodedata.normalize("NFKC", text).strip().rpartition("@")
    return bool(local and domain)


def _quantities(node: Any, path: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(node, list):
        for number, entry in enumerate(node):
            yield from _quantities(entry, f"{path}[{number}]")
    elif isinstance(node, dict):
        for name, value in node.items():
            where = f"{path}[{name}]" if path else name
            if name == "quantity" and isinstance(value, str) and re.fullmatch(INTEGER, value):
                yield where, int(value)
            elif name != "metadata":
                yield from _quantities(value, where)


def _metadata(node: Any) -> Iterator[Json]:
    if isinstance(node, list):
        for entry in node:
            yield from _metadata(entry)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name == "metadata" and isinstance(value, dict):
                yield value
            else:
                yield from _metadata(value)


def _too_much(metadata: Json) -> StripeApiError | None:
    if len(metadata) > _METADATA["keys"]:
        message = f"Metadata can have up to {_METADATA['keys']} keys, but you passed in"
        return invalid(f"{message} {len(metadata)} keys.", param="metadata")
    for key, value in metadata.items():
        for name, text in (("key", key), ("value", str(value))):
            if len(text) > _METADATA[name]:
                return invalid(
                    f"Metadata {name}s can have up to {_METADATA[name]} characters, but you passed"
                    f" in a {name} that is {len(text)} characters. Invalid {name}: {text}",
                    param="metadata",
                )
    return None
