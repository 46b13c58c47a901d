"""What Discord publishes about its API, to check calls and answers against."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT = json.loads((Path(__file__).parent / "discord_openapi.json").read_text())


def problems(
    method: str, path: str, query: dict[str, str], sent: Any, status: int, answered: Any
) -> list[str]:
    """What is wrong with a call and its answer; empty if all is as published."""
    found = _operation(method, path)
    if found is None:
        return [f"{method} {path} isn't published"]
    operation, parameters, given = found
    wrong = []
    for parameter in parameters:
        value = (given if parameter["in"] == "path" else query).get(parameter["name"])
        if value is None:
            if parameter.get("required"):
                wrong.append(f"{method} {path} lacks {parameter['name']}")
            continue
        typed = int(value) if parameter["schema"].get("type") == "integer" else value
        wrong += _errors(parameter["schema"], typed, f"{method} {path} {parameter['name']}")
    known = {parameter["name"] for parameter in parameters if parameter["in"] == "query"}
    wrong += [f"{method} {path} has no parameter {name}" for name in query.keys() - known]
    body = operation.get("requestBody")
    if body is None and sent is not None:
        wrong.append(f"{method} {path} takes no body")
    if body is not None:
        schema = body["content"]["application/json"]["schema"]
        wrong += _errors(schema, sent, f"body of {method} {path}")
        extra = sent.keys() - _resolved(schema)["properties"].keys()
        wrong += [f"body of {method} {path} has no field {name}" for name in extra]
    return wrong + _answer_problems(operation, f"{method} {path}", status, answered)


def _answer_problems(operation: dict[str, Any], call: str, status: int, answered: Any) -> list[str]:
    if status >= 500:
        return []
    responses = operation["responses"]
    published = responses.get(str(status)) or responses.get("4XX" if status >= 400 else "")
    if published is None:
        return [f"{call} isn't published to answer {status}"]
    content = _resolved(published).get("content")
    if content is None:
        return [] if answered is None else [f"{call} answers {status} without a body"]
    return _errors(content["application/json"]["schema"], answered, f"answer of {call}")


def _operation(
    method: str, path: str
) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, str]] | None:
    """The published operation of a call, its parameters, and their values in the path. Paths
    without parameters win."""
    for template in sorted(DOCUMENT["paths"], key=lambda one: one.count("{")):
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        match = re.fullmatch(pattern, path)
        item = DOCUMENT["paths"][template]
        if match and method.lower() in item:
            operation = item[method.lower()]
            parameters = [*item.get("parameters", ()), *operation.get("parameters", ())]
            return operation, parameters, match.groupdict()
    return None


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Any = DOCUMENT
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return _resolved(found)


def _errors(schema: dict[str, Any], value: Any, where: str) -> list[str]:
    checker = _validator(json.dumps(schema))
    return [f"{where}: {error.message[:300]}" for error in checker.iter_errors(value)]


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"components": DOCUMENT["components"], "allOf": [json.loads(schema)]}
    )
