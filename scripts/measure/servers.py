"""The servers: nginx if it is installed, else the stub server, which also serves with a delay.

Each server runs in its own process and ends with this one, because it waits for the end of a pipe.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lib.stub_server import BODY, stub_server

from .cpu_affinity import pinned_to

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Debian installs nginx where only root's PATH points.
_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

#: A single process without access log, which never closes a connection.
_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{ return 200 '{body}'; }}
    }}
}}
"""

#: A shell command that runs a program and terminates it when standard input ends.
_RUN_UNTIL_EOF = '"$@" & read nothing; kill -TERM $!; wait $!'

#: Seconds until nginx must respond.
_TIMEOUT = 10.0


def nginx() -> str | None:
    """Return the path of nginx, or None."""
    return shutil.which("nginx", path=_SEARCH_PATH)


def describe() -> str:
    """Return the name and version of the server without delay."""
    program = nginx()
    if program is None:
        return "scripts/lib/stub_server.py, because nginx is not installed"
    output = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stderr
    return "nginx " + output.strip().rpartition("/")[2].partition(" ")[0]


@contextmanager
def run_server(core: int | None) -> Iterator[str]:
    """Run the server without delay, and yield its base URL."""
    program = nginx()
    if program is None:
        with run_delayed_server(0.0, core) as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="vtex-bench-") as folder:
        port = _free_port()
        settings = Path(folder, "nginx.conf")
        settings.write_text(_NGINX.format(folder=folder, port=port, body=BODY.decode()))
        command = [program, "-p", folder, "-c", str(settings), "-e", f"{folder}/error.log"]
        with pinned_to(core):
            # In a session of its own, because nginx reloads its settings on SIGHUP instead of ending.
            child = subprocess.Popen(
                ["/bin/sh", "-c", _RUN_UNTIL_EOF, "nginx", *command], stdin=subprocess.PIPE, start_new_session=True
            )
        try:
            _wait_until_ready(port, Path(folder, "error.log"))
            yield f"http://127.0.0.1:{port}"
        finally:
            child.communicate()


@contextmanager
def run_delayed_server(delay: float, core: int | None) -> Iterator[str]:
    """Run the stub server with a delay in seconds before each response, and yield its base URL."""
    with ExitStack() as stack:
        with pinned_to(core):
            url = stack.enter_context(stub_server(delay))
        yield url


def _wait_until_ready(port: int, log: Path) -> None:
    end = time.monotonic() + _TIMEOUT
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
        try:
            connection.request("PUT", "/", b"{}")
            answer = connection.getresponse().read()
        except OSError:
            if time.monotonic() > end:
                raise SystemExit(f"nginx did not start: {log.read_text() if log.exists() else ''}") from None
            time.sleep(0.05)  # nginx does not report when it is ready
        else:
            if answer != BODY:
                raise SystemExit(f"Another server responds at port {port}.")
            return
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
