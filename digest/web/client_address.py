"""The client address of a request, and a limit for wrong tokens."""

from collections import OrderedDict
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from digest.config.web_settings import Network

GUESSES_AT_ONCE = 10
SECONDS_PER_GUESS = 30.0
"""A network may try ten wrong tokens, and then two a minute."""

_NETWORKS_KEPT = 10_000


def parse_hops(forwarded_for: Sequence[str], forwarded: Sequence[str]) -> tuple[str, ...]:
    """The address from which each proxy on the way got the request, the nearest to us last.

    From the values of X-Forwarded-For, or without it, of Forwarded (RFC 7239). Lists are split at every
    comma: an open quote of a client must not hide what a proxy adds after it.
    """
    if any(line.strip() for line in forwarded_for):
        return tuple(hop.strip() for hop in ",".join(forwarded_for).split(",") if hop.strip())
    elements = (element.strip() for element in ",".join(forwarded).split(","))
    return tuple(_named_in(element) for element in elements if element)


def _named_in(element: str) -> str:
    """The `for` of one element of Forwarded, or empty."""
    for pair in element.split(";"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "for":
            return value.strip()
    return ""


def client_for(peer: str | None, hops: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client address; empty if a proxy does not send it: its clients must not count as one.

    Each hop names the address that it got the request from. Values count only as far as trusted
    proxies wrote them.
    """
    address = address_in(peer or "")
    if not address or not _is_in(address, trusted):
        return address
    for hop in reversed(hops):
        address = address_in(hop)
        if not address or not _is_in(address, trusted):
            return address
    return address if hops else ""


def address_in(node: str) -> str:
    """The IP address that `node` names, without port, brackets, quotes and zone; empty if it names none.

    Forms: RFC 7239, section 6, and forms without quotes or brackets, as in X-Forwarded-For.
    """
    text = node.strip().strip('"').strip()
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        if port and not port.startswith(":"):
            return ""
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(found.ipv4_mapped or found) if isinstance(found, IPv6Address) else str(found)


def network_for(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one site has of IPv6 (RFC 6177).

    Empty if `address` is not valid: such clients are never counted as one.
    """
    if not (known := address_in(address)):
        return ""
    found = ip_address(known)
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else str(found)


def is_trusted(peer: str | None, trusted: Sequence[Network]) -> bool:
    """Whether the peer is a trusted proxy."""
    address = address_in(peer or "")
    return bool(address) and _is_in(address, trusted)


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    found = ip_address(address)
    return any(found in network for network in networks)


class TokenGuesses:
    """Counts wrong tokens by network, with limited memory. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        # For each network: the time at which all its wrong tokens are compensated.
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, network: str, now: float) -> float:
        """How many seconds this network must wait before another token; 0 if it may try now."""
        ahead = self._paid_at.get(network, now) - now
        return max(0.0, ahead - (GUESSES_AT_ONCE - 1) * SECONDS_PER_GUESS)

    def count(self, network: str, now: float) -> None:
        """One more wrong token."""
        self._paid_at[network] = max(now, self._paid_at.get(network, now)) + SECONDS_PER_GUESS
        self._paid_at.move_to_end(network)
        if len(self._paid_at) > _NETWORKS_KEPT:
            self._paid_at.popitem(last=False)
