"""Runs the examples of the client libraries as servers of their own, with their real frameworks."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from tests.harness import TOKEN, Latchkey, http_client, until
from tests.integrations.install import NODE, PYTHON
from tests.npm.install import MODULES

CLIENTS = Path(__file__).parents[2] / "clients"

SIGNED_IN = "X-Signed-In"
"""The header by which the tests say who is signed in. The examples leave that to their site."""

FASTAPI = f"""
from typing import Annotated
from fastapi import Header
from main import app, signed_in_email

def told({SIGNED_IN.replace("-", "_").lower()}: Annotated[str | None, Header()] = None):
    return {SIGNED_IN.replace("-", "_").lower()}

app.dependency_overrides[signed_in_email] = told
"""

DJANGO = f"""
import os, sys
from wsgiref.simple_server import make_server
from django.conf import settings

class Told:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        from django.contrib.auth.models import AnonymousUser, User
        email = request.headers.get("{SIGNED_IN}")
        request.user = User(email=email) if email else AnonymousUser()
        return self.get_response(request)

settings.configure(
    SECRET_KEY="of the tests", ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF="course_urls",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware", "served.Told"],
    **{{name: os.environ[name] for name in (
        "LATCHKEY_URL", "LATCHKEY_TOKEN", "LATCHKEY_WEBHOOK_SECRET", "COURSE")}},
)

if __name__ == "__main__":
    sys.modules["served"] = sys.modules["__main__"]
    from django.core.wsgi import get_wsgi_application
    make_server("127.0.0.1", int(sys.argv[1]), get_wsgi_application()).serve_forever()
"""

EXPRESS = f"""
import {{ app }} from "./app.mjs";
app.locals.signedInEmail = (request) => request.get("{SIGNED_IN}");
app.listen(Number(process.argv[2]), "127.0.0.1");
"""

NEXT_SIGN_IN = f"""
import {{ headers }} from "next/headers";
export async function signedInEmail() {{
  return (await headers()).get("{SIGNED_IN}");
}}
"""
NEXT_CONFIG = 'export default { turbopack: { root: import.meta.dirname + "/.." } };\n'


def build_js() -> None:
    """Compile the client library for JavaScript, where the examples find it."""
    target = NODE / "node_modules" / "latchkey-client"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(CLIENTS / "js/package.json", target)
    tsc = MODULES / "typescript/bin/tsc"
    argv = ["node", tsc, "-p", CLIENTS / "js", "--outDir", target / "dist"]
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def prepared(name: str, port: int) -> tuple[list[str], Path]:
    """The command of an example, and the folder to run it in."""
    folder = (NODE if name in ("express", "next") else PYTHON) / f"example-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(CLIENTS / "examples" / name, folder)
    match name:
        case "fastapi":
            (folder / "served.py").write_text(FASTAPI)
            server = ["-m", "uvicorn", "served:app", "--log-level", "error"]
            return [sys.executable, *server, "--port", str(port)], folder
        case "django":
            (folder / "served.py").write_text(DJANGO)
            return [sys.executable, "served.py", str(port)], folder
        case "express":
            (folder / "served.mjs").write_text(EXPRESS)
            return ["node", "served.mjs", str(port)], folder
        case _:
            (folder / "lib/sign-in.js").write_text(NEXT_SIGN_IN)
            (folder / "next.config.mjs").write_text(NEXT_CONFIG)
            (folder / "package.json").write_text('{"private": true, "type": "module"}\n')
            program = NODE / "node_modules/next/dist/bin/next"
            return ["node", str(program), "dev", "-H", "127.0.0.1", "-p", str(port)], folder


@contextlib.asynccontextmanager
async def running(
    name: str, latchkey: Latchkey, product: str, *, port: int, secret: str
) -> AsyncIterator[str]:
    """An example in a process of its own. Yields its address."""
    command, folder = prepared(name, port)
    environment = os.environ | {
        "LATCHKEY_URL": latchkey.url,
        "LATCHKEY_TOKEN": TOKEN,
        "LATCHKEY_WEBHOOK_SECRET": secret,
        "COURSE": product,
        "PYTHONPATH": f"{PYTHON}:{CLIENTS / 'python'}",
        "NEXT_TELEMETRY_DISABLED": "1",
    }
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:

        async def answers() -> bool:
            assert process.poll() is None, log.read_text()
            async with http_client() as client:
                try:
                    return (await client.get(f"{url}/course")).status_code < 500
                except httpx.TransportError:
                    return False

        await until(answers, f"the example for {name} serves")
        yield url
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)
