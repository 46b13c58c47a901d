"""`latchkey up` as users run it: first start, crash, restart, Ctrl-C, and errors."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness import KEY, PATIENCE, TOKEN, Json, Stripe, flat, free_port

pytestmark = pytest.mark.slow

READY, STOP = 120.0, 60.0


class Up:
    """One `latchkey up` in a folder, on its own ports."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.sandbox = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "LATCHKEY_DATA": str(folder),
            "LATCHKEY_PORT": str(self.port),
            "LATCHKEY_PUBLIC_URL": self.url,
            "LATCHKEY_SANDBOX_PORT": str(self.sandbox),
            "LATCHKEY_TEMPORAL_PORT": str(free_port()),
            "LATCHKEY_TEMPORAL_UI_PORT": str(free_port()),
            "LATCHKEY_API_TOKEN": TOKEN,
        }
        for name in ("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "DATABASE_URL"):
            self.environment.pop(name, None)
        self.log = folder.parent / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "latchkey.cli", "up"],
                env=self.environment,
                cwd=self.folder.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY
        while "Press Ctrl-C to stop everything" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP)

    def fails(self) -> str:
        """Start it where it must fail; returns its one line of error."""
        self.start()
        assert self.process is not None
        assert self.process.wait(READY) == 1
        lines = [line for line in self.log.read_text().splitlines() if line.strip()]
        assert "Traceback" not in self.log.read_text()
        return lines[-1]

    def command(self, name: str) -> subprocess.CompletedProcess[str]:
        """Run another Latchkey command while it is running."""
        return subprocess.run(
            [sys.executable, "-m", "latchkey.cli", name],
            env=self.environment,
            cwd=self.folder.parent,
            capture_output=True,
            text=True,
        )

    def api(self, method: str, path: str, **options: object) -> Json:
        answer = httpx.request(
            method,
            f"{self.url}/api/v1{path}",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=PATIENCE,
            **options,  # type: ignore[arg-type]
        )
        assert answer.status_code < 400, answer.text
        body: Json = answer.json()
        return body

    def stripe(self, path: str, **given: object) -> Json:
        answer = httpx.post(
            f"http://127.0.0.1:{self.sandbox}/v1/{path}",
            data=flat(given),
            headers={"Authorization": "Bearer sk_test_up"},
            timeout=PATIENCE,
        )
        assert answer.status_code < 400, answer.text
        body: Json = answer.json()
        return body


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path / "data")
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


class Owner:
    """A browser of the site's owner, who names the site and makes an account by the link."""

    def __init__(self, link: str) -> None:
        self.client = httpx.Client(timeout=PATIENCE)
        words = "seven wet otters"
        given = {"name": "Club", "email": "up@owner.example", "password": words, "again": words}
        assert self.post(link, link, **given).status_code == 303

    def post(self, page: str, address: str, **given: str) -> httpx.Response:
        """Send the form of a page."""
        csrf = re.search(r'name="csrf_token" value="([0-9a-f]+)"', self.client.get(page).text)
        assert csrf
        return self.client.post(address, data={"csrf_token": csrf[1], **given})


def waiting(condition: object, what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.1)


def leave_the_sandbox(up: Up, owner: Owner) -> None:
    """By the pages, as an admin does."""
    here = f"{up.url}/admin/sandbox"
    assert owner.post(here, f"{here}/leave", products="perhaps").status_code == 422
    assert owner.post(here, f"{here}/leave", products="keep").status_code == 200

    def left() -> bool:
        try:
            return "HX-Redirect" in owner.client.get(f"{here}/left").headers
        except httpx.HTTPError:
            return False

    waiting(left, "the sandbox is left", READY)


def test_up_starts_survives_a_crash_leaves_the_sandbox_and_stops_cleanly(
    up: Up, stripe: Stripe
) -> None:
    """The second sandbox is the Stripe account to which the site is connected in the end."""
    up.environment["STRIPE_API_BASE"] = stripe.url
    up.start()
    up.wait_ready()
    text = up.log.read_text()
    for words in (f"http://127.0.0.1:{up.port}/admin", "Temporal UI", "Sandbox"):
        assert words in text
    link = re.search(r"Set up\s+(http://\S+/setup/\S+)", text)
    assert link
    owner = Owner(link[1])

    open_to_others = [path.name for path in up.folder.iterdir() if path.stat().st_mode & 0o077]
    assert open_to_others == [], "others of this machine read none of it"

    examined = up.command("doctor")
    assert examined.returncode == 0, examined.stdout
    for words in ("ok   database", "ok   Temporal", "ok   Stripe", "ok   webhook"):
        assert words in examined.stdout

    price = next(
        price
        for product in up.api("GET", "/stripe/products")["data"]
        if product["name"] == "Harbour Community"
        for price in product["prices"]
    )
    product = up.api("POST", "/products", json={"name": "Club", "status": "live"})["id"]
    stripe_product = up.api("GET", "/stripe/products?search=Harbour")["data"][0]["id"]
    up.api("PUT", f"/products/{product}/link", json={"stripe_product": stripe_product})
    waiting(lambda: up.api("GET", f"/products/{product}/link")["state"] == "listening", "listening")
    customer = up.stripe(
        "customers",
        email="up@life.example",
        payment_method="pm_card_visa",
        invoice_settings={"default_payment_method": "pm_card_visa"},
    )["id"]
    made = up.stripe("subscriptions", customer=customer, items=[{"price": price["id"]}])

    def access() -> Json:
        return up.api("GET", f"/access?product={product}&email=up@life.example")

    waiting(lambda: access()["access"], "access")
    end = int(time.time()) + 25
    up.stripe(f"subscriptions/{made['id']}", cancel_at=end)
    waiting(lambda: access()["until"], "the end is known")

    assert up.process is not None
    os.killpg(up.process.pid, signal.SIGKILL)
    up.process.wait()
    mixing = Up(up.folder)
    mixing.environment["STRIPE_SECRET_KEY"] = KEY
    assert "linked to the sandbox's" in mixing.fails()
    began = time.monotonic()
    up.start()
    up.wait_ready()
    assert time.monotonic() - began < READY
    before, has, after = time.time(), access()["access"], time.time()
    if not before < end <= after:
        assert has is (after < end)

    def line() -> list[Json]:
        found: list[Json] = up.api("GET", f"/activities?type=access_ended&product={product}")[
            "data"
        ]
        return found

    waiting(line, "the timer of before the crash ends the access")
    assert access()["access"] is False
    assert len(line()) == 1

    other = Up(up.folder)
    other.log = up.folder.parent / "other.log"
    assert "another `latchkey up`" in other.fails(), "a second start on the same folder is refused"

    leave_the_sandbox(up, owner)
    assert [one["id"] for one in up.api("GET", "/products")["data"]] == [product]
    assert access()["access"] is False
    assert up.api("GET", "/activities")["data"] == []
    connectors = f"{up.url}/admin/connectors"
    assert owner.post(connectors, f"{connectors}/stripe", key=KEY).status_code == 303
    account = httpx.get(f"{stripe.url}/_sandbox/ready", timeout=PATIENCE).json()["account"]
    assert account in owner.client.get(connectors).text
    assert "built-in sandbox" not in owner.client.get(f"{up.url}/admin").text
    assert up.stop() == 0
    up.start()
    up.wait_ready()
    assert "Sandbox" not in up.log.read_text()
    assert owner.client.get(connectors).text.count(account) == 1

    children = psutil.Process(up.process.pid).children(recursive=True)
    priorities = {" ".join(child.cmdline()[-2:]): child.nice() for child in children}
    assert priorities["latchkey.cli worker"] > priorities["latchkey.cli web"]
    assert up.stop() == 0
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == [], "Ctrl-C leaves nothing running"


def test_it_starts_while_stripe_is_away(up: Up) -> None:
    up.environment |= {
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_API_BASE": f"http://127.0.0.1:{free_port()}",
    }
    up.start()
    up.wait_ready()
    assert "The Stripe key isn't checked yet" in up.log.read_text()
    assert up.api("GET", "/products")["data"] == []


def test_a_taken_port_is_named(up: Up) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", up.port))
        taken.listen()
        message = up.fails()
    assert str(up.port) in message
    assert "LATCHKEY_PORT" in message


def test_a_folder_that_cannot_be_written_is_named(up: Up) -> None:
    up.folder.write_text("a file where the folder should be")
    message = up.fails()
    assert str(up.folder) in message
    assert "LATCHKEY_DATA" in message


def test_a_broken_data_folder_is_named(up: Up) -> None:
    (up.folder / "postgres" / "data").mkdir(parents=True)
    (up.folder / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    message = up.fails()
    assert "Postgres 9" in message
    assert "move the" in up.log.read_text()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("LATCHKEY_PORT", "many", "LATCHKEY_PORT"),
        ("LATCHKEY_PUBLIC_URL", "example.com", "http"),
        ("LATCHKEY_SECRET", "short", "LATCHKEY_SECRET"),
    ],
)
def test_a_wrong_setting_is_named(up: Up, name: str, value: str, words: str) -> None:
    up.environment[name] = value
    assert words in up.fails()


@pytest.mark.parametrize("command", ["web", "worker", "migrate"])
def test_a_process_without_its_settings_says_which(up: Up, command: str) -> None:
    done = up.command(command)
    assert done.returncode == 1
    assert "DATABASE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_short_commands_load_nothing_of_the_servers() -> None:
    """Whoever asks for help shouldn't wait for what only web and worker need."""
    loaded = "import latchkey.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    heavy = {"asyncpg", "httpx", "pydantic", "starlette", "structlog", "temporalio", "uvicorn"}
    assert not heavy & set(done.stdout.split())


def test_help_and_version() -> None:
    for arguments in (["--help"], ["up", "--help"], ["doctor", "--help"], ["version"]):
        done = subprocess.run(
            [sys.executable, "-m", "latchkey.cli", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
