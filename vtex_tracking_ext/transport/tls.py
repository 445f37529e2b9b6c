"""TLS contexts that verify the server, for connections of our own."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING, Any, cast

import httpx

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable


def tls_context(ca_file: str | None, *, trust_env: bool) -> Callable[[], ssl.SSLContext]:
    """Return a function that returns a verifying TLS context.

    Args:
        ca_file: A file of certificates to trust instead of the default ones, or None.
        trust_env: Whether the environment may name certificates (``SSL_CERT_FILE``) and a key log.

    Raises:
        ConfigurationError: The file cannot be read or holds no certificate.
    """
    if ca_file is None and not trust_env:
        return _default_context
    try:
        if ca_file is None:
            context = _configure(httpx.create_ssl_context(trust_env=True), trust_env=True)
        else:
            context = _configure(ssl.create_default_context(cafile=ca_file), trust_env=trust_env)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a NUL in the name is a ValueError
        what = "SSL_CERT_FILE of the environment" if ca_file is None else f"ca_file {visible(ca_file)}"
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{what} cannot be used: {reason}.") from None
    return lambda: context


@functools.cache
def _default_context() -> ssl.SSLContext:
    """Return the context that all clients share, built for the first connection because building it takes long."""
    return _configure(httpx.create_ssl_context(trust_env=False), trust_env=False)


def _configure(context: ssl.SSLContext, *, trust_env: bool) -> ssl.SSLContext:
    if not trust_env:  # Python reads SSLKEYLOGFILE, and its owner could decrypt all traffic
        context.keylog_filename = cast("Any", None)
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = _ClosingSSLSocket
    return context


class _ClosingSSLSocket(ssl.SSLSocket):
    """Closes itself if the peer disconnects before TLS begins; Python 3.11 drops the socket then, still open."""

    def getpeername(self) -> Any:
        """Return the peer's address; Python calls this first on a socket that it is wrapping."""
        try:
            return super().getpeername()
        except OSError:
            self.close()
            raise
