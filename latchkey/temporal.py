"""The one way to Temporal: connecting, and the search attributes that runs are found by."""

import os
import re

import temporalio.api.enums.v1 as enums
import temporalio.api.operatorservice.v1 as operator
from dotenv import dotenv_values
from temporalio.client import Client
from temporalio.common import SearchAttributeKey
from temporalio.envconfig import ClientConfig
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
"""How the server words it, by where it keeps them."""

DEFAULT_ADDRESS = "127.0.0.1:7233"


async def connect(*, lazy: bool = False, runtime: Runtime | None = None) -> Client:
    """A client configured by Temporal's own variables, from the environment or from `.env`, and
    by its profile file.

    `lazy` connects at the first call, so that a process starts while Temporal is away. A server on
    the same machine is spoken to without compression, which would cost both sides a sixth.
    """
    given = {name: value for name, value in dotenv_values(".env").items() if value}
    config = ClientConfig.load_client_connect_config(override_env_vars=given | dict(os.environ))
    config.setdefault("target_host", DEFAULT_ADDRESS)
    beside = config["target_host"].startswith(("127.0.0.1:", "localhost:", "[::1]:"))
    return await Client.connect(
        **config,
        lazy=lazy,
        runtime=runtime,
        grpc_compression=GrpcCompression.NONE if beside else GrpcCompression.GZIP,
    )


async def register_search_attributes(client: Client) -> list[str]:
    """Make the namespace know our search attributes; returns those that were new.

    Starting a workflow with an unregistered one fails, so this comes before any worker.
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
    """Whether a call was refused for a search attribute that the namespace doesn't know."""
    return bool(_NOT_DEFINED.search(error.message))
