"""h11 behind the interface of httptools' parser: for answers that the stricter one refuses. Pure.

A length that is said twice, alike, is a reason for it, or a blank behind the size of a chunk. What httpx would read
must not become an unknown outcome because a quicker parser is installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import h11
import httptools

if TYPE_CHECKING:
    from .response import Reading

#: Bytes that the head of an answer may have, as many as httpcore allows.
MAX_HEAD: Final = 100 * 1024


class ForgivingParser:
    """Tells a :class:`~.response.Reading` what comes.

    Args:
        reading: Whose callbacks are called.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._status = 0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        # It reads answers to requests alone; what was asked changes nothing in how they are read.
        self._http.send(h11.Request(method="GET", target="/", headers=[("Host", "any")]))
        self._http.send(h11.EndOfMessage())

    def feed_data(self, data: bytes) -> None:
        """Take what came.

        Raises:
            httptools.HttpParserError: The server broke the rules of HTTP.
        """
        self._http.receive_data(data)
        try:
            while (event := self._http.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                self._tell(event)
        except h11.ProtocolError as error:
            raise httptools.HttpParserError(str(error)) from error

    def _tell(self, event: object) -> None:
        if isinstance(event, h11.InformationalResponse | h11.Response):
            self._status = event.status_code
            for name, value in event.headers.raw_items():
                self._reading.on_header(name, value)
            self._reading.on_headers_complete()
        elif isinstance(event, h11.Data):
            self._reading.on_body(bytes(event.data))
        else:  # the end of it is all that is left
            self._reading.on_message_complete()

    def get_status_code(self) -> int:
        """Return the status of the answer whose head has come last."""
        return self._status

    def get_http_version(self) -> str:
        """Return the version that it names."""
        return (self._http.their_http_version or b"").decode("ascii")

    def should_keep_alive(self) -> bool:
        """Tell whether the connection can be used again."""
        return self._http.their_state is h11.DONE and not self._http.trailing_data[0]
