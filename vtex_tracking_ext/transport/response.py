"""One answer as its bytes come in: httptools (llhttp, the parser of Node.js) reads them, this collects. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpcore
import httptools

from .h11_parser import MAX_HEAD, ForgivingParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body

#: Bytes of an answer that are kept for the forgiving parser; what the other dislikes behind them stays unread.
MOST_SEEN: Final = 1024 * 1024

#: What may stand around a header's value and does not belong to it; the parser takes it away in front.
_BLANKS: Final = " \t"

_BODILESS: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})


class Reading:
    """Reads one answer, interim answers before it included.

    Args:
        make_body: Returns what the body goes into, from the ``Content-Encoding``.

    Attributes:
        status: The HTTP status, or None until the head of the final answer has come whole.
        headers: Name (in lower case) and value pairs, as they came, repeats included.
        body: What has come of the body; None as long as ``status`` is.
        ended: Whether nothing more is to be read.
        clean: Whether the answer ended where it should, nothing stood behind it (line breaks apart, which the parser
            passes over before the next answer, too), and the server keeps the connection.
    """

    def __init__(self, make_body: Callable[[str], Body]) -> None:
        self._make_body = make_body
        self._parser: httptools.HttpResponseParser | ForgivingParser | None = httptools.HttpResponseParser(self)
        self._seen: list[bytes] | None = []  # None once there is too much of it
        self._seen_bytes = 0
        self._raw: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._interim = False
        self._complete = False
        self._until_end = False
        self._plain = False
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body: Body | None = None
        self.ended = False
        self.clean = False

    def feed(self, data: bytes) -> None:
        """Take what came; nothing is what a server's end of the connection gives.

        Raises:
            httpcore.RemoteProtocolError: The server broke the rules of HTTP, or hung up, before its head was whole.
        """
        broken = self._parse(data) if data else self._cut()
        if self.status is None:
            self._head_bytes = 0 if self._interim else self._head_bytes + len(data)
            self._interim = False
            if self._head_bytes > MAX_HEAD:
                broken = f"the head has more than {MAX_HEAD} bytes"
            if broken is not None:
                self._end(clean=False)
                raise httpcore.RemoteProtocolError(broken)
        elif broken is not None:
            self._end(clean=False)
        elif self._complete:
            self._end(clean=self.clean)

    def _parse(self, data: bytes) -> str | None:
        """Let the parser read; return what it dislikes."""
        assert self._parser is not None  # noqa: S101 - nothing is fed to what has ended
        self._seen_bytes += len(data)
        if self._seen is not None:
            self._seen.append(data)
            if self._seen_bytes > MOST_SEEN:
                self._seen = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(clean=False)
        except httptools.HttpParserError as error:
            _raise_foreign(error)
            if self._complete or self._seen is None or isinstance(self._parser, ForgivingParser):
                return str(error)
            return self._parse_again(b"".join(self._seen))
        return None

    def _parse_again(self, seen: bytes) -> str | None:
        """Let the forgiving parser read all that came; return what it dislikes, too."""
        said = self.status, self.headers, self.body
        self._parser, self._raw, self.status = ForgivingParser(self), [], None
        try:
            self._parser.feed_data(seen)
        except httptools.HttpParserError as error:
            if self.status is None:  # what the other one has read of the head stays true
                self.status, self.headers, self.body = said
            return str(error)
        return None

    def _cut(self) -> str:
        """Take the server's end of the connection, which is where a body without a length ends."""
        if self._until_end and self.body is not None:
            self.body.end()
        return "the answer was cut" if self._seen_bytes else "Server disconnected without sending a response."

    def _end(self, *, clean: bool) -> None:
        self.ended, self.clean = True, clean
        self._parser = None  # they hold each other; so they go at once, without a garbage collection

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; httptools calls this, and the following."""
        self._raw.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the end of a head, which may be an interim answer's."""
        assert self._parser is not None  # noqa: S101 - it is what calls
        status = self._parser.get_status_code()
        if self.status is not None:  # trailers, or another answer's head
            return
        if HTTPStatus.CONTINUE <= status < HTTPStatus.OK and status != HTTPStatus.SWITCHING_PROTOCOLS:
            self._raw = []
            self._interim = True
            return
        self.status = status
        self.headers = _decoded(self._raw)
        codings = [value.lower() for name, value in self.headers if name == "transfer-encoding"]
        measured = any(name == "content-length" for name, _ in self.headers)
        chunked = bool(codings) and codings[-1].endswith("chunked")
        self._until_end = not (chunked or measured or status in _BODILESS)
        # Where two readers may differ on where an answer ends, nothing is read behind it.
        self._plain = status >= HTTPStatus.CONTINUE and (
            not codings or (codings == ["chunked"] and not measured and self._parser.get_http_version() != "1.0")
        )
        encodings = [value for name, value in self.headers if name == "content-encoding"]
        self.body = self._make_body(", ".join(encodings))

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self.body is not None and not self._complete and not self.body.feed(piece):
            self._complete = True  # reading on is pointless

    def on_message_begin(self) -> None:
        """Take the beginning of an answer: behind the one that was asked for, it is one too many."""
        self.clean = False

    def on_message_complete(self) -> None:
        """Take the end of an answer, which may be an interim one."""
        if self.status is not None and self.body is not None and not self._complete:
            self._complete = True
            self.body.end()
            assert self._parser is not None  # noqa: S101 - it is what calls
            self.clean = self._plain and self._parser.should_keep_alive()


def _decoded(raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers as text: UTF-8 if all of them are, else Latin-1, as httpx reads them."""
    try:
        return [(name.decode().lower(), value.decode().rstrip(_BLANKS)) for name, value in raw]
    except UnicodeDecodeError:
        return [(name.decode("latin-1").lower(), value.decode("latin-1").rstrip(_BLANKS)) for name, value in raw]


def _raise_foreign(error: httptools.HttpParserError) -> None:
    """Raise what interrupted the parser, such as a KeyboardInterrupt within one of the callbacks."""
    if not isinstance(error.__context__, Exception | None):
        raise error.__context__
