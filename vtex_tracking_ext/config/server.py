"""How a client reaches its server, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from attrs import field, frozen

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.transport.proxy import route_of
from vtex_tracking_ext.transport.tls import tls_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.transport.connect import Route

    from .redaction import Redactor


@frozen
class Wiring:
    """How to reach the server.

    Attributes:
        base_url: Where the paths of openapi.yaml begin.
        headers: Sent with every request; they hold the credentials.
        redactor: Keeps the credentials out of what comes back.
        ca_file: A file of certificates to trust instead of the usual ones, or None.
        proxy: Address of a proxy, or None.
        trust_env: Whether the environment's proxies and certificates are used. They would see, or could fake, all.
        max_connections: Connections that are open at once at most.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)
    redactor: Redactor
    ca_file: str | None = None
    proxy: str | None = field(default=None, repr=False)
    trust_env: bool = False
    max_connections: int = 100

    def route(self) -> Route:
        """Return the way to the server.

        Raises:
            ConfigurationError: The proxy or the file of certificates cannot be used.
        """
        try:
            tls = tls_context(self.ca_file, trust_env=self.trust_env)
        except ConfigurationError as error:  # it quotes the file's name, into which a credential may have got
            raise ConfigurationError(self.redactor.message(str(error))) from None
        return route_of(self.base_url, tls, self.proxy, trust_env=self.trust_env)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A client is not pickled, nor copied deeply: it holds a credential. Make one where it is needed."
        )
