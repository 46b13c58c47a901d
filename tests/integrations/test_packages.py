"""The packages that are released: built twice they are the same, and installed into a fresh
environment and a fresh project they work, without a registry."""

import asyncio
import json
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import packages
from tests.harness import PATIENCE, TOKEN, Latchkey
from tests.integrations.conftest import Member
from tests.npm.install import MODULES

pytestmark = pytest.mark.anyio

PYTHON_STORY = """
import json, sys
import latchkey_client
from latchkey_client import Latchkey

given = json.loads(sys.argv[1])
with Latchkey(given["url"], given["token"]) as latchkey:
    found = [latchkey.has_access(given["slug"], email=email) for email in given["emails"]]
print(json.dumps({"found": found, "file": latchkey_client.__file__}))
"""
JS_STORY = """
import { Latchkey } from "latchkey-client";

const given = JSON.parse(process.argv[2]);
const latchkey = new Latchkey(given.url, given.token);
const found = [];
for (const email of given.emails) found.push(await latchkey.hasAccess(given.slug, { email }));
console.log(JSON.stringify({ found, file: import.meta.resolve("latchkey-client") }));
"""
TYPES = """
import { Latchkey } from "latchkey-client";
export const opens: Promise<boolean> =
  new Latchkey("https://members.example.com", "lk_x").hasAccess("course", { email: "a@b.example" });
"""


@dataclass(frozen=True)
class Built:
    wheel: Path
    npm: Path
    plugin: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(*packages.build(tmp_path_factory.mktemp("dist")))


def run(*command: str, cwd: Path) -> str:
    """What a command prints."""
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def asked(site: Latchkey, member: Member) -> str:
    emails = [member.email, "nobody@sites.example"]
    return json.dumps({"url": site.url, "token": TOKEN, "slug": member.slug, "emails": emails})


def test_the_same_source_gives_the_same_bytes(built: Built, tmp_path: Path) -> None:
    again = Built(*packages.build(tmp_path))
    for first, second in zip(vars(built).values(), vars(again).values(), strict=True):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes(), first.name


async def test_the_wheel_works_in_a_fresh_environment(
    built: Built, shared: Latchkey, member: Member, tmp_path: Path
) -> None:
    """The libraries that it needs are lent by this environment: nothing is fetched."""
    fresh = tmp_path / "fresh"
    await asyncio.to_thread(venv.create, fresh, with_pip=False, symlinks=True)
    python = str(fresh / "bin/python")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    install = ["install", "--quiet", "--no-deps", "--no-index", str(built.wheel)]
    await asyncio.to_thread(run, *pip, *install, cwd=tmp_path)
    [packages_] = fresh.glob("lib/python*/site-packages")
    (packages_ / "lent.pth").write_text(sysconfig.get_path("purelib"))
    said = await asyncio.to_thread(
        run, python, "-I", "-c", PYTHON_STORY, asked(shared, member), cwd=tmp_path
    )
    found = json.loads(said)
    assert found["found"] == [True, False]
    assert found["file"].startswith(str(fresh))
    assert (packages_ / "latchkey_client/py.typed").exists()


def test_the_wheel_says_what_it_needs_and_has_its_licence(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        [name] = [one for one in wheel.namelist() if one.endswith("/METADATA")]
        metadata = wheel.read(name).decode()
        assert any(one.endswith("/LICENSE") for one in wheel.namelist())
    needed = re.findall(r"^Requires-Dist: (.+)$", metadata, re.M)
    assert needed == ["httpx>=0.27", "standardwebhooks>=1.0", 'joserfc>=1.0; extra == "tokens"']


async def test_the_npm_package_works_in_a_fresh_project(
    built: Built, shared: Latchkey, member: Member, tmp_path: Path
) -> None:
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    quiet = ["--offline", "--no-audit", "--no-fund", "--loglevel=error"]
    await asyncio.to_thread(run, "npm", "install", *quiet, str(built.npm), cwd=tmp_path)
    (tmp_path / "story.mjs").write_text(JS_STORY)
    said = await asyncio.to_thread(run, "node", "story.mjs", asked(shared, member), cwd=tmp_path)
    found = json.loads(said)
    assert found["found"] == [True, False]
    assert found["file"] == (tmp_path / "node_modules/latchkey-client/dist/index.js").as_uri()
    assert (tmp_path / "node_modules/latchkey-client/LICENSE").exists()
    (tmp_path / "usage.ts").write_text(TYPES)
    tsc = str(MODULES / "typescript/bin/tsc")
    options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2022"]
    await asyncio.to_thread(run, "node", tsc, *options, "usage.ts", cwd=tmp_path)


def test_the_zip_is_a_plugin_of_the_version_it_names(built: Built) -> None:
    with zipfile.ZipFile(built.plugin) as archive:
        names = archive.namelist()
        main = archive.read("latchkey/latchkey.php").decode()
        readme = archive.read("latchkey/readme.txt").decode()
    assert {name.partition("/")[0] for name in names} == {"latchkey"}, (
        "one folder, as WordPress has"
    )
    assert "latchkey/LICENSE" in names
    said = {
        *re.findall(r"^ \* Version: +(\S+)$", main, re.M),
        *re.findall(r"^const VERSION = '(\S+)';$", main, re.M),
        *re.findall(r"^Stable tag: (\S+)$", readme, re.M),
        *re.findall(r"-([\d.]+)\.zip$", built.plugin.name),
    }
    assert len(said) == 1, said
    assert f"= {said.pop()} =" in readme, "the changelog has it"
    assert readme.startswith("=== Latchkey ===\n")
    short = readme.split("\n\n")[1]
    assert len(short) <= 150, "WordPress cuts longer descriptions"
