"""The response to a request."""

from __future__ import annotations

from attrs import field, frozen


@frozen
class Answer:
    """A response, without credentials.

    Attributes:
        status: HTTP status; any number is possible.
        headers: Name and value pairs in the order received, with duplicates.
        body: The decompressed body, as far as it was received.
        complete: Whether the body was received in full, could be decompressed and is below the size limit.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    complete: bool = True
