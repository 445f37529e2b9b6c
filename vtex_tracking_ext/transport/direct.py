"""One request straight over our own connections, without httpx between: the stand-ins of the extra ``fast``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vtex_tracking_ext.call.faults import fault_of

from .connect import Watch
from .request import MAX_ANSWER, Stub
from .response import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vtex_tracking_ext.config.server import Wiring

    from .connection import Connection
    from .pool import Pool
    from .request import Outgoing


class Address(NamedTuple):
    """A server as requests name it.

    Attributes:
        host: The value of ``Host``.
        path: What stands before the paths of openapi.yaml.
    """

    host: str
    path: str


def request_bytes(outgoing: Outgoing, address: Address) -> bytes:
    """Return a request as it travels.

    Raises:
        ValueError: Something in its head would not be what it is meant to be: a line break would make another header.
    """
    target = f"{address.path}{outgoing.path}"
    lines = [f"{outgoing.method} {target} HTTP/1.1", f"Host: {address.host}"]
    lines += [f"{name}: {value}" for name, value in outgoing.headers.items()]
    if outgoing.content:
        lines.append(f"Content-Length: {len(outgoing.content)}")
    if " " in target or not all(map(str.isprintable, lines)):
        raise ValueError("the head of the request has characters that cannot be in one")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + outgoing.content


class DirectStub(Stub):
    """What both share: the request as bytes, and what came of it.

    Args:
        wiring: How to reach the server.
        seconds: How long the request may take.
        address: The server's, as requests name it.
    """

    def __init__(self, wiring: Wiring, seconds: float, address: Address) -> None:
        super().__init__(wiring)
        self._watch = Watch(seconds, MAX_ANSWER)
        self._reading = Reading(self._body)
        self._address = address

    def _bytes(self, arguments: Mapping[str, Any]) -> bytes:
        """Return the request as it travels."""
        try:
            return request_bytes(self._outgoing(arguments), self._address)
        except ValueError as error:
            self._unbuildable(error)

    def _settle(self, error: Exception | None) -> None:
        """Keep what came: an answer once its status has been said, whatever became of its body; else a fault."""
        reading = self._reading
        if reading.status is not None and reading.body is not None:
            self._answered(reading.status, reading.headers, reading.body)
        else:
            assert error is not None  # noqa: S101 - without a whole head there is one
            text = self._wiring.redactor.text(str(error))
            self.result = fault_of(error, text, sent=self._watch.sending, trust="progress")


class SyncDirectStub(DirectStub):
    """Stands in for ``httpx.Client`` during one request."""

    def __init__(self, wiring: Wiring, seconds: float, address: Address, pool: Pool[Connection]) -> None:
        super().__init__(wiring, seconds, address)
        self._pool = pool

    def request(self, **arguments: Any) -> Any:
        """Send one request and read its answer."""
        request = self._bytes(arguments)
        try:
            connection = self._pool.take(self._watch)
            try:
                connection.exchange(request, self._reading)
            finally:
                self._pool.give_back(connection)
        except Exception as error:  # noqa: BLE001 - every exception is a fault; which, the watch tells
            self._settle(error)
        else:
            self._settle(None)
        return self._give()
