"""The route to a server, through an HTTP proxy if there is one.

Each new client is given one, so that a wrong address or file is reported at once. What sends over it is imported with
the first call.
"""

from __future__ import annotations

import base64
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from vtex_tracking_ext.config.secret import hidden_headers, revealed_headers
from vtex_tracking_ext.errors import ConfigurationError

from .tls import tls_context

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from vtex_tracking_ext.config.server import Server

_PORTS = {"http": 80, "https": 443}


@frozen
class Proxy:
    """An HTTP proxy, which opens tunnels on CONNECT.

    Attributes:
        host: Host name or address of the proxy.
        port: Port of the proxy.
        headers: The headers that CONNECT carries; they may hold a password. See :func:`.hidden_headers`.
    """

    host: str
    port: int
    headers: memoryview = field(default=(), converter=hidden_headers, repr=False)


@frozen
class Route:
    """Where a server is, and how to reach it.

    Attributes:
        host: Host name or address of the server.
        port: Port of the server.
        tls: Returns the TLS context that verifies the server; None for plain HTTP on this machine.
        proxy: The proxy to connect through, or None.
    """

    host: str
    port: int
    tls: Callable[[], ssl.SSLContext] | None = None
    proxy: Proxy | None = None


def route_to(server: Server) -> Route:
    """Return the route to a server. Call it only within :class:`.hidden_frames`.

    With ``trust_env`` and without an explicit proxy, the environment names the proxy (``HTTPS_PROXY``, ``NO_PROXY``).

    Raises:
        ConfigurationError: The proxy or the file of certificates cannot be used.
    """
    try:
        tls = tls_context(server.ca_file, trust_env=server.trust_env)
    except ConfigurationError as error:  # the message quotes the file's name, which may be a misplaced credential
        raise ConfigurationError(server.redactor.redact_message(str(error))) from None
    parts = urlsplit(server.base_url)
    host = parts.hostname or ""
    proxy = None if server.proxy is None else parse_proxy(server.proxy.reveal())
    if proxy is None and server.trust_env and not urllib.request.proxy_bypass(host):
        proxies = urllib.request.getproxies()
        address = proxies.get(parts.scheme) or proxies.get("all")
        proxy = None if address is None else parse_proxy(address)
    for _, value in () if proxy is None else revealed_headers(proxy.headers):
        encoded = value.removeprefix("Basic ")
        server.redactor.add((encoded, base64.b64decode(encoded).decode().partition(":")[2]))
    return Route(
        host=host,
        port=parts.port or _PORTS[parts.scheme],
        tls=tls if parts.scheme == "https" else None,
        proxy=proxy,
    )


def unused_proxy_hint(server: Server) -> str:
    """Return the end of a message about a failed connection, if the environment names a proxy that is not used."""
    scheme = urlsplit(server.base_url).scheme
    if server.proxy is not None or server.trust_env or scheme not in urllib.request.getproxies_environment():
        return ""
    return f"; the proxy in {scheme.upper()}_PROXY is not used, unless you give proxy= (--proxy), or trust_env=True"


def parse_proxy(address: object) -> Proxy:
    """Return a proxy from its address, such as ``http://user:password@proxy.example:3128``.

    Raises:
        ConfigurationError: The address cannot be used. The message does not quote it, since it may hold a password.
    """
    try:
        parts = urlsplit(address if isinstance(address, str) else "")
        host, port = (parts.hostname or "").encode("ascii").decode(), parts.port
        if parts.scheme != "http" or not host or not host.isprintable() or parts.path.strip("/") or parts.query:
            raise ValueError  # noqa: TRY301 - one message for every reason
    except ValueError:
        raise ConfigurationError(
            "proxy cannot be used: give an address such as http://proxy.example:3128. For a proxy that is itself "
            "reached over TLS or SOCKS, hand in an http_client of your own."
        ) from None
    headers: tuple[tuple[str, str], ...] = ()
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers = (("Proxy-Authorization", f"Basic {base64.b64encode(login).decode()}"),)
    return Proxy(host, port or _PORTS["http"], headers)
