"""Requests over real sockets: what leaves, what comes back, and what is known when nothing does."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from typing import TYPE_CHECKING, Any

import certifi
import pytest

from vtex_tracking_ext import (
    NotSentError,
    OutcomeUnknownError,
    ReadFailedError,
    RetryPolicy,
    TrackingUpdate,
)
from vtex_tracking_ext.transport import body, request, tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.answers import Twin

UPDATE = TrackingUpdate("o-01", "1", is_delivered=True)
ONCE = RetryPolicy(attempts=1)


@contextmanager
def server(*answers: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one connection after the other with raw bytes, or hang up after the request on None."""
    requests: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                requests.append(_request(connection))
                if answer is not None:
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
        thread.join(timeout=10)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(h[15:]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def test_the_request_on_the_wire(make: Callable[..., Twin]) -> None:
    """Path, headers and body as a server gets them."""
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (url, requests):
        receipt = make(url).send(UPDATE)
    assert receipt.applied is True
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /api/oms/pvt/orders/o-01/invoice/1/tracking HTTP/1.1\r\n")
    assert b"VtexIdclientAutCookie: MADEUP" in head
    assert body == b'{"isDelivered":true,"deliveredDate":null,"events":[]}'


def test_hanging_up_after_the_request_leaves_it_open(make: Callable[..., Twin]) -> None:
    """Bytes have left; nobody knows."""
    with server(None) as (url, requests), pytest.raises(OutcomeUnknownError):
        make(url).send(UPDATE)
    assert len(requests) == 1


def test_hanging_up_on_a_read_is_a_failed_read(make: Callable[..., Twin]) -> None:
    """Nothing is unknown about it."""
    with server(None) as (url, _), pytest.raises(ReadFailedError):
        make(url).get_packages("o-01")


def test_a_connection_that_is_refused_sent_nothing(make: Callable[..., Twin]) -> None:
    """Observed, not guessed."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NotSentError, match="not sent to "):
        make(url).send(UPDATE)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
    ],
)
def test_a_2xx_that_breaks_off_is_applied(make: Callable[..., Twin], answer: bytes) -> None:
    """The status was said; the receipt says what is odd."""
    with server(answer) as (url, requests):
        receipt = make(url).send(UPDATE)
    assert "the response was cut off" in (receipt.note or "")
    assert len(requests) == 1


def test_a_body_beyond_the_cap_is_not_read_whole(make: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt has a few hundred bytes."""
    monkeypatch.setattr(body, "MAX_BODY", 1000)
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000) as (url, _):
        receipt = make(url).send(UPDATE)
    assert "the response was cut off" in (receipt.note or "")
    assert "1000 bytes" in (receipt.note or "")


def test_a_server_that_says_nothing_is_left_after_the_timeout(make: Callable[..., Twin]) -> None:
    """The default is finite too."""
    done = threading.Event()

    def hold(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            _request(connection)
            done.wait(30)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hold, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(OutcomeUnknownError, match="Timeout"):
            make(url, timeout=0.3).send(UPDATE)
        done.set()
        thread.join(timeout=10)


def test_a_ca_file_is_used(make: Callable[..., Twin], tmp_path: Any) -> None:
    """A file with a certificate is taken; one without is refused with its name."""
    import certifi  # noqa: PLC0415 - httpx brings it

    assert make("https://x.example", ca_file=certifi.where())
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(Exception, match=r"empty\.pem cannot be used"):
        make("https://x.example", ca_file=empty)


def test_tls_is_always_verified() -> None:
    """The shared context checks certificates and host names."""
    context = tls.tls_context(None, trust_env=False)()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True


@pytest.mark.parametrize("ca_file", [None, certifi.where()], ids=["usual", "ca_file"])
def test_the_environment_gets_no_keys_of_tls_unless_it_is_trusted(
    ca_file: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With them whoever set ``SSLKEYLOGFILE`` could read everything."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    tls._default_context.cache_clear()
    try:
        kept = [tls.tls_context(ca_file, trust_env=trust_env)().keylog_filename for trust_env in (False, True)]
    finally:
        tls._default_context.cache_clear()
    assert kept == [None, str(tmp_path / "keys")]


def test_a_source_tree_without_an_installation_has_a_user_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says who calls, if not which version."""

    def missing(_: str) -> str:
        raise PackageNotFoundError

    assert request._user_agent.__wrapped__().startswith("vtex-tracking/")
    monkeypatch.setattr("importlib.metadata.version", missing)
    assert request._user_agent.__wrapped__() == "vtex-tracking/0+unknown"
