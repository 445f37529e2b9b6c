"""The commands check and push."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.delivery import breaker, options, pace
from vtex_tracking_ext.bulk.journal.entries import Selection
from vtex_tracking_ext.bulk.journal.sqlite import SqliteJournal, SqliteReader
from vtex_tracking_ext.cli import cause_lines, messages
from vtex_tracking_ext.cli.file_reader import FileReader
from vtex_tracking_ext.config.defaults import MAX_CONCURRENCY
from vtex_tracking_ext.sandbox import (
    APP_KEY,
    APP_TOKEN,
    EXAMPLE_FILE,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    Oms,
    OmsSettings,
)

from support.commands import Ran
from support.journaled import add, row, to_state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("account")

ORDER, INVOICE = "1172452900788-01", "000030711"

#: The function that tests replace.
read_file = FileReader.read
HEADER = "order_id,invoice_number,date,city,state,description,is_delivered,delivered_date\n"
ROW = f"{ORDER},{INVOICE},2026-10-05,S\u00e3o Paulo,SP,Objeto postado,,\n"


def write(folder: Path, text: str, name: str = "events.csv") -> Path:
    """Write an input file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(text: str) -> list[dict[str, Any]]:
    """Read JSON lines."""
    return [json.loads(line) for line in text.splitlines()]


def rows_of_other_orders(*orders: str) -> str:
    """Return a row for each order."""
    return "".join(ROW.replace(ORDER, order) for order in orders)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return where the journal is that is used where none is named."""
    return tmp_path / "state" / "vtex-tracking" / "journal.db"


class TestCheck:
    """Reads and plans."""

    def test_check_prints_what_would_be_sent(self, run: Callable[..., Ran], oms: Oms, journal: Path) -> None:
        """Check prints rows, packages and calls; it sends and keeps nothing."""
        assert run("check", EXAMPLE_FILE) == Ran(
            0,
            "26 rows: 26 new, 0 already known, 0 invalid.\n"
            "To send: 26 events and 2 deliveries of 6 packages, in 6 calls.\n",
            "",
        )
        assert "in 26 calls" in run("check", "--no-coalesce", EXAMPLE_FILE).out
        assert list(oms.received) == []
        assert not journal.exists()

    def test_check_needs_no_credentials(self, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
        """Check works without an account and credentials."""
        for name in ("ACCOUNT", "APP_KEY", "APP_TOKEN", "BASE_URL"):
            monkeypatch.delenv(f"VTEX_{name}")
        assert run("check", EXAMPLE_FILE).status == 0

    def test_invalid_and_duplicate_rows_are_counted(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Check reports an invalid row, exits with 2, and writes no rejects file."""
        path = write(tmp_path, HEADER + ROW + ROW + ROW.replace("2026-10-05", "31/02/2026"))
        ran = run("check", path)
        assert ran.status == 2
        assert f"{path}:4: column date: '31/02/2026' is not a date of the calendar, or not a time of day" in ran.err
        assert "3 rows: 1 new, 1 already known, 1 invalid." in ran.out
        assert list(tmp_path.glob("*rejects*")) == []

    def test_several_accounts_are_planned_apart(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Equal rows of two accounts are two packages; no profile is needed."""
        text = "account,order_id,invoice_number,date,description\n,1-01,1,2026-10-01,a\nother,1-01,1,2026-10-01,a\n"
        assert "of 2 packages, in 2 calls" in run("check", write(tmp_path, text)).out

    def test_an_invalid_account_name_is_a_problem_of_its_row(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Account names with spaces, addresses or lone surrogates are reported with their row."""
        row = {"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "a"}
        accounts = ["MyStore", "my store", "mystore@127.0.0.1:80", "\ud83d"]
        text = "".join(f"{json.dumps({**row, 'account': account})}\n" for account in accounts)
        ran = run("check", write(tmp_path, text, "events.jsonl"))
        assert ran.status == 2
        assert "events.jsonl:4: column account: account '\\ud83d' is not a single host name label" in ran.err
        assert "4 rows: 1 new, 0 already known, 3 invalid." in ran.out

    def test_machines_get_json(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """A line for each problem, and the plan."""
        path = write(tmp_path, HEADER + ROW + ROW.replace("2026-10-05", "x"))
        problem, plan = lines(run("check", "--json", path).out)
        assert (problem["type"], problem["source"], problem["line"], problem["column"]) == (
            "problem",
            str(path),
            3,
            "date",
        )
        assert plan == {
            "type": "plan", "rows": 2, "new": 1, "renewed": 0, "known": 0, "invalid": 1, "unmatched": 0,
            "packages": 1, "events": 1, "deliveries": 0, "calls": 1, "in_doubt": 0,
        }  # fmt: skip


class TestReading:
    """The options about files."""

    def test_columns_are_mapped_and_ignored(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """A carrier's column names are mapped, unknown ones noted; the delimiter and Windows-1252 are detected."""
        text = f"Pedido;Nota;Dia;O que;Peso\n{ORDER};{INVOICE};2026-10-05;N\u00e3o entregue: sem recep\u00e7\u00e3o;2\n"
        path = tmp_path / "events.csv"
        path.write_bytes(text.encode("windows-1252"))
        mapping = ["--map", "Dia=date", "--map", "O que=description"]
        ran = run("push", path, *mapping, "--strict")
        assert (ran.status, "events.csv:1: column 'Peso' is unknown" in ran.err) == (2, True)
        ran = run("push", path, *mapping)
        assert ran.status == 0
        assert "events.csv:1: passed over, because they are not known: Peso" in ran.err
        assert oms.applied(ORDER, INVOICE)[0]["description"] == "N\u00e3o entregue: sem recep\u00e7\u00e3o"
        assert "passed over" not in run("push", path, *mapping, "--ignore-unknown").err

    @pytest.mark.parametrize("wrong", ["date", "=date", "Data=", " = "])
    def test_a_mapping_names_a_column_and_a_field(self, run: Callable[..., Ran], wrong: str) -> None:
        """A --map without a column or a field is a usage error."""
        ran = run("push", "--map", wrong, EXAMPLE_FILE)
        assert ran.status == 2
        assert "is not COLUMN=FIELD" in ran.err

    def test_a_column_is_mapped_once(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """A column that is mapped to two fields is an error; repeating the same mapping is allowed."""
        path = write(tmp_path, "order_id,invoice_number,date,what\n1-01,1,2026-10-01,a\n")
        assert run("check", path, "--map", "what=description", "--map", "what=description").status == 0
        ran = run("check", path, "--map", "what=city", "--map", "what=description")
        assert ran.status == 2
        assert "--map: 'what' is mapped twice; map it once." in ran.err

    def test_standard_input_is_a_file(self, run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
        """JSON lines on standard input are detected by their first byte."""
        line = {"orderId": ORDER, "invoiceNumber": INVOICE, "date": "2026-10-06", "description": "Em tr\u00e2nsito"}
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(line).encode()), encoding="ascii"))
        assert run("push", "-").status == 0
        assert len(oms.applied(ORDER, INVOICE)) == 1

    @pytest.mark.parametrize("wrong", ["0", "x", "nan", "1001"])
    def test_a_rate_is_a_number_of_calls(self, run: Callable[..., Ran], wrong: str) -> None:
        """A rate of 0, above 1000, or not a number is a usage error."""
        assert "is not a number of calls a second" in run("push", "--rate", wrong, EXAMPLE_FILE).err


def test_concurrency_has_a_maximum(run: Callable[..., Ran]) -> None:
    """A concurrency of 101 is a usage error, and 100 works: each package needs a connection and a thread."""
    ran = run("push", "--concurrency", MAX_CONCURRENCY + 1, EXAMPLE_FILE)
    assert ran.status == 2
    assert "101 is more than the maximum, 100" in ran.err
    assert run("push", "--concurrency", MAX_CONCURRENCY, EXAMPLE_FILE).status == 0


class TestPush:
    """What is new is sent."""

    def test_the_example_file_arrives_whole(self, run: Callable[..., Ran], oms: Oms) -> None:
        """Every event of the example file is applied once, in order, with its accents; progress lines are printed."""
        ran = run("push", EXAMPLE_FILE)
        assert ran.status == 0
        assert ran.out == (
            "26 rows: 26 new, 0 already known, 0 invalid.\n"
            "28 events and deliveries of 6 packages: 28 applied, 0 refused, 0 unknown, 0 pending; 6 calls, 0 orders "
            "read.\n"
        )
        assert "28 of 28 events and deliveries: 28 applied, 0 refused, 0 unknown\n" in ran.err
        events = oms.applied(ORDER, INVOICE)
        assert [event["date"] for event in events] == sorted(event["date"] for event in events)
        assert events[-1] == {
            "city": "Niter\u00f3i",
            "state": "RJ",
            "description": "Objeto entregue ao destinat\u00e1rio",
            "date": "2026-10-08",
        }
        status = oms.get_order(ORDER)["packageAttachment"]["packages"][0]["courierStatus"]
        assert status["deliveredDate"].startswith("2026-10-08T21:15")

    def test_a_second_push_sends_nothing(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """The same rows in another file send nothing; a new row in it is sent."""
        run("push", EXAMPLE_FILE)
        sent = len(oms.received)
        again = write(tmp_path, EXAMPLE_FILE.read_text("utf-8"), "copy.csv")
        assert run("push", again).out == (
            "26 rows: 0 new, 26 already known, 0 invalid.\n"
            "0 events and deliveries of 0 packages: 0 applied, 0 refused, 0 unknown, 0 pending; 0 calls, 0 orders "
            "read.\n"
        )
        assert len(oms.received) == sent
        again.write_text(f"{again.read_text('utf-8')}{ROW.replace('postado', 'perdido')}", "utf-8")
        assert "27 rows: 1 new, 26 already known" in run("push", again).out

    def test_json_lines_and_several_files_are_one_run(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """Rows of one package in two files are sent in one call."""
        one = write(tmp_path, HEADER + ROW)
        line = {"orderId": ORDER, "invoiceNumber": INVOICE, "date": "2026-10-06", "description": "Em tr\u00e2nsito"}
        two = write(tmp_path, json.dumps(line) + "\n", "more.jsonl")
        assert run("push", one, two).status == 0
        assert [event["date"] for event in oms.applied(ORDER, INVOICE)] == ["2026-10-05", "2026-10-06"]
        assert len(oms.received) == 1

    def test_a_dry_run_sends_and_keeps_nothing(self, run: Callable[..., Ran], oms: Oms, journal: Path) -> None:
        """A dry run needs no folder for the journal, and leaves out rows that the journal has."""
        planned = "To send: 26 events and 2 deliveries of 6 packages, in 6 calls.\n"
        assert planned in run("push", "--dry-run", EXAMPLE_FILE).out
        assert (len(oms.received), journal.parent.exists()) == (0, False)
        run("push", EXAMPLE_FILE)
        before = journal.read_bytes()
        ran = run("push", "--dry-run", EXAMPLE_FILE)
        assert "To send: 0 events and 0 deliveries of 0 packages, in 0 calls." in ran.out
        assert journal.read_bytes() == before

    def test_a_dry_run_needs_no_credentials(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It plans rows, and what is pending, for the accounts that would be served; it needs the account's name."""
        for name in ("APP_KEY", "APP_TOKEN"):
            monkeypatch.delenv(f"VTEX_{name}")
        path = write(tmp_path, HEADER + ROW)
        planned = "To send: 1 event and 0 deliveries of 1 package, in 1 call.\n"
        assert planned in run("push", "--dry-run", path).out
        run("push", "--no-deliver", path)
        assert planned in run("push", "--dry-run").out
        assert "To send: 0 events" in run("push", "--dry-run", "--account", "other").out
        assert len(oms.received) == 0
        monkeypatch.delenv("VTEX_ACCOUNT")
        ran = run("push", "--dry-run", path)
        assert (ran.status, "account is missing" in ran.err) == (3, True)

    def test_a_dry_run_prints_unknown_outcomes_and_invalid_rows(
        self, run: Callable[..., Ran], journal: Path, tmp_path: Path
    ) -> None:
        """An invalid row makes a dry run exit with 2, without a rejects file."""
        good = write(tmp_path, HEADER + ROW)
        run("push", good, "--app-key", "wrong", "--app-token", "wrong")
        with SqliteJournal.open(journal) as opened:
            to_state(opened, 1, "in_flight")
        ran = run("push", "--dry-run", write(tmp_path, HEADER + ROW.replace("2026-10-05", "x"), "bad.csv"), good)
        assert ran.status == 2
        assert "1 unknown outcome will be checked first, by reading the orders." in ran.out
        assert list(tmp_path.glob("*rejects*")) == []

    def test_a_dry_run_with_a_file_that_is_no_journal_leaves_no_copy(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The file is reported, and the folder of temporary files stays empty."""
        folder = tmp_path / "temporary"
        folder.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        other = write(tmp_path, HEADER)
        ran = run("push", "--dry-run", EXAMPLE_FILE, "--journal", other)
        assert (ran.status, "it is not a journal" in ran.err) == (3, True)
        assert list(folder.iterdir()) == []

    def test_the_journal_is_where_it_is_named(
        self, run: Callable[..., Ran], journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The option names the journal, else the environment variable does."""
        monkeypatch.setenv("VTEX_JOURNAL", str(tmp_path / "mine.db"))
        run("push", EXAMPLE_FILE, "--journal", tmp_path / "other.db")
        assert "26 already known" in run("push", EXAMPLE_FILE, "--journal", tmp_path / "other.db").out
        assert "26 new" in run("push", "--dry-run", EXAMPLE_FILE).out
        run("push", EXAMPLE_FILE)
        assert (tmp_path / "mine.db").exists()
        assert not journal.exists()

    def test_a_journal_that_cannot_be_used_sends_nothing(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path
    ) -> None:
        """A missing folder and a file of another program exit with 3, and nothing is sent."""
        (tmp_path / "no.db").write_bytes(b"something else" * 100)
        for name, why in (("none/x.db", "no such file or directory"), ("no.db", "is not a journal")):
            ran = run("push", EXAMPLE_FILE, "--journal", tmp_path / name)
            assert ran.status == 3
            assert why in ran.err.lower()
        assert len(oms.received) == 0


class TestMistakes:
    """Rows and files that cannot be sent."""

    def test_an_invalid_row_is_reported_rejected_and_sent_after_a_fix(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path
    ) -> None:
        """The push exits with 2, reports file, line and column, writes a rejects file, and sends the others."""
        path = write(tmp_path, HEADER + ROW + ROW.replace("2026-10-05", "31/02/2026"))
        ran = run("push", path)
        assert ran.status == 2
        assert f"{path}:3: column date: '31/02/2026' is not a date of the calendar, or not a time of day" in ran.err
        rejects = tmp_path / "events.rejects.csv"
        assert f"1 invalid row written to {rejects}: fix that file and push it." in ran.err
        assert "2 rows: 1 new, 0 already known, 1 invalid." in ran.out
        assert len(oms.applied(ORDER, INVOICE)) == 1
        rejects.write_text(rejects.read_text("utf-8").replace("31/02/2026", "2026-10-06"), "utf-8")
        assert run("push", rejects).status == 0
        assert [event["date"] for event in oms.applied(ORDER, INVOICE)] == ["2026-10-05", "2026-10-06"]

    def test_the_rejects_of_a_file_with_options_need_none(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path
    ) -> None:
        """The rejects file keeps how its rows are to be read, so the corrected file is pushed without options."""
        path = write(tmp_path, f"order_id,invoice_number,day,what\n{ORDER},711,05/13/2026,x\n", "mapped.csv")
        options = ["--map", "day=date", "--map", "what=description", "--pad", "invoice_number=9"]
        options += ["--date-format", "dd/mm/yyyy", "--delivered-when", "what=X"]
        ran = run("push", path, *options)
        rejects = tmp_path / "mapped.rejects.csv"
        assert f"1 invalid row written to {rejects}: fix that file and push it." in ran.err
        rejects.write_text(
            rejects.read_text("utf-8").replace("05/13/2026", "05/10/2026").replace(",711", ",30711"), "utf-8"
        )
        assert run("push", rejects).status == 0
        assert [event["date"] for event in oms.applied(ORDER, INVOICE)] == ["2026-10-05"]
        assert run("status").status == 0

    def test_the_rejects_file_is_in_json(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """With --json, the rejects file is printed after the problems."""
        ran = run("push", "--json", write(tmp_path, HEADER + ROW.replace("2026-10-05", "x")))
        assert [line["type"] for line in lines(ran.out)] == ["problem", "rejects", "summary"]
        assert lines(ran.out)[1] == {"type": "rejects", "file": str(tmp_path / "events.rejects.csv"), "rows": 1}

    def test_a_refused_delivery_is_listed_with_its_date(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """A refused delivery is listed with its date if it has one."""
        rows = "1-01,1,,,,,true,2026-10-08 21:15\n2-01,1,,,,,true,\n"
        run("push", write(tmp_path, HEADER + rows))
        listed = run("resolve", "--cause", 1).out.splitlines()
        assert f"    1: the delivery on 2026-10-08 21:15 ({tmp_path}/events.csv:2)" in listed
        assert f"    2: the delivery ({tmp_path}/events.csv:3)" in listed

    def test_the_rejects_file_can_be_chosen(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """--no-rejects writes none, --rejects chooses its path, and by default each file has its own."""
        bad = ROW.replace("2026-10-05", "x")
        one, two = write(tmp_path, HEADER + bad), write(tmp_path, HEADER + bad, "two.csv")
        assert run("push", one, "--no-rejects").status == 2
        assert list(tmp_path.glob("*rejects*")) == []
        run("push", one, "--rejects", tmp_path / "bad.csv")
        assert (tmp_path / "bad.csv").exists()
        run("push", one, two)
        assert {path.name for path in tmp_path.glob("*rejects*")} == {"events.rejects.csv", "two.rejects.csv"}

    def test_rejects_that_cannot_be_written_stop_the_push(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path
    ) -> None:
        """A rejects file that cannot be written exits with 3, and nothing is sent: the rows would be lost."""
        path = write(tmp_path, HEADER + ROW + ROW.replace("2026-10-05", "x"))
        ran = run("push", path, "--rejects", tmp_path / "none" / "bad.csv")
        assert ran.status == 3
        assert "cannot be written" in ran.err
        assert len(oms.received) == 0

    def test_problems_above_the_maximum_are_counted(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Further problems are counted for people; JSON has all of them."""
        monkeypatch.setattr(messages, "MAX_LINES", 2)
        path = write(tmp_path, HEADER + ROW.replace("2026-10-05", "x") * 5)
        ran = run("check", path)
        assert (ran.err.count("column date"), "... and 3 more problems." in ran.err) == (2, True)
        assert len(lines(run("check", "--json", path).out)) == 6

    def test_notes_above_the_maximum_are_counted(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Notes about valid rows, such as the dismissed ones of a history that is pushed daily, are counted, too."""
        monkeypatch.setattr(messages, "MAX_LINES", 0)
        path = write(tmp_path, HEADER + ROW + ROW.replace("2026-10-05", "2026-10-04"))
        assert run("check", path).err == "... and 1 more note.\n"

    def test_a_file_that_cannot_be_used_sends_nothing(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """One unusable file stops the push, so that the good file beside it is not sent."""
        good = write(tmp_path, HEADER + ROW)
        for bad in (write(tmp_path, "", "a.csv"), tmp_path / "none.csv", write(tmp_path, "x", "a.txt")):
            ran = run("push", good, bad)
            assert ran.status == 2
            assert str(bad) in ran.err
        assert len(oms.received) == 0

    def test_rows_recorded_before_an_unusable_file_are_reported(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path
    ) -> None:
        """The rows wait in the journal and can be withdrawn; a dry run and a check record and report nothing."""
        good, bad = write(tmp_path, HEADER + ROW), write(tmp_path, "", "empty.csv")
        for arguments in (("check",), ("push", "--dry-run")):
            assert run(*arguments, good, bad).err.count("\n") == 1
        journal = tmp_path / "my journal.db"
        ran = run("push", "--journal", journal, good, bad)
        drop = f"vtex-tracking resolve --withdraw --all --journal '{journal}'"
        assert ran.err.splitlines()[0] == (
            f"Already in the journal: 1 row. The next push sends all pending events; to withdraw them instead: {drop}"
        )
        assert run(*shlex.split(drop)[1:]).out == "1 withdrawn\n"
        assert run("push", "--journal", journal).status == 0
        assert run("push", "--journal", journal, bad).err.count("\n") == 1
        assert len(oms.received) == 0

    def test_an_interrupt_while_reading_reports_recorded_rows(
        self, run: Callable[..., Ran], oms: Oms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C during the second file exits with 130 and reports the rows of the first."""

        def broken_off(reader: FileReader, name: str, *arguments: Any) -> Iterator[Any]:
            yield from read_file(reader, name, *arguments)
            if name.endswith("late.csv"):
                raise KeyboardInterrupt

        monkeypatch.setattr(FileReader, "read", broken_off)
        ran = run("push", write(tmp_path, HEADER + ROW), write(tmp_path, HEADER + ROW, "late.csv"))
        assert ran.status == 130
        assert "Already in the journal: 1 row." in ran.err
        assert len(oms.received) == 0

    def test_a_second_delivery_is_a_note(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """Two volumes of one invoice: both events are sent, one delivery, and no row is rejected."""
        first = f"{ORDER},{INVOICE},2026-10-08,,,Volume 1,true,2026-10-08 21:15\n"
        path = write(tmp_path, HEADER + first + first.replace("21:15", "21:16").replace("Volume 1", "Volume 2"))
        for arguments in (("check",), ("push", "--dry-run"), ("push",)):
            ran = run(*arguments, path)
            assert ran.status == 0
            assert f"{path}:3: delivered_date 2026-10-08 21:16 is not sent: {path}:2 says 2026-10-08 21:15" in ran.err
        assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["Volume 1", "Volume 2"]
        assert len(oms.received) == 1

    def test_an_event_after_the_delivery_is_a_note(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """Scans that come after the delivery, in a second file: each is sent, with a note."""
        run("push", write(tmp_path, HEADER + f"{ORDER},{INVOICE},2026-10-03,,,Entregue,true,2026-10-03 10:00\n"))
        late = f"{ORDER},{INVOICE},2026-10-02,,,Saiu,,\n{ORDER},{INVOICE},2026-10-04,,,Comprovante,,\n"
        ran = run("push", path := write(tmp_path, HEADER + late, "late.csv"))
        assert ran.status == 0
        for line in (2, 3):
            assert f"{path}:{line}: comes after the delivery of its package ({tmp_path}/events.csv:2: 2026" in ran.err
        assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["Entregue", "Saiu", "Comprovante"]
        assert run("push", path).err == ""

    def test_the_same_event_twice_in_a_file_is_a_note(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Two rows of one day and text are one event, which a note says; pushed again, both are known."""
        path = write(tmp_path, HEADER + ROW + ROW)
        ran = run("push", path)
        assert ran.status == 0
        assert f"{path}:3: same event as line 2: the same day and texts; rows of one day need a time" in ran.err
        assert "same event" not in run("push", path).err

    def test_a_late_delivered_date_is_a_note(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """A date for a delivery that was already sent is a note, not a problem; the file name is escaped."""
        first = f"{ORDER},{INVOICE},,,,,true,\n"
        run("push", write(tmp_path, HEADER + first))
        path = write(tmp_path, HEADER + first.replace("true,", "true,2026-10-08"), "\x1b[31m.csv")
        ran = run("push", path)
        assert ran.status == 0
        assert f"{tmp_path}/\\x1b[31m.csv:2: 2026-10-08 comes too late" in ran.err
        (note, summary) = lines(run("push", "--json", path).out)
        assert (note["type"], note["line"], summary["type"]) == ("note", 2, "summary")


class TestOutcomes:
    """What became of it, and the exit status."""

    def test_a_refused_order_is_printed_with_its_row(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """The push exits with 1 and sends the other rows; a second push retries the refused row."""
        path = write(tmp_path, HEADER + rows_of_other_orders("999-01") + ROW)
        ran = run("push", path)
        assert ran.status == 1
        cause, _, package, command, *_ = ran.out.splitlines()
        assert cause == "1 package refused: VTEX does not know the order or the invoice (1 event)."
        assert f", order 999-01, invoice 000030711, event 1 ({path}:2): 404 Order Not Found (OMS001, " in package
        assert command == "  vtex-tracking resolve --cause 1"
        assert "1 applied, 1 refused, 0 unknown, 0 pending" in ran.out
        assert ran.out.endswith("Fix the refused rows and push them again.\n")
        again = run("push", path)
        assert "2 rows: 0 new, 1 retried, 1 already known" in again.out
        assert again.status == 1
        nothing = run("push")
        assert (nothing.status, nothing.out.partition(";")[0]) == (
            0,
            "0 events and deliveries of 0 packages: 0 applied, 0 refused, 0 unknown, 0 pending",
        )

    def test_packages_above_the_maximum_are_counted(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Further packages of a cause, and earlier events, are counted for people; JSON has all of the events."""
        monkeypatch.setattr(cause_lines, "SHOWN", 2)
        path = write(tmp_path, HEADER + rows_of_other_orders("1-01", "2-01", "3-01"))
        ran = run("push", path)
        assert ran.out.count(", order ") == 2
        assert "\n  ... and 1 more package.\n  vtex-tracking resolve --cause 1\n" in ran.out
        assert [line.count(", order ") for line in run("resolve", "--cause", 1).out.splitlines()].count(1) == 3
        told = [line["type"] for line in lines(run("push", "--json", path).out) if line["type"] != "progress"]
        assert told == ["outcome"] * 3 + ["cause", "summary"]
        monkeypatch.setattr(messages, "MAX_GROUPED", 1)
        ran = run("push", path)
        assert "1 package refused: " in ran.out
        assert "... and 2 earlier events; vtex-tracking report lists all of them." in ran.out

    def test_the_numbers_of_a_push_add_up(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """Rows, entries, packages and causes of the output, of JSON and of status have the same sums."""
        run("push", write(tmp_path, HEADER + ROW, "first.csv"))
        bad, delivered = ROW.replace("2026-10-05", "x"), "9-01,1,2026-10-05,,,a,true,\n"
        text = HEADER + ROW + ROW.replace("10-05", "10-06") + bad + rows_of_other_orders("7-01", "8-01") + delivered
        calls = len(oms.received)
        ran = run("push", "--json", write(tmp_path, text))
        *_, last = told = lines(ran.out)
        assert last["rows"] == 6 == last["new"] + last["renewed"] + last["known"] + last["invalid"]
        assert (last["new"], last["known"], last["invalid"]) == (4, 1, 1)
        assert last["entries"] == 5 == last["applied"] + last["refused"] + last["unknown"] + last["pending"]
        assert last["packages"] == 4
        assert last["calls"] + last["reads"] == len(oms.received) - calls
        causes = [line for line in told if line["type"] == "cause"]
        outcomes = [line for line in told if line["type"] == "outcome"]
        assert sum(cause["entries"] for cause in causes) == last["refused"] == len(outcomes) == 4
        assert sum(cause["packages"] for cause in causes) == 3 == len({line["order_id"] for line in outcomes})
        status = json.loads(run("status", "--json").out)
        assert status["causes"] == [{name: value for name, value in causes[0].items() if name != "type"}]
        assert status["total"]["refused"] == sum(cause["entries"] for cause in status["causes"])

    def test_packages_are_not_counted_if_others_note_meanwhile(
        self, run: Callable[..., Ran], journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What another process noted is delivered as well; how many packages that makes is not known."""
        original = Oms.update_tracking_status

        def note(*arguments: Any) -> dict[str, str]:
            monkeypatch.setattr(Oms, "update_tracking_status", original)
            with SqliteJournal.open(journal) as opened:
                (account,) = opened.counts()
                add(opened, row(1, "noted meanwhile", account=account))
            return original(*arguments)

        monkeypatch.setattr(Oms, "update_tracking_status", note)
        ran = run("push", write(tmp_path, HEADER + ROW, "first.csv"))
        assert "\n2 events and deliveries: 1 applied, 1 refused, 0 unknown, 0 pending; 2 calls, " in ran.out

    @pytest.mark.parametrize(
        ("credentials", "status"),
        [
            (("--app-key", "x", "--app-token", "y"), 3),
            (("--app-key", READ_ONLY_APP_KEY, "--app-token", READ_ONLY_APP_TOKEN), 3),
        ],
    )
    def test_an_account_with_wrong_credentials_keeps_its_events_pending(
        self, run: Callable[..., Ran], oms: Oms, credentials: tuple[str, ...], status: int
    ) -> None:
        """Wrong credentials and a key without the resource are reported; a push without files resumes after the fix."""
        ran = run("push", EXAMPLE_FILE, *credentials, "--concurrency", "1")
        assert ran.status == status
        assert "stopped; pending events were not sent" in ran.err
        assert "0 applied, 0 refused, 0 unknown, 28 pending; 1 call, 0 orders read." in ran.out
        assert ran.out.endswith("Once that is fixed, send the pending events: vtex-tracking push\n")
        reason = ran.err.partition("were not sent: ")[2].strip()
        assert f" UTC: {reason} The next push tries one call" in run("status").out.splitlines()[0]
        assert "28 applied" in run("push").out
        assert run("status").out.startswith("account ")
        assert len(oms.applied(ORDER, INVOICE)) > 0

    def test_an_unreachable_host_keeps_the_events_pending(self, run: Callable[..., Ran]) -> None:
        """The push exits with 5; JSON has the stopped account and the pending events."""
        ran = run("push", "--json", EXAMPLE_FILE, "--base-url", "http://127.0.0.1:1", "--timeout", "2")
        assert ran.status == 5
        (ended, summary) = lines(ran.out)
        assert (ended["type"], ended["account"]) == ("ended", "sandbox@127.0.0.1:1")
        assert (summary["applied"], summary["pending"]) == (0, 28)

    def test_an_unknown_outcome_holds_its_package(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The push and the next one exit with 4; later events are sent only with --send-on."""

        def fail(*_: object) -> dict[str, str]:
            raise RuntimeError("made to fail")

        monkeypatch.setattr(options, "RECHECK_DELAYS", ())
        path = write(tmp_path, HEADER + ROW)
        with monkeypatch.context() as patched:
            patched.setattr(Oms, "update_tracking_status", fail)
            ran = run("push", path, "--concurrency", "1")
        assert ran.status == 4
        assert "1 package with an unknown outcome: VTEX's answer does not say whether they were applied" in ran.out
        assert f", order {ORDER}, invoice {INVOICE}, event 1 ({path}:2): " in ran.out
        assert (
            "Unknown events may have been applied; later events of their packages are not sent. To resolve them: "
            "vtex-tracking resolve\n" in ran.out
        )
        path.write_text(HEADER + ROW + ROW.replace("2026-10-05", "2026-10-06"), "utf-8")
        ran = run("push", path)
        assert ran.status == 4
        assert "0 applied, 0 refused, 1 unknown, 1 pending; 0 calls" in ran.out
        assert "1 applied, 0 refused, 1 unknown" in run("push", "--send-on").out

    def test_a_2xx_without_a_receipt_is_settled_by_reading_the_order(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The order shows the event, so it counts as applied."""
        monkeypatch.setattr(options, "RECHECK_DELAYS", (0.0,))
        monkeypatch.setattr(Oms, "_receipt", lambda *_: {})
        ran = run("push", write(tmp_path, HEADER + ROW))
        assert ran.status == 0
        assert "1 applied, 0 refused, 0 unknown, 0 pending; 1 call, 1 order read" in ran.out

    def test_a_429_pauses_the_account(self, run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
        """The run continues after the seconds of Retry-After."""
        oms.settings = OmsSettings(rate_limit=1, rate_window=0.2, retry_after=1)
        path = write(tmp_path, HEADER + ROW + ROW.replace("2026-10-05", "2026-10-06"))
        ran = run("push", path, "--no-coalesce", "--rate", "1000", "--json")
        assert ran.status == 0
        (waiting,) = [line for line in lines(ran.out) if line["type"] == "waiting"]
        assert (waiting["account"].partition("@")[0], round(waiting["seconds"])) == ("sandbox", 1)

    def test_repeated_429s_stop_the_account(
        self, run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The push exits with 5, with the events pending."""
        monkeypatch.setattr(pace, "DEFAULT_FREEZE", 0.0)
        oms.settings = OmsSettings(rate_limit=0)
        ran = run("push", EXAMPLE_FILE)
        assert ran.status == 5
        assert "stays over its limit" in ran.err
        assert "28 pending" in ran.out

    def test_many_unknown_outcomes_stop_the_account(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Unknown outcomes pause the account three times before it is stopped."""

        def fail(*_: object) -> dict[str, str]:
            raise RuntimeError("made to fail")

        monkeypatch.setattr(Oms, "update_tracking_status", fail)
        monkeypatch.setattr(breaker.Breaker, "_pause", lambda _: 0.7)
        orders = [f"{number}-01" for number in range(20)]
        ran = run("push", write(tmp_path, HEADER + rows_of_other_orders(*orders)), "--concurrency", "1")
        assert ran.status == 4
        assert ran.err.count("paused for 1 s: ") == 3
        assert "too many outcomes are unknown" in ran.err


class TestAccounts:
    """Several stores in one file."""

    HEADER = "account,order_id,invoice_number,date,description\n"

    def profiles(self, folder: Path, url: str, *names: str) -> Path:
        """Write a profile file."""
        tables = [f'[{n}]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\n' for n in names]
        path = write(folder, "".join(tables), "profiles.toml")
        path.chmod(0o600)
        return path

    def test_rows_go_to_the_store_they_name(
        self, run: Callable[..., Ran], oms: Oms, url: str, tmp_path: Path, journal: Path
    ) -> None:
        """Rows are sent with the profile of their account; rows without an account use the run's own."""
        profiles = self.profiles(tmp_path, url, "north", "south")
        text = "".join(f"{name},{ORDER},{INVOICE},2026-10-05,to:{name}\n" for name in ("", "North", "south", "SANDBOX"))
        assert run("push", write(tmp_path, self.HEADER + text), "--profiles", profiles).status == 0
        told = {event["description"] for event in oms.applied(ORDER, INVOICE)}
        assert told == {"to:", "to:North", "to:south", "to:SANDBOX"}
        with SqliteReader.open(journal) as reader:
            assert [label.partition("@")[0] for label in reader.counts()] == ["north", "sandbox", "south"]

    def test_an_account_without_a_profile_is_a_problem_of_its_rows(
        self, run: Callable[..., Ran], url: str, tmp_path: Path
    ) -> None:
        """The rows of other accounts are sent."""
        text = f"{self.HEADER}west,{ORDER},{INVOICE},2026-10-05,a\n,{ORDER},{INVOICE},2026-10-05,b\n"
        ran = run("push", write(tmp_path, text), "--profiles", self.profiles(tmp_path, url, "north"))
        assert ran.status == 2
        assert "column account: 'west' has no profile in " in ran.err
        assert "accounts with a profile: 'north'" in ran.err
        assert "the account of this run is 'sandbox'" in ran.err
        assert "1 applied" in ran.out

    def test_of_several_profiles_the_one_named_after_the_account_is_used(
        self, run: Callable[..., Ran], oms: Oms, url: str, tmp_path: Path
    ) -> None:
        """The order of the profiles does not matter; if none is named after the account, its rows are invalid."""
        path = write(tmp_path, f"{self.HEADER}north,{ORDER},{INVOICE},2026-10-05,a\n")
        profiles = self.profiles(tmp_path, url, "north")
        other = 'account = "North"\nbase_url = "http://127.0.0.1:1"\nuser_token = "x"\n'
        profiles.write_text(f"[first]\n{other}{profiles.read_text('utf-8')}[last]\n{other}", "utf-8")
        assert run("push", path, "--profiles", profiles).status == 0
        assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["a"]
        profiles.write_text(f"[first]\n{other}[last]\n{other}", "utf-8")
        ran = run("push", path, "--profiles", profiles)
        assert ran.status == 2
        assert "'north' has several profiles in " in ran.err
        assert ": 'first', 'last'; name the one to use after the account" in ran.err

    def test_a_run_against_a_sandbox_does_not_call_real_stores(
        self, run: Callable[..., Ran], oms: Oms, url: str, tmp_path: Path
    ) -> None:
        """If the run has a base URL, a profile without one is a problem of its rows."""
        path = write(tmp_path, f"{self.HEADER}north,{ORDER},{INVOICE},2026-10-05,a\n")
        profiles = write(tmp_path, f'[north]\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\n', "profiles.toml")
        profiles.chmod(0o600)
        for arguments in ((), ("--base-url", url)):
            ran = run("push", path, "--profiles", profiles, *arguments)
            assert ran.status == 2
            assert f"this run calls {url}, and the profile of 'north' in {profiles} has no base_url; add one" in ran.err
        assert len(oms.received) == 0

    def test_a_run_may_have_no_account_of_its_own(
        self, run: Callable[..., Ran], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without an own account, rows that name one are sent, and others exit with 3."""
        for name in ("ACCOUNT", "APP_KEY", "APP_TOKEN", "BASE_URL"):
            monkeypatch.delenv(f"VTEX_{name}")
        profiles = self.profiles(tmp_path, url, "north")
        path = write(tmp_path, f"{self.HEADER}north,{ORDER},{INVOICE},2026-10-05,a\n")
        assert run("push", path, "--profiles", profiles).status == 0
        path.write_text(f"{self.HEADER},{ORDER},{INVOICE},2026-10-05,a\nwest,1-01,1,2026-10-05,b\n", "utf-8")
        ran = run("push", path, "--profiles", profiles)
        assert ran.status == 3
        assert "account is missing" in ran.err
        path.write_text(f"{self.HEADER}west,1-01,1,2026-10-05,b\n", "utf-8")
        assert "this run has no account of its own" in run("push", path).err

    def test_resuming_sends_to_all_accounts_with_a_profile(
        self, run: Callable[..., Ran], url: str, tmp_path: Path, journal: Path
    ) -> None:
        """With --account, only that one is served; accounts without a profile or with another address stay pending."""
        profiles = self.profiles(tmp_path, url, "north", "south")
        address = url.partition("://")[2]
        path = write(tmp_path, f"{self.HEADER}north,{ORDER},{INVOICE},2026-10-05,a\n")
        run("push", path, "--profiles", profiles)
        with SqliteJournal.open(journal) as opened:
            for label in (f"south@{address}", "south", f"west@{address}", f"sandbox@{address}"):
                (entry,) = opened.entries(Selection(ids=(1,)))
                add(opened, row(1, f"for {label}", INVOICE, account=label, order_id=entry.package.order_id))
        ran = run("push", "--profiles", profiles, "--account", "sandbox")
        assert ran.status == 0
        assert "1 applied, 0 refused, 0 unknown, 0 pending" in ran.out
        ran = run("push", "--profiles", profiles)
        assert ran.status == 5
        assert "1 applied, 0 refused, 0 unknown, 2 pending" in ran.out
        assert (
            f"south: 1 pending, not sent: recorded for another address than {url}. To withdraw them instead: "
            "vtex-tracking resolve --withdraw --all --account south\n"
        ) in ran.err
        assert "To send the pending events" not in ran.out
        assert f"west@{address}: 1 pending, not sent: 'west' has no profile" in ran.err
        left_out = [line for line in lines(run("push", "--json").out) if line["type"] == "left_out"]
        assert [line["account"] for line in left_out] == ["south", f"west@{address}"]

    def test_resuming_needs_the_credentials_of_the_run(
        self, run: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Resuming without the credentials of the run's own account exits with 3."""
        run("push", write(tmp_path, HEADER + ROW), "--app-key", "wrong", "--app-token", "wrong")
        monkeypatch.delenv("VTEX_APP_KEY")
        monkeypatch.delenv("VTEX_APP_TOKEN")
        ran = run("push")
        assert ran.status == 3
        assert "No credentials" in ran.err


class TestInterrupts:
    """Ctrl-C."""

    def test_the_first_interrupt_finishes_the_calls_in_flight(
        self, run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The outcome in flight is recorded, the exit status is 130, and the next push sends the rest."""
        original = Oms.update_tracking_status

        def interrupt(*arguments: Any) -> dict[str, str]:
            os.kill(os.getpid(), signal.SIGINT)  # as a terminal does: to the process, so to its main thread
            return original(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Oms, "update_tracking_status", interrupt)
            ran = run("push", EXAMPLE_FILE, "--concurrency", "1", "--no-coalesce")
        assert ran.status == 130
        assert "Interrupted: finishing the calls in flight." in ran.err
        # The next call may begin before the main thread gets to run the handler.
        applied = len(oms.received)
        assert applied in {1, 2}
        assert f"{applied} applied, 0 refused, 0 unknown, {28 - applied} pending" in ran.out
        assert f"{28 - applied} applied" in run("push").out

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_an_interrupt_while_reading_leaves_no_rejects_file(
        self,
        run: Callable[..., Ran],
        oms: Oms,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        number: signal.Signals,
    ) -> None:
        """SIGINT and SIGTERM exit with 130 before anything is sent."""
        told = messages.Console.problem

        def interrupt(teller: messages.Console, problem: Any) -> None:
            if problem.place.line == 4:
                signal.raise_signal(number)
            told(teller, problem)

        monkeypatch.setattr(messages.Console, "problem", interrupt)
        ran = run("push", write(tmp_path, HEADER + ROW.replace("2026-10-05", "x") * 9))
        assert (ran.status, ran.err.splitlines()[-1]) == (130, "vtex-tracking push: interrupted.")
        assert len(oms.received) == 0
        assert list(tmp_path.glob("*rejects*")) == []
