"""The trial behind ``scripts/database_trial``."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

import psycopg
from psycopg import sql

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk import note
from vtex_tracking_ext.bulk.journal.interface import JournalError
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.cli import main
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, OmsSettings, running

from support.killing.vtex import Faults, Strike, Vtex
from support.postgres import Databases, Server, execute, until, with_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Settings with which values would mean something else, or statements would fail or wait. PostgreSQL's documentation
#: lists them under "Client Connection Defaults" and "Version and Platform Compatibility".
SETTINGS: Final = (
    ("standard_conforming_strings", "off"),
    ("DateStyle", "SQL, DMY"),
    ("DateStyle", "German"),
    ("DateStyle", "Postgres, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("bytea_output", "escape"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("backslash_quote", "off"),
    ("escape_string_warning", "off"),
    ("client_encoding", "LATIN1"),
    ("client_min_messages", "error"),
    ("TimeZone", "Asia/Kathmandu"),
    ("timezone_abbreviations", "Australia"),
    ("extra_float_digits", "-15"),
    ("quote_all_identifiers", "on"),
    ("row_security", "off"),
    ("search_path", "pg_temp"),
    ("search_path", ""),
    ("check_function_bodies", "off"),
    ("xmlbinary", "hex"),
    ("xmloption", "document"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_deferrable", "on"),
    ("statement_timeout", "100ms"),
    ("lock_timeout", "1ms"),
    ("transaction_timeout", "100ms"),
    ("idle_session_timeout", "100ms"),
    ("idle_in_transaction_session_timeout", "100ms"),
    ("exit_on_error", "on"),
    ("session_replication_role", "replica"),
    ("synchronous_commit", "off"),
    ("role", "vtex_trial_plain"),
    ("restrict_nonsystem_relation_kind", "view, foreign-table"),
    ("plan_cache_mode", "force_custom_plan"),
    ("enable_indexscan", "off"),
    ("jit_above_cost", "0"),
    ("lc_messages", "C"),
)

#: Seconds that the clocks of workers are fast.
SKEWS: Final = (0.0, -10.0, 10.0, -10_800.0, 10_800.0)

#: Seconds after which an order shows an event whose answer was lost, and for which the workers of this part run.
_SHOW_AFTER: Final = 7.0
_CLOCKS_SECONDS: Final = 30.0

_PASSWORD: Final = "trial"  # noqa: S105 - of a role that exists during the trial

#: Pushes at once.
_PUSHES: Final = 3

_ORDERS: Final = 4
_TEXTS: Final = ("Coletado em S\u00e3o Paulo", "C:\\x00 'quoted'", "\u5df2\u53d6\u4ef6")


class DatabaseTrial:
    """Pushes to journals in databases of one server.

    Args:
        url: The server, as a superuser.
        folder: For files.
        rounds: How often to repeat what depends on chance.
        settings: Names of the settings to try; None for all.

    Attributes:
        violations: A description of each broken promise.
    """

    def __init__(self, url: str, folder: Path, rounds: int, settings: Sequence[str] | None = None) -> None:
        self.violations: list[str] = []
        self._databases = Databases(url)
        self._folder = folder
        self._rounds = rounds
        self._settings = [each for each in SETTINGS if settings is None or each[0] in settings]
        self._file = folder / "events.csv"
        with self._file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["order_id", "invoice_number", "date", "description"])
            writer.writerows([f"{number}-01", "1", "2026-10-01", text] for number in range(_ORDERS) for text in _TEXTS)

    def run(self, part: str) -> None:
        """Run a part, and print its result."""
        before, started = len(self.violations), time.monotonic()
        number = getattr(self, f"_try_{part}")()
        found = self.violations[before:]
        print(f"{part}: {number} trials in {time.monotonic() - started:.0f} s")
        print("\n".join(f"  VIOLATED: {text}" for text in found) or "  every promise was kept", flush=True)

    def _try_settings(self) -> int:
        """Push as a role with a setting and as one without, in either order, and check keys and orders."""
        roles = ("vtex_trial_plain", "vtex_trial_odd")
        with self._sandbox() as oms, contextlib.ExitStack() as stack:
            for role in roles:
                execute(self._databases.url, f"DROP ROLE IF EXISTS {role}", f"CREATE ROLE {role} SUPERUSER LOGIN")
                execute(self._databases.url, f"ALTER ROLE {role} PASSWORD '{_PASSWORD}'")
                stack.callback(execute, self._databases.url, f"DROP ROLE {role}")
            for number, (name, value) in enumerate(self._settings):
                database = self._databases.new()
                reset = f"ALTER ROLE {roles[1]} RESET ALL"
                with psycopg.connect(database, autocommit=True) as connection:
                    connection.execute(reset)
                    with contextlib.suppress(psycopg.errors.UndefinedObject):  # an older server
                        connection.execute(
                            sql.SQL("ALTER ROLE vtex_trial_odd SET {} = {}").format(sql.Identifier(name), value)
                        )
                urls = [with_options(database, {}, user=role, password=_PASSWORD) for role in roles]
                if number % 2:
                    urls.reverse()
                _add_orders(oms)
                results = [self._run("push", "--journal", url, str(self._file)) for url in urls]
                results += [self._run(command, "--journal", urls[-1]) for command in ("status", "report")]
                self._check(f"{name} = {value}", oms, [status for status, _ in results])
                self.violations += [f"{name} = {value}: {text}" for status, text in results if status]
                sizes = execute(database, "SELECT DISTINCT octet_length(key) FROM vtex_tracking.entries")
                if sizes != [(16,)]:
                    self.violations.append(f"{name} = {value}: keys of {sizes} bytes")
                self._databases.drop(database)
        return len(self._settings)

    def _try_first(self) -> int:
        """Push the same file in several processes to a journal that does not exist yet."""
        database = self._databases.new()
        with self._sandbox() as oms:
            for number in range(self._rounds):
                _add_orders(oms)
                location = f"{database}&schema=round_{number}"
                pushes = [self._start(0.0, "push", "--journal", location, str(self._file)) for _ in range(_PUSHES)]
                for push in pushes:
                    _begin(push)
                texts = [push.communicate()[1] for push in pushes]
                statuses = [push.returncode for push in pushes]
                statuses.append(self._run("push", "--journal", location, str(self._file))[0])
                self._check(f"round {number}", oms, statuses)
                self.violations += [text for text, status in zip(texts, statuses, strict=False) if status]
        self._databases.drop(database)
        return self._rounds

    def _try_clocks(self) -> int:
        """Let workers with wrong clocks resolve a call whose answer was lost, all at the same time."""
        with contextlib.ExitStack() as stack:
            servers, workers, urls = [], [], []
            for skew in SKEWS:
                oms = Oms(OmsSettings(show_after=_SHOW_AFTER))
                oms.add_order("0-01", ["1"])
                vtex = Vtex(oms, Faults(1.0, 1, ("cut",)), limit=3600)
                vtex.strike(Strike(1, after=True, act=vtex.behave))
                stack.enter_context(vtex.server)
                stack.enter_context(_environment(vtex.server.url))
                servers.append(vtex)
                urls.append(self._databases.new())
                row = {"order_id": "0-01", "invoice_number": "1", "date": "2026-10-01", "description": "a"}
                with _client(vtex.server.url) as client:
                    note([row], urls[-1], account=client)
                workers.append(self._start(skew, "worker", "--journal", urls[-1], "--resend-after", "1h"))
            for worker in workers:
                _begin(worker)
            time.sleep(_CLOCKS_SECONDS)
            for worker in workers:
                worker.terminate()
                worker.communicate()
            for skew, vtex, url in zip(SKEWS, servers, urls, strict=True):
                states = execute(url, "SELECT state FROM vtex_tracking.entries")
                print(f"  clock {skew:+.0f} s: {vtex.puts} updates, {vtex.gets} orders read, {states[0][0]}")
                if states != [("applied",)] or vtex.puts != 1 or abs(vtex.gets - servers[0].gets) > 1:
                    self.violations.append(f"clock {skew:+.0f} s: {states}, {vtex.puts} updates, {vtex.gets} reads")
                self._databases.drop(url)
        return len(SKEWS)

    def _try_restarts(self) -> int:
        """Restart the server of a worker while rows are noted, and check its log and the orders."""
        log = self._folder / "worker.log"
        with Server() as server, self._sandbox() as oms, log.open("w") as file:
            location = Databases(server.url).new()
            PostgresJournal.open(location).close()
            worker = self._start(0.0, "worker", "--journal", location, stderr=file)
            _begin(worker)
            until(lambda: "Serving" in log.read_text(encoding="utf-8"))
            with _client(os.environ["VTEX_BASE_URL"]) as client:
                for number in range(self._rounds):
                    oms.add_order(f"{number}-01", ["1"])
                    row = {"order_id": f"{number}-01", "invoice_number": "1", "date": "2026-10-01"}
                    rows = [{**row, "description": f"event {each}"} for each in range(20)]
                    while not _note(rows, location, client):
                        time.sleep(0.1)
                    server.stop()
                    server.start()
                end = time.monotonic() + 120
                while _pending(location) and worker.poll() is None and time.monotonic() < end:
                    time.sleep(0.5)
            worker.terminate()
            status = worker.wait()
            shown = [len(oms.applied(f"{number}-01", "1")) for number in range(self._rounds)]
        lines = log.read_text(encoding="utf-8").splitlines()
        failures = [line for line in lines if " INFO " not in line]
        odd = [line for line in failures if " WARNING " not in line and not line.startswith(("Serving", "Worker"))]
        self.violations += [f"the worker's log: {line}" for line in odd]
        if status or shown != [20] * self._rounds:
            self.violations.append(f"the worker ended with {status}; the orders show {shown} events")
        print(f"  {len(failures)} lines of failures")
        return self._rounds

    def _check(self, what: str, oms: Oms, statuses: Sequence[int]) -> None:
        shown = [[event["description"] for event in oms.applied(f"{n}-01", "1")] for n in range(_ORDERS)]
        if any(statuses):
            self.violations.append(f"{what}: exit statuses {statuses}")
        if shown != [[*_TEXTS]] * _ORDERS:
            self.violations.append(f"{what}: the orders show {shown}")

    def _run(self, *arguments: str) -> tuple[int, str]:
        """Run a command in this process, and return its exit status and what it printed."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            status = main([*arguments])
        return status, output.getvalue()

    def _start(self, skew: float, *arguments: str, stderr: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a process that runs a command when it is told to."""
        return subprocess.Popen(
            [sys.executable, "-m", "measure.database_process", str(skew), *arguments],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            text=True,
        )

    @contextlib.contextmanager
    def _sandbox(self) -> Iterator[Oms]:
        oms = Oms()
        with running(oms) as url, _environment(url):
            yield oms


def _environment(url: str) -> Any:
    values = {"VTEX_ACCOUNT": "sandbox", "VTEX_BASE_URL": url, "VTEX_APP_KEY": APP_KEY, "VTEX_APP_TOKEN": APP_TOKEN}
    return mock.patch.dict(os.environ, values)


def _client(url: str) -> TrackingClient:
    return TrackingClient(account="sandbox", base_url=url, app_key=APP_KEY, app_token=APP_TOKEN)


def _add_orders(oms: Oms) -> None:
    for number in range(_ORDERS):
        oms.add_order(f"{number}-01", ["1"])


def _begin(process: subprocess.Popen[str]) -> None:
    if process.stdin is not None:  # it is a pipe
        process.stdin.write("\n")
        process.stdin.flush()


def _note(rows: list[dict[str, str]], location: str, client: TrackingClient) -> bool:
    try:
        note(rows, location, account=client)
    except JournalError:
        return False
    return True


def _pending(location: str) -> bool:
    (number,) = execute(location, "SELECT count(*) FROM vtex_tracking.entries WHERE state <> 'applied'")[0]
    return bool(number)
