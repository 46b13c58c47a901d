"""API versions and their families, by the names that Stripe gives them."""

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from sandbox.schema import API_VERSION, Published
from sandbox.shop import StripeApiError, invalid


class Family(IntEnum):
    """Versions with the same shapes, oldest first. Each begins with a breaking change."""

    V2024 = 0
    BASIL = 1
    CLOVER = 2
    DAHLIA = 3
    ENDIVE = 4


@dataclass(frozen=True)
class Version:
    """A version of Stripe's API, such as `2025-09-30.clover`."""

    name: str
    family: Family


CURRENT = Version(API_VERSION, Family.ENDIVE)
_FIRST = {
    "2024-06-20": Family.V2024,
    "2025-03-31": Family.BASIL,
    "2025-09-30": Family.CLOVER,
    "2026-03-25": Family.DAHLIA,
    "2026-09-30": Family.ENDIVE,
}
"""The day on which each family begins. Acacia (2024-09-30) changed nothing in billing."""
OLDEST = "2024-06-20"
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


@cache
def released(published: Published) -> frozenset[str]:
    """Every version that Stripe has released up to ours."""
    route = published.match("POST", "/v1/webhook_endpoints")
    assert route is not None, "the SDK has webhook endpoints"
    schema = published.resolve(published.request_schema(route))["properties"]["api_version"]
    return frozenset({*schema["enum"], API_VERSION})


@cache
def version_of(published: Published, version: str, *, param: str | None = None) -> Version:
    """The version of a name. Raises Stripe's 400 for one that doesn't exist, and the sandbox's
    own for one that it doesn't speak; `param` is the parameter that named it, None a header."""
    if not _DATE.fullmatch(version) or version not in released(published):
        raise invalid(f"Invalid Stripe API version: {version}", param=param)
    if version < OLDEST:
        raise StripeApiError(
            400,
            f"The sandbox doesn't speak Stripe's API version {version}. It speaks {OLDEST} and"
            " later.",
            code="sandbox_unsupported",
            param=param,
        )
    family = max(family for first, family in _FIRST.items() if first <= version[:10])
    return Version(version, family)
