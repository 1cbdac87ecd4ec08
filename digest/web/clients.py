"""Who asks, and how many wrong tokens they may try."""

from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from digest.web_settings import Network

GUESSES_AT_ONCE = 10
SECONDS_PER_GUESS = 30.0
"""A network may try ten wrong tokens, and then two a minute."""

_NETWORKS_KEPT = 10_000


def client_of(peer: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address that asked. `forwarded` are the values of X-Forwarded-For, the last one of the nearest hop.

    Each hop adds the address that it was asked by, so what a trusted proxy says is believed, and of what it
    was told only as much as other trusted ones have said.
    """
    hops = [hop.strip() for line in forwarded for hop in line.split(",")]
    address = peer or ""
    while hops and _is_in(address, trusted):
        address = hops.pop()
    return address


def network_of(address: str) -> str:
    """What counts as one asker: an IPv4 address, or the /64 that one line has of IPv6 (RFC 6177)."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return str(found)


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


class Guesses:
    """Counts wrong tokens by network, in a bounded room. Times are seconds of any steady clock."""

    def __init__(self) -> None:
        # For each network: when it will have made up for all its wrong tokens.
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, network: str, now: float) -> float:
        """For how many seconds no token of this network is looked at; 0 if it may try."""
        ahead = self._paid_at.get(network, now) - now
        return max(0.0, ahead - (GUESSES_AT_ONCE - 1) * SECONDS_PER_GUESS)

    def count(self, network: str, now: float) -> None:
        """One more wrong token."""
        self._paid_at[network] = max(now, self._paid_at.get(network, now)) + SECONDS_PER_GUESS
        self._paid_at.move_to_end(network)
        if len(self._paid_at) > _NETWORKS_KEPT:
            self._paid_at.popitem(last=False)
