"""The commands with a journal on PostgreSQL."""

from __future__ import annotations

import json
import os
import re
import socket
from collections import deque
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.journal.postgres import PostgresJournal, PostgresReader
from vtex_tracking_ext.sandbox import EXAMPLE_FILE, Oms, ReceivedRequest

from support.journaled import add, row, to_state, told
from support.postgres import execute

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
            assert "\n2 unknown outcomes." in run("resolve").out  # not what the other process has in flight
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
    assert unseen(run("migrate")).out.endswith(" was created with version 5.\n")
    assert unseen(run("migrate", "--journal", urls)).out.endswith(" is up to date (version 5).\n")
    path = tmp_path / "j.db"
    assert run("migrate", "--journal", path).out == f"The journal {path} was created with version 6.\n"
    assert run("migrate", "--journal", path).out == f"The journal {path} is up to date (version 6).\n"


def test_an_unreachable_server_is_a_configuration_error(run: Callable[..., Ran]) -> None:
    """Every command exits with 3 and a message without the password."""
    for command in (["status"], ["push", EXAMPLE_FILE], ["push", "--dry-run", EXAMPLE_FILE], ["migrate"]):
        ran = unseen(run(*command, "--journal", "postgresql://ana:TOPSECRET@127.0.0.1:1/d"))
        assert ran.status == 3
        assert "The journal postgresql://ana@127.0.0.1:1/d: no connection; see that the server runs" in ran.err
    ran = unseen(run("push", EXAMPLE_FILE, "--journal", "postgresql://ana:TOPSECRET%zz@127.0.0.1:1/d"))
    assert ran.status == 3
    assert "is not a valid PostgreSQL URL" in ran.err


class Received(deque[ReceivedRequest]):
    """The sandbox's requests; a function is called once at a number of them, before the response is sent."""

    def __init__(self, number: int, act: Callable[[], object]) -> None:
        super().__init__()
        self._number = number
        self._act = act

    def append(self, request: ReceivedRequest) -> None:
        """Keep a request."""
        super().append(request)
        if len(self) == self._number:
            self._act()


@pytest.mark.parametrize(
    ("code", "status", "words"),
    [
        ("25006", 5, "it is read-only there"),
        ("53100", 5, "its server's disk is full"),
        ("57014", 5, "canceled a statement"),
        ("42501", 3, "this user lacks a privilege"),
        ("", 5, "run again when it is back"),
    ],
)
def test_push_that_loses_its_journal_is_resumed(
    run: Callable[..., Ran], urls: str, oms: Oms, tmp_path: Path, code: str, status: int, words: str
) -> None:
    """A database that fails in mid-push ends it with 5, or 3 for a lost privilege; the next push sends the rest."""
    schema = urls.partition("&schema=")[2]
    orders = [f"{number}-07" for number in range(4)]
    for order in orders:
        oms.add_order(order, ["1"])
    file = tmp_path / "events.csv"
    lines = [f"{order},1,2026-10-01,{text}" for order in orders for text in "ab"]
    file.write_text("\n".join(["order_id,invoice_number,date,description", *lines]), encoding="utf-8")

    def fail() -> None:
        execute(
            urls,
            f"CREATE FUNCTION {schema}.fail() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION 'failed' USING ERRCODE = '{code}'; END $$",
            f"CREATE TRIGGER fail BEFORE UPDATE ON {schema}.entries EXECUTE FUNCTION {schema}.fail()",
        )

    def end_sessions() -> None:
        ours = "application_name LIKE 'vtex-tracking, process %' AND datname = current_database()"
        execute(urls, f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {ours}")

    oms.received = Received(3, fail if code else end_sessions)
    ran = unseen(run("push", "--concurrency", 1, "--no-coalesce", file))
    assert ran.status == status, ran.err
    assert re.fullmatch(f"vtex-tracking push: The journal .*{words}.*", ran.err.splitlines()[-1])
    execute(urls, f"DROP TRIGGER IF EXISTS fail ON {schema}.entries")
    ran = unseen(run("push", file))
    assert ran.status == 0, ran.err
    changes = [oms.orders[order].packages["1"].changes for order in orders]
    assert [[event["description"] for each in of_order for event in each.events] for of_order in changes] == [
        ["a", "b"]
    ] * 4
