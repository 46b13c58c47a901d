"""Programs in front of a protected site, run with the configurations of `integrations/`."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.harness import free_port, http_client, until
from tests.integrations.install import proxies
from web.integration_files import OwnValues, configuration


async def _page(request: Request) -> Response:
    email = request.headers.get("x-latchkey-email", "nobody")
    return HTMLResponse(f"<!doctype html><title>Course</title><h1>Hello {email}</h1>")


async def _headers(request: Request) -> Response:
    body = (await request.body()).decode()
    return JSONResponse({"method": request.method, "body": body, "headers": dict(request.headers)})


async def _socket(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(socket.headers["x-latchkey-email"])
    await socket.close()


@asynccontextmanager
async def site_behind() -> AsyncIterator[int]:
    """A site that knows nothing of accounts: yields its port."""
    port = free_port()
    routes = [
        Route("/headers", _headers, methods=["GET", "POST"]),
        WebSocketRoute("/socket", _socket),
        Route("/{rest:path}", _page),
    ]
    config = uvicorn.Config(
        Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, "the site behind the proxy serves")
    yield port
    server.should_exit = True
    await serving


@dataclass(frozen=True)
class Front:
    """A program in front of the site at `port`. `latchkey` is where it asks, `behind` the port of
    the site itself, `https` whether nginx has the site served by TLS."""

    name: str
    folder: Path
    port: int
    behind: int
    latchkey: str
    product: str
    https: bool = False

    @property
    def origin(self) -> str:
        return f"{'https' if self.https else 'http'}://localhost:{self.port}"

    def command(self) -> list[str]:
        """Write the configuration; returns how to start the program."""
        program = proxies()[self.name]
        match self.name:
            case "nginx":
                return [program, "-e", "stderr", "-c", str(self._nginx())]
            case "caddy":
                return [program, "run", "--adapter", "caddyfile", "--config", str(self._caddy())]
            case "haproxy":
                return [program, "-db", "-f", str(self._haproxy())]
        return [program, f"--configFile={self._traefik()}"]

    def _shipped(self, file: str, changes: Mapping[str, str]) -> str:
        """A file as the admin pages show it for this site, and what only this test changes."""
        values = OwnValues(
            origin=self.origin,
            host=self.latchkey,
            product=self.product,
            latchkey_at=self.latchkey,
            site_at=f"127.0.0.1:{self.behind}",
        )
        text = configuration(self.name, values)[file]
        for before, after in changes.items():
            assert before in text, f"{file} doesn't have {before}"
            text = text.replace(before, after)
        return text

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def _nginx(self) -> Path:
        address = f"listen 127.0.0.1:{self.port}"
        if self.https:
            pair = self.folder / "pair.pem"
            pair.write_bytes(_certificate())
            changes = {
                "listen 443 ssl;": f"{address} ssl;",
                "/etc/ssl/localhost.pem": str(pair),
                "/etc/ssl/localhost.key": str(pair),
            }
        else:
            changes = {
                "listen 443 ssl;": f"{address};",
                "    ssl_certificate /etc/ssl/localhost.pem;\n": "",
                "    ssl_certificate_key /etc/ssl/localhost.key;\n": "",
            }
        server = self._shipped("course.conf", changes)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "\n".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        return self._write(
            "nginx.conf",
            f"daemon off; master_process off; error_log stderr; pid {self.folder}/pid;\n"
            f"events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{server}\n}}\n",
        )

    def _caddy(self) -> Path:
        site = self._shipped("Caddyfile", {"localhost {": f"{self.origin} {{"})
        options = "{\n\tadmin off\n\tauto_https off\n}\n"
        return self._write("Caddyfile", options + site)

    def _haproxy(self) -> Path:
        changes = {
            "/etc/haproxy/latchkey.lua": str(
                self._write("latchkey.lua", self._shipped("latchkey.lua", {}))
            ),
            ":443 ssl crt /etc/ssl/localhost.pem": f"127.0.0.1:{self.port}",
        }
        return self._write("haproxy.cfg", self._shipped("haproxy.cfg", changes))

    def _traefik(self) -> Path:
        dynamic = self._shipped(
            "course.yml", {"      entryPoints: [websecure]\n      tls: {}\n": ""}
        )
        course = self._write("course.yml", dynamic)
        return self._write(
            "traefik.yml",
            f"entryPoints:\n  web:\n    address: 127.0.0.1:{self.port}\n"
            f"providers:\n  file:\n    filename: {course}\n"
            "global:\n  checkNewVersion: false\n  sendAnonymousUsage: false\n"
            "log:\n  level: ERROR\n",
        )


def _certificate() -> bytes:
    """A key and a certificate for localhost that nobody vouches for, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + made.public_bytes(serialization.Encoding.PEM)


@asynccontextmanager
async def running(front: Front) -> AsyncIterator[Front]:
    """The program, once it answers."""
    log = front.folder / "log"
    environment = {"HOME": str(front.folder), "PATH": "/usr/bin:/bin"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            front.command(), stdout=output, stderr=output, env=environment, cwd=front.folder
        )
    try:

        async def answers() -> bool:
            assert process.poll() is None, log.read_text()
            async with http_client() as client:
                try:
                    answer = await client.get(f"{front.origin}/.latchkey/nothing")
                except httpx.TransportError:
                    return False
            return answer.status_code != 404 or "There's no page at this address" in answer.text

        await until(answers, f"{front.name} serves")
        yield front
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)
