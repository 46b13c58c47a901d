"""Connecting to Temporal, and the search attributes for finding runs."""

import os
import re

import temporalio.api.enums.v1 as enums
import temporalio.api.operatorservice.v1 as operator
from dotenv import dotenv_values
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

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

DEFAULT_ADDRESS = "127.0.0.1:7233"


async def connect(*, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client configured by Temporal's own variables (from the environment or `.env`) and its
    profile file.

    `lazy` connects on the first call, so that a process can start while Temporal is unavailable.
    Compression is off for a server on the same machine: it would cost both sides a sixth of their
    time.
    """
    config = _config()
    beside = config["target_host"].startswith(("127.0.0.1:", "localhost:", "[::1]:"))
    return await Client.connect(
        **config,
        lazy=lazy,
        runtime=runtime,
        grpc_compression=GrpcCompression.NONE if beside else GrpcCompression.GZIP,
    )


def target() -> tuple[str, bool]:
    """The service's address, and whether the connection is encrypted."""
    config = _config()
    return config["target_host"], bool(config.get("tls") or config.get("api_key"))


def _config() -> ClientConnectConfig:
    given = {name: value for name, value in dotenv_values(".env").items() if value}
    config = ClientConfig.load_client_connect_config(override_env_vars=given | dict(os.environ))
    config.setdefault("target_host", DEFAULT_ADDRESS)
    return config


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
