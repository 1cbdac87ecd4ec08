"""Chooses the proxy for a request from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""

from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

from digest.config.parsing import is_loopback
from digest.errors import Unreachable


def proxy_for(url: str) -> str | None:
    """The address of the proxy for `url`; `None` for a direct request, as always for this machine.

    Raises `Unreachable` for a proxy that cannot be used.
    """
    address = urlsplit(url)
    proxies = getproxies_environment()
    named = proxies.get(address.scheme) or proxies.get("all")
    host = address.hostname or ""
    if not named or is_loopback(host) or proxy_bypass_environment(host, proxies):
        return None
    proxy = named if "://" in named else f"http://{named}"
    try:
        parts = urlsplit(proxy)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise Unreachable(
            url,
            f"the proxy {shown(proxy)} cannot be used; set {address.scheme.upper()}_PROXY to"
            " http://HOST:PORT (no SOCKS), or add this host to NO_PROXY",
        )
    return proxy


def shown(proxy: str) -> str:
    """The address of the proxy, without name and password."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
