"""The sandbox's package as its user has it: run by pipx, far from the tree, with what the index has
of its dependencies; and the examples of its README."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.harness import PATIENCE, free_port
from tests.integrations import install
from tests.npm.install import MODULES

ROOT = Path(__file__).parents[2]
README = (ROOT / "packaging/sandbox/README.md").read_text()
LINES = {
    "python": "print(customer.id)",
    "js": "console.log(customer.id)",
    "php": "echo $customer->id;",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sandbox that pipx runs."""
    folder = tmp_path_factory.mktemp("sandbox")
    package = install.copy_sandbox(folder / "tree")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    port = free_port()
    process = install.pipx_run(package, "--port", str(port), folder=elsewhere)
    try:
        address = f"http://127.0.0.1:{port}"
        _wait(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    """Wait until the sandbox is ready: pipx installs it first."""
    deadline = time.monotonic() + install.PATIENCE
    with httpx.Client(base_url=address) as client:
        while True:
            with suppress(httpx.HTTPError):
                if client.get("/_sandbox/ready").is_success:
                    return
            assert process.poll() is None, "pipx ended"
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.1)


def _example(language: str, sandbox: str) -> str:
    """The README's example for a language, of which the customer's id is printed."""
    (found,) = re.findall(rf"```{language}\n((?:(?!```).)*?customers.*?)```", README, re.DOTALL)
    port = sandbox.rpartition(":")[2]
    assert "12111" in found
    return f"{found.replace('12111', port)}\n{LINES[language]}\n"


def _commands(folder: Path) -> dict[str, tuple[Path, list[str], str]]:
    """For each language: the file of its example, what runs it, and what stands before it."""
    php = f"<?php\nrequire {json.dumps(str(install.STRIPE_PHP))};\n"
    return {
        "python": (folder / "example.py", [str(ROOT / ".venv/bin/python")], ""),
        "js": (folder / "example.mjs", ["node"], ""),
        "php": (folder / "example.php", ["php"], php),
    }


@pytest.mark.parametrize("language", install.sandbox_languages())
def test_the_example_of_its_readme_makes_a_customer(
    sandbox: str, tmp_path: Path, language: str
) -> None:
    file, command, before = _commands(tmp_path)[language]
    (tmp_path / "node_modules").symlink_to(MODULES)
    file.write_text(before + _example(language, sandbox))
    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = httpx.get(
        f"{sandbox}/v1/customers/{done.stdout.strip()}",
        headers={"Authorization": "Bearer sk_test_x"},
    )
    assert found.json()["email"] == "ada@example.com"
