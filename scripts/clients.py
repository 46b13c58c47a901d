"""Write the generated parts of the client libraries from the OpenAPI description.

    python -m scripts.clients

Types come from datamodel-code-generator (Python) and openapi-typescript. The methods of the Python
clients are written here: generators write a module for each call, 32,000 lines in all.
`tests/test_docs.py` and `tests/integrations/test_generated.py` refuse what is out of date.
"""

import hashlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.npm.install import MODULES
from web.api import openapi, registry

Json = dict[str, Any]

ROOT = Path(__file__).parents[1] / "clients"
TYPES = ROOT / "python/latchkey_client/types.py"
CALLS = ROOT / "python/latchkey_client/_calls.py"
TYPESCRIPT = ROOT / "js/src/api.ts"

HEADER = "Written by `make clients`; don't edit it by hand."


def described() -> Json:
    """The OpenAPI description, with a schema for each type of webhook."""
    document: Json = json.loads(openapi.document())
    document["info"] = {"title": "Latchkey", "version": "1"}
    schemas = document["components"]["schemas"]
    events = {}
    for name, operation in document["webhooks"].items():
        content = operation["post"]["requestBody"]["content"]["application/json"]
        words = re.split(r"\W|_", name)
        events["".join(word.title() for word in words) + "Event"] = content["schema"]
    schemas |= events
    schemas["WebhookEvent"] = {
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in events]
    }
    return document


def digest() -> str:
    """What the generated files say they were made from."""
    text = json.dumps(described(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def types(document: Json) -> str:
    """The module of types, as datamodel-code-generator and ruff write it."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "openapi.json", Path(folder) / "types.py"
        source.write_text(json.dumps(document))
        argv = [
            *(sys.executable, "-m", "datamodel_code_generator"),
            *("--input", source, "--input-file-type", "openapi", "--output", target),
            *("--output-model-type", "typing.TypedDict", "--target-python-version", "3.11"),
            *("--use-union-operator", "--use-standard-collections", "--use-schema-description"),
            *("--no-use-closed-typed-dict", "--enum-field-as-literal", "all"),
            *("--formatters", "builtin", "--disable-timestamp"),
        ]
        subprocess.run([str(part) for part in argv], check=True)
        body = re.sub(r"\A(#.*\n)+", "", target.read_text())
    return formatted(f'"""What the JSON API takes and gives. {HEADER}"""\n\n{body}')


def typescript(document: Json) -> str:
    """The module of types, as openapi-typescript writes it."""
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "openapi.json", Path(folder) / "api.ts"
        source.write_text(json.dumps(document))
        program = MODULES / "openapi-typescript/bin/cli.js"
        argv = ["node", program, source, "-o", target, "--default-non-nullable=false"]
        subprocess.run([str(part) for part in argv], check=True, stdout=subprocess.DEVNULL)
        body = re.sub(r"\A/\*\*.*?\*/\n", "", target.read_text(), flags=re.S)
    return f"// {HEADER}\n{body}"


def formatted(text: str) -> str:
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", "clients/python/latchkey_client/generated.py", "-"]
    for command in (["check", "--fix", "--quiet", "--select", "I,F401,UP"], ["format"]):
        done = subprocess.run(
            [*ruff, *command, *name], input=text, capture_output=True, text=True, check=True
        )
        text = done.stdout
    return text


@dataclass(frozen=True)
class Method:
    """A call as a method of the clients."""

    name: str
    verb: str
    path: str
    arguments: list[str]
    query: list[str]
    body: bool
    file: bool
    key: bool
    answer: str | None
    text: str

    def lines(self, *, wait: bool) -> list[str]:
        kind, await_ = ("async ", "await ") if wait else ("", "")
        sent = [
            repr(self.verb),
            f'f"{self.path}"' if "{" in self.path else f'"{self.path}"',
            *(
                [f"query={{{', '.join(f'{name!r}: {name}' for name in self.query)}}}"]
                * bool(self.query)
            ),
            *(["body=body"] * self.body),
            *(["file=file"] * self.file),
            *(["idempotency_key=idempotency_key"] * self.key),
        ]
        call = f"{await_}self._call({', '.join(sent)})"
        done = call if self.answer is None else f"found: {self.answer} = {call}"
        return [
            f"    {kind}def {self.name}({', '.join(['self', *self.arguments])}) -> {self.answer}:",
            f'        """{self.text}"""',
            f"        {done}",
            *(["        return found"] * (self.answer is not None)),
            "",
        ]


def method(path: str, verb: str, operation: Json) -> Method:
    described = operation["parameters"]
    parts = [part["name"] for part in described if part["in"] == "path"]
    query = {part["name"]: part for part in described if part["in"] == "query"}
    key = any(part["name"] == "Idempotency-Key" for part in described)
    body = operation.get("requestBody")
    file = body is not None and openapi.FILE in body["content"]
    answer = next(iter(operation["responses"].values())).get("content")
    required = {name: part for name, part in query.items() if part["required"]}
    optional = {name: part for name, part in query.items() if not part["required"]}
    arguments = [f"{name}: str | int" for name in parts]
    if file:
        arguments.append("file: bytes")
    elif body:
        name = _model(body["content"])
        arguments.append(f"body: {name}" if body["required"] else f"body: {name} | None = None")
    keywords = [f"{name}: {_kind(part['schema'])}" for name, part in required.items()]
    keywords += [
        f"{name}: {_kind(part['schema'])} | None = None" for name, part in optional.items()
    ]
    keywords += ["idempotency_key: str | None = None"] * key
    inner = path.removeprefix(registry.PREFIX)
    return Method(
        name=name_of(verb, inner),
        verb=verb.upper(),
        path=re.sub(r"{(\w+)}", r"{_part(\1)}", inner),
        arguments=[*arguments, *(["*", *keywords] if keywords else [])],
        query=list(query),
        body=body is not None and not file,
        file=file,
        key=key,
        answer=_model(answer) if answer else None,
        text=operation["summary"],
    )


def name_of(verb: str, path: str) -> str:
    """The method of a call: its verb and its path, what is before an id in the singular.

    >>> name_of("post", "/products/{id}/link/preview")
    'post_product_link_preview'
    """
    words = re.sub(r"(\w+?)(?:(?<=ch)es|s)/{\w+}", r"\1", path.strip("/"))
    return re.sub(r"\W+", "_", f"{verb}_{words}")


def _model(content: Json) -> str:
    reference = next(iter(content.values()))["schema"]["$ref"]
    return f"types.{reference.rsplit('/', 1)[1]}"


def _kind(schema: Json) -> str:
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    if "$ref" in schema:
        return f"types.{schema['$ref'].rsplit('/', 1)[1]}"
    return {"integer": "int", "boolean": "bool", "string": "str"}[schema["type"]]


def calls(document: Json) -> str:
    """The module of methods, one class for each of the clients."""
    methods = [
        method(path, verb, operation)
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
    ]
    names = [call.name for call in methods]
    assert len(names) == len(set(names)), "two calls would have the same name"
    text = [
        f'"""A method for each call of the JSON API. {HEADER}',
        "",
        f"Made from {digest()}",
        '"""',
        "",
        "from abc import ABC, abstractmethod",
        "from collections.abc import Mapping",
        "from typing import Any, Literal",
        "from urllib.parse import quote",
        "from latchkey_client import types",
        "",
        "",
        "def _part(value: str | int) -> str:",
        '    if str(value) in ("", ".", ".."):',
        '        raise ValueError(f"an id can\'t be {value!r}: that would be another call")',
        '    return quote(str(value), safe="")',
        "",
        "",
    ]
    for name, wait in (("SyncCalls", False), ("AsyncCalls", True)):
        text += [
            f"class {name}(ABC):",
            '    """The calls. They raise `ApiError` and `UnavailableError`."""',
            "",
            "    @abstractmethod",
            f"    {'async ' if wait else ''}def _call(",
            "        self, method: str, path: str, *, query: Mapping[str, Any] | None = None,",
            "        body: Any = None, file: bytes | None = None,",
            "        idempotency_key: str | None = None,",
            "    ) -> Any:",
            '        """Send a request; what the site answered."""',
            "",
        ]
        for call in methods:
            text += call.lines(wait=wait)
    return formatted("\n".join(text))


def generated() -> dict[Path, str]:
    """The text of each generated file."""
    document = described()
    return {
        TYPES: types(document),
        CALLS: calls(document),
        TYPESCRIPT: typescript(document),
    }


def main() -> None:
    for path, text in generated().items():
        path.write_text(text)


if __name__ == "__main__":
    main()
