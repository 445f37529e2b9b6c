"""The command push."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import RetryPolicy
from vtex_tracking_ext.bulk import pace
from vtex_tracking_ext.bulk.deliver import Delivery
from vtex_tracking_ext.cli import push
from vtex_tracking_ext.cli.progress import progress
from vtex_tracking_ext.sandbox import (
    EXAMPLE_FILE,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    Oms,
    OmsSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import Ran

pytestmark = pytest.mark.usefixtures("account")

HEADER = "order_id,invoice_number,date,city,state,description,is_delivered,delivered_date\n"
ROW = "1172452900788-01,000030711,2026-10-05,S\u00e3o Paulo,SP,Objeto postado,,\n"


def write(folder: Path, text: str, name: str = "events.csv") -> Path:
    """Write an input file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_file_arrives_whole(run: Callable[..., Ran], oms: Oms) -> None:
    """Every event once, in order, accents included; plain lines tell of the progress."""
    ran = run("push", EXAMPLE_FILE)
    assert ran.status == 0
    assert ran.out == (
        "26 rows: 26 applied, 0 refused, 0 unknown, 0 not sent, 0 duplicates left out, 0 with mistakes. "
        "6 calls, 6 packages.\n"
    )
    assert "6 of 6 calls" in ran.err
    events = oms.applied("1172452900788-01", "000030711")
    assert [event["date"] for event in events] == sorted(event["date"] for event in events)
    assert events[-1] == {
        "city": "Niter\u00f3i",
        "state": "RJ",
        "description": "Objeto entregue ao destinat\u00e1rio",
        "date": "2026-10-08",
    }
    status = oms.get_order("1172452900788-01")["packageAttachment"]["packages"][0]["courierStatus"]
    assert status["deliveredDate"].startswith("2026-10-08T21:15")


def test_json_lines_and_several_files_are_one_run(run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
    """A package's rows travel together wherever they stand."""
    one = write(tmp_path, HEADER + ROW)
    line = {
        "orderId": "1172452900788-01",
        "invoiceNumber": "000030711",
        "date": "2026-10-06",
        "description": "Objeto em tr\u00e2nsito",
    }
    two = write(tmp_path, json.dumps(line) + "\n", "more.jsonl")
    assert run("push", one, two).status == 0
    assert [event["date"] for event in oms.applied("1172452900788-01", "000030711")] == ["2026-10-05", "2026-10-06"]
    assert len(oms.received) == 1


def test_a_bad_row_is_named_and_the_others_are_sent(run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
    """Exit status 2; file, line, column, and how to mend it; the others' fate."""
    path = write(tmp_path, HEADER + ROW + ROW.replace("2026-10-05", "31/02/2026"))
    ran = run("push", path)
    assert ran.status == 2
    assert f"{path}:3: column date: '31/02/2026' is not a date; write yyyy-mm-dd" in ran.err
    assert "2 rows: 1 applied" in ran.out
    assert "1 with mistakes" in ran.out
    assert len(oms.applied("1172452900788-01", "000030711")) == 1


def test_a_file_that_cannot_be_used_sends_nothing(run: Callable[..., Ran], oms: Oms, tmp_path: Path) -> None:
    """Not even the good files beside it."""
    good = write(tmp_path, HEADER + ROW)
    for bad in (write(tmp_path, "", "a.csv"), tmp_path / "none.csv", write(tmp_path, "x", "a.txt")):
        ran = run("push", good, bad)
        assert ran.status == 2
        assert str(bad) in ran.err
    assert len(oms.received) == 0


def test_a_refused_order_is_told_with_its_row(run: Callable[..., Ran], tmp_path: Path) -> None:
    """Exit status 1; the others go on."""
    path = write(tmp_path, HEADER + ROW.replace("1172452900788", "999") + ROW)
    ran = run("push", path)
    assert ran.status == 1
    assert f"refused: order 999-01, invoice 000030711 ({path}:2): " in ran.out
    assert "1 applied, 1 refused" in ran.out


@pytest.mark.parametrize(
    ("credentials", "status"),
    [
        (("--app-key", "x", "--app-token", "y"), 3),
        (("--app-key", READ_ONLY_APP_KEY, "--app-token", READ_ONLY_APP_TOKEN), 3),
        (("--base-url", "http://127.0.0.1:1"), 5),
    ],
)
def test_a_run_that_cannot_go_on_leaves_the_rest(
    run: Callable[..., Ran], credentials: tuple[str, ...], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong credentials, a key without the resource, a host that is gone."""
    monkeypatch.setattr(push, "_RETRY", RetryPolicy(first_wait=0, retry_after_cap=0))
    ran = run("push", EXAMPLE_FILE, *credentials)
    assert ran.status == status
    assert "0 applied, 0 refused, 0 unknown, 26 not sent" in ran.out


def test_an_unknown_outcome_is_told(run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 4."""

    def fail(*_: object) -> dict[str, str]:
        raise RuntimeError("made to fail")

    monkeypatch.setattr(Oms, "update_tracking_status", fail)
    oms.received.clear()
    ran = run("push", EXAMPLE_FILE)
    assert ran.status == 4
    assert "26 unknown" in ran.out


def test_a_429_is_waited_out(run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run slows down and ends well."""
    monkeypatch.setattr(pace, "DEFAULT_FREEZE", 0.05)
    oms.settings = OmsSettings(rate_limit=1, rate_window=0.15)  # calls begin a tenth of a second apart
    assert run("push", EXAMPLE_FILE).status == 0
    assert 429 in {request.status for request in oms.received}


def test_a_429_without_end_leaves_the_rest(run: Callable[..., Ran], oms: Oms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 5; what was not sent is named."""
    monkeypatch.setattr(pace, "DEFAULT_FREEZE", 0.0)
    oms.settings = OmsSettings(rate_limit=0)
    ran = run("push", EXAMPLE_FILE)
    assert ran.status == 5
    assert "stays over its limit" in ran.out


def test_an_interrupt_is_told(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit status 130, with what became of everything."""
    original = Delivery.run

    def interrupted(self: Delivery, *arguments: Any) -> None:
        original(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Delivery, "run", interrupted)
    ran = run("push", EXAMPLE_FILE)
    assert ran.status == 130
    assert "26 applied" in ran.out


def test_a_long_run_tells_of_its_progress_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten lines, the last one at the end; none for a run of nothing."""
    for total, lines in ((1000, 10), (25, 10), (3, 3), (0, 0)):
        with progress(total) as advance:
            for _ in range(total):
                advance()
        told = capsys.readouterr().err.splitlines()
        assert len(told) == lines
        assert told[-1:] == ([f"{total} of {total} calls"] if total else [])


def test_a_terminal_gets_a_bar(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is installed; plain lines where it is not."""
    monkeypatch.setattr(sys.stderr.__class__, "isatty", lambda _: True)
    assert "100%" in run("push", EXAMPLE_FILE).err
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert "6 of 6 calls" in run("push", EXAMPLE_FILE).err
