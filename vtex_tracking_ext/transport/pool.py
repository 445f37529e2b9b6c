"""Connections to one server, kept for the next request only if the last response ended cleanly.

A response has ended cleanly if it was read to its end with no byte behind it: such a byte would be read as the
beginning of the next response, which could be forged or left over.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

import httpcore

if TYPE_CHECKING:
    from collections.abc import Callable

    from .connection import Connection
    from .progress import Progress

#: Seconds after which an idle connection is not used again. Servers close idle connections, and a request that meets
#: the close has an unknown outcome.
KEEPALIVE: Final = 5.0

#: A request that had to wait for a connection is not begun this many seconds before its deadline: it could not be
#: answered in time, and its outcome would be unknown.
MIN_SECONDS_LEFT: Final = 0.05


class Pool:
    """The connections of a synchronous client. Taking one costs the same however many there are.

    Args:
        connect: Opens a connection before the deadline of a request.
        limit: Maximum number of open connections.
    """

    def __init__(self, connect: Callable[[Progress], Connection], limit: int) -> None:
        self._connect = connect
        self._limit = limit
        self._idle: deque[tuple[float, Connection]] = deque()  # with the times at which they expire
        self._closed = False
        self.reset()
        _POOLS.add(self)

    def reset(self) -> None:
        """Start without connections: at first, and again in a forked process.

        Two processes on one connection would read each other's responses, and the locks may be held by threads that
        only the parent process has.
        """
        # The free slots are a queue implemented in C. Ctrl-C inside a semaphore implemented in Python could leave its
        # lock held, and every later call would wait for that lock beyond its deadline.
        self._free_slots: SimpleQueue[None] = SimpleQueue()
        self._slots = 0  # created on demand, up to the limit
        self._lock = threading.Lock()
        while self._idle:
            self._idle.pop()[1].close()  # closes this process's end; the parent's stays open

    def acquire(self, progress: Progress) -> Connection:
        """Return a connection for one request; the caller must release it.

        Raises:
            httpcore.PoolTimeout: Every connection was in use until the deadline.
            httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError: No connection was made.
        """
        progress.observed = True
        try:
            self._free_slots.get_nowait()
        except Empty:
            self._create_slot_or_wait(progress)
        try:
            return self._pop_idle() or self._connect(progress)
        except BaseException:
            self._free_slots.put(None)
            raise

    def _create_slot_or_wait(self, progress: Progress) -> None:
        with self._lock:
            if self._slots < self._limit:
                self._slots += 1
                return
        try:
            self._free_slots.get(timeout=max(0.0, progress.seconds_left() - MIN_SECONDS_LEFT))
        except Empty:
            raise httpcore.PoolTimeout(f"all {self._limit} connections are in use") from None

    def _pop_idle(self) -> Connection | None:
        """Return the usable idle connection that was used last."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                expires, connection = self._idle.pop()
            if time.monotonic() < expires and not connection.is_stale():
                return connection
            connection.close()

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request if it is reusable, else close it."""
        try:
            to_close: list[Connection] = []
            now = time.monotonic()
            with self._lock:
                if self._closed or not connection.reusable:
                    to_close.append(connection)
                else:
                    self._idle.append((now + KEEPALIVE, connection))
                while self._idle and self._idle[0][0] <= now:
                    to_close.append(self._idle.popleft()[1])
            for each in to_close:
                each.close()
        finally:
            self._free_slots.put(None)

    def close(self) -> None:
        """Close the idle connections; connections in use are closed when they are released."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, deque()
        for _, connection in idle:
            connection.close()


#: The pools of this process.
_POOLS: Final[WeakSet[Pool]] = WeakSet()


def _reset_pools() -> None:
    for pool in _POOLS:
        pool.reset()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_reset_pools)
