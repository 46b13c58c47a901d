"""The `latchkey` command: runs everything in one terminal, or single processes.

Each command imports what it needs itself, so that the short ones start at once.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from latchkey.settings import Settings

app = typer.Typer(
    help="Latchkey gives people access to the products they pay for in Stripe.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)

WORKER_NICENESS = 5
"""How far the worker steps back where the processors are short: people and Stripe wait for what web
answers, and nobody waits for most of what the worker does."""


@app.command("up")
def up_command() -> None:
    """Start everything in this terminal, with embedded servers for whatever isn't configured."""
    from latchkey.settings import load_settings
    from latchkey.up import up

    _run(up(load_settings(), console))


@app.command()
def web() -> None:
    """Serve the site, the admin pages, the JSON API and the webhook endpoint."""
    import uvicorn

    from latchkey import first_owner, serving, tracing

    settings = _ready("web")
    _run(first_owner.check(settings))
    from web.app import create_app

    drain = serving.Drain(settings.drain_seconds)
    config = uvicorn.Config(
        create_app(settings, drain),
        host=settings.host,
        port=settings.port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
        **serving.OPTIONS,
    )
    server = serving.DrainingServer(config, drain)
    try:
        server.run()
    finally:
        tracing.stop()
    if not server.started:
        raise SystemExit(1)


@app.command()
def worker() -> None:
    """Run the Temporal worker: workflows, Temporal activities and outgoing email."""
    from latchkey import tracing

    os.nice(WORKER_NICENESS)
    _ready("worker")
    from worker import main as run_worker

    try:
        _run(run_worker())
    finally:
        tracing.stop()


@app.command("migrate")
def migrate_command() -> None:
    """Migrate the database to this release."""
    from latchkey.settings import load_settings
    from latchkey.store.migrate import migrate

    applied = _run(migrate(load_settings().require_database()))
    console.print(f"Applied: {', '.join(applied)}" if applied else "The database is up to date.")


@app.command("rotate")
def rotate_command() -> None:
    """Encrypt stored secrets again under the first value of LATCHKEY_SECRET."""
    from latchkey.rotation import rotate
    from latchkey.settings import load_settings

    settings = load_settings()
    done = _run(rotate(settings.require_database(), settings.require_secrets()))
    for each in done:
        place = f"{each.column.table}.{each.column.column}"
        console.print(f"{place}: {each.renewed} sealed again, {each.unreadable} unreadable")
    if any(each.unreadable for each in done):
        _fail(
            "some texts were sealed under a secret that isn't in LATCHKEY_SECRET: add it at the end"
            " of the list and rotate again, or enter the Stripe key again under Connectors"
        )
    console.print("Everything is sealed under the first secret: the others can be removed.")


@app.command("roll-webhook-secret")
def roll_webhook_secret_command(
    overlap: Annotated[
        float, typer.Option(help="Seconds for which the old endpoint delivers beside the new one.")
    ] = 60,
) -> None:
    """Give the registered webhook endpoint another signing secret, while the site runs."""
    from latchkey.settings import load_settings
    from latchkey.store.migrate import await_current
    from latchkey.store.stripe.connection import NotConnectedError
    from latchkey.stripe_api import StripeError
    from latchkey.up import as_running
    from latchkey.vault import VaultError
    from latchkey.webhook_rolling import RollError, roll

    settings = as_running(load_settings())
    _run(await_current(settings.require_database(), seconds=30))
    try:
        endpoint = _run(roll(settings, overlap=overlap))
    except (RollError, NotConnectedError, VaultError) as error:
        _fail(str(error))
    except StripeError as error:
        _fail(f"Stripe refused: {error.message}. Run this again: the old secret is still valid")
    console.print(
        f"Endpoint {endpoint} has taken over with a secret of its own. The old one is deleted, and"
        " its secret is no longer accepted.",
        highlight=False,
        soft_wrap=True,
    )


@app.command("backup")
def backup_command(
    target: Annotated[
        Path, typer.Argument(help="A new file, or a folder in which it is named after the time.")
    ],
) -> None:
    """Write the whole database to a file, while the site runs. LATCHKEY_SECRET isn't in it: keep
    that apart."""
    from latchkey.backup import back_up
    from latchkey.rules.plurals import counted
    from latchkey.settings import load_settings
    from latchkey.up import as_running

    made = _run(back_up(as_running(load_settings()), target))
    console.print(
        f"{made.path}: {counted(sum(made.manifest.counts.values()), 'row')},"
        f" {made.path.stat().st_size:,} bytes. It can't be used without LATCHKEY_SECRET, which"
        " isn't in it.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


@app.command("restore")
def restore_command(
    path: Annotated[Path, typer.Argument(help="What `latchkey backup` has written.")],
    without_secret: Annotated[
        bool, typer.Option("--without-secret", help="Restore although LATCHKEY_SECRET is lost.")
    ] = False,
) -> None:
    """Restore a backup into an empty database. The site stays silent until `latchkey adopt`."""
    from latchkey.restoration import restore
    from latchkey.rules.plurals import counted
    from latchkey.settings import load_settings

    done = _run(restore(load_settings(), path, without_secret=without_secret))
    rows = counted(sum(done.manifest.counts.values()), "row")
    migrated = f" Migrated to this release ({', '.join(done.migrated)})." if done.migrated else ""
    console.print(
        f"Restored {rows} of {done.manifest.home or 'a site without an address'}, as of"
        f" {done.manifest.made_at}.{migrated} Start web and worker: the site reads what happened"
        " since, but sends no email and writes nothing to Stripe. Once it looks right and the"
        " original doesn't run any more, run `latchkey adopt`.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if done.unreadable:
        _fail(
            f"{counted(done.unreadable, 'stored secret')} can't be opened by LATCHKEY_SECRET: enter"
            " the Stripe key again under Connectors, and set up webhook endpoints and authenticator"
            " apps again",
            status=3,
        )


@app.command("silence")
def silence_command() -> None:
    """Keep a database that Postgres recovered to an earlier time silent until `latchkey adopt`."""
    from latchkey.restoration import silence
    from latchkey.settings import load_settings
    from latchkey.store.migrate import await_current

    settings = load_settings()
    _run(await_current(settings.require_database(), seconds=30))
    _run(silence(settings))
    console.print(
        "From now on the site sends no email and writes nothing to Stripe, until `latchkey adopt`."
    )


@app.command("adopt")
def adopt_command(
    read_only: Annotated[
        bool, typer.Option("--read-only", help="To look at: it sends and changes nothing outside.")
    ] = False,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="To try things, with a sandbox instead of Stripe.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")] = False,
) -> None:
    """Say what a copy of a site is to be. Without an option: the site, at its new address."""
    from latchkey.adoption import adopt
    from latchkey.settings import load_settings
    from latchkey.store.migrate import await_current
    from latchkey.store.site_identity import SiteRole
    from latchkey.up import as_running

    if read_only and rehearsal:
        _fail("choose one of --read-only and --rehearsal")
    settings = as_running(load_settings())
    _run(await_current(settings.require_database(), seconds=30))
    role = SiteRole.READ_ONLY if read_only else SiteRole.ORIGINAL
    if rehearsal:
        role = SiteRole.REHEARSAL
    if role is SiteRole.ORIGINAL and not yes:
        console.print(
            f"The site at {settings.public_url} will send emails to its members and write to"
            " Stripe. Make sure that its original doesn't run any more.",
            highlight=False,
        )
        typer.confirm("Continue?", abort=True)
    console.print(_run(adopt(settings, role)), highlight=False, soft_wrap=True)


@app.command("scrub")
def scrub_command(
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="To try things, with a sandbox instead of Stripe.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")] = False,
) -> None:
    """Replace everything personal in a copy of a site by made-up data, for staging. The copy is
    then for looking at, or with --rehearsal for trying things; it can't be the site any more."""
    from latchkey.rules.plurals import counted
    from latchkey.scrubbing import scrub_copy
    from latchkey.settings import load_settings
    from latchkey.store.migrate import await_current
    from latchkey.store.site_identity import SiteRole

    settings = load_settings()
    _run(await_current(settings.require_database(), seconds=30))
    if not yes:
        console.print("Addresses, names, secrets and logs in this database will be destroyed.")
        typer.confirm("Continue?", abort=True)
    role = SiteRole.REHEARSAL if rehearsal else SiteRole.READ_ONLY
    done = _run(scrub_copy(settings, role))
    console.print(
        f"Replaced {counted(done.people, 'address', 'addresses')} by made-up ones, and deleted"
        f" secrets, logs and texts ({counted(done.deleted, 'row')})."
    )
    for table, rows in done.replaced.items():
        console.print(f"{table}: {counted(rows, 'row')} written", highlight=False)
    console.print("Let yourself in: latchkey owner you@example.com", highlight=False)


@app.command("owner")
def owner_command(
    email: Annotated[str, typer.Argument(help="Whose address. The account is created if needed.")],
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")] = False,
) -> None:
    """Let somebody back in as an owner: prints a link that signs them in once."""
    from latchkey.recovery import recover, who_it_is
    from latchkey.settings import load_settings
    from latchkey.store.migrate import await_current
    from latchkey.up import as_running

    settings = as_running(load_settings())
    _run(await_current(settings.require_database(), seconds=30))
    console.print(_run(who_it_is(settings, email)), highlight=False, markup=False, soft_wrap=True)
    if not yes:
        typer.confirm("Continue?", abort=True)
    recovered = _run(recover(settings, email))
    console.print(
        f"{recovered.email} owns the site. This link signs them in once, within 15 minutes:",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(recovered.link, highlight=False, markup=False, soft_wrap=True)


@app.command("codec-server")
def codec_server_command() -> None:
    """Decrypt what workflows keep for Temporal's UI and command line."""
    import uvicorn

    from latchkey import codec_server
    from latchkey.logging import configure_logging
    from latchkey.settings import load_settings

    settings = load_settings()
    app = codec_server.app(settings)
    configure_logging()
    uvicorn.run(
        app,
        host=settings.codec_host,
        port=settings.codec_port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(context: typer.Context) -> None:
    """Run only the stand-in for Stripe. Options go after "--" (try: latchkey sandbox -- --help)."""
    if find_spec("sandbox") is None:
        _fail("the sandbox isn't in the image: install Latchkey from its sources to run it")
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *context.args])


@app.command("move-pictures")
def move_pictures_command(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="postgres, a folder, or s3://bucket/folder.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="The same.")],
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove what TO has, too, from FROM.")
    ] = False,
) -> None:
    """Copy uploaded pictures from one place to another, while the site runs."""
    from latchkey.picture_moving import move_between
    from latchkey.settings import load_settings

    done = _run(move_between(load_settings(), source, target, delete=delete))
    console.print(
        f"{done.copied} copied, {done.there} there already, {done.deleted} deleted from {source}",
        highlight=False,
    )
    if done.nowhere:
        _fail(f"pictures that neither {source} nor {target} has: {done.nowhere}")


@app.command()
def doctor(
    offline: Annotated[
        bool,
        typer.Option("--offline", help="Check the settings only, without contacting any service."),
    ] = False,
) -> None:
    """Check the settings, database, Temporal, Stripe key and webhook, and suggest fixes."""
    from latchkey.doctor import examine
    from latchkey.settings import load_settings

    healthy = _run(examine(load_settings(), console, offline=offline))
    raise typer.Exit(0 if healthy else 1)


@app.command()
def version() -> None:
    """Show the version."""
    console.print(installed_version("latchkey"))


def _ready(program: str) -> "Settings":
    """Check what web and worker need to start, and set up what they report. Raises an error that
    says in one line what is missing."""
    from temporalio.runtime import Runtime

    from latchkey import error_reports, tracing
    from latchkey.logging import configure_logging
    from latchkey.settings import load_settings
    from latchkey.store.migrate import await_current
    from latchkey.temporal import make_runtime

    settings = load_settings()
    dsn = settings.require_database()
    settings.require_secrets()
    configure_logging()
    Runtime.set_default(make_runtime())
    tracing.start(settings.otlp_endpoint, share=settings.traced_share, program=program)
    error_reports.start(settings.sentry_dsn, program=program, release=installed_version("latchkey"))
    _run(await_current(dsn))
    return settings


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def main() -> None:
    """Run the command line. Expected errors end in one readable line and exit status 1."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        _fail(_explained(error))


def _explained(error: Exception) -> str:
    """What to say about an error that ended a command. Raises the error if it wasn't expected."""
    import asyncpg

    from latchkey.adoption import AdoptionError
    from latchkey.backup import BackupError
    from latchkey.backup_file import BackupFileError
    from latchkey.embedded import EmbeddedError
    from latchkey.postgres_client import PostgresClientError
    from latchkey.recovery import RecoveryError
    from latchkey.restoration import RestoreError
    from latchkey.s3 import S3Error
    from latchkey.settings import SettingsError
    from latchkey.store.migrate import MigrationError
    from latchkey.up import UpError

    expected = (
        SettingsError,
        UpError,
        EmbeddedError,
        MigrationError,
        RecoveryError,
        AdoptionError,
        BackupError,
        BackupFileError,
        PostgresClientError,
        RestoreError,
        S3Error,
    )
    if isinstance(error, expected):
        return str(error)
    if isinstance(error, OSError | asyncpg.PostgresError | RuntimeError):
        return f"{type(error).__name__}: {error}. Run `latchkey doctor` to find the cause"
    raise error


def _fail(message: str, *, status: int = 1) -> None:
    errors.print(f"latchkey: {message}", style="red", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
