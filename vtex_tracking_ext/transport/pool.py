"""Connections to one server, kept for the next request only if the last response ended cleanly.

A response has ended cleanly if it was read to its end with no byte behind it: such a byte would be read as the
beginning of the next response, which could be forged or left over.

An interrupt (Ctrl-C) can occur between any two lines, and a process can fork while another thread runs any line of this
module. A lock could stay locked in both cases, so there are no locks. Each change of shared state is one operation of a
dict, deque or queue, which is atomic. ``extend`` with ``map`` moves a connection from one list to another in one such
operation, so that the connection is never in both lists, or in neither. Releasing a request can be repeated.
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
    from .response import ResponseReader
    from .route import Route

#: A request that had to wait for a connection is not sent if fewer seconds than this are left: it could not be answered
#: in time, and its outcome would be unknown.
MIN_SECONDS_LEFT: Final = 0.05


class PooledConnection(Protocol):
    """What a pool needs to know of a connection."""

    expires: float

    def is_stale(self) -> bool:
        """Return whether the connection cannot be used again."""

    def close(self) -> None:
        """Close the connection. Closing is idempotent."""


C = TypeVar("C", bound=PooledConnection)


class PoolRequest(Generic[C]):
    """A request to a pool: it waits for its turn, and then holds a connection.

    Attributes:
        held: The connection of the request, as the only element, once it has one.
        wake: Wakes the request if it waits, so that it checks whether it is admitted.
        released: Whether the request has ended, and no longer counts.
    """

    __slots__ = ("held", "released", "wake")

    def __init__(self) -> None:
        self.held: list[C] = []
        self.wake: Callable[[], object] | None = None
        self.released = False


class PoolState(Generic[C]):
    """The requests and the idle connections of a pool, for both pools.

    Args:
        limit: Maximum number of open connections.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        #: In order of arrival. The first ones, up to the limit, may hold a connection.
        self.requests: dict[PoolRequest[C], None] = {}
        self._idle: deque[C] = deque()  # the one that was used last is at the right end
        self._closed = False

    def is_admitted(self, pool_request: PoolRequest[C]) -> bool:
        """Return whether a request that had to wait may hold a connection now."""
        return pool_request in list(self.requests)[: self.limit]

    def acquire_idle(self, pool_request: PoolRequest[C]) -> bool:
        """Give a request the usable idle connection that was used last, and return whether there was one."""
        while self._idle:
            try:
                pool_request.held.extend(map(deque.pop, (self._idle,)))
            except IndexError as error:  # another thread has taken it
                raise_interruption(error)
                break
            if time.monotonic() < pool_request.held[0].expires and not pool_request.held[0].is_stale():
                return True
            pool_request.held[0].close()
            pool_request.held.clear()
        return False

    def release(self, pool_request: PoolRequest[C]) -> None:
        """End a request: keep its connection for the next one if it is reusable, else close it.

        If an interrupt ends this method at any line, calling it again does what is left.
        """
        if pool_request.held and pool_request.held[0].expires:
            self._idle.extend(map(list.pop, (pool_request.held,)))
        elif pool_request.held:
            pool_request.held[0].close()
        self._close_expired()
        if self._closed:
            self._drain()
        self.requests.pop(pool_request, None)
        if len(self.requests) >= self.limit:
            for each in list(self.requests)[: self.limit]:
                if each.wake is not None:
                    each.wake()
        pool_request.released = True

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
        """Close the idle connections; connections in use are closed when their requests end."""
        self._closed = True
        self._drain()

    def _drain(self) -> None:
        while self._idle:
            with suppress(IndexError):  # another thread has taken it
                self._idle.pop().close()

    def reset(self) -> None:
        """Close this process's ends of all connections and forget all requests, in a forked process.

        Two processes that share a connection would read each other's responses.
        """
        for pool_request in list(self.requests):
            for connection in pool_request.held:
                connection.close()
        self.requests.clear()
        self._drain()


class Pool:
    """The connections of a synchronous client. Taking one costs the same however many there are.

    Args:
        route: The server.
        limit: Maximum number of open connections.
    """

    def __init__(self, route: Route, limit: int) -> None:
        self._route = route
        self._state: PoolState[Connection] = PoolState(limit)
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
        pool_request: PoolRequest[Connection] = PoolRequest()
        try:
            try:
                self._state.requests[pool_request] = None
                if len(self._state.requests) > self._state.limit:
                    self._wait(pool_request, progress)
                if not self._state.acquire_idle(pool_request):
                    pool_request.held.append(Connection())
                    pool_request.held[0].open(self._route, progress)
                pool_request.held[0].exchange(request, reader, progress)
            finally:
                self._state.release(pool_request)
        finally:
            if not pool_request.released:  # it was interrupted
                self._state.release(pool_request)

    def _wait(self, pool_request: PoolRequest[Connection], progress: Progress) -> None:
        woken: SimpleQueue[None] = SimpleQueue()
        pool_request.wake = functools.partial(woken.put, None)
        while not self._state.is_admitted(pool_request):
            try:
                woken.get(timeout=max(0.0, progress.seconds_left() - MIN_SECONDS_LEFT))
            except Empty:
                raise httpcore.PoolTimeout(f"all {self._state.limit} connections are in use") from None

    def close(self) -> None:
        """Close the idle connections; connections in use are closed when their requests end."""
        self._state.close()

    def reset(self) -> None:
        """Forget all connections, in a forked process."""
        self._state.reset()


#: The pools of this process.
_POOLS: Final[WeakSet[Pool]] = WeakSet()


def _reset_pools() -> None:
    for pool in _POOLS:
        pool.reset()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_reset_pools)
