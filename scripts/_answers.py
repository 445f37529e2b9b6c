"""A server that says yes to every update, and does nothing else: so a benchmark measures the client, and not a sandbox.

Run by itself it listens on a free port of loopback, prints its address, and ends with its standard input. With a number
of seconds as its argument it waits so long before each answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

#: What it answers.
BODY = json.dumps(
    {"date": "2026-10-01T12:00:00.0000000+00:00", "orderId": "1172452900788-01", "receipt": "0" * 32}
).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


class Answers(asyncio.Protocol):
    """Answers each request of a connection as soon as all of it is there, or a while later.

    Args:
        delay: How many seconds later.
    """

    def __init__(self, delay: float = 0.0) -> None:
        self._delay = delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the types
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        """Answer what is complete."""
        self._received += data
        while True:
            head, end, _ = self._received.partition(b"\r\n\r\n")
            found = _LENGTH.search(head + b"\r\n")
            size = len(head) + len(end) + (int(found[1]) if found else 0)
            if not end or len(self._received) < size:
                return
            self._received = self._received[size:]
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, _ANSWER)
            else:
                self._transport.write(_ANSWER)


async def main(delay: float) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answers(delay), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
