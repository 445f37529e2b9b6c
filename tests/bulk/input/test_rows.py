"""Tests of rows: turning values into a row, or its problems."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from vtex_oms_client.constants import EVENT_DESCRIPTION_MAX_LENGTH as LONGEST

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import Dialect, Place, RawRow, Row, RowNote, RowProblem

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,state,description,is_delivered,delivered_date\n"
GOOD = "1172452900788-01,000030711,2015-06-23,Rio de Janeiro,RJ,Coletado,false,\n"


def rows(folder: Path, content: str | bytes, name: str = "events.csv", **options: Any) -> list[Row | RowProblem]:
    """Write a file and return its rows, without notes."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [row for row in read_rows(path, NOW, **options) if not isinstance(row, RowNote)]


def told(folder: Path, content: str | bytes, name: str = "events.csv") -> list[str]:
    """Return the problems of a file's rows as text, without the folder."""
    return [str(row).removeprefix(f"{folder}/") for row in rows(folder, content, name) if isinstance(row, RowProblem)]


def test_csv_row_is_read(tmp_path: Path) -> None:
    """Every column of a CSV row is read, with its line."""
    line = '1172452900788-01,000030711,2026-10-01,"S\u00e3o Paulo",SP,"Entregue, enfim",TRUE,2026-10-01 21:15\n'
    (row,) = rows(tmp_path, HEADER + line)
    assert row == Row(
        place=Place(str(tmp_path / "events.csv"), 2),
        account="",
        order_id="1172452900788-01",
        invoice_number="000030711",
        event=TrackingEvent("2026-10-01", "Entregue, enfim", "S\u00e3o Paulo", "SP"),
        is_delivered=True,
        delivered_date="2026-10-01 21:15",
    )


IDENTIFIED = "order_id,invoice_number,date,description,is_delivered,event_id,time\n"


@pytest.mark.parametrize(
    ("event_id", "time", "read_time"),
    [
        ("BDE/01", "", ""),
        ("", "09:05", "09:05"),
        ("7", "00:00:00", "00:00"),
        (" x y ", " 23:59:59 ", "23:59:59"),
        ("", "9:05", "09:05"),
        ("", "14h30", "14:30"),
        ("", "9H", "09:00"),
        ("x" * 200, "10:00:30", "10:00:30"),
    ],
)
def test_event_id_and_time_are_read(tmp_path: Path, event_id: str, time: str, read_time: str) -> None:
    """Event id and time are read from CSV and JSON lines without blanks around them, and without seconds of 00."""
    values = {"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "x"}
    line = json.dumps({**values, "eventId": event_id, "time": time or None})
    for found in (
        rows(tmp_path, f"{IDENTIFIED}1-01,1,2026-10-01,x,,{event_id},{time}\n"),
        rows(tmp_path, line, "events.jsonl"),
    ):
        (row,) = found
        assert isinstance(row, Row)
        assert (row.event_id, row.time) == (event_id.strip(), read_time)


@pytest.mark.parametrize(
    ("event_id", "time", "problem"),
    [
        ("", "24:00", "column time: '24:00' is not a time of day in the form hh:mm or hh:mm:ss, such as 09:05"),
        ("", "9", "column time: '9' is not a time"),
        ("", "09:60", "column time: "),
        ("", "09:05:60", "column time: "),
        ("", "09:05:00.5", "column time: "),
        ("", "09:05Z", "column time: "),
        ("", "\u0660\u0669:\u0660\u0665", "column time: "),
        ("x" * 201, "", "column event_id: 201 characters, the limit is 200"),
        ("a\x07b", "", r"column event_id: 'a\x07b' contains an unprintable character; remove it"),
    ],
)
def test_invalid_event_id_or_time_is_a_problem(tmp_path: Path, event_id: str, time: str, problem: str) -> None:
    """An invalid event id or time is reported, also in a row that has no event."""
    for row in ("1-01,1,2026-10-01,x,", "1-01,1,,,true"):
        (said,) = told(tmp_path, f"{IDENTIFIED}{row},{event_id},{time}\n")
        assert said.startswith(f"events.csv:2: {problem}")


def test_event_id_and_time_are_no_event(tmp_path: Path) -> None:
    """A delivery may have an event id and a time without having an event; alone they are nothing to send."""
    (row,) = rows(tmp_path, f"{IDENTIFIED}1-01,1,,,true,BDE-01,09:05\n")
    assert isinstance(row, Row)
    assert row.event is None
    (said,) = told(tmp_path, f"{IDENTIFIED}1-01,1,,,,BDE-01,09:05\n")
    assert "there is nothing to send" in said


def test_byte_order_mark_and_blank_lines_are_skipped(tmp_path: Path) -> None:
    """A byte order mark and blank lines are skipped, and line numbers still count every line."""
    found = rows(tmp_path, b"\xef\xbb\xbf" + f"{HEADER}\n,,\n".replace("\n,,", "\n").encode() + GOOD.encode())
    assert [row.place.line for row in found] == [4]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1-01,1,31/02/2026,,,x,,", "column date: '31/02/2026' is not a date of the calendar, or not a time of day"),
        ("1-01,1,soon,,,x,,", "column date: 'soon' is not a date; write yyyy-mm-dd or dd/mm/yyyy, with hh:mm after it"),
        ("1-01,1,2026-02-30,,,x,,", "column date: '2026-02-30' is not a date"),
        ("1-01,1,\u0662026-02-03,,,x,,", "column date: "),
        ("1-01,1,,,,x,,", "column date: '' is not a date"),
        ("1-01,1,2026-10-01,,,,,", "column description: empty"),
        (
            f"1-01,1,2026-10-01,,,{'x' * (LONGEST + 1)},,",
            f"column description: {LONGEST + 1} characters, the limit is {LONGEST}",
        ),
        ("1 01,1,2026-10-01,,,x,,", "column order_id: '1 01' contains a space"),
        ("1-01,1/2,2026-10-01,,,x,,", "column invoice_number: '1/2' contains '/'"),
        ("..,1,2026-10-01,,,x,,", "column order_id: '..' starts with '.'"),
        (",1,2026-10-01,,,x,,", "column order_id: empty"),
        ("1-01,,2026-10-01,,,x,,", "column invoice_number: empty"),
        ("1-01,1\x07,2026-10-01,,,x,,", r"column invoice_number: '1\x07' contains '\x07'"),
        (
            "1-01,1,2026-10-01,,,x,maybe,",
            "column is_delivered: 'maybe' is neither yes nor no: write true or false, sim",
        ),
        ("1-01,1,2026-10-01,,,x,true,2026-12-31", "column delivered_date: 2026-12-31 is in the future"),
        ("1-01,1,2026-10-01,,,x,,2026-10-01", "column delivered_date: set without is_delivered"),
        ("1-01,1,,,,,,", "column date: empty, and is_delivered is not set: there is nothing to send"),
        ("1-01,1,2026-10-01", "column description: empty"),
        ("1-01,1,2026-10-01,,,x,,,y", "9 cells where the header has 8; quote a cell that contains the delimiter"),
        ("1-01,1,2026-10-01,NULL,,x,,", "column city: 'NULL' stands for a missing value; empty the cell, or give"),
    ],
)
def test_invalid_row_is_reported_and_others_are_read(tmp_path: Path, row: str, problem: str) -> None:
    """An invalid row is reported with file, line, column and message, and the rows around it are read."""
    (said,) = told(tmp_path, f"{HEADER}{GOOD}{row}\n{GOOD}")
    assert said.startswith(f"events.csv:3: {problem}")
    assert [type(r).__name__ for r in rows(tmp_path, f"{HEADER}{GOOD}{row}\n{GOOD}")] == ["Row", "RowProblem", "Row"]


def test_all_problems_of_a_row_are_reported(tmp_path: Path) -> None:
    """Every problem of a row is reported, one after the other."""
    said = told(tmp_path, f"{HEADER}a b,,x,,,,,soon\n")
    assert [line.split(": ")[1] for line in said] == [
        "column date",
        "column delivered_date",
        "column order_id",
        "column invoice_number",
        "column description",
    ]


def test_invalid_flag_does_not_hide_other_problems(tmp_path: Path) -> None:
    """An invalid is_delivered is reported together with other problems, and causes no further ones."""
    said = told(tmp_path, f"{HEADER}1-01,1,x,,,y,maybe,2026-10-01\n")
    assert [line.split(": ")[1] for line in said] == ["column date", "column is_delivered"]


def test_rows_and_problems_contain_the_raw_row(tmp_path: Path) -> None:
    """Rows and problems contain the row as it stood in the file; it is not compared, and not part of the repr."""
    good, bad = rows(tmp_path, HEADER + GOOD + "1 01,1,2026-10-01,,,x,,\n")
    assert good.raw is not None
    assert list(good.raw.content) == GOOD.strip().split(",")
    assert bad.raw is not None
    assert bad.raw.content[0] == "1 01"
    assert good == attrs.evolve(good, raw=None)
    assert "RawRow" not in repr(good)


def test_problems_of_a_row_share_one_raw_row(tmp_path: Path) -> None:
    """All problems of one row have the same raw object, so that they can be grouped."""
    one, two, other = (row.raw for row in rows(tmp_path, HEADER + "1 01,1,x,,,y,,\n1 01,1,2026-10-01,,,x,,\n"))
    assert one is two
    assert one is not other


def test_event_id_and_times_are_read_as_people_write_them(tmp_path: Path) -> None:
    """The time of a date counts where the row has no time of its own; blanks around an account are removed."""
    header = "order_id,invoice_number,date,description,account,time\n"
    one, two = rows(tmp_path, f"{header}1-01,1,2026-10-01 9:05:00,x, a ,\n1-01,1,2026-10-01 09:05,x,,8:00\n")
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert (one.time, two.time, one.account) == ("09:05", "08:00", "a")


def test_date_of_a_delivery_needs_no_rule(tmp_path: Path) -> None:
    """Without is_delivered, a delivered date is a problem; with a rule, it only counts where there is a delivery."""
    line = "1-01,1,2026-10-01,,,x,,soon\n"
    assert "column delivered_date: 'soon' is not a date" in told(tmp_path, HEADER + line)[0]
    assert (
        "column delivered_date: set without is_delivered"
        in told(tmp_path, HEADER + line.replace("soon", "2026-10-01"))[0]
    )
    (row,) = rows(tmp_path, HEADER + line.replace("soon", "\xa0"))
    assert isinstance(row, Row)
    (row,) = rows(tmp_path, HEADER + line, delivered_when={"description": "Entregue"})
    assert isinstance(row, Row)
    assert (row.is_delivered, row.delivered_date) == (False, None)


@pytest.mark.parametrize(("hour", "is_fine"), [(11, True), (13, False)])
def test_future_is_decided_in_the_zone_that_is_written(tmp_path: Path, hour: int, *, is_fine: bool) -> None:
    """A delivered date with an offset is compared with the time there, and keeps its own day and time."""
    line = f"1-01,1,2026-10-01,,,x,true,2026-11-23T{hour}:30:00Z\n"
    (row,) = rows(tmp_path, HEADER + line)
    assert isinstance(row, Row) == is_fine
    if isinstance(row, Row):
        assert row.delivered_date == "2026-11-23 11:30"


def test_columns_of_dates_are_decided_apart(tmp_path: Path) -> None:
    """The day may come first in one column and last in another."""
    first = "1-01,1,10/31/2026,,,x,true,01/11/2026 10:00\n"
    second = "1-01,1,10/01/2026,,,y,,\n1-02,1,,,,,true,22/11/2026\n"
    found = rows(tmp_path, HEADER + first + second)
    assert [(row.event and row.event.date, row.delivered_date) for row in found if isinstance(row, Row)] == [
        ("2026-10-31", "2026-11-01 10:00"),
        ("2026-10-01", None),
        (None, "2026-11-22"),
    ]


def test_notes_of_a_row_follow_it(tmp_path: Path) -> None:
    """A row that was read otherwise than it was written is followed by a note for each value; a problem has none."""
    path = tmp_path / "events.csv"
    path.write_text(f"{HEADER}1-01,7.0,2026-10-01,NULL,,x,,\n1-01,7.0,soon,NULL,,x,,\n", "utf-8")
    row, *notes, problem = read_rows(path, NOW, clean=True)
    assert isinstance(row, Row)
    assert notes == [
        RowNote(row.place, "column invoice_number: '7.0' is read as 7; if it had leading zeros, they are lost"),
        RowNote(row.place, "column city: 'NULL' is read as an empty cell"),
    ]
    assert isinstance(problem, RowProblem)


def notes(folder: Path, content: str, **options: Any) -> list[str]:
    """Write a file and return its notes on rows, without the one on deliveries."""
    (folder / "events.csv").write_text(content, "utf-8")
    found = read_rows(folder / "events.csv", NOW, **options)
    return [each.message for each in found if isinstance(each, RowNote) and "counts as delivered" not in each.message]


def test_shared_event_ids_are_refused(tmp_path: Path) -> None:
    """A word for a missing value, or a shortened number, as event id or account would make different events one."""
    lines = '1-01,1,2026-10-01,x,,NULL,\n1-01,1,2026-10-02,y,,"1,17E+12",\n'
    assert [problem.split(": ")[1] for problem in told(tmp_path, IDENTIFIED + lines)] == ["column event_id"] * 2
    assert "column account" in told(tmp_path, "account," + IDENTIFIED + "NULL,1-01,1,2026-10-01,x,,,\n")[0]


def test_cells_in_formulas_are_read(tmp_path: Path) -> None:
    """The formula that keeps a text in a spreadsheet is removed from every cell, also where dates decide the order."""
    header = "order_id;invoice_number;date;description;is_delivered;event_id;time;delivered_date\n"
    values = ("1-01", "1", "05/10/2026", "Entregue", "sim", "7", "9:05", "2026-10-05 10:00")
    line = ";".join(f'="{value}"' for value in values)
    row, _ = rows(tmp_path, f"{header}{line}\n{line.replace('05/10', '31/10')}\n")
    assert isinstance(row, Row)
    assert row.event == TrackingEvent("2026-10-05", "Entregue")
    assert (row.is_delivered, row.event_id, row.time, row.delivered_date) == (True, "7", "09:05", "2026-10-05 10:00")


def test_rule_and_flag_that_disagree_are_noted(tmp_path: Path) -> None:
    """The rule counts, and a note says that the flag says otherwise; an empty flag says nothing."""
    lines = "1-01,1,2026-10-01,,,Entregue,nao,\n1-01,2,2026-10-01,,,Coletado,sim,\n1-01,3,2026-10-01,,,Entregue,,\n"
    found = notes(tmp_path, HEADER + lines, delivered_when={"description": "Entregue"})
    assert found == [
        "the rule says delivered, but is_delivered says no; the rule counts",
        "the rule says not delivered, but is_delivered says yes; the rule counts",
    ]


def test_codes_and_utc_are_noted_once(tmp_path: Path) -> None:
    """A description that is a code, and a time in UTC without a zone, are noted once for a file."""
    lines = (
        "1-01,1,2026-10-01T23:30Z,,,01,,\n1-01,1,2026-10-02T23:30+00:00,,,02,,\n1-01,1,2026-10-03T10:00-03:00,,,x,,\n"
    )
    in_utc, code = notes(tmp_path, HEADER + lines)
    assert in_utc.startswith("column date: '2026-10-01T23:30Z' is in UTC, and its day in UTC is sent; --zone (")
    assert code == "column description: '01' is a code, and shoppers read this text"
    assert len(notes(tmp_path, HEADER + lines, zone="America/Sao_Paulo")) == 1


@pytest.mark.parametrize(
    ("text", "date_format"),
    [("2026-10-01T00:00:00.000Z", None), ("2026-10-01 00:00+00:00", None), ("1790812800000", "epoch-ms")],
)
def test_midnight_in_utc_is_a_day_without_a_time(tmp_path: Path, text: str, date_format: str | None) -> None:
    """Programs write a day so, also data frames; in the carrier's zone it would be the day before."""
    options: dict[str, Any] = {"zone": "America/Sao_Paulo", "date_format": date_format}
    line = f"1-01,1,{text},,,x,true,{text}\n"
    (row,) = rows(tmp_path, HEADER + line, **options)
    assert isinstance(row, Row)
    assert (row.event, row.time, row.delivered_date) == (TrackingEvent("2026-10-01", "x"), "", "2026-10-01")
    assert notes(tmp_path, HEADER + line, **options) == [
        f"column {column}: '{text}' is midnight in UTC, and is read as a day without a time"
        for column in ("date", "delivered_date")
    ]


def test_copy_with_another_account_keeps_everything_else() -> None:
    """with_account() changes the account alone, of a row that has a value in every attribute."""
    row = Row(
        Place("f.csv", 2),
        "mystore",
        "o-01",
        "1",
        TrackingEvent("2026-10-01", "x"),
        is_delivered=True,
        delivered_date="2026-10-01",
        raw=RawRow(Dialect("jsonl"), "{}"),
        event_id="e1",
        time="09:05",
        volume="1",
        hold_until=dt.datetime(2026, 10, 1, 12, tzinfo=dt.UTC),
        takes_back=True,
    )
    assert all(attrs.astuple(row, recurse=False))
    copy = row.with_account("other")
    assert attrs.astuple(copy, recurse=False) == attrs.astuple(attrs.evolve(row, account="other"), recurse=False)
