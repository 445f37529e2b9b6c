"""The requests that the sandbox received, without credentials and within limits of number and size."""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import frozen

from .keys import SECRET_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Largest number of requests, and of the bytes of their paths, headers, bodies and answers.
MAX_REQUESTS: Final = 10_000
MAX_BYTES: Final = 32 * 1024 * 1024

#: Shorter values of the headers are not searched elsewhere: they are no credentials, and may be parts of words.
_MIN_SECRET: Final = 8

#: What stands for a credential.
HIDDEN: Final = "(hidden)"

#: The members of a JSON object that some callers use for credentials, which belong in headers.
_SECRET_MEMBER: Final = re.compile(
    rb'("[^"\\]*(?:app-?_?key|app-?_?token|idclientautcookie|authorization|password|secret)[^"\\]*"\s*:\s*)'
    rb'"(?:[^"\\]|\\.)*"',
    re.IGNORECASE,
)


@frozen
class ReceivedRequest:
    """A request without its credentials, with its answer.

    Attributes:
        method: The HTTP method.
        path: The path as it was sent, without the query.
        headers: The headers, without those that carry credentials.
        body: The body.
        status: Status of the answer. As in nginx, 444 means that the sandbox closed the connection without an answer,
            and 499 that the client closed it before the request was complete.
        answer: Body of the answer.
        at: When it was received, in seconds since the epoch.
        fault: The fault that was requested, or an empty text.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer: bytes = b""
    at: float = 0.0
    fault: str = ""

    @property
    def size(self) -> int:
        """Its size in memory, about."""
        headers = sum(len(name) + len(value) for name, value in self.headers.items())
        return len(self.path) + headers + len(self.body) + len(self.answer)


class ReceivedRequests(deque[ReceivedRequest]):
    """The most recent requests, oldest first. The oldest ones are removed to keep within the limits.

    Args:
        maxlen: Largest number of requests.
        max_bytes: Largest size of all requests together; one that is larger is not kept.
    """

    def __init__(self, *, maxlen: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES) -> None:
        super().__init__()
        self._most = maxlen
        self._max_bytes = max_bytes
        self._bytes = 0

    def append(self, request: ReceivedRequest) -> None:
        """Add a request."""
        super().append(request)
        self._bytes += request.size
        while len(self) > self._most or self._bytes > self._max_bytes:
            self._bytes -= self.popleft().size

    def clear(self) -> None:
        """Remove all requests."""
        super().clear()
        self._bytes = 0


def without_credentials(
    method: str, path: str, headers: Mapping[str, str], body: bytes, status: int, answer: bytes, at: float, fault: str
) -> ReceivedRequest:
    """Return a request without the headers that carry credentials, and with their values hidden everywhere else.

    The names of the headers are in lower case.
    """
    secrets = [value for name, value in headers.items() if name in SECRET_HEADERS and len(value) >= _MIN_SECRET]
    shown = {name: _hide(value, secrets) for name, value in headers.items() if name not in SECRET_HEADERS}
    return ReceivedRequest(
        method,
        _hide(path, secrets),
        shown,
        _SECRET_MEMBER.sub(rb'\1"' + HIDDEN.encode() + b'"', _hide_bytes(body, secrets)),
        status,
        _hide_bytes(answer, secrets),
        at,
        fault,
    )


def _hide(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _hide_bytes(data: bytes, secrets: Iterable[str]) -> bytes:
    for secret in secrets:
        data = data.replace(secret.encode("latin-1"), HIDDEN.encode())
    return data
