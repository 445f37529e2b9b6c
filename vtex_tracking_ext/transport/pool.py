"""Connections to one server, kept for the next request only if the last response ended cleanly.

A response has ended cleanly if it was read to its end with no byte behind it: such a byte would be read as the
beginning of the next response, which could be forged or left over.

An interrupt (Ctrl-C) can raise between any two lines, and a process can fork while another thread is anywhere in this
module. A lock could stay locked in both cases, so this module uses no locks: each change of what calls share is one
operation of a dict, deque or queue, which is atomic, and the end of a lease can be repeated. One such operation
(``extend`` with ``map``) also moves a connection from one list to another, so that it is never in both, or in neither.
"""

from __future__ import annotations

import functools
import os
import time
from collections import deque
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar
from weakref import WeakSet

import httpcore

from vtex_tracking_ext.call.faults import raise_interruption

from .connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from .progress import Progress
    from .proxy import Route
    from .response import ResponseReader

#: A request that had to wait for a connection is not begun this many seconds before its deadline: it could not be
#: answered in time, and its outcome would be unknown.
MIN_SECONDS_LEFT: Final = 0.05


class PooledConnection(Protocol):
    """What a pool needs to know of a connection."""

    expires: float

    def is_stale(self) -> bool:
        """Return whether the connection cannot be used again."""

    def close(self) -> None:
        """Close the connection. Closing is idempotent."""


C = TypeVar("C", bound=PooledConnection)


class Lease(Generic[C]):
    """The place of one request among those of its pool.

    Attributes:
        held: The connection of the request, as the only element, once it has one.
        wake: Tells the request, if it waits, that it may hold a connection.
        ended: Whether the place was given back.
    """

    __slots__ = ("ended", "held", "wake")

    def __init__(self) -> None:
        self.held: list[C] = []
        self.wake: Callable[[], object] | None = None
        self.ended = False


class Places(Generic[C]):
    """Who may hold a connection, and the idle connections. Without I/O, for either pool.

    Args:
        limit: Maximum number of open connections.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.leases: dict[Lease[C], None] = {}  # in order of arrival; the first ones, up to the limit, may hold one
        self._idle: deque[C] = deque()  # the one that was used last is at the right end
        self._closed = False

    def may_hold(self, lease: Lease[C]) -> bool:
        """Return whether a request that had to wait may hold a connection now."""
        return lease in list(self.leases)[: self.limit]

    def take_idle(self, lease: Lease[C]) -> bool:
        """Give a lease the usable idle connection that was used last, and return whether there was one."""
        while self._idle:
            try:
                lease.held.extend(map(deque.pop, (self._idle,)))
            except IndexError as error:  # another thread has taken it
                raise_interruption(error)
                break
            if time.monotonic() < lease.held[0].expires and not lease.held[0].is_stale():
                return True
            lease.held[0].close()
            lease.held.clear()
        return False

    def give_back(self, lease: Lease[C]) -> None:
        """End a lease: keep its connection for the next request if it is reusable, else close it.

        If an interrupt ends this method at any line, another call does what is left.
        """
        if lease.held and lease.held[0].expires:
            self._idle.extend(map(list.pop, (lease.held,)))
        elif lease.held:
            lease.held[0].close()
        self._close_expired()
        if self._closed:
            self._drain()
        self.leases.pop(lease, None)
        if len(self.leases) >= self.limit:
            for each in list(self.leases)[: self.limit]:
                if each.wake is not None:
                    each.wake()
        lease.ended = True

    def _close_expired(self) -> None:
        now = time.monotonic()
        try:
            while self._idle and self._idle[0].expires <= now:
                oldest = self._idle[0]
                oldest.close()
                self._idle.remove(oldest)
        except (IndexError, ValueError) as error:  # another thread has taken it
            raise_interruption(error)

    def close(self) -> None:
        """Close the idle connections; connections in use are closed when they are given back."""
        self._closed = True
        self._drain()

    def _drain(self) -> None:
        while self._idle:
            with suppress(IndexError):  # another thread has taken it
                self._idle.pop().close()

    def reset(self) -> None:
        """Close this process's ends of all connections, and begin again without any, as a forked process must.

        Two processes on one connection would read each other's responses.
        """
        for lease in list(self.leases):
            for connection in lease.held:
                connection.close()
        self.leases.clear()
        self._drain()


class Pool:
    """The connections of a synchronous client. Taking one costs the same however many there are.

    Args:
        route: The server.
        limit: Maximum number of open connections.
    """

    def __init__(self, route: Route, limit: int) -> None:
        self._route = route
        self._places: Places[Connection] = Places(limit)
        _POOLS.add(self)

    def exchange(self, request: memoryview, reader: ResponseReader, progress: Progress) -> None:
        """Send a request over a connection, and read its response.

        Raises:
            httpcore.PoolTimeout: Every connection was in use until the deadline.
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
            OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException: The response is missing
                or incomplete.
        """
        progress.observed = True
        lease: Lease[Connection] = Lease()
        try:
            try:
                self._places.leases[lease] = None
                if len(self._places.leases) > self._places.limit:
                    self._wait(lease, progress)
                if not self._places.take_idle(lease):
                    lease.held.append(Connection())
                    lease.held[0].open(self._route, progress)
                lease.held[0].exchange(request, reader, progress)
            finally:
                self._places.give_back(lease)
        finally:
            if not lease.ended:  # an interrupt came while the lease was given back
                self._places.give_back(lease)

    def _wait(self, lease: Lease[Connection], progress: Progress) -> None:
        woken: SimpleQueue[None] = SimpleQueue()
        lease.wake = functools.partial(woken.put, None)
        while not self._places.may_hold(lease):
            try:
                woken.get(timeout=max(0.0, progress.seconds_left() - MIN_SECONDS_LEFT))
            except Empty:
                raise httpcore.PoolTimeout(f"all {self._places.limit} connections are in use") from None

    def close(self) -> None:
        """Close the idle connections; connections in use are closed when their requests end."""
        self._places.close()

    def reset(self) -> None:
        """Begin again without connections, in a forked process."""
        self._places.reset()


#: The pools of this process.
_POOLS: Final[WeakSet[Pool]] = WeakSet()


def _reset_pools() -> None:
    for pool in _POOLS:
        pool.reset()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_reset_pools)
