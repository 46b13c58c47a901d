"""Create sandbox/versions/added.json from releases of the Python package `stripe`: which fields of
which objects an older API version doesn't show yet.

Each release is generated from Stripe's description of one API version. Run once for each new SDK
version, with the releases of every version since 2024-09-30.acacia (stripe 11.0.0), each unpacked
in a folder of its own:

    python scripts/stripe_added.py FOLDER > sandbox/versions/added.json

With the releases of the four versions whose shapes the sandbox speaks (stripe 10.12.1, 12.0.1,
13.0.1 and 15.0.1) in another folder, write what a test compares with its answers:

    python scripts/stripe_added.py --fields FOLDER > tests/sandbox/fields.json
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

Fields = dict[str, set[str]]
UNSERVED = re.compile(
    r"account_|billing\.|apps\.|balance_settings|capability|capital|climate|confirmation_token|country_spec"
    r"|exchange_rate|file|financial_|forwarding|identity|issuing|login_link|person|product_catalog"
    r"|radar|reporting|review|scheduled_query|tax\.|terminal|three_d_secure|topup|transfer|treasury"
)
"""Kinds that the sandbox doesn't have."""
EARLIER = {
    ("payment_intent", "allowed_payment_method_types"): "2026-06-24.dahlia",
    ("setup_intent", "allowed_payment_method_types"): "2026-06-24.dahlia",
    ("payment_intent", "shared_payment_granted_token"): "2026-06-24.dahlia",
    ("payment_method", "shared_payment_granted_token"): "2026-06-24.dahlia",
}
"""Fields that Stripe shows since an earlier version than the first that describes them, if any
does, by recorded answers."""


def fields(cls: ast.ClassDef) -> Iterator[str]:
    """The paths of a class's fields, through the classes inside it."""
    inside = {node.name: node for node in cls.body if isinstance(node, ast.ClassDef)}
    for node in cls.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        text = ast.unparse(node.annotation)
        if "ClassVar" in text or node.target.id.startswith("_"):
            continue
        yield node.target.id
        for name in sorted(set(re.findall(r"\w+", text)) & set(inside)):
            yield from (f"{node.target.id}.{path}" for path in fields(inside[name]))


def kinds(root: Path) -> Fields:
    """The paths of every object of one release, by its `object`."""
    found: Fields = {}
    for file in root.rglob("_*.py"):
        if "/v2/" in file.as_posix() or file.stem.endswith("_service"):
            continue
        for cls in ast.parse(file.read_text()).body:
            if isinstance(cls, ast.ClassDef) and (kind := _kind(cls)):
                found.setdefault(kind, set()).update(fields(cls))
    return {kind: paths for kind, paths in found.items() if not UNSERVED.match(kind)}


def _kind(cls: ast.ClassDef) -> str:
    for node in cls.body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "OBJECT_NAME":
            return str(ast.literal_eval(node.value)) if node.value else ""
    return ""


def read(folder: Path) -> dict[str, Fields]:
    """Every release in a folder, by its API version, oldest first."""
    found = {}
    for file in folder.rglob("_api_version.py"):
        version = re.search(r"\d{4}-\d\d-\d\d[.a-z]*", file.read_text())
        assert version is not None, file
        found[version[0]] = kinds(file.parent)
        for (kind, path), first in EARLIER.items():
            if version[0] >= first and kind in found[version[0]]:
                found[version[0]][kind].add(path)
    return dict(sorted(found.items(), key=lambda entry: entry[0][:10]))


def added(releases: dict[str, Fields]) -> dict[str, dict[str, list[str]]]:
    """What is missing from which versions: `2025-03-31.basil..2025-05-28.basil` holds what the
    first version lacks and the second has, `..2025-05-28.basil` what no earlier version has."""
    names = list(releases)
    found: dict[str, dict[str, list[str]]] = {}
    for kind, paths in releases[names[-1]].items():
        known = next(number for number, name in enumerate(names) if kind in releases[name])
        for path in sorted(paths):
            absent = [path not in releases[name].get(kind, ()) for name in names[known:]]
            if True not in absent:
                continue
            last = known + len(absent) - 1 - absent[::-1].index(True)
            first = last
            while first > known and absent[first - 1 - known]:
                first -= 1
            span = f"{names[first] if first > known else ''}..{names[last + 1]}"
            of_kind = found.setdefault(span, {}).setdefault(kind, [])
            if not any(path.startswith(f"{parent}.") for parent in of_kind):
                of_kind.append(path)
    return {span: found[span] for span in sorted(found, key=lambda one: one.split("..")[1][:10])}


def top_level(releases: dict[str, Fields]) -> dict[str, dict[str, str]]:
    """The fields of each object of each version, with spaces between them."""
    return {
        version: {
            kind: " ".join(sorted(path for path in paths if "." not in path))
            for kind, paths in sorted(found.items())
        }
        for version, found in releases.items()
    }


if __name__ == "__main__":
    *options, folder = sys.argv[1:]
    found = read(Path(folder))
    text = json.dumps(top_level(found) if options else added(found), indent=1)
    sys.stdout.write(text + "\n")
