"""The command worker, which sends what others note."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk import note
from vtex_tracking_ext.bulk.journal.entries import AccountUpdate
from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal
from vtex_tracking_ext.cli import output
from vtex_tracking_ext.cli import worker as worker_command
from vtex_tracking_ext.fleet.task import queue_name
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms

from support.fleets import PATIENCE, client_at, fill, opened, states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def label(url: str) -> str:
    """Return the name in the journal of the sandbox's account."""
    return f"sandbox@{url.removeprefix('http://')}"


@pytest.fixture
def shared(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of the journal that the environment names."""
    monkeypatch.setenv("VTEX_JOURNAL", journal_url)
    return journal_url


@contextmanager
def told_to_end(oms: Oms, calls: int, before: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Send SIGTERM to this process once the sandbox has had some calls."""

    def tell() -> None:
        end = threading.Event()
        for _ in range(int(PATIENCE / 0.02)):
            if len(oms.received) >= calls:
                break
            end.wait(0.02)
        before()
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=tell)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@pytest.fixture
def noted(shared: str, oms: Oms, url: str, label: str) -> str:
    """Return the URL of a journal in which an event of each of three orders was noted."""
    for number in range(3):
        oms.add_order(f"{number}-01", ["1"])
    event = {"invoice_number": "1", "date": "2026-10-01", "description": "posted"}
    with PostgresJournal.open(shared) as journal, client_at(url) as client:
        assert note([{"order_id": f"{number}-01", **event} for number in range(3)], journal, account=client).new == 3
        assert states(journal, label) == {"pending": 3}
    return shared


def test_a_worker_sends_what_was_noted(run: Callable[..., Ran], noted: str, oms: Oms, label: str) -> None:
    """Nobody notifies it. It stops at SIGTERM, with exit status 0."""
    with told_to_end(oms, 3):
        ran = run("worker", "--concurrency", 2)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith(f"Serving {label}. Ctrl-C or SIGTERM stops the worker after the calls in flight.\n")
    assert ran.err.endswith("Worker stopped.\n")
    assert f"INFO {label}, order 2-01, invoice 1: 1 applied, attempt 1" in ran.err
    with opened(noted) as journal:
        assert states(journal, label) == {"applied": 3}


def test_a_new_worker_tries_a_stopped_account(run: Callable[..., Ran], noted: str, oms: Oms, label: str) -> None:
    """An account that was stopped after a 401 is called at once when a worker starts: the cause may be fixed."""
    with opened(noted) as journal, journal.lease(label) as lease:
        assert lease is not None
        lease.update_account(AccountUpdate(stopped_reason="401"))
    with told_to_end(oms, 3):
        assert run("worker", "--concurrency", 2).status == 0
    with opened(noted) as journal:
        record = journal.account(label)
        assert record is not None
        assert record.stopped is None
        assert states(journal, label) == {"applied": 3}


@pytest.mark.parametrize(
    ("options", "seconds"), [((), 3600.0), (("--resend-after", "30m"), 1800.0), (("--resend-after", "off"), None)]
)
def test_a_worker_sends_lost_events_again(
    run: Callable[..., Ran], noted: str, oms: Oms, label: str, options: tuple[str, ...], seconds: float | None
) -> None:
    """By default it does so one hour after the call; the profile or --resend-after change it."""
    with told_to_end(oms, 3):
        run("worker", *options)
    with opened(noted) as journal:
        record = journal.account(label)
        assert record is not None
        assert record.resend_after == seconds


def test_a_worker_needs_a_journal_that_can_be_shared(run: Callable[..., Ran]) -> None:
    """A journal in a file exits with 3."""
    ran = run("worker", "--journal", "j.db")
    assert ran.status == 3
    assert "worker needs a journal in PostgreSQL" in ran.err


def test_a_missing_extra_for_postgresql_is_named(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, shared: str
) -> None:
    """The message has the command that installs it."""
    for name in [name for name in sys.modules if name.startswith(("vtex_tracking_ext.fleet", "procrastinate"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "procrastinate.schema", None)
    ran = run("worker", "--journal", shared)
    assert ran.status == 3
    assert "needs an extra (procrastinate.schema is missing): pip install 'vtex-tracking[postgres]'" in ran.err


@pytest.mark.usefixtures("shared")
def test_tables_that_cannot_be_created_are_reported(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker exits with 3 and closes the journal."""
    closed: list[Any] = []
    postgres_journal = pytest.importorskip("vtex_tracking_ext.bulk.journal.postgres").PostgresJournal
    close = postgres_journal.close

    def note(self: Any) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(postgres_journal, "close", note)
    monkeypatch.setattr("procrastinate.schema.SchemaManager.get_schema", lambda: "SELECT nonsense")
    ran = run("worker")
    assert ran.status == 3
    assert "its tables are not this program's" in ran.err
    assert len(closed) == 1


@pytest.mark.usefixtures("shared")
def test_a_worker_needs_an_account(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without complete credentials for any account exits with 3."""
    monkeypatch.delenv("VTEX_APP_TOKEN")
    ran = run("worker")
    assert ran.status == 3
    assert "app_token" in ran.err
    monkeypatch.delenv("VTEX_APP_KEY")
    ran = run("worker")
    assert ran.status == 3
    assert "No account to serve: give its credentials" in ran.err


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize(("accounts", "missing"), [("nobody, Sandbox", "nobody"), (" , ", "any account")])
def test_accounts_without_credentials_are_named(
    run: Callable[..., Ran], accounts: str, missing: str, label: str
) -> None:
    """--accounts with an account without credentials exits with 3 and lists the usable ones."""
    ran = run("worker", "--accounts", accounts)
    assert ran.status == 3
    assert f"--accounts: no credentials for {missing}; accounts with credentials: {label}." in ran.err


def test_a_worker_can_serve_selected_accounts(
    run: Callable[..., Ran], shared: str, oms: Oms, url: str, label: str
) -> None:
    """With --accounts, only those accounts are delivered; accounts of the profile file, and its settings, are used."""
    profiles = f"""
        [other]
        account = "other"
        base_url = "{url}"
        app_key = "{APP_KEY}"
        app_token = "{APP_TOKEN}"
        resend_after = "2h"
    """
    folder = os.environ["XDG_CONFIG_HOME"]
    os.makedirs(f"{folder}/vtex-tracking", mode=0o700)  # noqa: PTH103 - shorter
    with open(f"{folder}/vtex-tracking/profiles.toml", "w", encoding="utf-8") as file:  # noqa: PTH123 - shorter
        os.fchmod(file.fileno(), 0o600)
        file.write(profiles)
    other = label.replace("sandbox", "other")
    oms.add_order("0-01", ["1"])
    with opened(shared) as journal:
        fill(journal, 1, account=label)
        fill(journal, 1, account=other)
        with told_to_end(oms, 1):
            ran = run("worker", "--accounts", "OTHER,", "--quiet")
        assert ran.err == (
            f"Serving {other}. Ctrl-C or SIGTERM stops the worker after the calls in flight.\nWorker stopped.\n"
        )
        assert states(journal, other) == {"applied": 1}
        record = journal.account(other)
        assert record is not None
        assert record.resend_after == 7200.0
        assert states(journal, label) == {"pending": 1}
    with told_to_end(oms, 2):
        ran = run("worker")
    assert ran.err.startswith(f"Serving {other}, {label}.")
    assert queue_name(other) != queue_name(label)


@pytest.mark.usefixtures("noted")
def test_metrics_are_served(run: Callable[..., Ran], oms: Oms, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus metrics are served at the printed address while the worker runs."""
    pages: list[str] = []
    warn = output.warn
    told: list[str] = []

    def listen(line: str) -> None:
        told.append(line)
        warn(line)

    def ask() -> None:
        where = next(line for line in told if line.startswith("Metrics: ")).removeprefix("Metrics: ")
        with urllib.request.urlopen(where, timeout=PATIENCE) as answer:  # noqa: S310 - it says http://127.0.0.1
            pages.append(answer.read().decode())

    monkeypatch.setattr("vtex_tracking_ext.cli.worker.warn", listen)
    with told_to_end(oms, 3, ask):
        assert run("worker", "--metrics", "0", "--quiet").status == 0
    assert f'vtex_tracking_calls_total{{account="{label}"}}' in pages[0]


@pytest.mark.usefixtures("shared")
def test_a_metrics_port_in_use_is_reported(run: Callable[..., Ran]) -> None:
    """The worker exits with 3 before it processes tasks."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("worker", "--metrics", port)
    assert ran.status == 3
    assert f"--metrics 127.0.0.1:{port} cannot be used: Address already in use." in ran.err


@pytest.mark.usefixtures("shared")
def test_a_missing_extra_for_metrics_is_named(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the command that installs it."""
    monkeypatch.delitem(sys.modules, "vtex_tracking_ext.fleet.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    ran = run("worker", "--metrics", "0")
    assert ran.status == 3
    assert "--metrics needs an extra (prometheus_client is missing): pip install 'vtex-tracking[metrics]'" in ran.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_an_idle_worker(shared: str, number: signal.Signals) -> None:
    """SIGTERM and SIGINT stop a worker process with exit status 0."""
    environment = {**os.environ, "VTEX_JOURNAL": shared, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-m", "vtex_tracking_ext", "worker"]
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("Serving sandbox@")
        child.send_signal(number)
        assert child.wait(PATIENCE) == 0
        assert child.stderr.read().endswith("Worker stopped.\n")


def test_a_worker_in_the_background_ignores_sigint() -> None:
    """A worker that was started with SIGINT ignored handles SIGTERM only."""
    seen: list[Any] = []

    class Idle:
        """A worker that ends at once."""

        def stop(self) -> None:
            """Do nothing."""

        async def run(self) -> None:
            """Record the handlers."""
            seen.extend(map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)))

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asyncio.run(worker_command._serve(Idle(), "mystore"))  # type: ignore[arg-type]  # all that is called
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen[0] is signal.SIG_IGN
    assert seen[1] is not signal.SIG_DFL
