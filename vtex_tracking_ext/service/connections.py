"""The connections of the service: how many there may be, and how long one may take to send the headers of a request.

uvicorn limits neither: a sender that opens many connections and sends nothing would keep all others away.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import RateLimit

if TYPE_CHECKING:
    import asyncio

LOG: Final = logging.getLogger("vtex_tracking_ext.service")

#: Seconds after which a connection is looked at. One without a request in progress is closed at the second look.
HEADER_SECONDS: Final = 10.0

#: Connections at most; as many as this part of the files that the process may open, if those are fewer.
MOST_CONNECTIONS: Final = 10_000
_SHARE_OF_FILES: Final = 0.75

_WARNINGS: Final = RateLimit(1.0)


class Connection(H11Protocol):
    """A connection that is closed if there are too many, or if it is without a request for too long.

    Args:
        most: Connections of the server at most.
        header_seconds: See :data:`HEADER_SECONDS`.
        **state: What uvicorn passes.
    """

    def __init__(self, *, most: int = MOST_CONNECTIONS, header_seconds: float = HEADER_SECONDS, **state: Any) -> None:
        super().__init__(**state)
        self._most = most
        self._header_seconds = header_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Begin to serve a connection, or close it."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            if not _WARNINGS.seconds_to_wait("connections"):
                LOG.warning("a connection was closed: there are %d already", self._most)
            transport.abort()
        else:
            self._look_later()

    def _look_later(self) -> None:
        self.loop.call_later(self._header_seconds, self._look, self.cycle)

    def _look(self, before: object) -> None:
        """Close the connection if it was without a request since it was looked at before."""
        if self.transport.is_closing():
            return
        if self.cycle is before and (before is None or self.cycle.response_complete):
            self.transport.close()
        else:
            self._look_later()


def allow_connections() -> int:
    """Let this process open as many files as the system permits, and return how many connections there may be."""
    if sys.platform == "win32":
        return MOST_CONNECTIONS
    import resource  # noqa: PLC0415 - Windows does not have it

    soft, hard = (
        sys.maxsize if each == resource.RLIM_INFINITY else each for each in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    files = max(soft, min(hard, 2 * MOST_CONNECTIONS))
    if files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    return min(MOST_CONNECTIONS, int(files * _SHARE_OF_FILES))
