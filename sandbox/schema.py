"""Stripe's published API, derived from the types of the installed SDK.

The SDK is generated from Stripe's own description for exactly one API version, so its annotations
give the routes, the parameters of each request and the shape of each answer. The overlay restores
what Python's types lose: which keys are always there, and which are never null.

Stripe's objects refer to each other until nearly all of them hang together. So a definition is
derived when something refers to it, and an object is checked by the schema of its own kind alone:
what it contains is checked by theirs.
"""

import ast
import importlib
import inspect
import json
import re
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import stripe
from stripe._list_object import ListObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._request_options import RequestOptions
from stripe._search_result_object import SearchResultObject
from stripe._stripe_object import StripeObject, UntypedStripeObject
from stripe.events._event_classes import get_v2_event_class
from typing_extensions import is_typeddict

API_VERSION: str = stripe.api_version
INTEGER, NUMBER = r"^-?\d{1,18}$", r"^-?\d{1,18}(\.\d+)?$"
BOOLEANS = ["true", "false", "True", "False"]
"""Stripe's SDKs for Python sent the latter two before their version 11."""

_ROOT = Path(stripe.__file__).parent
_OVERLAY = Path(__file__).with_name("overlay.json")
_SDK_ONLY = frozenset(RequestOptions.__annotations__)
_LISTS = frozenset({ListObject.OBJECT_NAME, SearchResultObject.OBJECT_NAME})
_REQUESTS = frozenset({"_request", "_request_stream"})
_FREE = frozenset({"metadata"})
"""Keys whose values the account's owner chooses, with an `object` among them perhaps."""
_IMPORT = re.compile(r"^ *from (stripe\b[\w.]*) import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)

Json = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """One call: its URL template, and where its parameters and answer are declared."""

    method: str
    template: str
    pattern: re.Pattern[str]
    module: str
    params: str | None
    returns: str


class Published:
    """Stripe's published shapes. Schemas are derived on first use and then kept."""

    def __init__(self, overlay: Json | None = None, *, closed: bool = True) -> None:
        self._defs: Json = {}
        self._underived: dict[str, tuple[Any, bool]] = {}
        self._objects: dict[str, str] = {}
        self._kinds: dict[str, Json] = {}
        self._overlay = json.loads(_OVERLAY.read_text()) if overlay is None else overlay
        self._closed = closed
        self._validators: dict[object, Any] = {}
        self._requests: dict[tuple[str, str], Json] = {}
        self._compiled: dict[str, Any] = {}
        self._event_types: frozenset[str] = frozenset()
        self._by_shape: dict[tuple[str, int], list[Route]] = {}
        for file in sorted(_ROOT.rglob("_*_service.py")):
            if "/v2/" not in file.as_posix():
                for route in _routes_of(file):
                    shape = (route.method, route.template.count("/"))
                    self._by_shape.setdefault(shape, []).append(route)
        for routes in self._by_shape.values():
            routes.sort(key=lambda route: route.template.count("{"))

    def routes(self) -> list[Route]:
        """Every published call of `/v1`."""
        return [route for routes in self._by_shape.values() for route in routes]

    @staticmethod
    @cache
    def v2_routes() -> tuple[Route, ...]:
        """Every published call of `/v2`, those without ids in their path first."""
        files = sorted((_ROOT / "v2").rglob("_*_service.py"))
        found = [route for file in files for route in _routes_of(file)]
        return tuple(sorted(found, key=lambda route: route.template.count("{")))

    def match(self, method: str, path: str) -> Route | None:
        candidates = self._by_shape.get((method, path.count("/")), [])
        return next((route for route in candidates if route.pattern.match(path)), None)

    def request_errors(self, route: Route, tree: Json) -> list[tuple[str, str, str]]:
        """The mistakes in a decoded form, as (path, kind, message)."""
        validator = self._validator(("request", route.module, route.params), route, wire=True)
        if validator.is_valid(tree):
            return []
        return [
            (_form_path(error.instance_path), _kind(error), error.message)
            for error in validator.iter_errors(tree)
        ]

    def response_errors(self, route: Route, answer: Json) -> list[str]:
        validator = self._validator(("answer", route.module, route.returns), route, wire=False)
        return self._errors(validator, answer)

    def object_errors(self, source: Json) -> list[str]:
        """The mistakes in one object, judged by its `object` field."""
        validator = self.object_validator(str(source.get("object")))
        if validator is None:
            return [f"unknown object type {source.get('object')!r}"]
        return self._errors(validator, source)

    def object_validator(self, kind: str) -> Any:
        key = ("object", kind)
        if key not in self._validators:
            if kind not in OBJECT_CLASSES:
                return None
            self._validators[key] = self._compile(self.object_schema(kind))
        return self._validators[key]

    def event_errors(self, event: Json) -> list[str]:
        """A webhook body: envelope, object inside, known type, previous attributes that exist."""
        inner = event["data"]["object"]
        if event["type"] == "invoice.upcoming":
            inner = {"id": "", **inner}
        found = self.object_errors({**event, "data": {**event["data"], "object": {}}})
        found += [f"data.object {error}" for error in self.object_errors(inner)]
        if event["type"] not in self.event_types():
            found.append(f"unknown event type {event['type']}")
        unknown = set(event["data"].get("previous_attributes") or ()) - set(inner)
        if unknown:
            found.append(f"previous_attributes not on the object: {sorted(unknown)}")
        return found

    def event_types(self) -> frozenset[str]:
        """Every snapshot event type an endpoint can enable."""
        if not self._event_types:
            module = "stripe._webhook_endpoint_service"
            self._schema("WebhookEndpointCreateParams", module, wire=True)
            name = "params._webhook_endpoint_create_params.WebhookEndpointCreateParams"
            text = json.dumps(self._definition(name)["properties"]["enabled_events"])
            self._event_types = frozenset(re.findall(r'"([a-z0-9_]+(?:\.[a-z0-9_]+)+)"', text))
        return self._event_types

    @staticmethod
    @cache
    def has_thin(event_type: str) -> bool:
        """Whether a snapshot type has a thin counterpart of the same name, `v1.` before it."""
        return get_v2_event_class(f"v1.{event_type}") is not StripeObject

    def request_schema(self, route: Route) -> Json:
        """The schema of the form tree, leaves as text; `resolve` follows its references."""
        if route.params is None:
            return {"type": "object", "properties": {}, "additionalProperties": False}
        key = (route.module, route.params)
        if key not in self._requests:
            self._requests[key] = self._schema(route.params, route.module, wire=True)
        return self._requests[key]

    def object_schema(self, kind: str) -> Json:
        if kind not in self._kinds:
            module, name = OBJECT_CLASSES[kind]
            found = self._object(getattr(importlib.import_module(module), name), wire=False)
            self._kinds[kind] = {"$ref": f"#/$defs/{found}"}
        return self._kinds[kind]

    def resolve(self, schema: Json) -> Json:
        found: Json = schema
        while "$ref" in found:
            found = self._definition(_named(found))
        return found

    def alternatives(self, schema: Json) -> list[Json]:
        """What a value may be by this schema, however deep the choices are nested."""
        found = self.resolve(schema)
        if "anyOf" not in found:
            return [found]
        return [one for branch in found["anyOf"] for one in self.alternatives(branch)]

    def _validator(self, key: object, route: Route, *, wire: bool) -> Any:
        if key not in self._validators:
            if wire:
                schema = self.request_schema(route)
            else:
                schema = self._schema(route.returns, route.module, wire=False)
            self._validators[key] = self._compile(schema)
        return self._validators[key]

    def _errors(self, validator: Any, source: Json) -> list[str]:
        """The mistakes in an answer or object, and in every object inside it."""
        if validator.is_valid(source) and all(
            self.object_validator(inner["object"]).is_valid(inner)
            for inner in _objects_inside(source)
        ):
            return []
        found = _messages(validator, source, ())
        for path, inner in _placed_inside(source):
            found += _messages(self.object_validator(inner["object"]), inner, path)
        return found[:20]

    def _compile(self, schema: Json) -> Any:
        text = json.dumps(schema)
        if text not in self._compiled:
            whole = {**self.resolve(schema), "$defs": self._used(self.resolve(schema))}
            self._compiled[text] = jsonschema_rs.Draft202012Validator(whole)
        return self._compiled[text]

    def _used(self, schema: Json) -> Json:
        """The definitions that a schema needs. Of an object of Stripe's only its kind."""
        used: Json = {}
        waiting: list[Any] = [schema]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                name = _named(node)
                if name and name not in used:
                    kind = self._objects.get(name)
                    used[name] = self._definition(name) if kind is None else _kind_only(kind)
                    waiting.append(used[name])
                waiting += node.values()
            elif isinstance(node, list):
                waiting += node
        return used

    def _definition(self, name: str) -> Json:
        if name in self._underived:
            cls, wire = self._underived.pop(name)
            self._derive(cls, self._defs[name], wire=wire)
        found: Json = self._defs[name]
        return found

    def _schema(self, annotation: Any, module: str, *, wire: bool) -> Json:
        if isinstance(annotation, str | typing.ForwardRef):
            return self._schema(_evaluated(annotation, module), module, wire=wire)
        origin, args = typing.get_origin(annotation), typing.get_args(annotation)
        if _is_union(annotation):
            return self._union(args, module, wire=wire)
        if str(origin).endswith("NotRequired"):
            return self._schema(args[0], module, wire=wire)
        if str(origin).endswith("Literal"):
            return {"enum": [str(a).lower() if wire and isinstance(a, bool) else a for a in args]}
        if origin is list:
            items = {"type": "array", "items": self._schema(args[0], module, wire=wire)}
            return {"anyOf": [items, {"const": ""}]} if wire else items
        if origin in (dict, UntypedStripeObject):
            values = self._schema(args[-1], module, wire=wire)
            return {"type": "object", "additionalProperties": values}
        if origin in (ListObject, SearchResultObject):
            return self._list(origin, args[0], module, wire=wire)
        if isinstance(annotation, type) and (
            issubclass(annotation, StripeObject) or is_typeddict(annotation)
        ):
            return {"$ref": f"#/$defs/{self._object(annotation, wire=wire)}"}
        return _leaf(annotation, wire=wire)

    def _union(self, args: tuple[Any, ...], module: str, *, wire: bool) -> Json:
        """Close the SDK's open enums (`Literal[...] | str`)."""
        flat = [branch for arg in args for branch in _alternatives(arg, module)]
        if any(_is_enum(branch) for branch in flat):
            flat = [branch for branch in flat if branch is not str]
        schemas = [self._schema(branch, module, wire=wire) for branch in flat]
        return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}

    def _list(self, origin: Any, item: Any, module: str, *, wire: bool) -> Json:
        return {
            "type": "object",
            "required": ["object", "data", "has_more", "url"],
            "properties": {
                "object": {"const": origin.OBJECT_NAME},
                "data": {"type": "array", "items": self._schema(item, module, wire=wire)},
                "has_more": {"type": "boolean"},
                "url": {"type": "string"},
                "total_count": {},
                "next_page": {},
            },
            "additionalProperties": not self._closed,
        }

    def _object(self, cls: Any, *, wire: bool) -> str:
        name: str = f"{cls.__module__}.{cls.__qualname__}".removeprefix("stripe.")
        if name in self._defs:
            return name
        self._defs[name] = {"type": "object", "properties": {}, "required": []}
        self._underived[name] = (cls, wire)
        kind = str(getattr(cls, "OBJECT_NAME", None))
        if OBJECT_CLASSES.get(kind) == (cls.__module__, cls.__qualname__):
            self._objects[name] = kind
        return name

    def _derive(self, cls: Any, out: Json, *, wire: bool) -> None:
        bases = [b for b in cls.__mro__ if issubclass(b, dict) and b is not dict] if wire else [cls]
        for base in reversed(bases or [cls]):
            self._fields(base, out, wire=wire)
        out["additionalProperties"] = not self._closed
        if wire:
            return
        out["required"] = self._tightened(cls, out["properties"], out["required"])
        if kind := getattr(cls, "OBJECT_NAME", None):
            _make_deletable(out, kind)

    def _fields(self, base: Any, out: Json, *, wire: bool) -> None:
        optional = getattr(base, "__optional_keys__", ())
        for key, annotation in inspect.get_annotations(base).items():
            if key.startswith("_") or "ClassVar" in str(annotation) or (wire and key in _SDK_ONLY):
                continue
            out["properties"][key] = self._schema(annotation, base.__module__, wire=wire)
            text = getattr(annotation, "__forward_arg__", str(annotation))
            if wire:
                needed = key not in optional and "NotRequired" not in text
            else:
                needed = "Optional" not in text and "NoneType" not in text and key != "deleted"
            if needed:
                out["required"].append(key)

    def _tightened(self, cls: Any, properties: Json, required: list[str]) -> list[str]:
        extra = self._overlay.get(overlay_key(cls), {"required": (), "nonnull": ()})
        for key in extra["nonnull"]:
            kinds = properties.get(key, {}).get("anyOf")
            if kinds and {"type": "null"} in kinds:
                kept = [schema for schema in kinds if schema != {"type": "null"}]
                properties[key] = kept[0] if len(kept) == 1 else {"anyOf": kept}
        return sorted((set(required) | set(extra["required"])) & (set(properties) | {"object"}))


def overlay_key(cls: Any) -> str:
    """How the TypeScript types name a class: `checkout:Session.LineItem`."""
    parts = [part for part in cls.__module__.split(".")[1:] if not part.startswith("_")]
    return "".join(parts).replace("_", "") + ":" + str(cls.__qualname__)


def _make_deletable(out: Json, kind: str) -> None:
    """Let an object also be the stub that a deletion leaves."""
    full = {**out, "properties": {**out["properties"], "object": {"const": kind}}}
    full["properties"].setdefault("deleted", {"const": True})
    full["required"] = sorted({*out["required"], "object"})
    gone = {"required": ["object", "deleted"], "properties": {"deleted": {"const": True}}}
    out.clear()
    out.update({"type": "object", "if": {"required": ["deleted"]}, "then": gone, "else": full})


def _leaf(annotation: Any, *, wire: bool) -> Json:
    if wire:
        texts: dict[Any, Json] = {
            int: {"type": "string", "pattern": INTEGER},
            bool: {"enum": BOOLEANS},
            str: {"type": "string"},
            float: {"type": "string", "pattern": NUMBER},
            Decimal: {"type": "string", "pattern": NUMBER},
        }
        return texts.get(annotation, {})
    kinds = {
        int: "integer",
        float: "number",
        bool: "boolean",
        str: "string",
        type(None): "null",
    }
    if annotation is Decimal:
        return {"type": "string", "pattern": NUMBER}
    return {"type": kinds[annotation]} if annotation in kinds else {}


def _routes_of(file: Path) -> list[Route]:
    module = "stripe." + ".".join(file.relative_to(_ROOT).with_suffix("").parts)
    found = []
    tree = ast.parse(file.read_text())
    for cls in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        for function in [node for node in cls.body if isinstance(node, ast.FunctionDef)]:
            call = next((c for c in ast.walk(function) if _is_request(c)), None)
            if isinstance(call, ast.Call) and function.returns is not None:
                found.append(_route(call, function, module))
    return found


def _route(call: ast.Call, function: ast.FunctionDef, module: str) -> Route:
    method, url = call.args[0], call.args[1]
    if isinstance(url, ast.Call) and isinstance(url.func, ast.Attribute):
        url = url.func.value
    assert isinstance(method, ast.Constant)
    assert isinstance(url, ast.Constant)
    assert function.returns is not None
    template = str(url.value)
    pattern = re.compile("^" + re.sub(r"\{\w+\}", "[^/]+", template) + "$")
    returns = ast.literal_eval(function.returns)
    return Route(
        str(method.value).upper(), template, pattern, module, _params_of(function), returns
    )


def _is_request(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", "") in _REQUESTS


def _params_of(function: ast.FunctionDef) -> str | None:
    annotation = next((a.annotation for a in function.args.args if a.arg == "params"), None)
    if annotation is None:
        return None
    constants = [c.value for c in ast.walk(annotation) if isinstance(c, ast.Constant)]
    return next((value for value in constants if isinstance(value, str)), None)


class _Names(Json):
    """The names a generated module can use in quoted annotations, imported when asked for."""

    def __init__(self, module: str) -> None:
        loaded = importlib.import_module(module)
        assert loaded.__file__ is not None
        super().__init__(vars(typing) | vars(loaded))
        self._imports = _imports_of(Path(loaded.__file__).read_text())
        for name in self._imports:
            if not isinstance(self.get(name), type):
                self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        module, original = self._imports[name]
        self[name] = getattr(importlib.import_module(module), original, None)
        return self[name]


_names = cache(_Names)


def _imports_of(text: str) -> dict[str, tuple[str, str]]:
    """What a generated module imports from the SDK, also for type checkers only: the module and
    the name in it, by the name used. Parsing the module takes ten times as long."""
    found: dict[str, tuple[str, str]] = {}
    for module, several, single in _IMPORT.findall(text):
        for imported in (several or single).split(","):
            original, _, alias = imported.strip().partition(" as ")
            if original:
                found[alias or original] = module, original
    return found


def _evaluated(annotation: Any, module: str) -> Any:
    text = annotation if isinstance(annotation, str) else annotation.__forward_arg__
    return eval(text, {}, _names(module))


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) is typing.Union or type(annotation).__name__ == "UnionType"


def _is_enum(annotation: Any) -> bool:
    origin = str(typing.get_origin(annotation))
    return origin.endswith("Literal") and any(typing.get_args(annotation))


def _alternatives(annotation: Any, module: str) -> list[Any]:
    if isinstance(annotation, str | typing.ForwardRef):
        annotation = _evaluated(annotation, module)
    if _is_union(annotation):
        return [b for arg in typing.get_args(annotation) for b in _alternatives(arg, module)]
    return [annotation]


def _form_path(path: list[str | int]) -> str:
    head, *rest = [str(part) for part in path] or [""]
    return head + "".join(f"[{part}]" for part in rest)


def _kind(error: Any) -> str:
    message = str(error.message)
    if "dditional properties" in message:
        return "unknown"
    return "missing" if "is a required property" in message else "invalid"


def _named(schema: Json) -> str:
    """The name of the definition that a schema refers to; empty if it is one itself."""
    reference = schema.get("$ref")
    return reference.removeprefix("#/$defs/") if isinstance(reference, str) else ""


def _kind_only(kind: str) -> Json:
    return {"type": "object", "required": ["object"], "properties": {"object": {"const": kind}}}


def _objects_inside(source: Json) -> Iterator[Json]:
    """Every object of Stripe's inside another one. What an event carries is left out: it has the
    shape of the event's own API version."""
    waiting: list[Any] = [source]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            kind = node.get("object")
            if kind in OBJECT_CLASSES and kind not in _LISTS and node is not source:
                yield node
            if kind != "event":
                waiting += [
                    value
                    for key, value in node.items()
                    if value and isinstance(value, dict | list) and key not in _FREE
                ]
        else:
            waiting += [value for value in node if isinstance(value, dict | list)]


def _placed_inside(source: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Json]]:
    """What `_objects_inside` finds, with its path."""
    if isinstance(source, dict):
        if path and source.get("object") in OBJECT_CLASSES and source["object"] not in _LISTS:
            yield path, source
        if source.get("object") != "event":
            for key, value in source.items():
                if key not in _FREE and isinstance(value, dict | list):
                    yield from _placed_inside(value, (*path, key))
    elif isinstance(source, list):
        for position, value in enumerate(source):
            yield from _placed_inside(value, (*path, position))


def _messages(validator: Any, instance: Json, path: tuple[str | int, ...]) -> list[str]:
    return [
        f"{'/'.join(map(str, (*path, *error.instance_path))) or '(root)'}: {error.message[:200]}"
        for error in validator.iter_errors(instance)
    ][:20]
