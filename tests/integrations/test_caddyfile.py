"""Caddy reads the file that Compose gives it, and leads the public host to web."""

import json
import os
import subprocess
from pathlib import Path

from tests.integrations import install

FILE = Path(__file__).parents[2] / "deploy" / "caddy" / "Caddyfile"


def test_caddy_reads_the_file_of_compose() -> None:
    command = [install.proxies()["caddy"], "adapt", "--config", str(FILE), "--validate"]
    environment = os.environ | {"LATCHKEY_PUBLIC_URL": "https://members.example.com"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (server,) = json.loads(done.stdout)["apps"]["http"]["servers"].values()
    assert server["listen"] == [":443"]
    (route,) = server["routes"]
    assert route["match"] == [{"host": ["members.example.com"]}]
    assert '"dial": "web:8000"' in json.dumps(route["handle"])
