"""The servers that answer: nginx where it is found, else our own, and our own where answers take their time.

Each is a process that ends with this one, however this one ends: it is held by a pipe.
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

from .cpu_affinity import on_core

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Debian keeps it where only root's PATH leads.
_PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])

#: One process with one worker's work, which never closes a connection by itself and writes nothing down.
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

#: Runs a program until its standard input ends, and ends it then.
_KEEPER = '"$@" & read nothing; kill -TERM $!; wait $!'

#: Seconds until nginx must answer.
_PATIENCE = 10.0


def nginx() -> str | None:
    """Return where nginx is, if it is there."""
    return shutil.which("nginx", path=_PLACES)


def describe() -> str:
    """Name the server that answers at once, with its version."""
    program = nginx()
    if program is None:
        return "asyncio's (scripts/lib/stub_server.py), for want of nginx"
    said = subprocess.run([program, "-v"], check=True, capture_output=True, text=True).stderr
    return "nginx " + said.strip().rpartition("/")[2].partition(" ")[0]


@contextmanager
def answering(core: int | None) -> Iterator[str]:
    """Run the server that answers at once, and give its address."""
    program = nginx()
    if program is None:
        with answering_late(0.0, core) as url:
            yield url
        return
    with tempfile.TemporaryDirectory(prefix="vtex-bench-") as folder:
        port = _free_port()
        settings = Path(folder, "nginx.conf")
        settings.write_text(_NGINX.format(folder=folder, port=port, body=BODY.decode()))
        command = [program, "-p", folder, "-c", str(settings), "-e", f"{folder}/error.log"]
        with on_core(core):
            # Out of the terminal's reach: a hang-up ends the shell, and to nginx it means "read the settings anew".
            child = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "nginx", *command], stdin=subprocess.PIPE, start_new_session=True
            )
        try:
            _wait_for(port, Path(folder, "error.log"))
            yield f"http://127.0.0.1:{port}"
        finally:
            child.communicate()


@contextmanager
def answering_late(delay: float, core: int | None) -> Iterator[str]:
    """Run the server that waits ``delay`` seconds before each answer, and give its address."""
    with ExitStack() as stack:
        with on_core(core):
            url = stack.enter_context(stub_server(delay))
        yield url


def _wait_for(port: int, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
        try:
            connection.request("PUT", "/", b"{}")
            answer = connection.getresponse().read()
        except OSError:
            if time.monotonic() > end:
                raise SystemExit(f"nginx does not start: {log.read_text() if log.exists() else ''}") from None
            time.sleep(0.05)  # it tells nobody when it is ready
        else:
            if answer != BODY:
                raise SystemExit(f"Something else than our nginx answers at port {port}.")
            return
        finally:
            connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
