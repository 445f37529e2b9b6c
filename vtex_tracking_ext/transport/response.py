"""Read one response from its bytes, without I/O.

httptools (llhttp, the parser of Node.js) parses where it is installed, and h11 where it is not or where httptools
refuses a response for its form. So the faster parser never turns a readable answer into an unknown outcome.
"""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import h11
import httpcore

from .h11_parser import MAX_HEAD, H11Parser

try:
    import httptools
except ImportError:  # pragma: no cover - without the extra, as in the test of the wheel
    httptools = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body

#: Bytes of a response that are kept so that h11 can read them again; httptools' refusal of later bytes is final.
MAX_REREAD: Final = 1024 * 1024

#: Optional white space around a header's value (RFC 9110); httptools strips it in front only.
_OPTIONAL_SPACE: Final = " \t"

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class ResponseReader:
    """Reads one response, including interim responses before it.

    Args:
        make_body: Returns the :class:`Body` for a ``Content-Encoding``.

    Attributes:
        status: The HTTP status; None until the head of the final response is complete.
        headers: Name (in lower case) and value pairs as received, repeats included.
        body: The body received so far; None as long as ``status`` is None.
        ended: Whether nothing more is to be read.
        reusable: Whether the response ended cleanly, nothing followed it (httptools skips line breaks), and the server
            keeps the connection open.
    """

    def __init__(self, make_body: Callable[[str], Body]) -> None:
        self._make_body = make_body
        self._parser: httptools.HttpResponseParser | H11Parser | None = (
            H11Parser(self) if httptools is None else httptools.HttpResponseParser(self)
        )
        self._received: list[bytes] | None = []  # None once there is more than MAX_REREAD
        self._received_bytes = 0
        self._raw_headers: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._is_interim = False
        self._complete = False
        self._ends_with_connection = False
        self._is_unambiguous = False
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body: Body | None = None
        self.ended = False
        self.reusable = False

    def feed(self, data: bytes) -> None:
        """Read received data; empty data is the end of the stream.

        Raises:
            httpcore.RemoteProtocolError: The server violated HTTP, or closed the connection, before the head was
                complete.
        """
        violation = self._parse(data) if data else self._end_of_stream()
        if self.status is None:
            self._head_bytes = 0 if self._is_interim else self._head_bytes + len(data)
            self._is_interim = False
            if self._head_bytes > MAX_HEAD:
                violation = f"the head has more than {MAX_HEAD} bytes"
        if violation is not None or self._complete:
            self.ended = True
            self.reusable = self.reusable and violation is None
            self._parser = None  # reader and parser refer to each other; this frees both without a garbage collection
        if violation is not None and self.status is None:
            raise httpcore.RemoteProtocolError(violation)

    def _parse(self, data: bytes) -> str | None:
        """Parse data, and return how it violates HTTP, or None."""
        assert self._parser is not None  # noqa: S101 - a reader that has ended is not fed
        self._received_bytes += len(data)
        if isinstance(self._parser, H11Parser):
            return self._parse_with_h11(self._parser, data)
        if self._received is not None:
            self._received.append(data)
            if self._received_bytes > MAX_REREAD:
                self._received = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return "the server switched protocols"
        except httptools.HttpParserCallbackError as error:  # an interrupt within a callback, such as KeyboardInterrupt
            failed = error
        except httptools.HttpParserError as error:
            if self._complete or self._received is None:
                return str(error)
            return self._parse_again(b"".join(self._received))
        else:
            return None
        try:
            # httptools leaves the exception in __context__, but Python overwrites that if the call is made within an
            # except clause. Raised here, behind the except clause, it keeps a context of its own.
            raise failed if sys.exception() is not None else failed.__context__ or failed
        finally:
            del failed

    def _parse_with_h11(self, parser: H11Parser, data: bytes) -> str | None:
        try:
            parser.feed_data(data)
        except h11.RemoteProtocolError as error:
            return str(error)
        return None

    def _parse_again(self, received: bytes) -> str | None:
        """Parse all received data with h11, and return how it violates HTTP, or None."""
        before = self.status, self.headers, self.body
        self._parser, self._raw_headers, self.status = H11Parser(self), [], None
        violation = self._parse_with_h11(self._parser, received)
        if violation is not None and self.status is None:  # the head as httptools read it remains valid
            self.status, self.headers, self.body = before
        return violation

    def _end_of_stream(self) -> str:
        """Handle the end of the stream, which is where a body without a length ends."""
        if self._ends_with_connection and self.body is not None:
            self.body.end()
        return "the response was cut off" if self._received_bytes else "Server disconnected without sending a response."

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receive one header. The parser calls this method and the following ones."""
        self._raw_headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Receive the end of a head, which may be an interim response's."""
        assert self._parser is not None  # noqa: S101 - the parser is the caller
        status = self._parser.get_status_code()
        if self.status is not None:  # trailers, or the head of a further response
            return
        if HTTPStatus.CONTINUE <= status < HTTPStatus.OK and status != HTTPStatus.SWITCHING_PROTOCOLS:
            self._raw_headers = []
            self._is_interim = True
            return
        self.status = status
        self.headers = _decode_headers(self._raw_headers)
        codings = [value.lower() for name, value in self.headers if name == "transfer-encoding"]
        has_length = any(name == "content-length" for name, _ in self.headers)
        chunked = bool(codings) and codings[-1].endswith("chunked")
        self._ends_with_connection = not (chunked or has_length or status in _BODILESS)
        # Where two parsers may differ on where a response ends, the connection is not used again.
        self._is_unambiguous = status >= HTTPStatus.CONTINUE and (
            not codings or (codings == ["chunked"] and not has_length and self._parser.get_http_version() != "1.0")
        )
        encodings = [value for name, value in self.headers if name == "content-encoding"]
        self.body = self._make_body(", ".join(encodings))

    def on_body(self, piece: bytes) -> None:
        """Receive a piece of the body."""
        if self.body is not None and not self._complete and not self.body.feed(piece):
            self._complete = True  # the rest of the body is not needed

    def on_message_begin(self) -> None:
        """Receive the beginning of a response; behind the expected response it is an unexpected one."""
        self.reusable = False

    def on_message_complete(self) -> None:
        """Receive the end of a response, which may be an interim one."""
        if self.status is not None and self.body is not None and not self._complete:
            self._complete = True
            self.body.end()
            assert self._parser is not None  # noqa: S101 - the parser is the caller
            self.reusable = self._is_unambiguous and self._parser.should_keep_alive()


def _decode_headers(raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers as text: UTF-8 if all of them are, else Latin-1, as httpx decodes them."""
    try:
        return [(name.decode().lower(), value.decode().rstrip(_OPTIONAL_SPACE)) for name, value in raw]
    except UnicodeDecodeError:
        return [
            (name.decode("latin-1").lower(), value.decode("latin-1").rstrip(_OPTIONAL_SPACE)) for name, value in raw
        ]
