"""Blank objects: schema-complete skeletons on which only the fields with meaning are set."""

import copy
from typing import Any

import orjson

from sandbox import defaults
from sandbox.schema import NUMBER, Published

Json = dict[str, Any]


class Blanks:
    """Makes blank objects by type; each call returns a fresh copy."""

    def __init__(self, published: Published) -> None:
        self._published = published
        self._made: dict[str, bytes] = {}
        self._parts: dict[int, tuple[Json, bytes]] = {}

    def make(self, kind: str, **fields: Any) -> Json:
        """A valid object of `kind` with `fields` set over the blanks."""
        if kind not in self._made:
            self._made[kind] = orjson.dumps(self._whole(kind))
        made: Json = orjson.loads(self._made[kind])
        made.update(fields)
        return made

    def _whole(self, kind: str) -> Json:
        schema = self._published.resolve(self._published.object_schema(kind))
        made: Json = self._blank(schema)
        defaults.over(
            made, defaults.DEFAULTS.get(kind, {}), schema.get("else", schema)["properties"]
        )
        return made

    def part(self, schema: Json) -> Any:
        """A blank for a part of an object, filled even where it may be null."""
        known = self._parts.get(id(schema))
        if known is None:
            known = self._parts[id(schema)] = schema, orjson.dumps(self._whole_part(schema))
        return orjson.loads(known[1])

    def _whole_part(self, schema: Json) -> Any:
        for kind in schema.get("anyOf", [schema]):
            if kind.get("type") != "null":
                return self._blank(kind)
        return None

    def within(self, schema: Json, name: str) -> Any:
        """A blank for what stands under `name` in a part of an object."""
        for kind in schema.get("anyOf", [schema]):
            found = self._published.resolve(kind)
            if name in found.get("properties", {}):
                return self.part(found["properties"][name])
        return None

    def _blank(self, schema: Json) -> Any:
        schema = self._published.resolve(schema)
        schema = schema.get("else", schema)
        if "anyOf" in schema:
            kinds = schema["anyOf"]
            if any(kind.get("type") == "null" for kind in kinds):
                return None
            text = next((kind for kind in kinds if kind.get("type") == "string"), kinds[0])
            return self._blank(text)
        if "const" in schema:
            return schema["const"]
        if schema.get("pattern") == NUMBER:
            return "0"
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("type") == "object":
            properties = schema.get("properties", {})
            wanted = [key for key in schema.get("required", []) if key in properties]
            return {key: self._blank(properties[key]) for key in wanted}
        empty: Json = {"array": [], "integer": 0, "number": 0, "boolean": False, "string": ""}
        return copy.copy(empty.get(schema.get("type", ""), None))
