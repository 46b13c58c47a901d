"""Connecting to Temporal, and the search attributes for finding runs."""

import asyncio
import logging
import math
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog
import temporalio.api.enums.v1 as enums
import temporalio.api.operatorservice.v1 as operator
from dotenv import dotenv_values
from temporalio.client import Client, Interceptor
from temporalio.common import SearchAttributeKey
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode, TLSConfig

from latchkey import payload_codec, tracing
from latchkey.payload_codec import PayloadKeys
from latchkey.settings import SettingsError, secrets_folder

LATCHKEY_PRODUCT = SearchAttributeKey.for_keyword("LatchkeyProduct")
STRIPE_PRODUCT = SearchAttributeKey.for_keyword("StripeProduct")
STRIPE_CUSTOMER = SearchAttributeKey.for_keyword("StripeCustomer")
STRIPE_SUBSCRIPTION = SearchAttributeKey.for_keyword("StripeSubscription")
LATCHKEY_STATE = SearchAttributeKey.for_keyword("LatchkeyState")

SEARCH_ATTRIBUTES = (
    LATCHKEY_PRODUCT,
    STRIPE_PRODUCT,
    STRIPE_CUSTOMER,
    STRIPE_SUBSCRIPTION,
    LATCHKEY_STATE,
)

_NOT_DEFINED = re.compile(
    r"no mapping defined for search attribute|search attribute \S+ is not defined"
)
"""The server's wording, which depends on its visibility store."""

_PASSING = {
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
}
PAUSE_SECONDS, SAY_EVERY_SECONDS = 1.0, 30.0
DEFAULT_ADDRESS = "127.0.0.1:7233"

log = structlog.get_logger("temporal")


def make_runtime(metrics: PrometheusConfig | None = None) -> Runtime:
    """A runtime whose core logs the way everything else in the process does."""
    ours = logging.getLogger("temporalio")
    forwarding = LogForwardingConfig(ours, append_target_to_name=False)
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    logs = LoggingConfig(levels, forwarding=forwarding)
    if metrics is None:
        return Runtime(telemetry=TelemetryConfig(logging=logs))
    return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics))


async def connect(
    *,
    keys: PayloadKeys | None = None,
    lazy: bool = False,
    runtime: Runtime | None = None,
    identity: str | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """A client configured by Temporal's own variables (from the environment or `.env`) and its
    profile file. With `keys`, what it sends is encrypted.

    `lazy` connects on the first call, so that a process can start while Temporal is unavailable.
    Compression is off for a server on the same machine: it would cost both sides a sixth of their
    time.
    """
    config = _config()
    return await Client.connect(
        **config,
        data_converter=payload_codec.converter(keys),
        lazy=lazy,
        runtime=runtime,
        identity=identity,
        interceptors=[*interceptors, *_tracing()],
        grpc_compression=GrpcCompression.NONE if access().is_beside else GrpcCompression.GZIP,
    )


def _tracing() -> Sequence[Interceptor]:
    if (tracer := tracing.tracer()) is None:
        return []
    from latchkey import temporal_tracing

    return [temporal_tracing.TracesThroughTemporal(tracer)]


async def await_connected(
    stop: asyncio.Event,
    *,
    keys: PayloadKeys | None = None,
    runtime: Runtime | None = None,
    identity: str | None = None,
) -> Client | None:
    """Wait until Temporal answers, connect, and register our search attributes.

    Says what it waits for. None if `stop` is set meanwhile. Raises what waiting doesn't mend:
    `SettingsError` for a namespace that doesn't exist, `RPCError` for the rest.
    """
    said_at = -math.inf
    while not stop.is_set():
        try:
            client = await connect(keys=keys, runtime=runtime, identity=identity)
            await register_search_attributes(client)
            return client
        except (RuntimeError, RPCError) as error:
            if isinstance(error, RPCError) and error.status not in _PASSING:
                if lacks_namespace(error):
                    raise SettingsError(no_namespace(access().namespace)) from None
                raise
            if time.monotonic() - said_at > SAY_EVERY_SECONDS:
                said_at = time.monotonic()
                log.warning("waiting for Temporal", address=access().address, error=str(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                await stop.wait()
    return None


@dataclass(frozen=True)
class Access:
    """How the settings say to reach Temporal. `certificate` is the client's, in PEM format."""

    address: str
    namespace: str
    encrypted: bool
    api_key: bool
    certificate: bytes | None

    @property
    def is_cloud(self) -> bool:
        return self.takes_keys_only or self._host.endswith(".tmprl.cloud")

    @property
    def takes_keys_only(self) -> bool:
        """Whether it is one of Temporal Cloud's regional addresses."""
        return self._host.endswith(".api.temporal.io")

    @property
    def is_beside(self) -> bool:
        """Whether it is on this machine."""
        return self._host in ("127.0.0.1", "localhost", "[::1]")

    @property
    def _host(self) -> str:
        return self.address.rpartition(":")[0].lower()


def access() -> Access:
    """What is set now. Raises `SettingsError` if a file that the settings name can't be read."""
    config = _config()
    tls = config.get("tls")
    return Access(
        address=config["target_host"],
        namespace=config.get("namespace", "default"),
        encrypted=bool(tls or config.get("api_key")),
        api_key=bool(config.get("api_key")),
        certificate=tls.client_cert if isinstance(tls, TLSConfig) else None,
    )


def _config() -> ClientConnectConfig:
    variables = dotenv_values(".env") | dict(os.environ)
    given = _files() | {name: value for name, value in variables.items() if value}
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=given)
    except OSError as error:
        raise SettingsError(f"a file of Temporal's settings can't be read: {error}") from None
    config.setdefault("target_host", DEFAULT_ADDRESS)
    return config


def _files() -> dict[str, str]:
    """Temporal's variables that are files in LATCHKEY_SECRETS_DIR, as the other secrets are."""
    folder = secrets_folder()
    if folder is None:
        return {}
    return {path.name: path.read_text().strip() for path in folder.glob("TEMPORAL_*")}


async def register_search_attributes(client: Client) -> list[str]:
    """Register our search attributes with the namespace; returns the new ones.

    Starting a workflow with an unregistered attribute fails, so do this before starting a worker.
    """
    known = await client.operator_service.list_search_attributes(
        operator.ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in known.custom_attributes]
    if missing:
        keyword = enums.IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
        try:
            await client.operator_service.add_search_attributes(
                operator.AddSearchAttributesRequest(
                    namespace=client.namespace,
                    search_attributes=dict.fromkeys(missing, keyword),
                )
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
    return missing


def lacks_search_attribute(error: RPCError) -> bool:
    """Whether a call was refused because a search attribute isn't registered."""
    return bool(_NOT_DEFINED.search(error.message))


def lacks_namespace(error: RPCError) -> bool:
    """Whether a call was refused because its namespace doesn't exist, or was deleted."""
    return error.status is RPCStatusCode.NOT_FOUND and "namespace" in error.message.lower()


def no_namespace(name: str) -> str:
    """What to do about a namespace that doesn't exist."""
    return (
        f"the Temporal namespace {name!r} doesn't exist: correct TEMPORAL_NAMESPACE, or create it"
        f" with `temporal operator namespace create -n {name}`"
    )
