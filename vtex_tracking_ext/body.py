"""An answer's body as it comes in: decoded, and never more of it than a cap allows. Pure."""

from __future__ import annotations

import zlib
from typing import Final

#: What a request asks for in Accept-Encoding: the one coding whose output can be bounded with the standard library.
ACCEPTED_ENCODING: Final = "gzip"

_PLAIN: Final = frozenset({"", "identity"})
_ZLIB: Final = frozenset({"gzip", "x-gzip", "deflate"})
#: zlib's word for "a gzip or a zlib header, whichever comes".
_EITHER_HEADER: Final = 47


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
        room = self._cap - len(self._content)
        if self._inflate is None:
            self._content += piece[:room]
            self._readable = len(piece) <= room
            return
        self._content += self._inflate.decompress(piece, room + 1)  # bounded: a bomb costs no more than the cap
        over = len(self._content) > self._cap
        self._readable = not (over or self._inflate.unconsumed_tail or self._inflate.unused_data)
        del self._content[self._cap :]

    def end(self) -> None:
        """Note that the last piece has come, and that the server said so."""
        self._ended = True

    @property
    def complete(self) -> bool:
        """Whether the body came whole, decoded well and stayed under the cap."""
        return self._ended and self._readable and (self._inflate is None or self._inflate.eof or not self._content)

    @property
    def content(self) -> bytes:
        """What there is of it, decoded."""
        return bytes(self._content)
