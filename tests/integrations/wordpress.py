"""WordPress as one runs it: Apache with PHP, MariaDB, and our plugin, in a folder of its own."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from latchkey.store.oauth.clients import ClientFields
from scripts import packages
from tests.harness import PATIENCE, Latchkey, free_port, http_client, until
from tests.integrations import install
from tests.web.relying import FIELDS, register

OWNER, OWNER_PASSWORD = "owner", "a password of the owner of that site"
OWNER_EMAIL = "owner@wordpress.example"

EXTENSIONS = next(iter(sorted(Path("/etc/php").glob("*/cli/conf.d"))), Path("/etc/php"))
"""Which of its extensions PHP loads: the same in Apache as on the command line."""

SERVER = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
User #65534
Group #65534
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule php_module {php}
TypesConfig /etc/mime.types
StartServers 3
MinSpareServers 2
DocumentRoot {folder}/site
DirectoryIndex index.php index.html
FallbackResource /index.php
<FilesMatch "\\.php$">
  SetHandler application/x-httpd-php
</FilesMatch>
"""

CONFIGURATION = """<?php
define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'wordpress' );
define( 'DB_PASSWORD', '{password}' );
define( 'DB_HOST', 'localhost:{folder}/db.sock' );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
{keys}
define( 'WP_HOME', '{url}' );
define( 'WP_SITEURL', '{url}' );
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1,localhost' );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'DISABLE_WP_CRON', true );
define( 'WP_DEBUG', true );
define( 'WP_DEBUG_DISPLAY', false );
define( 'WP_DEBUG_LOG', '{folder}/php.log' );
$table_prefix = 'wp_';
defined( 'ABSPATH' ) || define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
"""
PATIENT = f"""<?php
add_filter( 'http_request_args', fn( $args ) => array( 'timeout' => {PATIENCE:.0f} ) + $args );
"""
"""A plugin for the tests: on a busy machine an answer is late, and isn't missing."""

KEYS = (
    *("AUTH_KEY", "SECURE_AUTH_KEY", "LOGGED_IN_KEY", "NONCE_KEY"),
    *("AUTH_SALT", "SECURE_AUTH_SALT", "LOGGED_IN_SALT", "NONCE_SALT"),
)

SET_UP = """
define( 'WP_INSTALLING', true );
function wp_new_blog_notification() {}
require 'wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';
wp_install( 'The course', $given['owner'], $given['email'], true, '', $given['password'] );
update_option( 'permalink_structure', '/%postname%/' );
update_option( 'show_avatars', 0 );
add_role( 'navigator', 'Navigator', array( 'read' => true ) );
$problem = activate_plugin( 'latchkey/latchkey.php' );
flush_rewrite_rules();
answer( is_wp_error( $problem ) ? $problem->get_error_message() : null );
"""

RUN = """
$given = json_decode( stream_get_contents( STDIN ), true );
function answer( $found ) { fwrite( STDOUT, "\\n@" . json_encode( $found ) ); }
$_SERVER += array( 'HTTP_HOST' => $given['host'], 'REQUEST_METHOD' => 'GET', 'REQUEST_URI' => '/' );
"""


@dataclass
class WordPress:
    """A running WordPress with the plugin, connected to a Latchkey as one client."""

    url: str
    folder: Path
    client: str
    secret: str

    async def php(self, code: str, **given: Any) -> Any:
        """Run PHP within WordPress: what it gives to `answer()`. `$given` is what it is given."""
        return await _php(self.folder, self.url, f"require 'wp-load.php';\n{code}", given)

    async def configure(self, latchkey: Latchkey, **changes: Any) -> None:
        """The plugin's settings: those of the connection, and changes."""
        settings = {
            "issuer": latchkey.url,
            "client_id": self.client,
            "client_secret": self.secret,
            **changes,
        }
        code = """
            $_POST = array();
            delete_transient( 'latchkey_metadata' );
            delete_transient( 'latchkey_away' );
            update_option( 'latchkey', $given['settings'] );
        """
        await self.php(code, settings=settings)

    async def post(self, title: str, content: str) -> str:
        """Publish a post; its address."""
        code = """
            $content = wp_slash( $given['content'] );
            $post = array( 'post_title' => $given['title'], 'post_content' => $content );
            $id = wp_insert_post( $post + array( 'post_status' => 'publish' ) );
            answer( get_permalink( $id ) );
        """
        return str(await self.php(code, title=title, content=content))

    async def account(self, subject: int) -> dict[str, Any] | None:
        """The account of a user of Latchkey."""
        code = """
            $user = Latchkey\\Accounts\\find( (string) $given['subject'] );
            answer( $user ? array( 'id' => $user->ID, 'roles' => array_values( $user->roles ),
                                   'email' => $user->user_email ) : null );
        """
        found: dict[str, Any] | None = await self.php(code, subject=subject)
        return found

    async def a_minute_passes(self, subject: int) -> None:
        """What was learned about somebody is a minute old."""
        code = """
            $user = Latchkey\\Accounts\\find( (string) $given['subject'] );
            $record = Latchkey\\Access\\record( $user->ID );
            $record['asked'] -= Latchkey\\Access\\FRESH;
            update_user_meta( $user->ID, Latchkey\\Access\\RECORD, $record );
            delete_transient( Latchkey\\Access\\AWAY );
        """
        await self.php(code, subject=subject)

    def complaints(self) -> list[str]:
        """What PHP complained about in our plugin."""
        log = self.folder / "php.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if "/plugins/latchkey/" in line or "PHP Fatal" in line]


async def _php(folder: Path, url: str, code: str, given: dict[str, Any]) -> Any:
    process = await asyncio.create_subprocess_exec(
        "php",
        *("-d", f"error_log={folder}/php.log", "-r", RUN + code),
        cwd=folder / "site",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    body = json.dumps({"host": url.removeprefix("http://"), **given}).encode()
    said = (await process.communicate(body))[0].decode()
    assert process.returncode == 0, said
    return json.loads(said.rpartition("\n@")[2]) if "\n@" in said else None


@contextlib.contextmanager
def _started(*command: str, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


@contextlib.contextmanager
def _mariadb(folder: Path, password: str) -> Iterator[subprocess.Popen[bytes]]:
    data = folder / "data"
    who = ("--user=root",) if os.geteuid() == 0 else ()
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    made = ("mariadb-install-db", "--no-defaults", f"--datadir={data}", *who, "--skip-test-db")
    subprocess.run(made, check=True, timeout=PATIENCE, **quiet)
    first = folder / "first.sql"
    first.write_text(
        "create database wordpress;\n"
        f"create user wordpress@localhost identified by '{password}';\n"
        "grant all on wordpress.* to wordpress@localhost;\n"
    )
    options = (f"--datadir={data}", f"--socket={folder}/db.sock", f"--init-file={first}")
    cheap = ("--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin")
    with _started("mariadbd", "--no-defaults", *who, *options, *cheap, **quiet) as process:
        yield process


async def _serving(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    async def answers() -> bool:
        assert process.poll() is None, log.read_text() if log.exists() else "it ended"
        async with http_client() as client:
            try:
                return (await client.get(f"{url}/readme.html")).status_code == 200
            except httpx.TransportError:
                return False

    await until(answers, "Apache serves")


async def _connected(folder: Path) -> None:
    async def there() -> bool:
        return await asyncio.to_thread((folder / "db.sock").exists)

    await until(there, "MariaDB listens")


@contextlib.asynccontextmanager
async def running(latchkey: Latchkey) -> AsyncIterator[WordPress]:
    """WordPress with the plugin, registered as a client of a Latchkey."""
    source, module = install.wordpress(), install.php_module()
    assert source is not None
    port, password = free_port(), secrets.token_hex(16)
    url = f"http://localhost:{port}"
    with tempfile.TemporaryDirectory(prefix="latchkey-wp-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        site = folder / "site"
        await asyncio.to_thread(_copy, source, site)
        keys = "\n".join(f"define( '{key}', '{secrets.token_hex(32)}' );" for key in KEYS)
        (site / "wp-config.php").write_text(
            CONFIGURATION.format(password=password, folder=folder, keys=keys, url=url)
        )
        (folder / "php.log").touch(0o666)
        (folder / "php.log").chmod(0o666)
        configuration = folder / "apache.conf"
        configuration.write_text(SERVER.format(folder=folder, port=port, php=module))
        fields = _client(url, port)
        party = await register(latchkey, fields)
        with _mariadb(folder, password):
            await _connected(folder)
            given = {"owner": OWNER, "email": OWNER_EMAIL, "password": OWNER_PASSWORD}
            problem = await _php(folder, url, SET_UP, given)
            assert problem is None, problem
            environment = os.environ | {"PHP_INI_SCAN_DIR": str(EXTENSIONS)}
            with _started(
                *(str(shutil.which("apache2")), "-f", str(configuration), "-DFOREGROUND"),
                env=environment,
                start_new_session=True,  # It ends its whole process group.
            ) as apache:
                await _serving(apache, url, folder / "apache.log")
                yield WordPress(url, folder, party.id, str(party.secret))


def _copy(source: Path, site: Path) -> None:
    shutil.copytree(source, site, ignore=shutil.ignore_patterns(".htaccess", "*.css.map"))
    with (
        tempfile.TemporaryDirectory() as made,
        zipfile.ZipFile(packages.plugin(Path(made))) as plugin,
    ):
        plugin.extractall(site / "wp-content" / "plugins")
    (site / "wp-content" / "mu-plugins").mkdir()
    (site / "wp-content" / "mu-plugins" / "patient.php").write_text(PATIENT)
    for path in (site, *site.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _client(url: str, port: int) -> ClientFields:
    return replace(
        FIELDS,
        name="The course",
        redirect_uris=(f"{url}/wp-login.php?action=latchkey-callback",),
        post_logout_redirect_uris=(f"{url}/",),
        backchannel_logout_uri=f"http://127.0.0.1:{port}/wp-json/latchkey/v1/logout",
    )
