"""An answer's body as it comes in: decoded, and never more of it than a cap allows. Pure."""

from __future__ import annotations

import zlib
from typing import Final

#: What a request asks for in Accept-Encoding: the one coding whose output can be bounded with the standard library.
ACCEPTED_ENCODING: Final = "gzip"

#: Bytes that are kept of a body that did not come whole.
MOST_KEPT: Final = 64 * 1024

_PLAIN: Final = frozenset({"", "identity"})
_ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
#: zlib's word for "a gzip or a zlib header, whichever comes".
_EITHER_HEADER: Final = 47
#: Bytes that are decoded at once.
_STEP: Final = 64 * 1024


class Body:
    """Collects the pieces of a body.

    Args:
        encoding: The answer's ``Content-Encoding``.
        cap: Decoded bytes that are kept at most.
    """

    def __init__(self, encoding: str, cap: int) -> None:
        self._cap = cap
        self._content = bytearray()
        coding = encoding.strip().lower()
        self._inflate = zlib.decompressobj(_EITHER_HEADER) if coding in _ZLIB else None
        self._readable = coding in _PLAIN or self._inflate is not None
        self._ended = False

    def feed(self, piece: bytes) -> bool:
        """Take a piece as it came from the wire; False where reading on is pointless."""
        if self._readable:
            try:
                self._take(piece)
            except zlib.error:
                self._readable = False
        return self._readable

    def _take(self, piece: bytes) -> None:
        if self._inflate is None:
            self._keep(piece)
            return
        while piece and self._readable:
            self._keep(self._inflate.decompress(piece, _STEP))  # bounded: a bomb comes out a little at a time
            piece = self._inflate.unconsumed_tail
        self._readable = self._readable and not self._inflate.unused_data

    def _keep(self, decoded: bytes) -> None:
        room = self._cap - len(self._content)
        self._content += decoded[:room]
        self._readable = len(decoded) <= room

    def end(self) -> None:
        """Note that the last piece has come, and that the server said so."""
        self._ended = True

    @property
    def complete(self) -> bool:
        """Whether the body came whole, decoded well and stayed under the cap."""
        return self._ended and self._readable and (self._inflate is None or self._inflate.eof or not self._content)

    @property
    def content(self) -> bytes:
        """What there is of it, decoded; of one that is not complete the beginning, which is all a message can show."""
        return bytes(self._content if self.complete else self._content[:MOST_KEPT])
