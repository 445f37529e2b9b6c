"""Collect the body of a response: decoded, and capped in size. No I/O."""

from __future__ import annotations

import zlib
from typing import Final

#: The Accept-Encoding of requests: the one coding whose output the standard library can bound.
ACCEPTED_ENCODING: Final = "gzip"

#: Maximum size of a decoded body in bytes. Orders of real stores are a few hundred kB; receipts a few hundred bytes.
MAX_BODY: Final = 8 * 1024 * 1024

#: Bytes that are kept of an incomplete body.
MAX_INCOMPLETE: Final = 64 * 1024

_PLAIN: Final = frozenset({"", "identity"})
_ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
#: The window size with which zlib accepts a gzip or a zlib header.
_GZIP_OR_ZLIB: Final = 47
#: Bytes that are decoded at once.
_CHUNK_SIZE: Final = 64 * 1024


class Body:
    """Collects the pieces of a body.

    Args:
        encoding: The ``Content-Encoding``; empty for a body that is not encoded.
        cap: Maximum size of the decoded body in bytes; :data:`MAX_BODY` by default.
    """

    def __init__(self, encoding: str = "", cap: int | None = None) -> None:
        self._cap = MAX_BODY if cap is None else cap
        self._content = bytearray()
        coding = encoding.strip().lower()
        self._decoder = zlib.decompressobj(_GZIP_OR_ZLIB) if coding in _ZLIB else None
        self._readable = coding in _PLAIN or self._decoder is not None
        self._ended = False

    def feed(self, piece: bytes) -> bool:
        """Add a piece as it was received, and return whether further pieces are of use."""
        if self._readable:
            try:
                self._decode(piece)
            except zlib.error:
                self._readable = False
        return self._readable

    def _decode(self, piece: bytes) -> None:
        if self._decoder is None:
            self._add(piece)
            return
        while piece and self._readable:
            self._add(self._decoder.decompress(piece, _CHUNK_SIZE))  # bounded, so that a zip bomb fills no memory
            piece = self._decoder.unconsumed_tail
        self._readable = self._readable and not self._decoder.unused_data

    def _add(self, decoded: bytes) -> None:
        room = self._cap - len(self._content)
        self._content += decoded[:room]
        self._readable = len(decoded) <= room

    def end(self) -> None:
        """Mark the body as received to its end."""
        self._ended = True

    @property
    def complete(self) -> bool:
        """Whether the body was received whole, could be decoded, and stayed under the cap."""
        return self._ended and self._readable and (self._decoder is None or self._decoder.eof or not self._content)

    @property
    def content(self) -> bytes:
        """The decoded body; of an incomplete one the beginning, which is all that a message shows."""
        return bytes(self._content if self.complete else self._content[:MAX_INCOMPLETE])
