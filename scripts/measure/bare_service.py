"""A process of ``scripts/service_bench``: an application that writes one row for each post, and does nothing else.

The database is that of the variable VTEX_JOURNAL: a file, or the URL of a PostgreSQL database. Both wait for the disk.
The settings of uvicorn and the number of threads are those of ``vtex-tracking serve``.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio
from psycopg_pool import ConnectionPool
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vtex_tracking_ext import asgi_server
from vtex_tracking_ext.service.limits import MAX_HEADER_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

#: Threads that write.
_WRITERS: Final = 32


def write_to_file(path: str) -> Callable[[bytes], object]:
    """Return a function that writes a row to a file, with a commit for each."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    lock = threading.Lock()

    def write(body: bytes) -> None:
        with lock:
            connection.execute("INSERT INTO posts (body) VALUES (?)", (body.decode(),))

    return write


def write_to_postgres(url: str) -> Callable[[bytes], object]:
    """Return a function that writes a row to a database, with a commit for each."""
    pool = ConnectionPool(url, min_size=1, max_size=_WRITERS, kwargs={"autocommit": True}, open=True)
    with pool.connection() as connection:
        connection.execute("CREATE TABLE posts (id BIGSERIAL PRIMARY KEY, body TEXT NOT NULL)")

    def write(body: bytes) -> None:
        with pool.connection() as connection:
            connection.execute("INSERT INTO posts (body) VALUES (%s)", (body.decode(),))

    return write


def main() -> None:
    """Serve until a signal, after the address was printed."""
    location = os.environ["VTEX_JOURNAL"]
    write = write_to_postgres(location) if location.startswith("postgresql:") else write_to_file(location)

    async def receive(request: Request) -> Response:
        await anyio.to_thread.run_sync(write, await request.body(), limiter=writers)
        return JSONResponse({})

    app = Starlette(routes=[Route("/{path:path}", receive, methods=["POST"])])
    writers = anyio.CapacityLimiter(_WRITERS)
    listener = asgi_server.listen(0)
    server = asgi_server.Server(
        app,
        partial(print, f"Serving at {asgi_server.url_of(listener)}.", flush=True),
        http="h11",
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        server_header=False,
        proxy_headers=False,
    )
    server.run([listener])


if __name__ == "__main__":
    main()
