"""Import rules: which module may import which."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STANDARD = "the standard library"

ALLOWED: dict[str, set[str]] = {
    "latchkey/rules": {"latchkey.rules", "latchkey.contracts", "latchkey.stripe_ids"},
    "latchkey/contracts": {"latchkey.contracts"},
    "latchkey/addresses.py": set(),
    "latchkey/languages.py": set(),
    "latchkey/stripe_ids.py": set(),
    "latchkey/texts.py": set(),
    "latchkey/timings.py": set(),
    "latchkey/spans.py": set(),
    "latchkey/tracing.py": {"latchkey.spans"},
    "latchkey/urls.py": set(),
    "latchkey/store": {
        "latchkey.store",
        "latchkey.rules",
        "latchkey.contracts",
        "latchkey.addresses",
        "latchkey.csv_files",
        "latchkey.imported_lines",
        "latchkey.languages",
        "latchkey.stripe_ids",
        "latchkey.texts",
        "latchkey.timings",
        "latchkey.tracing",
        "latchkey.urls",
    },
    "latchkey/stripe_api.py": {
        "latchkey.stripe_ids",
        "latchkey.stripe_rate",
        "latchkey.texts",
        "latchkey.timings",
        "latchkey.tracing",
    },
    "latchkey/stripe_rate.py": set(),
    "workflows": {"workflows", "latchkey.contracts", "latchkey.rules"},
    "activities": {"activities", "latchkey"},
    "web": {"web", "latchkey"},
    "sandbox": {"sandbox"},
    "latchkey/cli.py": {"latchkey", "worker", "web.app"},
    "latchkey": {"latchkey"},
    "worker.py": {"activities", "workflows", "latchkey"},
}
OURS = {"latchkey", "workflows", "activities", "web", "worker", "sandbox", "tests", "bench"}


def files() -> list[Path]:
    folders = ("latchkey", "workflows", "activities", "web", "sandbox")
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [*found, ROOT / "worker.py"]


@cache
def nodes(path: Path) -> list[ast.AST]:
    """The whole syntax of a file. Many tests ask for it, and parsing takes most of their time."""
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rule_of(path: Path) -> tuple[str, set[str]]:
    relative = path.relative_to(ROOT).as_posix()
    name = max((key for key in ALLOWED if relative.startswith(key)), key=len)
    return name, ALLOWED[name]


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_one_way(path: Path) -> None:
    name, allowed = rule_of(path)
    for imported in imports(path):
        if imported.split(".")[0] not in OURS:
            continue
        inside = any(
            imported == target or imported.startswith(f"{target}.") or target.startswith(imported)
            for target in allowed
        )
        assert inside, f"{path.relative_to(ROOT)} ({name}) imports {imported}"


STORE = (
    *("", "stripe", "feed", "purchases", "products", "access", "webhooks", "communities"),
    *("checks", "users", "oauth", "forward_auth", "figures"),
)
"""Folders of `latchkey/store`, from ground to roof: each imports only from those before it."""

WEB = ("", "wording", "api", "oauth", "forward_auth", "pages", "pages/member", "pages/admin")
ROOFS = {"web/app.py", "web/pages/__init__.py"}
"""They list the routes of what is below them."""


@cache
def graph() -> dict[str, set[str]]:
    """Which of our modules imports which, by path."""
    paths = {
        path.relative_to(ROOT).as_posix().removesuffix(".py").removesuffix("/__init__"): path
        for path in files()
    }
    by_name = {name.replace("/", "."): path for name, path in paths.items()}
    return {
        path.relative_to(ROOT).as_posix(): {
            by_name[name].relative_to(ROOT).as_posix()
            for name in imports(path)
            if name in by_name and by_name[name] != path
        }
        for path in by_name.values()
    }


def test_no_modules_import_each_other_in_a_circle() -> None:
    left = {name: set(found) for name, found in graph().items()}
    packages = {name for name in left if name.endswith("__init__.py")} - {"web/pages/__init__.py"}
    for found in left.values():
        found -= packages
    while free := {name for name, found in left.items() if not found & left.keys()}:
        left = {name: found for name, found in left.items() if name not in free}
    assert not left, f"these are in a circle, or use one that is: {sorted(left)}"


@pytest.mark.parametrize(("top", "order"), [("latchkey/store", STORE), ("web", WEB)])
def test_folders_import_downwards_only(top: str, order: tuple[str, ...]) -> None:
    def level(name: str) -> int:
        return order.index(name.removeprefix(top).rpartition("/")[0].strip("/"))

    for name, found in graph().items():
        if not name.startswith(f"{top}/") or name in ROOFS:
            continue
        upwards = [one for one in found if one.startswith(f"{top}/") and level(one) > level(name)]
        assert not upwards, f"{name} imports from above: {upwards}"


def test_pages_and_api_do_not_reach_into_each_other() -> None:
    for name, found in graph().items():
        for this, other in (("web/api/", "web/pages/"), ("web/pages/", "web/api/")):
            if name.startswith(this):
                assert not [one for one in found if one.startswith(other)], name


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("stripe", {"latchkey/stripe_api.py", "sandbox/schema.py", "sandbox/pytest_plugin.py"}),
        ("asyncpg", {"latchkey", "web", "activities"}),
        ("temporalio", {"latchkey", "workflows", "activities", "worker.py", "web"}),
        ("aiosmtplib", {"latchkey/mail/outbox.py", "latchkey/mail/server.py"}),
        ("webauthn", {"latchkey/passkeys.py"}),
        ("pyotp", {"latchkey/totp.py"}),
        ("joserfc", {"latchkey/jose.py"}),
        ("sentry_sdk", {"latchkey/error_reports.py"}),
        (
            "opentelemetry",
            {"latchkey/spans.py", "latchkey/tracing.py", "latchkey/temporal_tracing.py"},
        ),
    ],
)
def test_libraries_are_used_only_where_they_belong(library: str, only: set[str]) -> None:
    for path in files():
        relative = path.relative_to(ROOT).as_posix()
        used = any(name.split(".")[0] == library for name in imports(path))
        assert not used or any(relative.startswith(place) for place in only), relative


def test_rules_and_contracts_need_nothing_but_the_standard_library() -> None:
    import sys

    for path in files():
        relative = path.relative_to(ROOT).as_posix()
        if not relative.startswith(("latchkey/rules", "latchkey/contracts")):
            continue
        roots = {name.split(".")[0] for name in imports(path)}
        assert roots <= set(sys.stdlib_module_names) | {"latchkey"}, relative


PURE = {
    "asyncio",
    "collections",
    "contextlib",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "typing",
}
IMPURE = {"now", "utcnow", "today", "open", "input", "print", "set", "frozenset", "id", "hash"}


def test_workflows_do_the_same_whenever_they_are_replayed() -> None:
    """They run outside Temporal's sandbox. Time comes from `workflow.now()` alone; nothing is
    random, read or written, and no order hangs on a hash."""
    for path in sorted((ROOT / "workflows").glob("*.py")):
        roots = {name.split(".")[0] for name in imports(path)}
        assert roots <= PURE | {"temporalio", "latchkey", "workflows"}, path.name
        for node in nodes(path):
            assert not isinstance(node, ast.Set | ast.SetComp), f"{path.name}:{node.lineno}"
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called != "workflow.now":
                    assert called.split(".")[-1] not in IMPURE, f"{path.name}:{node.lineno}"


def test_only_the_store_contains_sql() -> None:
    for path in files():
        relative = path.relative_to(ROOT).as_posix()
        if relative.startswith(("latchkey/store", "sandbox", "latchkey/up.py", "latchkey/doctor")):
            continue
        for node in nodes(path):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words = node.value.lower().split()
                sql = words[:1] in (["select"], ["insert"], ["update"], ["delete"]) and (
                    "from" in words or "into" in words or "set" in words
                )
                assert not sql, f"{relative}:{node.lineno} holds SQL"


def test_no_class_is_named_twice() -> None:
    """Except workflows, whose names Temporal holds."""
    places: dict[str, list[str]] = {}
    for path in files():
        relative = path.relative_to(ROOT).as_posix()
        if not relative.startswith(("latchkey/", "activities/", "workflows/")):
            continue
        for node in nodes(path):
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if not any("workflow.defn" in ast.unparse(mark) for mark in node.decorator_list):
                places.setdefault(node.name, []).append(relative)
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


@pytest.mark.parametrize(
    ("condition", "view"),
    [
        (r"ended_at is null\s+and \((\w+\.)?until is null or (\w+\.)?until > now", "live_grants"),
        (r"removed_at is null or (\w+\.)?members = 'keep'", "counting_links"),
    ],
)
def test_only_the_views_define_live_and_counting(condition: str, view: str) -> None:
    for path in files():
        assert not re.search(condition, path.read_text()), f"{path} repeats {view}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_log_lines_do_not_use_structlogs_own_key(path: Path) -> None:
    """Such a call raises an error instead of logging."""
    calls = [node for node in nodes(path) if isinstance(node, ast.Call)]
    assert not [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "log"
        and any(keyword.arg == "event" for keyword in call.keywords)
    ]


def test_nothing_names_a_registry_or_this_machine() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text()
        assert "--hash=sha256:" in text
        assert "index-url" not in text
        assert "://" not in text


def test_only_one_module_handles_cookies() -> None:
    """Over https browsers send them by other names, which only `web/security.py` knows."""
    for path in sorted((ROOT / "web").rglob("*.py")):
        if path.name != "security.py":
            assert not re.search(r"\.cookies\b|\.(set|delete)_cookie\(", path.read_text()), path


def test_every_route_that_changes_something_is_named_for_the_audit_log() -> None:
    from starlette.routing import Route

    from web import pages
    from web.api.registry import ENDPOINTS
    from web.audit_actions import CALLS, PAGES

    routes = [route for route in pages.routes() if isinstance(route, Route)]
    forms = {f"{m} {r.path}" for r in routes for m in r.methods or () if m not in ("GET", "HEAD")}
    assert {name for name in PAGES if not name.startswith("GET ")} == forms
    reads = {f"GET {route.path}" for route in routes}
    assert {name for name in PAGES if name.startswith("GET ")} <= reads
    assert {name for name in reads if name.endswith(".csv")} <= PAGES.keys()
    assert {one.name for one in ENDPOINTS if one.method != "GET"} == CALLS.keys()


NAMING = {"get_by_alt_text", "get_by_label", "get_by_placeholder", "get_by_text", "get_by_title"}


def test_browser_tests_name_things_exactly() -> None:
    """Playwright takes a name for any part of one, in any case: a link `Import` would also be that
    of the user imported@example.com, whom another test of the same site has made. What changes
    within a name is left to a regular expression."""
    for path in sorted((ROOT / "tests/browser").glob("*.py")):
        for node in nodes(path):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if node.func.attr == "get_by_role":
                name = given.get("name")
            elif node.func.attr in NAMING:
                name = node.args[0]
            else:
                continue
            exact = given.get("exact")
            assert (
                name is None
                or ast.unparse(name).startswith("re.compile(")
                or (isinstance(exact, ast.Constant) and exact.value is True)
            ), f"{path.relative_to(ROOT)}:{node.lineno} needs exact=True"
