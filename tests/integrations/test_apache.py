"""Apache with mod_auth_openidc in front of a static site: a page for those alone who have a
product."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.harness import Latchkey, free_port, http_client, until
from tests.integrations.conftest import Member
from tests.integrations.install import apache
from tests.integrations.test_authlib import sign_in_here
from tests.web.relying import FIELDS, register

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

MODULES = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "alias"),
    "auth_openidc",
)
CONFIGURATION = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/log
User #65534
Group #65534
{modules}
DocumentRoot {folder}/pages
DirectoryIndex index.html
<Directory />
  AllowOverride None
  ForceType text/html
</Directory>

OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCRedirectURI http://localhost:{port}/oidc/callback
OIDCCryptoPassphrase a-passphrase-for-the-tests
OIDCScope "openid email access"
OIDCPKCEMethod S256
OIDCCookieSameSite On
OIDCRemoteUserClaim email
OIDCDefaultLoggedOutURL http://localhost:{port}/open.html

<Location /oidc>
  AuthType openid-connect
  Require valid-user
</Location>
<Location /course>
  AuthType openid-connect
  Require claim groups:{slug}
</Location>
<Location /other>
  AuthType openid-connect
  Require claim groups:something-else
</Location>
"""


@asynccontextmanager
async def running(latchkey: Latchkey, folder: Path, slug: str) -> AsyncIterator[str]:
    """Apache with a page at `/course` for those who have the product. Yields its address."""
    port = free_port()
    url = f"http://localhost:{port}"
    fields = replace(
        FIELDS,
        name="The course",
        redirect_uris=(f"{url}/oidc/callback",),
        post_logout_redirect_uris=(f"{url}/open.html",),
    )
    party = await register(latchkey, fields)
    for name in ("course/index.html", "other/index.html", "open.html"):
        path = folder / "pages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<!doctype html><title>{name}</title><h1>This is {name}</h1>")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES
    )
    configuration = folder / "apache.conf"
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder,
            port=port,
            modules=modules,
            issuer=latchkey.url,
            client_id=party.id,
            secret=party.secret,
            slug=slug,
        )
    )
    found = apache()
    assert found is not None
    process = subprocess.Popen([found, "-f", str(configuration), "-DFOREGROUND"])
    try:

        async def answers() -> bool:
            log = folder / "log"
            assert process.poll() is None, log.read_text() if log.exists() else "it ended"
            async with http_client() as client:
                try:
                    return (await client.get(f"{url}/open.html")).status_code == 200
                except httpx.TransportError:
                    return False

        await until(answers, "Apache serves")
        yield url
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 60)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Apache's own user can read, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="latchkey-apache-") as made:
        yield Path(made)


async def test_apache_opens_a_page_for_who_has_the_product(
    shared: Latchkey, page: Page, member: Member, folder: Path
) -> None:
    async with running(shared, folder, member.slug) as url:
        await page.goto(f"{url}/course/")
        await sign_in_here(page, member)
        course = page.get_by_role("heading", name="This is course/index.html")
        await expect(course).to_be_visible()
        refused = await page.goto(f"{url}/other/")
        assert refused is not None
        assert refused.status == 401, "for those alone who have something else"
        await page.goto(f"{url}/oidc/callback?{urlencode({'logout': f'{url}/open.html'})}")
        await expect(page.get_by_role("heading", name="This is open.html")).to_be_visible()
        await page.goto(f"{shared.url}/account")
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
