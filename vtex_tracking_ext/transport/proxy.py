"""The route to a server, from its address and the settings for proxies."""

from __future__ import annotations

import base64
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from vtex_tracking_ext.errors import ConfigurationError

from .connect import Proxy, Route
from .tls import tls_context

if TYPE_CHECKING:
    from vtex_tracking_ext.config.server import Server

_PORTS = {"http": 80, "https": 443}


def route_to(server: Server) -> Route:
    """Return the route to a server.

    With ``trust_env`` and without an explicit proxy, the environment names the proxy (``HTTPS_PROXY``, ``NO_PROXY``).

    Raises:
        ConfigurationError: The proxy or the file of certificates cannot be used.
    """
    try:
        tls = tls_context(server.ca_file, trust_env=server.trust_env)
    except ConfigurationError as error:  # the message quotes the file's name, which may be a misplaced credential
        raise ConfigurationError(server.redactor.redact_message(str(error))) from None
    parts = urlsplit(server.base_url)
    host, proxy = parts.hostname or "", server.proxy
    if proxy is None and server.trust_env and not urllib.request.proxy_bypass(host):
        proxies = urllib.request.getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
    return Route(
        host=host,
        port=parts.port or _PORTS[parts.scheme],
        tls=tls if parts.scheme == "https" else None,
        proxy=None if proxy is None else parse_proxy(proxy),
    )


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
