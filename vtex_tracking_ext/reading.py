"""One answer as its bytes come in: httptools (llhttp, the parser of Node.js) reads them, this collects. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import httpcore
import httptools

from .forgiving import ForgivingParser

if TYPE_CHECKING:
    from collections.abc import Callable

    from .body import Body

#: Bytes that the head of an answer may have, as many as httpcore allows.
MAX_HEAD: Final = 100 * 1024

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
        clean: Whether the answer ended where it should, nothing stood behind it, and the server keeps the connection.
    """

    def __init__(self, make_body: Callable[[str], Body]) -> None:
        self._make_body = make_body
        self._parser: httptools.HttpResponseParser | ForgivingParser | None = httptools.HttpResponseParser(self)
        self._seen = b""
        self._raw: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._complete = False
        self._until_end = False
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
            self._head_bytes += len(data)
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
        if self.status is None:
            self._seen += data
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end(clean=False)
        except httptools.HttpParserError as error:
            if self.status is None and not isinstance(self._parser, ForgivingParser):
                self._parser, self._raw = ForgivingParser(self), []
                self._seen, seen = b"", self._seen
                return self._parse(seen)
            return str(error)
        return None

    def _cut(self) -> str:
        """Take the server's end of the connection, which is where a body without a length ends."""
        if self._until_end and self.body is not None:
            self.body.end()
        return "the answer was cut" if self._seen else "Server disconnected without sending a response."

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
            self._head_bytes = 0
            return
        self.status = status
        self.headers = _decoded(self._raw)
        said = {name: value for name, value in self.headers if name in ("content-length", "transfer-encoding")}
        chunked = said.get("transfer-encoding", "").lower().endswith("chunked")
        self._until_end = not (chunked or "content-length" in said or status in _BODILESS)
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
            self.clean = self._parser.should_keep_alive()


def _decoded(raw: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers as text: UTF-8 if all of them are, else Latin-1, as httpx reads them."""
    try:
        return [(name.decode().lower(), value.decode()) for name, value in raw]
    except UnicodeDecodeError:
        return [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]
