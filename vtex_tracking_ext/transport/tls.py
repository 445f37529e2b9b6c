"""TLS that verifies: the contexts of our own clients."""

from __future__ import annotations

import functools
import ssl
from typing import TYPE_CHECKING, Any, cast

import httpx

from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

from .connect import ClosingSSLSocket

if TYPE_CHECKING:
    from collections.abc import Callable


def tls_context(ca_file: str | None, *, trust_env: bool) -> Callable[[], ssl.SSLContext]:
    """Return what returns a TLS context that verifies.

    Raises:
        ConfigurationError: The file cannot be read or holds no certificate.
    """
    if ca_file is None and not trust_env:
        return _usual_tls
    try:
        context = (
            _fresh_tls(trust_env=True)
            if ca_file is None
            else _ours(ssl.create_default_context(cafile=ca_file), trust_env=trust_env)
        )
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError; a NUL in the name is a ValueError
        what = "SSL_CERT_FILE of the environment" if ca_file is None else f"ca_file {visible(ca_file)}"
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{what} cannot be used: {reason}.") from None
    return lambda: context


@functools.cache
def _usual_tls() -> ssl.SSLContext:
    """Return the one that all clients share, built for the first connection: it takes tens of milliseconds."""
    return _fresh_tls(trust_env=False)


def _fresh_tls(*, trust_env: bool) -> ssl.SSLContext:
    return _ours(httpx.create_ssl_context(trust_env=trust_env), trust_env=trust_env)


def _ours(context: ssl.SSLContext, *, trust_env: bool) -> ssl.SSLContext:
    if not trust_env:
        context.keylog_filename = cast(
            "Any", None
        )  # Python takes it from SSLKEYLOGFILE: whoever sets that could read everything
    context.set_alpn_protocols(["http/1.1"])
    context.sslsocket_class = ClosingSSLSocket
    return context
