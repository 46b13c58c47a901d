"""The OpenAPI 3.1 description of the JSON API, built from the declared calls."""

import re
from functools import cache
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from web.api.outgoing import WEBHOOKS, webhooks
from web.api.registry import ENDPOINTS, PREFIX, Endpoint

Json = dict[str, Any]
FILE = "application/octet-stream"


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str


_SCOPES = """\
A token has one of these scopes, each including those before it: `access` (ask whether somebody has
access, nothing else), `read` (read everything but the audit log), `write` (and change it), and
`everything` (and links to Stripe, access policies, merges of users and the audit log). A token may
never do more than whoever made it. A call beyond its scope is answered with 403,
`insufficient_scope`."""


RULES = {
    "exactly one of": "give exactly one of `email` and `user`, of `stripe_product` and `create`",
    "either `email` or `user`": "give one of these at most, where both are optional",
    "must not contain a user name": "a web address has no user name or password in it",
    "valid email address": "an email address is the address of one mailbox",
    "NUL character": "no text has a NUL character",
    "must be a web address": "a web address names a host, without blanks or control characters",
    "must not be empty": "a name isn't blank",
    "single line": "a name is one line without control characters",
    "must not be null": "only what can be empty can be set to null",
    "between the years": "an end of access lies between the years 2000 and 9998, the days of"
    " metrics between 2000 and 2199, other times between 1 and 9999",
    "is after the last": "`since` isn't after `until`",
    "a period of at most": "metrics are for at most 20 years",
    "takes at most": "a period that is divided into days has at most 1,000 of them",
}
"""What no schema here expresses: a part of the refusal, and the rule."""

CODES = {
    "bad_cursor": "`after` isn't the `next` of an earlier page",
    "unknown_product": "no product of the site has this id",
    "unknown_stripe_product": "the account has no such product",
    "unknown_price": "the linked Stripe product has no such price",
    "unreadable_file": "the file isn't CSV, holds nothing, or its columns can't be used",
    "plan_missing": "`plans` doesn't name every plan in the file",
    "unreadable_picture": "the file isn't a picture that can be read and kept",
    "preview_failed": "the preview couldn't be made",
    "stripe_refused": "Stripe refused the change",
    "no_access": "the person has no access to the product now",
}
"""Codes of refusals that depend on what there is, besides 404 and 409."""


def _refusals() -> str:
    codes = "; ".join(f"`{code}`: {meaning}" for code, meaning in CODES.items())
    return (
        "A request that fits its schema can still be refused. With 422 and the code `invalid`:"
        f" {'; '.join(RULES.values())}. With other codes: {codes}."
    )


@cache
def document() -> bytes:
    """The OpenAPI description as JSON."""
    models: set[type[BaseModel]] = {Problem}
    for declared in ENDPOINTS:
        models |= {model for model in (declared.body, declared.answer) if model}
    models |= {described.data for described in WEBHOOKS.values()}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "serialization") for model in ordered],
        ref_template="#/components/schemas/{model}",
    )
    paths: Json = {}
    for declared in ENDPOINTS:
        paths.setdefault(f"{PREFIX}{declared.path}", {})[declared.method.lower()] = _operation(
            declared
        )
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Latchkey",
                "version": version("latchkey"),
                "description": "Who may open what, why, and until when. Times are RFC 3339 in UTC;"
                f" amounts are integers in the currency's minor unit. {_refusals()}",
            },
            "security": [{"token": []}],
            "paths": paths,
            "webhooks": webhooks(),
            "components": {
                "schemas": schemas.get("$defs", {}),
                "securitySchemes": {
                    "token": {"type": "http", "scheme": "bearer", "description": _SCOPES}
                },
            },
        }
    )


def _operation(declared: Endpoint) -> Json:
    name = re.sub(r"\W+", "_", f"{declared.method.lower()}{declared.path}").strip("_")
    made: Json = {
        "operationId": name,
        "summary": declared.summary,
        "parameters": _parameters(declared),
        "responses": {
            str(declared.status if declared.answer else 204): _success(declared),
            "default": {
                "description": "What went wrong, and what to do",
                "content": {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                },
            },
        },
    }
    made["security"] = [{"token": [declared.scope]}]
    needed = f"Needs a token with the scope `{declared.scope}` or a wider one."
    made["description"] = f"{declared.description}\n\n{needed}".strip()
    if declared.body:
        schema = {"$ref": f"#/components/schemas/{declared.body.__name__}"}
        made["requestBody"] = {
            "required": not _accepts_nothing(declared.body),
            "content": {"application/json": {"schema": schema}},
        }
    if declared.file:
        made["requestBody"] = {
            "required": True,
            "content": {FILE: {"schema": {"type": "string", "format": "binary"}}},
        }
    return made


def _accepts_nothing(body: type[BaseModel]) -> bool:
    try:
        body.model_validate({})
    except ValidationError:
        return False
    return True


def _success(declared: Endpoint) -> Json:
    if declared.answer is None:
        return {"description": "Done"}
    schema = {"$ref": f"#/components/schemas/{declared.answer.__name__}"}
    return {"description": "Done", "content": {"application/json": {"schema": schema}}}


def _parameters(declared: Endpoint) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)", declared.path)
    ]
    schema = declared.query.model_json_schema()
    for name, part in schema.get("properties", {}).items():
        required = name in schema.get("required", [])
        found.append(
            {"name": name, "in": "query", "required": required, "schema": _in_a_query(part)}
        )
    if declared.keeps_answer:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "requests with the same key get the same answer for a day",
                "schema": {"type": "string", "maxLength": 255},
            }
        )
    return found


def _in_a_query(part: Json) -> Json:
    """The schema of a parameter. Null has no place in a query: a parameter is there or it isn't."""
    kept = {key: value for key, value in part.items() if key not in ("anyOf", "default")}
    if part.get("default") is not None:
        kept["default"] = part["default"]
    kinds = [kind for kind in part.get("anyOf", []) if kind.get("type") != "null"]
    if "enum" in kept:
        kept["enum"] = [value for value in kept["enum"] if value is not None]
    return {**kinds[0], **kept} if len(kinds) == 1 else {**kept, "anyOf": kinds} if kinds else kept


async def serve(request: Request) -> Response:
    """`GET /api/v1/openapi.json`, public."""
    return Response(document(), media_type="application/json")
