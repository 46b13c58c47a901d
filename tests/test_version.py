"""One version: the package's, the changelog's and the image's."""

import re
import tomllib
from pathlib import Path

from typer.testing import CliRunner

from latchkey.cli import app

ROOT = Path(__file__).parents[1]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_the_command_says_the_version() -> None:
    assert CliRunner().invoke(app, ["version"]).output.strip() == VERSION


def test_the_image_has_the_version() -> None:
    assert f"image: latchkey:{VERSION}\n" in (ROOT / "docker-compose.yml").read_text()


def test_the_changelog_has_the_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    if VERSION.endswith(".dev0"):
        assert headings[0] == "Unreleased"
        assert VERSION.removesuffix(".dev0") not in headings
    else:
        assert headings[:2] == ["Unreleased", VERSION]
