"""Where requests that a person asked for may go: to the internet, not into this network."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

from latchkey.addresses import host_name
from latchkey.languages import _

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST = 2000
_PORTS = {"http": 80, "https": 443}
_ASSIGNED = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_SPECIAL = tuple(
    ip_network(text)
    for text in ("100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24")
)
"""Not on the internet, though not all versions of Python say so: carriers' networks, the address at
which Azure serves metadata, protocol assignments, and relays that no longer exist."""


class RefusedAddressError(ValueError):
    """A request mustn't go there. The message says why, and begins in lower case."""


@dataclass(frozen=True)
class Destination:
    """Where a URL leads. `host` is in punycode and lower case, or an IP address without
    brackets."""

    scheme: str
    host: str
    port: int


def destination_of(url: str) -> Destination:
    """Where an http or https URL leads. Raises `RefusedAddressError` if it isn't a plain one."""
    if len(url) > LONGEST or not url.isascii() or any(c <= " " or c in '\\"<>\x7f' for c in url):
        raise RefusedAddressError(
            _(
                "it has to be a URL of at most 2,000 characters, without blanks and letters beyond"
                " a–z (write a name with other letters in punycode, the rest percent-encoded)"
            )
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise RefusedAddressError(_("it isn't a valid URL")) from None
    if parts.scheme not in _PORTS or not host:
        raise RefusedAddressError(_("it has to begin with https:// and name a host"))
    if parts.username is not None or parts.password is not None:
        raise RefusedAddressError(_("it mustn't contain a name or password before the host"))
    if parts.fragment:
        raise RefusedAddressError(_("it mustn't contain a fragment (#…): servers don't see it"))
    if port == 0:
        raise RefusedAddressError(_("port 0 doesn't exist"))
    return Destination(parts.scheme, _host(host), port or _PORTS[parts.scheme])


def _host(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    name = host_name(host)
    if name is None:
        raise RefusedAddressError(_("%(host)s isn't a valid host name", host=host))
    return name


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks such as `10.0.0.0/8`, and single addresses. Raises `ValueError`."""
    return tuple(ip_network(text) for text in texts)


def on_internet(address: Address) -> bool:
    """Whether an address is somebody's on the internet: not private, loopback, link-local,
    multicast, reserved, or of a cloud's metadata."""
    address = _meant(address)
    if isinstance(address, IPv6Address) and address not in _ASSIGNED:
        return False
    special = any(address in network for network in _SPECIAL)
    return address.is_global and not (address.is_multicast or address.is_reserved or special)


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def in_networks(address: Address, allowed: Iterable[Network]) -> bool:
    meant = _meant(address)
    return any(meant in network or address in network for network in allowed)
