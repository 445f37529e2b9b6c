"""An HTTP server on loopback that accepts every tracking update, so that a measurement sees the client alone.

Run as a program, it prints its base URL and serves until its standard input ends. Its optional argument is the delay
before each response, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The body of every response.
BODY = json.dumps(
    {"date": "2026-10-01T12:00:00.0000000+00:00", "orderId": "1172452900788-01", "receipt": "0" * 32}
).encode()
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


@contextmanager
def stub_server(delay: float = 0.0) -> Iterator[str]:
    """Run the server in its own process and yield its base URL.

    Args:
        delay: Seconds before each response.
    """
    command = [sys.executable, __file__, str(delay)]
    # Leaving the block closes the server's standard input, which ends it.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - for the types
        yield process.stdout.readline().strip()


class _Connection(asyncio.Protocol):
    def __init__(self, delay: float) -> None:
        self._delay = delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the types
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, end, _ = self._received.partition(b"\r\n\r\n")
            found = _CONTENT_LENGTH.search(head + b"\r\n")
            size = len(head) + len(end) + (int(found[1]) if found else 0)
            if not end or len(self._received) < size:
                return
            self._received = self._received[size:]
            if self._delay:
                asyncio.get_running_loop().call_later(self._delay, self._transport.write, _RESPONSE)
            else:
                self._transport.write(_RESPONSE)


async def main(delay: float) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(delay), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
