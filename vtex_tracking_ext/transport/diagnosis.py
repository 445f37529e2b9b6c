"""Find out step by step whether a server can be reached: name look-up, connection, proxy, certificate.

Nothing is sent but what TLS and the proxy need: no request, and no credential of VTEX.
"""

from __future__ import annotations

import datetime as dt
import ssl
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal

import httpcore
from attrs import evolve, frozen

from vtex_tracking_ext.call.faults import raise_interruption
from vtex_tracking_ext.config.secret import hidden_frames

from .connect import CONNECT_TIMEOUT, Socket, connect_errors, look_up
from .progress import Progress
from .route import route_to, unused_proxy_hint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.config.server import Server

    from .route import Route

#: OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which the module ssl does not name.
_NO_CHECK_TIME: Final = 0x200000

#: The steps of connecting. ``certificate`` is the part of TLS that verifies the server.
Step = Literal["look-up", "connection", "proxy", "TLS", "certificate"]

#: What connecting may raise.
_ERRORS: Final = (
    OSError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
)


@frozen
class Certificate:
    """A server's certificate.

    Attributes:
        subject: The name of the server in it.
        issuer: Who signed it.
        expires: Until when it is valid.
    """

    subject: str
    issuer: str
    expires: dt.datetime


@frozen
class Diagnosis:
    """What connecting to a server showed.

    Attributes:
        host: The host of the server, and its port.
        proxy: Host and port of the proxy, or an empty text.
        addresses: The addresses of the proxy or the server.
        failed: The step that failed, or an empty text.
        reason: Why it failed.
        tls_version: The version of TLS, or an empty text without TLS.
        certificate: The certificate of the server, also if it was not accepted.
    """

    host: str
    proxy: str = ""
    addresses: tuple[str, ...] = ()
    failed: Step | Literal[""] = ""
    reason: str = ""
    tls_version: str = ""
    certificate: Certificate | None = None


def diagnose(server: Server, seconds: float = CONNECT_TIMEOUT) -> Diagnosis:
    """Connect to a server, and return what that showed.

    Args:
        server: The server.
        seconds: How long each connection may take.

    Raises:
        ConfigurationError: The proxy or the file of certificates cannot be used.
    """
    with hidden_frames():
        route = route_to(server)
    found = Diagnosis(f"{route.host}:{route.port}")
    if route.proxy is not None:
        found = evolve(found, proxy=f"{route.proxy.host}:{route.proxy.port}")
    first_hop = route.proxy or route
    step: Step = "look-up"
    with closing(Socket()) as connection:
        try:
            with connect_errors():
                addresses = look_up(first_hop.host, first_hop.port, Progress(seconds))
            found = evolve(found, addresses=tuple(dict.fromkeys(str(each[4][0]) for each in addresses)))
            step = "connection"
            connection.connect(evolve(route, tls=None), seconds)
            if route.tls is None:
                return found
            step = "TLS"
            secured = _handshake(connection, route.tls(), route.host)
            return evolve(found, tls_version=secured.version() or "", certificate=_certificate(secured.getpeercert()))
        except _ERRORS as error:
            raise_interruption(error)
            reason = str(error)
            if isinstance(error, httpcore.ProxyError):
                step, reason = "proxy", server.redactor.redact(reason)
            elif isinstance(error, ssl.SSLCertVerificationError):
                step, reason = "certificate", error.verify_message
            elif step != "TLS":
                reason += unused_proxy_hint(server)
    found = evolve(found, failed=step, reason=reason)
    return evolve(found, certificate=_presented(route, seconds)) if step == "certificate" else found


def _handshake(connection: Socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    """Establish TLS over a connection, which then has the new socket, so that closing it closes that."""
    connection.sock = secured = context.wrap_socket(
        connection.sock, server_hostname=host, do_handshake_on_connect=False
    )
    secured.do_handshake()
    return secured


def _presented(route: Route, seconds: float) -> Certificate | None:
    """Return the certificate that a server presents, whether it can be trusted or not; None if it cannot be read.

    Python parses only certificates that it has verified: the first connection fetches the certificate, and the second
    one trusts exactly this certificate, however old it is.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        encoded = _peer_certificate(route, seconds, context, binary=True)
        context.load_verify_locations(cadata=encoded)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        return _certificate(_peer_certificate(route, seconds, context, binary=False))
    except _ERRORS as error:
        raise_interruption(error)
        return None


def _peer_certificate(route: Route, seconds: float, context: ssl.SSLContext, *, binary: bool) -> Any:
    with closing(Socket()) as connection:
        connection.connect(evolve(route, tls=None), seconds)
        return _handshake(connection, context, route.host).getpeercert(binary_form=binary)


def _certificate(content: Mapping[str, Any] | None) -> Certificate:
    """Return a certificate from what ``SSLSocket.getpeercert`` returns."""
    content = content or {}
    subject, issuer = (
        {name: value for pairs in content.get(key, ()) for name, value in pairs} for key in ("subject", "issuer")
    )
    names = [value for kind, value in content.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}]
    return Certificate(
        subject=names[0] if names else subject.get("commonName", "no name"),
        issuer=", ".join(
            filter(None, dict.fromkeys([issuer.get("organizationName", ""), issuer.get("commonName", "")]))
        ),
        expires=dt.datetime.fromtimestamp(ssl.cert_time_to_seconds(content["notAfter"]), dt.UTC),
    )
