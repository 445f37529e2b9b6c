"""Send HTTP posts at given moments, over a fixed number of connections that stay open, as a proxy does.

The latency of a post begins at its moment, also if it then waits for a connection. Therefore, if a server stops for a
while, the latencies include those of the posts that it would not accept meanwhile.
"""

from __future__ import annotations

import asyncio
import gc
import math
import re
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import define, frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Seconds before the first post.
_LEAD: Final = 0.2

#: Seconds after the last post within which all must be answered.
_PATIENCE: Final = 60.0

_STATUS: Final = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@frozen
class Post:
    """A post.

    Attributes:
        due: When it is sent, in seconds after the begin.
        request: All its bytes.
    """

    due: float
    request: bytes


@define
class Answer:
    """The answer to a post.

    Attributes:
        status: The status; 0 if there was no answer.
        seconds: From the moment when the post was due to the end of the answer.
        at: When the answer ended, in seconds after the begin.
    """

    status: int = 0
    seconds: float = math.inf
    at: float = math.inf


def send(url: str, posts: Sequence[Post], connections: int) -> list[Answer]:
    """Send posts, which are in the order of their moments, and return the answers in the same order."""
    return asyncio.run(_Sender(url, posts).run(connections))


class _Sender:
    """Sends posts over its connections: the next post over the connection that has been idle for longest."""

    def __init__(self, url: str, posts: Sequence[Post]) -> None:
        address = urlsplit(url)
        self._address = address.hostname or "", address.port or 80
        self._posts = posts
        self._answers = [Answer() for _ in posts]
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[int] = deque()
        self._left = len(posts)
        self._begin = 0.0

    async def run(self, connections: int) -> list[Answer]:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        for _ in range(connections):
            await self._open()
        gc.freeze()  # otherwise, the collections go through all posts, and take longer than an answer
        self._begin = self._loop.time() + _LEAD
        for number, post in enumerate(self._posts):
            await asyncio.sleep(self._begin + post.due - self._loop.time())
            self._waiting.append(number)
            self._send_waiting()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._done.wait(), _PATIENCE)
        gc.unfreeze()
        for connection in self._idle:
            connection.close()
        return self._answers

    async def _open(self) -> None:
        _, connection = await self._loop.create_connection(lambda: _Connection(self), *self._address)
        self._idle.append(connection)

    def _send_waiting(self) -> None:
        while self._waiting and self._idle:
            number = self._waiting.popleft()
            self._idle.popleft().send(number, self._posts[number].request)

    def take_answer(self, connection: _Connection, number: int, status: int) -> None:
        """Store the answer to a post, and use its connection for the next one."""
        at = self._loop.time() - self._begin
        self._answers[number] = Answer(status, at - self._posts[number].due, at)
        self._idle.append(connection)
        self._count()
        self._send_waiting()

    def take_loss(self, connection: _Connection, number: int | None) -> None:
        """Replace a connection that the server closed; its post has no answer."""
        if number is None:
            self._idle.remove(connection)
        else:
            self._count()
        if not self._done.is_set():
            self._opening = self._loop.create_task(self._reopen())

    async def _reopen(self) -> None:
        await self._open()
        self._send_waiting()

    def _count(self) -> None:
        self._left -= 1
        if not self._left:
            self._done.set()


class _Connection(asyncio.Protocol):
    def __init__(self, sender: _Sender) -> None:
        self._sender = sender
        self._number: int | None = None
        self._received = b""
        self._is_closing = False

    def send(self, number: int, request: bytes) -> None:
        """Send a post."""
        self._number = number
        self._transport.write(request)

    def close(self) -> None:
        """Close the connection."""
        self._is_closing = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the types
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        status, length = _STATUS.match(head), _LENGTH.search(head + b"\r\n")
        if end and status and len(body) >= (int(length[1]) if length else 0) and self._number is not None:
            number, self._number, self._received = self._number, None, b""
            self._sender.take_answer(self, number, int(status[1]))

    def connection_lost(self, _: Exception | None) -> None:
        if not self._is_closing:
            self._sender.take_loss(self, self._number)
