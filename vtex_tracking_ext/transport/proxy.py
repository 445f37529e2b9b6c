"""The way to a server, from an address and what a caller says of proxies."""

from __future__ import annotations

import base64
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from vtex_tracking_ext.errors import ConfigurationError

from .connect import Proxy, Route

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

_PORTS = {"http": 80, "https": 443}


def route_of(base_url: str, tls: Callable[[], ssl.SSLContext], proxy: str | None, *, trust_env: bool) -> Route:
    """Return the way to ``base_url``, which has been checked.

    Args:
        base_url: Where the paths of openapi.yaml begin.
        tls: Returns how to check who the server is.
        proxy: Address of a proxy, or None.
        trust_env: Whether to use the proxies that the environment names (``HTTPS_PROXY``, ``NO_PROXY``), where
            none is given.

    Raises:
        ConfigurationError: The proxy's address cannot be used.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if proxy is None and trust_env and not urllib.request.proxy_bypass(host):
        proxies = urllib.request.getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
    return Route(
        host=host,
        port=parts.port or _PORTS[parts.scheme],
        tls=tls if parts.scheme == "https" else None,
        proxy=None if proxy is None else proxy_of(proxy),
    )


def proxy_of(address: object) -> Proxy:
    """Read a proxy's address, such as ``http://user:password@proxy.example:3128``.

    Raises:
        ConfigurationError: It cannot be used. The message does not quote it, since it may hold a password.
    """
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        host, port = (parts.hostname or "").encode("ascii").decode(), parts.port
        if parts.scheme != "http" or not host or not host.isprintable() or parts.path.strip("/") or parts.query:
            raise ValueError  # noqa: TRY301 - one message for all of it
    except ValueError:
        raise ConfigurationError(
            "proxy cannot be used: give an address such as http://proxy.example:3128. For a proxy that is itself "
            "reached by TLS, or by SOCKS, hand in an http_client of your own."
        ) from None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers = ((b"Proxy-Authorization", b"Basic " + base64.b64encode(login)),)
    return Proxy(host, port or _PORTS["http"], headers)
