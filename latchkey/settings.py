"""The settings, read from the environment and from `.env`."""

import os
import re
from email.utils import getaddresses
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from latchkey.addresses import mailbox
from latchkey.payload_codec import PayloadKeys
from latchkey.urls import is_local

SHORTEST_SECRET = 16
NO_TOKEN = "none"
TraceSampler = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
"""OpenTelemetry's names. Traces begin here and are followed throughout, so each is based on its
parent."""


PICTURE_PLACES = "must be postgres, the absolute path of a folder, or s3://bucket/folder"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.\.?(?:/|$))[A-Za-z0-9._-]+)*/?")
_ORIGIN = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?/?")


def is_picture_place(value: str) -> bool:
    """Whether a text names a place for uploaded pictures."""
    return value == "postgres" or value.startswith("/") or bool(_BUCKET.fullmatch(value))


class SettingsError(Exception):
    """A setting is missing or invalid. The message names it and says what to do."""


class Settings(BaseSettings):
    """One field per variable in docs/settings.md. Secrets are `SecretStr` and never printed."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    stripe_secret_key: SecretStr | None = Field(None, alias="STRIPE_SECRET_KEY")
    stripe_api_base: str | None = Field(None, alias="STRIPE_API_BASE")
    stripe_webhook_secret: SecretStr | None = Field(None, alias="STRIPE_WEBHOOK_SECRET")
    register_webhook: Literal["auto", "off"] = Field("auto", alias="LATCHKEY_REGISTER_WEBHOOK")
    database_password: SecretStr | None = Field(None, alias="DATABASE_PASSWORD")
    database_url: SecretStr | None = Field(None, alias="DATABASE_URL")
    temporal_address: str | None = Field(None, alias="TEMPORAL_ADDRESS")
    data: Path = Field(Path(".latchkey"), alias="LATCHKEY_DATA")
    host: str = Field("127.0.0.1", alias="LATCHKEY_HOST")
    port: int = Field(8000, alias="LATCHKEY_PORT", ge=1, le=65535)
    drain_seconds: float = Field(0, alias="LATCHKEY_DRAIN_SECONDS", ge=0, le=300)
    public_url: str = Field(
        default_factory=lambda given: f"http://127.0.0.1:{given.get('port')}",
        alias="LATCHKEY_PUBLIC_URL",
    )
    hsts: Literal["host", "subdomains", "off"] = Field("host", alias="LATCHKEY_HSTS")
    allowed_hosts: str = Field("", alias="LATCHKEY_ALLOWED_HOSTS")
    trusted_proxies: str = Field("127.0.0.1", alias="FORWARDED_ALLOW_IPS")
    secret: SecretStr | None = Field(None, alias="LATCHKEY_SECRET")
    admin_email: str | None = Field(None, alias="LATCHKEY_ADMIN_EMAIL")
    admin_password: SecretStr | None = Field(None, alias="LATCHKEY_ADMIN_PASSWORD")
    api_token: SecretStr | None = Field(None, alias="LATCHKEY_API_TOKEN", min_length=16)
    file_mib: int = Field(25, alias="LATCHKEY_FILE_MIB", ge=1, le=500)
    member_idle_days: int = Field(30, alias="LATCHKEY_MEMBER_IDLE_DAYS", ge=1, le=400)
    member_session_days: int = Field(90, alias="LATCHKEY_MEMBER_SESSION_DAYS", ge=1, le=400)
    staff_idle_hours: int = Field(12, alias="LATCHKEY_STAFF_IDLE_HOURS", ge=1, le=9600)
    staff_session_days: int = Field(7, alias="LATCHKEY_STAFF_SESSION_DAYS", ge=1, le=400)
    stripe_rate: float = Field(20.0, alias="LATCHKEY_STRIPE_RATE", gt=0)
    burst_from: int | Literal["off"] = Field(20, alias="LATCHKEY_BURST_FROM")
    catchup_seconds: int = Field(600, alias="LATCHKEY_CATCHUP_SECONDS", ge=10)
    reconciliation: Literal["report", "repair", "off"] = Field(
        "report", alias="LATCHKEY_RECONCILIATION"
    )
    event_body_days: int = Field(90, alias="LATCHKEY_EVENT_BODY_DAYS", ge=1)
    event_days: int = Field(400, alias="LATCHKEY_EVENT_DAYS", ge=60)
    activity_days: int | None = Field(None, alias="LATCHKEY_ACTIVITY_DAYS", ge=400)
    audit_days: int = Field(400, alias="LATCHKEY_AUDIT_DAYS", ge=30)
    backup_hours: int = Field(36, alias="LATCHKEY_BACKUP_HOURS", ge=0)
    pictures: str = Field("postgres", alias="LATCHKEY_PICTURES")
    s3_endpoint: str | None = Field(None, alias="LATCHKEY_S3_ENDPOINT")
    s3_region: str = Field("us-east-1", alias="LATCHKEY_S3_REGION", pattern=r"^[a-z0-9-]{1,50}$")
    s3_access_key_id: SecretStr | None = Field(None, alias="LATCHKEY_S3_ACCESS_KEY_ID")
    s3_secret_access_key: SecretStr | None = Field(None, alias="LATCHKEY_S3_SECRET_ACCESS_KEY")
    smtp_url: SecretStr | None = Field(None, alias="SMTP_URL")
    smtp_tls: Literal["required", "opportunistic"] = Field("required", alias="LATCHKEY_SMTP_TLS")
    temporal_ui_url: str | None = Field(None, alias="LATCHKEY_TEMPORAL_UI_URL")
    worker_versioning: Literal["on", "off"] = Field("off", alias="LATCHKEY_WORKER_VERSIONING")
    worker_slots: Literal["fixed", "by-resources"] = Field("fixed", alias="LATCHKEY_WORKER_SLOTS")
    worker_cache: int = Field(1000, alias="LATCHKEY_WORKER_CACHE", ge=0, le=100_000)
    temporal_keys: SecretStr | None = Field(None, alias="LATCHKEY_TEMPORAL_KEYS")
    codec_host: str = Field("127.0.0.1", alias="LATCHKEY_CODEC_HOST")
    codec_port: int = Field(8234, alias="LATCHKEY_CODEC_PORT", ge=1, le=65535)
    codec_token: SecretStr | None = Field(None, alias="LATCHKEY_CODEC_TOKEN")
    outgoing_networks: str = Field("", alias="LATCHKEY_OUTGOING_NETWORKS")

    mail_from: str = Field("Latchkey <latchkey@localhost>", alias="LATCHKEY_MAIL_FROM")
    sandbox_url: str | None = Field(None, alias="LATCHKEY_SANDBOX_URL")
    sandbox_exit: Path | None = Field(None, alias="LATCHKEY_SANDBOX_EXIT")
    sandbox_port: int = Field(12111, alias="LATCHKEY_SANDBOX_PORT", ge=1, le=65535)
    sandbox_month_seconds: int | None = Field(None, alias="LATCHKEY_SANDBOX_MONTH_SECONDS", ge=10)
    temporal_port: int = Field(7233, alias="LATCHKEY_TEMPORAL_PORT", ge=1, le=65535)
    temporal_ui_port: int = Field(8233, alias="LATCHKEY_TEMPORAL_UI_PORT", ge=1, le=65535)
    worker_metrics_host: str = Field("127.0.0.1", alias="LATCHKEY_WORKER_METRICS_HOST")
    worker_metrics_port: int | None = Field(None, alias="LATCHKEY_WORKER_METRICS_PORT")
    sentry_dsn: str | None = Field(None, alias="SENTRY_DSN")
    otlp_endpoint: str | None = Field(None, alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    trace_sampler: TraceSampler = Field("parentbased_traceidratio", alias="OTEL_TRACES_SAMPLER")
    trace_ratio: float = Field(0.05, alias="OTEL_TRACES_SAMPLER_ARG", ge=0, le=1)
    metrics_token: SecretStr | None = Field(None, alias="LATCHKEY_METRICS_TOKEN", min_length=16)

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, given: dict[str, Any]) -> dict[str, Any]:
        """An empty file counts as absent, as an empty variable does."""
        return {name: value for name, value in given.items() if value != ""}

    @field_validator("database_url")
    @classmethod
    def _with_password(cls, value: SecretStr | None, given: ValidationInfo) -> SecretStr | None:
        """The URL with DATABASE_PASSWORD in it, whose characters don't need to suit a URL."""
        password = given.data.get("database_password")
        if value is None or password is None:
            return value
        parts = urlsplit(value.get_secret_value())
        account, _, host = parts.netloc.rpartition("@")
        role, _, present = account.partition(":")
        wanted = password.get_secret_value()
        if not role or unquote(present) not in ("", wanted):
            raise ValueError(
                "must name the role, and no other password than DATABASE_PASSWORD:"
                " postgresql://role@host/name"
            )
        netloc = f"{role}:{quote(wanted, safe='')}@{host}"
        return SecretStr(parts._replace(netloc=netloc).geturl())

    @field_validator(
        "public_url",
        "stripe_api_base",
        "sandbox_url",
        "temporal_ui_url",
        "otlp_endpoint",
        "sentry_dsn",
    )
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @field_validator("mail_from")
    @classmethod
    def _one_sender(cls, value: str) -> str:
        """Every email carries it: a sender that isn't one mailbox would fail them all."""
        senders = getaddresses([value])
        if len(senders) != 1 or ";" in value:
            raise ValueError("must be one sender, such as Members <members@example.com>")
        mailbox(senders[0][1])
        return value

    @field_validator("outgoing_networks")
    @classmethod
    def _networks(cls, value: str) -> str:
        for part in _parts(value):
            try:
                ip_network(part)
            except ValueError as error:
                raise ValueError(
                    f"must be networks such as 10.0.0.0/8, separated by commas: {error}"
                ) from None
        return value

    @property
    def outgoing_allowed(self) -> tuple[str, ...]:
        """The networks outside the internet that outgoing requests may reach."""
        return _parts(self.outgoing_networks)

    @field_validator("pictures")
    @classmethod
    def _place(cls, value: str) -> str:
        if not is_picture_place(value):
            raise ValueError(PICTURE_PLACES)
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _server(cls, value: str | None) -> str | None:
        if value is not None and not _ORIGIN.fullmatch(value):
            raise ValueError("must be an address without a path, such as https://s3.example.com")
        return value.rstrip("/") if value else None

    @field_validator("s3_access_key_id")
    @classmethod
    def _key_id(cls, value: SecretStr | None) -> SecretStr | None:
        """Each request to the bucket names it in a header."""
        if value is not None and not re.fullmatch("[!-~]+", value.get_secret_value()):
            raise ValueError("must be the ID of a key as the server shows it: ASCII without spaces")
        return value

    @field_validator("burst_from")
    @classmethod
    def _some(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be 1 or more, or off")
        return value

    @field_validator("temporal_keys")
    @classmethod
    def _keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            PayloadKeys.of(value.get_secret_value())
        return value

    @field_validator("codec_token")
    @classmethod
    def _token(cls, value: SecretStr | None) -> SecretStr | None:
        given = value.get_secret_value() if value else NO_TOKEN
        if given != NO_TOKEN and len(given) < SHORTEST_SECRET:
            raise ValueError(f"must have at least {SHORTEST_SECRET} characters, or be {NO_TOKEN}")
        return value

    @property
    def payload_keys(self) -> PayloadKeys | None:
        """The keys that encrypt what workflows keep in Temporal."""
        return PayloadKeys.of(self.temporal_keys.get_secret_value()) if self.temporal_keys else None

    @property
    def traced_share(self) -> float:
        """How much of what arrives is traced, from 0 to 1."""
        match self.trace_sampler.removeprefix("parentbased_"):
            case "always_on":
                return 1.0
            case "always_off":
                return 0.0
            case _:
                return self.trace_ratio

    @property
    def temporal_ui_origin(self) -> str | None:
        """The origin of the Temporal UI's pages, as browsers name it."""
        parts = urlsplit(self.temporal_ui_url or "")
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else None

    @property
    def is_local(self) -> bool:
        """Whether the public URL leads to this machine or its network, not to the internet."""
        return is_local(self.public_url)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Further host names that the site answers to."""
        return _parts(self.allowed_hosts)

    @property
    def webhook_secrets(self) -> list[str]:
        return list(_listed(self.stripe_webhook_secret))

    def require_database(self) -> str:
        """The database URL. Raises `SettingsError` if it isn't set."""
        if self.database_url is None:
            raise SettingsError(
                "DATABASE_URL is not set: give the URL of a Postgres 15 or newer, such as"
                " postgresql://user:password@host/latchkey (only `latchkey up` brings its own)"
            )
        return self.database_url.get_secret_value()

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and min(map(len, _listed(value)), default=0) < SHORTEST_SECRET:
            raise ValueError(f"each secret must have at least {SHORTEST_SECRET} characters")
        return value

    def require_secrets(self) -> tuple[str, ...]:
        """The secrets, the one that seals and signs first; all of them open. Raises `SettingsError`
        where none is set."""
        if self.secret is None:
            raise SettingsError(
                "LATCHKEY_SECRET is not set: give 32 or more random characters, the same for every"
                " process (only `latchkey up` creates its own)"
            )
        return _listed(self.secret)


def load_settings() -> Settings:
    """The settings of this process, from the environment, `.env`, and the files in the folder that
    LATCHKEY_SECRETS_DIR names. Raises `SettingsError` for the first invalid variable."""
    folder = secrets_folder()
    try:
        return Settings(_secrets_dir=folder)  # type: ignore[call-arg]
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise SettingsError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


def secrets_folder() -> Path | None:
    """The folder with a file for each secret, as containers are given them. Raises `SettingsError`
    if it isn't one."""
    given = os.environ.get("LATCHKEY_SECRETS_DIR")
    if not given:
        return None
    if not Path(given).is_dir():
        raise SettingsError(f"LATCHKEY_SECRETS_DIR: {given} isn't a folder")
    return Path(given)


def _listed(value: SecretStr | None) -> tuple[str, ...]:
    """The parts of a comma-separated secret."""
    return _parts(value.get_secret_value() if value else "")


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def variables() -> dict[str, str]:
    """Environment variables by settings field, in the order of docs/settings.md."""
    return {name: str(field.alias) for name, field in Settings.model_fields.items()}
