"""What Slack publishes about its API, to check calls and answers against. Its description is of
2021 and no longer kept up, so a few errors of today's documentation are listed here."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT = json.loads((Path(__file__).parent / "slack_openapi.json").read_text())
SINCE = {
    "/auth.test": {"ratelimited"},
    "/users.conversations": {"ratelimited", "user_not_found"},
    "/conversations.invite": {"ratelimited"},
    "/conversations.kick": {"ratelimited", "is_archived"},
}


def problems(method: str, path: str, sent: dict[str, str], answered: Any) -> list[str]:
    """What is wrong with a call and its answer; empty if all is as published. `sent` are the
    parameters; the token is in a header, as Slack's documentation has it today."""
    operation = DOCUMENT["paths"].get(path, {}).get(method.lower())
    if operation is None:
        return [f"{method} {path} isn't published"]
    known = {one["name"]: one for one in operation["parameters"] if one["name"] != "token"}
    wrong = [f"{path} has no parameter {name}" for name in sent.keys() - known.keys()]
    wrong += [f"{path} lacks {name}" for name, one in known.items() if _lacks(one, name, sent)]
    for name in sent.keys() & known.keys():
        if known[name]["type"] == "integer" and not sent[name].isdecimal():
            wrong.append(f"{path}: {name} is a number")
    if answered.get("error") in SINCE.get(path, ()):
        return wrong
    response = operation["responses"]["200" if answered["ok"] else "default"]
    checker = _validator(json.dumps(response["schema"]))
    return wrong + [
        f"answer of {path}: {error.message[:300]}" for error in checker.iter_errors(answered)
    ]


def _lacks(parameter: dict[str, Any], name: str, sent: dict[str, str]) -> bool:
    return bool(parameter.get("required")) and name not in sent


@cache
def _validator(schema: str) -> Draft202012Validator:
    definitions = _as_alternatives(DOCUMENT["definitions"])
    return Draft202012Validator(
        {"definitions": definitions, "allOf": [_as_alternatives(json.loads(schema))]}
    )


def _as_alternatives(schema: Any) -> Any:
    """The same with `anyOf`, where the description has a list of `items` without being of an
    array: that is how it writes alternatives."""
    if isinstance(schema, list):
        return [_as_alternatives(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _as_alternatives(value) for key, value in schema.items()}
    if isinstance(found.get("items"), list) and "type" not in found:
        found["anyOf"] = found.pop("items")
    return found
