"""The command worker, and push --enqueue, which notifies it."""

from __future__ import annotations

import json
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

from vtex_tracking_ext import AuthenticationError
from vtex_tracking_ext.bulk.journal.opening import open_reader
from vtex_tracking_ext.cli import fleet, output
from vtex_tracking_ext.fleet.account_pace import Paces
from vtex_tracking_ext.fleet.task import queue_name
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, EXAMPLE_FILE, Oms

from support.fleets import PATIENCE, fill, opened, states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


@pytest.mark.usefixtures("shared")
def test_a_worker_sends_enqueued_rows(run: Callable[..., Ran], oms: Oms, label: str) -> None:
    """Push --enqueue records and notifies but sends nothing; the worker sends all and stops at SIGTERM."""
    pushed = run("push", "--enqueue", EXAMPLE_FILE)
    assert pushed == (
        type(pushed)(
            0,
            "26 rows: 26 new, 0 already known, 0 invalid.\nNotified the workers of 6 packages.\n",
            "",
        )
    )
    assert list(oms.received) == []
    with told_to_end(oms, 6):
        ran = run("worker", "--concurrency", 2)
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith(f"Serving {label}. Ctrl-C or SIGTERM stops the worker after the calls in flight.\n")
    assert ran.err.endswith("Worker stopped.\n")
    assert f"INFO {label}, order 1172452900788-01, invoice 000030711: " in ran.err
    status = run("status", "--json")
    assert status.status == 0
    assert json.loads(status.out)["total"]["applied"] == 28


def test_starting_a_worker_ends_the_rest_of_its_accounts(
    run: Callable[..., Ran], shared: str, oms: Oms, label: str
) -> None:
    """An account that rests after a 401 is called at once when a worker starts, because the cause may be fixed."""
    refused = AuthenticationError("401", status_code=401)
    with opened(shared) as journal:
        Paces(journal.connections).update(label, lambda pace, now: pace.report(now, (), now, refused))
    run("push", "--enqueue", EXAMPLE_FILE)
    with told_to_end(oms, 6):
        assert run("worker", "--concurrency", 2).status == 0
    assert {request.status for request in oms.received} == {200}
    assert len(oms.received) == 6


@pytest.mark.usefixtures("shared")
def test_enqueue_without_files_notifies_for_pending_packages(run: Callable[..., Ran], tmp_path: Path) -> None:
    """Packages with a task get no second one; --json prints a line, and an invalid row exits with 2."""
    run("push", "--enqueue", EXAMPLE_FILE)
    again = run("push", "--enqueue", "--json")
    assert (again.status, json.loads(again.out)["packages"]) == (0, 0)
    assert run("push", "--enqueue").out == "Notified the workers of 0 packages.\n"
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("order_id,invoice_number,date,description\n1-01,,2026-10-01,x\n")
    assert run("push", "--enqueue", wrong, "--no-rejects").status == 2


def test_a_dry_run_with_enqueue_notifies_no_worker(run: Callable[..., Ran], shared: str) -> None:
    """A dry run prints the plan and creates no journal."""
    assert "To send: 26 events" in run("push", "--enqueue", "--dry-run", EXAMPLE_FILE).out
    assert "There is no journal" in run("status").err
    assert "schema=" in shared


@pytest.mark.parametrize("arguments", [["worker"], ["push", "--enqueue", EXAMPLE_FILE]])
def test_a_fleet_needs_a_journal_that_can_be_shared(run: Callable[..., Ran], arguments: list[str]) -> None:
    """A journal in a file exits with 3."""
    ran = run(*arguments, "--journal", "j.db")
    assert ran.status == 3
    assert "need a journal in PostgreSQL" in ran.err


@pytest.mark.parametrize("arguments", [["worker"], ["push", "--enqueue", EXAMPLE_FILE]])
def test_a_missing_extra_for_postgresql_is_named(
    run: Callable[..., Ran], arguments: list[str], monkeypatch: pytest.MonkeyPatch, shared: str
) -> None:
    """The message has the command that installs it."""
    for name in [name for name in sys.modules if name.startswith(("vtex_tracking_ext.fleet", "procrastinate"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "procrastinate.schema", None)
    ran = run(*arguments, "--journal", shared)
    assert ran.status == 3
    assert "need an extra (procrastinate.schema is missing): pip install 'vtex-tracking[postgres]'" in ran.err


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
    """With --accounts, only the tasks of those accounts are processed; accounts of the profile file are included."""
    profiles = f"""
        [other]
        account = "other"
        base_url = "{url}"
        app_key = "{APP_KEY}"
        app_token = "{APP_TOKEN}"
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
        fleet.notify_workers(journal, [label, other])
        with told_to_end(oms, 1):
            ran = run("worker", "--accounts", "OTHER,", "--quiet")
        assert ran.err == (
            f"Serving {other}. Ctrl-C or SIGTERM stops the worker after the calls in flight.\nWorker stopped.\n"
        )
        assert states(journal, other) == {"applied": 1}
        assert states(journal, label) == {"pending": 1}
    with told_to_end(oms, 2):
        ran = run("worker")
    assert ran.err.startswith(f"Serving {other}, {label}.")
    assert queue_name(other) != queue_name(label)


@pytest.mark.usefixtures("shared")
def test_metrics_are_served(run: Callable[..., Ran], oms: Oms, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus metrics are served at the printed address while the worker runs."""
    run("push", "--enqueue", EXAMPLE_FILE)
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
    with told_to_end(oms, 6, ask):
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
    program = [sys.executable, "-m", "vtex_tracking_ext.cli", "worker"]
    with subprocess.Popen(program, env=environment, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert child.stderr.readline().startswith("Serving sandbox@")
        child.send_signal(number)
        assert child.wait(PATIENCE) == 0
        assert child.stderr.read().endswith("Worker stopped.\n")


def test_status_shows_the_pace_of_a_fleet(run: Callable[..., Ran], shared: str, oms: Oms, label: str) -> None:
    """Status shows the rate of each selected account, and for how long and why it is paused."""
    run("push", "--enqueue", EXAMPLE_FILE)
    assert "calls a second" not in run("status").out  # nobody has called yet
    assert "paces" not in json.loads(run("status", "--json").out)
    with told_to_end(oms, 6):
        run("worker", "--quiet")
    line = f"{label}: workers make "
    (told,) = [text for text in run("status").out.splitlines() if text.startswith(line)]
    assert told.endswith(" calls a second.")
    with opened(shared) as journal:
        fill(journal, 1, account="mystore")
        journal.connections._pool.wait()
        rest(journal)
        text = run("status", "--account", "mystore").out
        document = json.loads(run("status", "--json").out)
        (at_work,) = [told for told in run("status", "--account", label).out.splitlines() if "are running" in told]
    assert at_work.endswith(").")  # nothing of it is open, and workers end when they are told to
    assert line not in text
    assert "mystore: workers make at most 10.0 calls a second; paused for 600 s: 401 \\x1b.\n" in text
    assert "Workers or a push are running (" in text
    assert text.endswith("): check again later.\n")
    idle = run("status", "--account", "mystore").out
    assert idle.endswith("Pending: not sent yet; push again or start a worker to continue.\n")
    assert document["paces"].keys() == {label, "mystore"}
    assert document["paces"][label]["quiet"] == 0
    assert document["paces"][label]["reason"] == ""
    assert 590 < document["paces"]["mystore"]["quiet"] <= 600
    assert document["paces"]["mystore"]["reason"] == "401 \\x1b"
    with open_reader(shared) as reader:
        assert sum(reader.counts()["mystore"].values()) == 1


def rest(journal: Any) -> None:
    """Have an account rest."""
    from vtex_tracking_ext import AuthenticationError  # noqa: PLC0415 - for this alone
    from vtex_tracking_ext.fleet.account_pace import Paces  # noqa: PLC0415 - likewise

    error = AuthenticationError("401 \x1b", status_code=401)
    Paces(journal.connections).update("mystore", lambda shared, now: shared.report(now, (), now, error))
