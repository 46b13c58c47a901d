"""The OpenAPI 3.1 description of the JSON API, built from the declared calls."""

import re
from functools import cache
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

from web.api.registry import ENDPOINTS, PREFIX, Endpoint

Json = dict[str, Any]


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


@cache
def document() -> bytes:
    """The OpenAPI description as JSON."""
    models: set[type[BaseModel]] = {Problem}
    for declared in ENDPOINTS:
        models |= {model for model in (declared.body, declared.answer) if model}
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
                " amounts are integers in the currency's minor unit.",
            },
            "security": [{"token": []}],
            "paths": paths,
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
        made["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return made


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
        found.append({"name": name, "in": "query", "required": required, "schema": part})
    if declared.method == "POST":
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


async def serve(request: Request) -> Response:
    """`GET /api/v1/openapi.json`, public."""
    return Response(document(), media_type="application/json")
