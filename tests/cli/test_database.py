"""The commands with a journal on PostgreSQL."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.sandbox import EXAMPLE_FILE

from support.journaled import add, row, to_state, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")


@pytest.fixture
def urls(journal_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the journal's URL, which the environment names too."""
    monkeypatch.setenv("VTEX_JOURNAL", journal_url)
    return journal_url


def unseen(ran: Ran) -> Ran:
    """Fail if the password is in what a command printed."""
    assert "SECRET" not in ran.out + ran.err
    return ran


def test_a_second_push_to_postgresql_sends_nothing(run: Callable[..., Ran], urls: str) -> None:
    """Push, status and report work with a journal in PostgreSQL; a second push sends nothing."""
    ran = unseen(run("push", "--dry-run", EXAMPLE_FILE))
    assert ran.status == 0, ran.err
    assert unseen(run("status")).err.endswith("a push, or `vtex-tracking migrate`, creates it.\n")
    ran = unseen(run("push", "--journal", urls, EXAMPLE_FILE))
    assert ran.status == 0, ran.err
    with PostgresReader.open(urls) as reader:
        before = told(reader)
        name = reader.name
    assert {state for _, _, state in before} == {"applied"}
    assert unseen(run("push", EXAMPLE_FILE)).status == 0
    assert unseen(run("push", "--dry-run", EXAMPLE_FILE)).status == 0
    status = json.loads(unseen(run("status", "--json")).out)
    assert (status["journal"], status["is_running"]) == (name, False)
    assert status["total"]["applied"] == len(before)
    lines = unseen(run("report", "--journal", urls)).out.splitlines()
    assert len(lines) == len(before)


def test_reports_are_written(run: Callable[..., Ran], urls: str, tmp_path: Path) -> None:
    """A journal in PostgreSQL is reported as JSON lines, CSV and HTML, without its password."""
    with PostgresJournal.open(urls) as journal:
        add(journal, row(1, "a"))
    for ending in ("jsonl", "csv", "html"):
        output = tmp_path / f"report.{ending}"
        assert unseen(run("report", "--output", output)).status == 0
        assert "SECRET" not in output.read_text(encoding="utf-8")
        assert "mystore" in output.read_text(encoding="utf-8")


def test_unknown_outcomes_are_resolved_by_hand_while_others_deliver(run: Callable[..., Ran], urls: str) -> None:
    """Unknown and abandoned entries are resolved; the entries in flight of an account that is delivered are left."""
    with PostgresJournal.open(urls) as journal:
        add(journal, row(1, "a"), row(2, "b", account="other"), row(3, "c", "3"), row(4, "d", "4"))
        to_state(journal, 1, "in_flight")
        to_state(journal, 2, "in_flight")
        to_state(journal, 3, "unknown")
        with journal.lease("mystore"):
            ran = unseen(run("status", "--journal", urls))
            who = f"process {os.getpid()} on {socket.gethostname()}"
            assert f"Events are being delivered ({who}): check again later." in ran.out
            assert "--journal postgresql://" in ran.out.replace("'", "")
            assert len(run("resolve").out.splitlines()) == 3  # not what the other process has in flight
            ran = unseen(run("resolve", "--applied", "--all"))
            assert (ran.status, ran.out) == (0, "2 applied, 0 still unknown\n")
            assert f"mystore: {who} is delivering it" in ran.err
        assert unseen(run("resolve", "--withdraw", "4")).out == "1 withdrawn\n"
        states = [state for _, _, state in told(journal)]
        assert states == ["in_flight", "applied", "applied", "withdrawn"]


def test_a_database_has_no_size_to_print(run: Callable[..., Ran], urls: str) -> None:
    """Prune prints the number of deleted events only: PostgreSQL reuses the space itself."""
    with PostgresJournal.open(urls) as journal:
        add(journal, row(1, "a"))
        to_state(journal, 1, "applied")
    assert (
        unseen(run("prune", "--older-than", "1d")).out
        == "0 events deleted. Their keys are kept: their rows are not sent again.\n"
    )


def test_migrate_says_what_it_did(run: Callable[..., Ran], urls: str, tmp_path: Path) -> None:
    """Migrate prints what it did to a journal in PostgreSQL, and to one in a file."""
    assert unseen(run("migrate")).out.endswith(" was created with version 2.\n")
    assert unseen(run("migrate", "--journal", urls)).out.endswith(" is up to date (version 2).\n")
    path = tmp_path / "j.db"
    assert run("migrate", "--journal", path).out == f"The journal {path} was created with version 4.\n"
    assert run("migrate", "--journal", path).out == f"The journal {path} is up to date (version 4).\n"


def test_an_unreachable_server_is_a_configuration_error(run: Callable[..., Ran]) -> None:
    """Every command exits with 3 and a message without the password."""
    for command in (["status"], ["push", EXAMPLE_FILE], ["push", "--dry-run", EXAMPLE_FILE], ["migrate"]):
        ran = unseen(run(*command, "--journal", "postgresql://ana:TOPSECRET@127.0.0.1:1/d"))
        assert ran.status == 3
        assert "The journal postgresql://ana@127.0.0.1:1/d: no connection; see that the server runs" in ran.err
    ran = unseen(run("push", EXAMPLE_FILE, "--journal", "postgresql://ana:TOPSECRET%zz@127.0.0.1:1/d"))
    assert ran.status == 3
    assert "is not a valid PostgreSQL URL" in ran.err
