"""Where settings come from."""

import io
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from rich.console import Console

from latchkey import doctor, temporal
from latchkey.settings import SettingsError, load_settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("TEMPORAL_ADDRESS", "LATCHKEY_PORT", "LATCHKEY_PUBLIC_URL", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


async def test_the_env_file_is_read_for_temporal_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text("TEMPORAL_ADDRESS=temporal.example:7777\n")
    client = await temporal.connect(lazy=True)
    assert client.service_client.config.target_host == "temporal.example:7777"
    assert load_settings().temporal_address == "temporal.example:7777"
    monkeypatch.setenv("TEMPORAL_ADDRESS", "other.example:7777")
    client = await temporal.connect(lazy=True)
    assert client.service_client.config.target_host == "other.example:7777"


def test_the_public_address_follows_the_port(folder: Path) -> None:
    assert load_settings().public_url == "http://127.0.0.1:8000"
    (folder / ".env").write_text("LATCHKEY_PORT=8123\n")
    assert load_settings().public_url == "http://127.0.0.1:8123"


def test_secrets_may_lie_in_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As containers are given them: one file for each, named like its variable."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "LATCHKEY_SECRET").write_text("a secret of twenty and more letters\n")
    (secrets / "STRIPE_SECRET_KEY").write_text("sk_test_from_a_file")
    (secrets / "SMTP_URL").write_text("\n")
    monkeypatch.setenv("LATCHKEY_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_from_the_environment")
    settings = load_settings()
    assert settings.require_secrets() == ("a secret of twenty and more letters",)
    assert settings.stripe_secret_key is not None
    assert settings.stripe_secret_key.get_secret_value() == "sk_test_from_the_environment"
    assert settings.smtp_url is None, "an empty file counts as absent"
    console = Console(record=True, width=250, file=io.StringIO())
    console.print(doctor._settings_table(settings))
    (row,) = [line for line in console.export_text().splitlines() if "LATCHKEY_SECRET " in line]
    assert str(secrets / "LATCHKEY_SECRET") in row
    assert "twenty" not in row
    monkeypatch.setenv("LATCHKEY_SECRETS_DIR", str(folder / "nowhere"))
    with pytest.raises(SettingsError, match="isn't a folder"):
        load_settings()


async def test_temporal_s_secrets_may_lie_in_files_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "TEMPORAL_API_KEY").write_text("of Temporal Cloud\n")
    (folder / "TEMPORAL_ADDRESS").write_text("file.example:7777\n")
    monkeypatch.setenv("LATCHKEY_SECRETS_DIR", str(folder))
    monkeypatch.setenv("TEMPORAL_ADDRESS", "other.example:7777")
    client = await temporal.connect(lazy=True)
    assert client.service_client.config.api_key == "of Temporal Cloud"
    assert client.service_client.config.target_host == "other.example:7777"


async def test_a_file_that_cannot_be_read_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = str(folder / "client.pem")
    monkeypatch.setenv("TEMPORAL_TLS_CLIENT_CERT_PATH", nowhere)
    with pytest.raises(SettingsError, match=nowhere):
        temporal.access()
    with pytest.raises(SettingsError, match=nowhere):
        await temporal.connect(lazy=True)


PASSWORD = "p/w@d#1?:%[é"


async def test_the_database_s_password_may_have_any_characters(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "DATABASE_PASSWORD").write_text(PASSWORD)
    monkeypatch.setenv("LATCHKEY_SECRETS_DIR", str(folder / "secrets"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://latchkey_app@db.example:5433/one?sslmode=x")
    url = load_settings().require_database()
    parts = urlsplit(url)
    assert (parts.username, parts.hostname, parts.port) == ("latchkey_app", "db.example", 5433)
    assert unquote(parts.password or "") == PASSWORD
    assert (parts.path, parts.query) == ("/one", "sslmode=x")
    monkeypatch.setenv("DATABASE_URL", url)
    assert load_settings().require_database() == url, "a program started by another has both"


@pytest.mark.parametrize("url", ["postgresql://a:another@host/db", "postgresql://host/db"])
def test_a_password_of_its_own_needs_a_role_without_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", PASSWORD)
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SettingsError, match="DATABASE_URL: must name the role, and no other") as it:
        load_settings()
    assert "another" not in str(it.value)


@pytest.mark.parametrize("sender", ["nobody", "Members <a@x.test>, b@y.test", "group:a@x.test;"])
def test_a_sender_must_be_one_mailbox(folder: Path, sender: str) -> None:
    """It stands in every email: one that isn't would fail them all, one by one."""
    (folder / ".env").write_text(f"LATCHKEY_MAIL_FROM={sender}\n")
    with pytest.raises(SettingsError, match="LATCHKEY_MAIL_FROM"):
        load_settings()


def test_a_sender_has_a_name_and_an_address(folder: Path) -> None:
    (folder / ".env").write_text("LATCHKEY_MAIL_FROM=Members <members@example.com>\n")
    assert load_settings().mail_from == "Members <members@example.com>"
