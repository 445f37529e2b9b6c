"""PgBouncer in front of a PostgreSQL server, on loopback. Debian's package ``pgbouncer`` has it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg

from support.postgres import free_port, until, url_of

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Its program, or None if it is not installed. Debian installs it where only root's PATH has it.
PROGRAM: Final = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")

#: User and group of the program if the tests run as root, which it refuses: ``nobody``, by convention.
_NOBODY: Final = 65534


@contextmanager
def running(url: str, pool_mode: str, **settings: int) -> Iterator[str]:
    """Run it in the block, and yield the URL of the database through it.

    Args:
        url: The URL of a database.
        pool_mode: ``session``, ``transaction`` or ``statement``.
        settings: Other settings.
    """
    assert PROGRAM is not None
    with ExitStack() as stack:
        # Not pytest's folder: only its owner may read that.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vtex-pgbouncer-")))
        folder.chmod(0o755)
        parameters = psycopg.conninfo.conninfo_to_dict(url)
        names = ("host", "port", "dbname", "user", "password")
        server = " ".join(f"{name}='{parameters[name]}'" for name in names)
        port = free_port()
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            f"[databases]\nvtex = {server}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {pool_mode}\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
        )
        as_nobody: dict[str, Any] = {}
        if os.geteuid() == 0:
            as_nobody = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        process = stack.enter_context(
            subprocess.Popen([PROGRAM, "-q", configuration], stderr=subprocess.DEVNULL, cwd=folder, **as_nobody)
        )
        stack.callback(process.terminate)
        through = url_of({"host": "127.0.0.1", "port": port, "dbname": "vtex", "user": "tests", "password": "any"})

        def accepts_connections() -> bool:
            with suppress(psycopg.OperationalError):
                psycopg.connect(through, connect_timeout=5).close()
                return True
            return False

        until(accepts_connections)
        yield through
