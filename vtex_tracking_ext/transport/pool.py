"""Connections to one server, kept for the next request only if the last one ended cleanly.

Taking one costs the same however many there are. A connection is put back only if its answer was read to the end and
not one byte stood behind it: such a byte would be read as the beginning of the next, a forged or left-over receipt.
What a connection is, :mod:`.via_httpcore` and :mod:`.connection` say.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar
from weakref import WeakSet

import httpcore

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connect import Watch

#: Seconds after which an idle connection is not used again: servers close theirs, and a request that meets the
#: closing is one whose outcome is unknown.
KEEPALIVE: Final = 5.0

#: Seconds before the end of a request's time in which it is no longer begun if it had to wait: it could not be
#: answered, and its outcome would be unknown.
LAST_MOMENT: Final = 0.05


class Kept(Protocol):
    """What is asked of a connection of either kind."""

    def ended_cleanly(self) -> bool:
        """Tell whether its last answer ended where it should, with nothing behind it."""

    def is_touched(self) -> bool:
        """Tell whether the server has closed it, or sent anything unasked, while it was idle."""


class Connection(Kept, Protocol):
    """A connection of a synchronous client."""

    def watched_by(self, watch: Watch) -> None:
        """Begin a request under its watch."""

    def close(self) -> None:
        """Close it; again does nothing."""


C = TypeVar("C", bound=Connection)


class Pool(Generic[C]):
    """The connections of a synchronous client.

    Args:
        connect: Makes one, in the time that a watch allows.
        limit: Connections that are open at once at most.
    """

    def __init__(self, connect: Callable[[Watch], C], limit: int) -> None:
        self._connect = connect
        self._limit = limit
        self._idle: deque[tuple[float, C]] = deque()  # with the times at which they expire
        self._closed = False
        self.begin()
        _POOLS.add(self)

    def begin(self) -> None:
        """Begin without connections: at first, and again in a forked process, which shares those it was born with.

        Two processes on one connection would read each other's answers. The locks may be held by threads that only
        the parent has.
        """
        # The free places: a queue in C, not a semaphore in Python. An interruption (Ctrl-C) within that would leave its
        # lock held, and every later call waiting for it beyond any deadline.
        self._places: SimpleQueue[None] = SimpleQueue()
        self._made = 0  # of them, as they are needed
        self._lock = threading.Lock()
        while self._idle:
            self._idle.pop()[1].close()  # this process's end of it; the parent's stays open

    def take(self, watch: Watch) -> C:
        """Return a connection for one request; it must be given back.

        Raises:
            httpcore.PoolTimeout: Every connection was in use for all of the request's time.
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: There is no connection.
        """
        watch.reached = True
        try:
            self._places.get_nowait()
        except Empty:
            self._make_place_or_wait(watch)
        try:
            connection = self._idle_one() or self._connect(watch)
        except BaseException:
            self._places.put(None)
            raise
        connection.watched_by(watch)
        return connection

    def _make_place_or_wait(self, watch: Watch) -> None:
        with self._lock:
            if self._made < self._limit:
                self._made += 1
                return
        try:
            self._places.get(timeout=max(0.0, watch.left() - LAST_MOMENT))
        except Empty:
            raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from None

    def _idle_one(self) -> C | None:
        """Take the connection that was used last, if it can still be used."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                expires, connection = self._idle.pop()
            if time.monotonic() < expires and not connection.is_touched():
                return connection
            connection.close()

    def give_back(self, connection: C) -> None:
        """Keep a connection for the next request if its answer ended cleanly."""
        expired: list[C] = []
        now = time.monotonic()
        with self._lock:
            if self._closed or not connection.ended_cleanly():
                expired.append(connection)
            else:
                self._idle.append((now + KEEPALIVE, connection))
            while self._idle and self._idle[0][0] <= now:
                expired.append(self._idle.popleft()[1])
        try:
            for one in expired:
                one.close()
        finally:
            self._places.put(None)

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        for _, connection in idle:
            connection.close()


#: The pools of this process.
_POOLS: Final[WeakSet[Pool[Any]]] = WeakSet()


def _after_fork() -> None:
    for pool in _POOLS:
        pool.begin()


if hasattr(os, "register_at_fork"):  # pragma: no branch - where there is none, nothing forks
    os.register_at_fork(after_in_child=_after_fork)
