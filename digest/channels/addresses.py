"""The network addresses that a webhook may have. The address of the connection is checked.

Its name is not: the next look-up of it may give another address.
"""

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

_OF_PROTOCOLS = ip_network("192.0.0.0/24")
"""Not global (RFC 6890): a cloud has had its metadata there. Before 3.11.10, Python knows parts of it."""


class ForbiddenAddress(OSError):
    """The name of a server resolves to this machine, or to a private network."""

    def __init__(self) -> None:
        super().__init__(errno.EACCES, "the address is of a private network")


def guarded_socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket for an address of `getaddrinfo`. Raises `ForbiddenAddress` before it is connected."""
    family, kind, protocol, _, place = address
    if family not in {socket.AF_INET, socket.AF_INET6} or not is_public(str(place[0])):
        raise ForbiddenAddress
    return socket.socket(family, kind, protocol)


def is_public(text: str) -> bool:
    """Whether it is the address of a machine on the public internet."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_is_public(one) for one in (address, *_within(address)))


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """All of ::/8 is reserved: addresses that end with an IPv4 address, and those of NAT64."""
    return address.is_global and not (
        address.is_multicast
        or address.is_reserved
        or address in _OF_PROTOCOLS
        or getattr(address, "is_site_local", False)
    )


def _within(address: IPv4Address | IPv6Address) -> list[IPv4Address]:
    """The IPv4 addresses to which a packet for this address may go."""
    if isinstance(address, IPv4Address):
        return []
    found = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    return [one for one in found if one is not None]
