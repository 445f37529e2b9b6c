"""A server that misbehaves on purpose, step by step, and counts what it truly applied.

A script is a sequence of steps for one connection: read the head, read the body, apply, say some bytes, dribble
them, wait, reset, close. The first script is played to the first connection and so on, the last one to every
connection after that. When a script ends, its connection is closed; a client that leaves ends it too.

Nothing here can hang a test: each connection has a limit in seconds, and leaving the ``with`` block of a
:class:`Server` shuts every socket and joins every thread.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from select import select
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

#: Seconds that one connection may live, unless its server is told otherwise.
LIMIT = 15.0

HOST = "127.0.0.1"


class Gone(Exception):  # noqa: N818 - a way out of a script, not a mistake
    """The client has left, the time is up, or the script has closed the connection: the script ends."""


class Request:
    """A request as its bytes came.

    Attributes:
        raw: Request line and headers, up to and including the empty line.
        method: Such as ``PUT``.
        target: The raw request target, such as ``/api/oms/pvt/orders/1-01``.
        headers: Name and value pairs, in order, names as they were written.
        body: The body as far as it was read.
        complete: Whether all of the body was read.
        connection: Number of its connection, from 0.
    """

    def __init__(self, raw: bytes, connection: int) -> None:
        self.raw = raw
        self.connection = connection
        line, *lines = raw.removesuffix(b"\r\n\r\n").decode("latin-1").split("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.headers = [(name, value.strip()) for name, _, value in (text.partition(":") for text in lines)]
        self.body = b""
        self.complete = False

    def values(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for other, value in self.headers if other.lower() == name.lower()]

    @property
    def order_id(self) -> str:
        """The order id in the path of openapi.yaml's operations, still percent-encoded."""
        return self.target.partition("/orders/")[2].split("/")[0]


class Peer:
    """One connection, as the server sees it: what the steps of a script work on."""

    def __init__(self, server: Server, connection: socket.socket, number: int) -> None:
        self.server = server
        self.socket = connection
        self.number = number
        self.buffer = bytearray()
        self.request: Request | None = None
        self._deadline = time.monotonic() + server.limit

    def left(self) -> float:
        """Return the seconds this connection may still live; raise when there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0 or self.server.stopping.is_set():
            raise Gone
        return left

    def receive(self) -> None:
        """Read some bytes into the buffer."""
        self.socket.settimeout(self.left())
        data = self.socket.recv(65536)
        if not data:
            raise Gone
        self.buffer += data

    def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        self.socket.settimeout(self.left())
        self.socket.sendall(data)

    def take(self, size: int) -> bytes:
        """Take the first bytes out of the buffer."""
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data


Step = Callable[[Peer], None]
Script = Iterable[Step]


class Server:
    """Listens on loopback and plays scripts. Use it as a context manager.

    Attributes:
        url: Its address; the scheme is what the test asks for, and TLS is a step (:func:`handshake`).
        requests: Every request whose head came whole.
        applied: The requests that the scripts truly applied.
        connections: How many connections were accepted.
        most_open: How many of them were open at once, at most.
    """

    def __init__(self, *scripts: Script, scheme: str = "http", limit: float = LIMIT, receive_buffer: int = 0) -> None:
        self.limit = limit
        self.stopping = threading.Event()
        self.requests: list[Request] = []
        self.applied: list[Request] = []
        self.connections = self.most_open = 0
        self._scripts = [tuple(script) for script in scripts]
        self._changed = threading.Condition()
        self._peers: dict[Peer, threading.Thread] = {}
        self._mistakes: list[BaseException] = []
        self._listener = socket.create_server((HOST, 0), backlog=128)
        if receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._wake, self._woken = socket.socketpair()
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{scheme}://{HOST}:{self.port}"
        self._thread = threading.Thread(target=self._accept, name="misbehaving server")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._wake.send(b".")
        self._thread.join()
        with self._changed:
            peers = dict(self._peers)
        for peer, thread in peers.items():
            with suppress(OSError):  # the plain method: the TLS one would pull the socket away under its thread
                socket.socket.shutdown(peer.socket, socket.SHUT_RDWR)
            thread.join(timeout=self.limit)
            assert not thread.is_alive()
        for each in (self._listener, self._wake, self._woken):
            each.close()
        if self._mistakes and error is None:
            raise self._mistakes[0]

    def wait_until(self, true: Callable[[Server], bool], seconds: float = 5.0) -> None:
        """Wait for something to become true of this server; fail the test if it does not."""
        with self._changed:
            assert self._changed.wait_for(lambda: true(self), seconds), "the server waited in vain"

    def note(self, change: Callable[[], object]) -> None:
        """Make a change that others may count on or wait for."""
        with self._changed:
            change()
            self._changed.notify_all()

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._peers)

    def _accept(self) -> None:
        while True:
            ready, _, _ = select([self._listener, self._woken], [], [])
            if self._woken in ready:
                return
            connection, _ = self._listener.accept()
            peer = Peer(self, connection, self.connections)
            thread = threading.Thread(target=self._play, args=(peer,), name=f"connection {peer.number}")
            with self._changed:
                self.connections += 1
                self._peers[peer] = thread
                self.most_open = max(self.most_open, len(self._peers))
                self._changed.notify_all()
            thread.start()

    def _play(self, peer: Peer) -> None:
        try:
            for step in self._scripts[min(peer.number, len(self._scripts) - 1)]:
                step(peer)
        except (Gone, OSError):  # ssl.SSLError and time-outs are OSErrors
            pass
        except BaseException as error:  # noqa: BLE001 - a mistake in a script fails its test, at the end
            self._mistakes.append(error)
        finally:
            peer.socket.close()
            self.note(lambda: self._peers.pop(peer))


def handshake(context: ssl.SSLContext) -> Step:
    """Begin TLS as a server."""

    def step(peer: Peer) -> None:
        peer.socket.settimeout(peer.left())
        peer.socket = context.wrap_socket(peer.socket, server_side=True, do_handshake_on_connect=False)
        peer.socket.do_handshake()

    return step


def records(context: ssl.SSLContext, *parts: bytes) -> Step:
    """Begin TLS, read a request of some bytes, and send the parts at once, in a TLS record each."""
    came, leaves = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(came, leaves, server_side=True)

    def step(peer: Peer) -> None:
        def until_done(act: Callable[[], object]) -> object:
            while True:
                with suppress(ssl.SSLWantReadError):
                    return act()
                peer.send(leaves.read())
                peer.receive()
                came.write(peer.take(len(peer.buffer)))

        until_done(tls.do_handshake)
        until_done(lambda: tls.read(1))
        for part in parts:
            tls.write(part)
        peer.send(leaves.read())

    return step


def read_head(peer: Peer) -> None:
    """Read a request line and headers, and count the request."""
    while b"\r\n\r\n" not in peer.buffer:
        peer.receive()
    peer.request = request = Request(peer.take(peer.buffer.index(b"\r\n\r\n") + 4), peer.number)
    peer.server.note(lambda: peer.server.requests.append(request))


def read_body(peer: Peer) -> None:
    """Read the body that the head announced."""
    assert peer.request is not None
    length = int((peer.request.values("Content-Length") or ["0"])[0])
    while len(peer.buffer) < length:
        peer.receive()
    peer.request.body = peer.take(length)
    peer.request.complete = True


def read(peer: Peer) -> None:
    """Read a whole request."""
    read_head(peer)
    read_body(peer)


def apply(peer: Peer) -> None:
    """Apply the request, as VTEX would: only what came whole."""
    request = peer.request
    assert request is not None
    assert request.complete
    peer.server.note(lambda: peer.server.applied.append(request))


def say(*parts: bytes) -> Step:
    """Send bytes, each part on its own."""

    def step(peer: Peer) -> None:
        for part in parts:
            peer.send(part)

    return step


def respond(function: Callable[[Request], bytes]) -> Step:
    """Send what a function makes of the request."""

    def step(peer: Peer) -> None:
        assert peer.request is not None
        peer.send(function(peer.request))

    return step


def dribble(data: bytes, every: float = 0.05) -> Step:
    """Send one byte at a time, with pauses in seconds."""

    def step(peer: Peer) -> None:
        for index in range(len(data)):
            peer.send(data[index : index + 1])
            pause(every)(peer)

    return step


def flood(data: bytes) -> Step:
    """Send the same bytes again and again, until the client leaves or the connection's time is up."""

    def step(peer: Peer) -> None:
        while True:
            peer.send(data)

    return step


def pause(seconds: float) -> Step:
    """Wait for some time; the end of the server ends it."""

    def step(peer: Peer) -> None:
        if peer.server.stopping.wait(min(seconds, peer.left())):
            raise Gone

    return step


def wait_for(event: threading.Event) -> Step:
    """Wait for the test to set an event."""

    def step(peer: Peer) -> None:
        while not event.wait(0.02):
            peer.left()

    return step


def signal(event: threading.Event) -> Step:
    """Tell the test that the script has come here."""
    return lambda _: event.set()


def reset(peer: Peer) -> None:
    """End the connection with a TCP reset."""
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(peer)


def close(peer: Peer) -> None:
    """Close the connection; over TLS without a goodbye (close_notify)."""
    peer.socket.close()
    raise Gone


def half_close(peer: Peer) -> None:
    """Say that nothing more will be sent, and go on reading."""
    peer.socket.shutdown(socket.SHUT_WR)


def until_gone(peer: Peer) -> None:
    """Read, and throw away, until the client leaves."""
    while True:
        peer.receive()


def again(*steps: Step) -> Step:
    """Repeat steps until the client leaves or one of them closes the connection."""

    def step(peer: Peer) -> None:
        while True:
            for each in steps:
                each(peer)

    return step


def tunnel(port: int) -> Step:
    """Be a proxy that was asked to CONNECT: connect to a port of this machine and carry bytes both ways."""

    def step(peer: Peer) -> None:
        with socket.create_connection((HOST, port), timeout=peer.left()) as far:
            peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            while True:
                peer.left()
                ready, _, _ = select([peer.socket, far], [], [], 0.05)
                for source, target in ((peer.socket, far), (far, peer.socket)):
                    if source in ready:
                        data = source.recv(65536)
                        if not data:
                            raise Gone
                        target.sendall(data)

    return step
