"""Stripe's form encoding: nested keys, with leaves typed as the request declares them."""

import re
from typing import Any
from urllib.parse import parse_qsl

from sandbox.schema import BOOLEANS, INTEGER, Published

Json = dict[str, Any]

_INTEGER = re.compile(INTEGER)


def decode(text: str) -> Json:
    """`a[b][0][c]=1` becomes `{"a": {"b": [{"c": "1"}]}}`; leaves stay text."""
    tree: Json = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        parts = [part.rstrip("]") for part in key.split("[")]
        node = tree
        for part in parts[:-1]:
            step = node.setdefault(part, {})
            if not isinstance(step, dict):
                step = node[part] = {}
            node = step
        node[parts[-1] if parts[-1] else str(len(node))] = value
    return {key: _lists(value) for key, value in tree.items()}


def _lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    made = {key: _lists(value) for key, value in node.items()}
    if made and all(key.isdigit() for key in made):
        return [made[key] for key in sorted(made, key=int)]
    return made


def typed(published: Published, schema: Json, value: Any) -> Any:
    """The tree with its leaves as the request declares them: integers, booleans, text."""
    schema = published.resolve(schema)
    if "anyOf" in schema:
        branch = _fitting(published.alternatives(schema), value)
        return value if branch is None else typed(published, branch, value)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        other = schema.get("additionalProperties")
        other = other if isinstance(other, dict) else {}
        return {key: typed(published, properties.get(key, other), v) for key, v in value.items()}
    if isinstance(value, list):
        return [typed(published, schema.get("items", {}), entry) for entry in value]
    if schema.get("pattern") == INTEGER and _INTEGER.match(value):
        return int(value)
    if schema.get("enum") == BOOLEANS and value in BOOLEANS:
        return value.lower() == "true"
    return value


def _fitting(resolved: list[Json], value: Any) -> Json | None:
    if isinstance(value, dict):
        objects = [b for b in resolved if b.get("type") == "object"]
        knowing = [b for b in objects if set(value) <= set(b.get("properties", value))]
        return next(iter(knowing or objects), None)
    if isinstance(value, list):
        return next((b for b in resolved if b.get("type") == "array"), None)
    if value == "":
        return None
    for branch in resolved:
        if branch.get("pattern") == INTEGER and _INTEGER.match(value):
            return branch
        if branch.get("enum") == BOOLEANS and value in BOOLEANS:
            return branch
    return None
