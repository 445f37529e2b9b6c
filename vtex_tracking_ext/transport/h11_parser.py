"""h11 behind the interface of httptools' parser.

It reads the responses that httptools refuses for their form, and all responses where httptools is not installed. For
example, httptools refuses a repeated identical Content-Length, or a space behind a chunk size; httpx reads both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import h11

if TYPE_CHECKING:

    class Callbacks(Protocol):
        """Receives the parts of a response."""

        def on_header(self, name: bytes, value: bytes) -> None:
            """Receive one header."""

        def on_headers_complete(self) -> None:
            """Receive the end of a head, which may be an interim response's."""

        def on_body(self, piece: bytes) -> None:
            """Receive a piece of the body."""

        def on_message_complete(self) -> None:
            """Receive the end of the response."""


#: Maximum size of a response's head in bytes; httpcore has the same limit.
MAX_HEAD: Final = 100 * 1024


class H11Parser:
    """Parses one response, including interim responses before it.

    Args:
        callbacks: Called with the parts of the response.
    """

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self._status = 0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        # h11 wants to see a request first. Which one does not change how responses are read, HEAD and CONNECT apart.
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "any")]))
        self._http.send(h11.EndOfMessage())

    def feed_data(self, data: bytes) -> None:
        """Parse received data.

        Raises:
            h11.RemoteProtocolError: The server violated HTTP.
        """
        self._http.receive_data(data)
        while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            if isinstance(event, h11.InformationalResponse | h11.Response):
                self._status = event.status_code
                for name, value in event.headers.raw_items():
                    self._callbacks.on_header(name, value)
                self._callbacks.on_headers_complete()
            elif isinstance(event, h11.Data):
                self._callbacks.on_body(bytes(event.data))
            else:  # h11.EndOfMessage
                self._callbacks.on_message_complete()

    def get_status_code(self) -> int:
        """Return the status of the latest head."""
        return self._status

    def get_http_version(self) -> str:
        """Return the HTTP version that the response names."""
        return (self._http.their_http_version or b"").decode("ascii")

    def should_keep_alive(self) -> bool:
        """Return whether the connection can be used again."""
        return self._http.their_state is h11.DONE and not self._http.trailing_data[0]
