"""What connecting to a server shows, step by step."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import trustme
from attrs import evolve

from vtex_tracking_ext.config.redaction import Redactor
from vtex_tracking_ext.config.server import Server as Address
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.transport.diagnosis import Diagnosis, diagnose

from wire.server import HOST, Script, Server, close, handshake, read_head, say, tunnel, until_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Return a function that starts a server which plays scripts."""
    with ExitStack() as stack:
        yield lambda *scripts, scheme="https": stack.enter_context(Server(*scripts, scheme=scheme))


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    """Return an authority, whose certificate is in ca.pem."""
    authority = trustme.CA(organization_name="Example Inspection")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return authority


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's TLS context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def secured(certificate: trustme.LeafCert) -> Script:
    """Return a script that begins TLS."""
    return [handshake(context_of(certificate)), until_gone]


def address(url: str, ca_file: Path | None = None, proxy: str | None = None) -> Address:
    """Return a server without credentials."""
    return Address(url, {}, Redactor(), None if ca_file is None else str(ca_file), proxy)


def test_a_good_certificate_is_described(serve: Callable[..., Server], authority: trustme.CA, tmp_path: Path) -> None:
    """With the name in it, its issuer, its end, and the version of TLS; nothing is sent."""
    expires = dt.datetime(2099, 1, 2, tzinfo=dt.UTC)
    server = serve(secured(authority.issue_cert(HOST, not_after=expires)))
    found = diagnose(address(server.url, tmp_path / "ca.pem"))
    assert (found.host, found.proxy, found.addresses) == (f"{HOST}:{server.port}", "", (HOST,))
    assert (found.failed, found.reason, found.tls_version) == ("", "", "TLSv1.3")
    assert found.certificate is not None
    assert (found.certificate.subject, found.certificate.expires) == (HOST, expires)
    assert "Example Inspection" in found.certificate.issuer
    assert (server.connections, server.requests) == (1, [])


@pytest.mark.parametrize("kind", ["expired", "wrong host", "wrong authority"])
def test_a_certificate_that_is_refused_is_described(
    serve: Callable[..., Server], authority: trustme.CA, tmp_path: Path, kind: str
) -> None:
    """With the reason, and with what the server presented."""
    certificate, reason = {
        "expired": (authority.issue_cert(HOST, not_after=PAST), "certificate has expired"),
        "wrong host": (authority.issue_cert("other.example"), "IP address mismatch, certificate is not valid for"),
        "wrong authority": (
            trustme.CA(organization_name="Unknown Inspection").issue_cert(HOST),
            "unable to get local issuer certificate",
        ),
    }[kind]
    server = serve(secured(certificate))
    found = diagnose(address(server.url, tmp_path / "ca.pem"))
    assert (found.failed, found.tls_version) == ("certificate", "")
    assert found.reason.startswith(reason)
    assert found.certificate is not None
    assert found.certificate.subject == ("other.example" if kind == "wrong host" else HOST)
    assert f"{'Unknown' if kind == 'wrong authority' else 'Example'} Inspection" in found.certificate.issuer
    assert (found.certificate.expires == PAST) == (kind == "expired")
    assert server.requests == []


def test_a_certificate_that_cannot_be_fetched_again_is_not_described(
    serve: Callable[..., Server], authority: trustme.CA, tmp_path: Path
) -> None:
    """The server closes the second connection."""
    server = serve(secured(authority.issue_cert("other.example")), [close])
    found = diagnose(address(server.url, tmp_path / "ca.pem"))
    assert (found.failed, found.certificate) == ("certificate", None)


def test_a_server_without_tls_is_reported(serve: Callable[..., Server]) -> None:
    """It answers something else to the first message of TLS."""
    server = serve([say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), until_gone])
    found = diagnose(address(server.url))
    assert (found.failed, found.certificate) == ("TLS", None)
    assert found.reason


def test_without_tls_a_connection_is_enough(serve: Callable[..., Server]) -> None:
    """As for a sandbox on this machine."""
    server = serve([until_gone], scheme="http")
    found = diagnose(address(server.url))
    assert found == Diagnosis(f"{HOST}:{server.port}", addresses=(HOST,))


def test_a_host_without_address_or_listener_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason ends with the proxy of the environment, if it is not used."""
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    found = diagnose(address(f"https://{HOST}:{port}"))
    assert (found.failed, found.addresses) == ("connection", (HOST,))
    assert "Connection refused" in found.reason
    assert "the proxy in HTTPS_PROXY is not used" in found.reason

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    found = diagnose(address("https://mystore.example"))
    assert (found.failed, found.addresses) == ("look-up", ())
    assert "Name or service not known; the proxy in HTTPS_PROXY is not used" in found.reason


def test_a_proxy_is_used_and_its_refusal_reported(
    serve: Callable[..., Server], authority: trustme.CA, tmp_path: Path
) -> None:
    """The host is that of the server, and the addresses are those of the proxy. No password is in the reason."""
    server = serve(secured(authority.issue_cert(HOST)))
    proxy = serve([read_head, tunnel(server.port)], scheme="http")
    there = address(server.url, tmp_path / "ca.pem", f"http://user:TOPSECRET@{HOST}:{proxy.port}")
    found = diagnose(there)
    assert (found.host, found.proxy) == (f"{HOST}:{server.port}", f"{HOST}:{proxy.port}")
    assert (found.failed, found.tls_version) == ("", "TLSv1.3")
    refusing = serve([read_head, say(b"HTTP/1.1 407 TOPSECRET\r\n\r\n")], scheme="http")
    found = diagnose(evolve(there, proxy=f"http://user:TOPSECRET@{HOST}:{refusing.port}"))
    assert (found.failed, found.reason) == ("proxy", "the proxy answered 407 to CONNECT")
    assert "TOPSECRET" not in repr(found)


def test_options_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    """Before anything is looked up."""
    with pytest.raises(ConfigurationError, match=r"ca_file .* cannot be used"):
        diagnose(address("https://mystore.example", tmp_path / "none.pem"))
    with pytest.raises(ConfigurationError, match="proxy cannot be used"):
        diagnose(address("https://mystore.example", proxy="socks5://proxy.example"))
