"""Tests of reading files of carrier events, and of the check of a row."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import threading
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vtex_oms_client.constants import EVENT_DESCRIPTION_MAX_LENGTH as LONGEST

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, Row, RowProblem

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,state,description,is_delivered,delivered_date\n"
GOOD = "1172452900788-01,000030711,2015-06-23,Rio de Janeiro,RJ,Coletado,false,\n"


def rows(folder: Path, content: str | bytes, name: str = "events.csv") -> list[Row | RowProblem]:
    """Write a file and return its rows."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(path, NOW))


def told(folder: Path, content: str | bytes, name: str = "events.csv") -> list[str]:
    """Return the problems of a file's rows as text, without the folder."""
    return [str(row).removeprefix(f"{folder}/") for row in rows(folder, content, name) if isinstance(row, RowProblem)]


def refused(folder: Path, content: str | bytes, name: str = "events.csv") -> str:
    """Return the message with which a file is refused as a whole, without the folder."""
    with pytest.raises(InputFileError) as caught:
        rows(folder, content, name)
    return str(caught.value).removeprefix(f"{folder}/")


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


def test_json_lines_are_read(tmp_path: Path) -> None:
    """VTEX's spellings are accepted in JSON lines, null counts as absent, and blank lines are skipped."""
    first = {"orderId": "1-01", "invoiceNumber": "1", "date": "2026-10-01", "description": "x", "isDelivered": True}
    second = {"order_id": "1-01", "invoice_number": "1", "is_delivered": True, "deliveredDate": None, "account": "a"}
    found = rows(tmp_path, f"{json.dumps(first)}\n\n{json.dumps(second)}\n", "events.jsonl")
    assert [row.place.line for row in found] == [1, 3]
    one, two = found
    assert isinstance(one, Row)
    assert isinstance(two, Row)
    assert (one.order_id, one.event, one.is_delivered) == ("1-01", TrackingEvent("2026-10-01", "x"), True)
    assert (two.event, two.is_delivered, two.delivered_date, two.account) == (None, True, None, "a")


@pytest.mark.parametrize("flag", ["true", "TRUE", "1", "yes", "sim", " Sim "])
def test_true_values_of_is_delivered(tmp_path: Path, flag: str) -> None:
    """Each accepted word for true makes the row a delivery."""
    (row,) = rows(tmp_path, f"{HEADER}1-01,1,,,,,{flag},\n")
    assert isinstance(row, Row)
    assert row.is_delivered is True
    assert row.event is None


@pytest.mark.parametrize("flag", ["", "false", "0", "no", "N\u00c3O", "nao"])
def test_false_values_of_is_delivered(tmp_path: Path, flag: str) -> None:
    """Each accepted word for false, and an empty cell, makes the row no delivery."""
    (row,) = rows(tmp_path, f"{HEADER}1-01,1,2026-10-01,,,x,{flag},\n")
    assert isinstance(row, Row)
    assert row.is_delivered is False


IDENTIFIED = "order_id,invoice_number,date,description,is_delivered,event_id,time\n"


@pytest.mark.parametrize(
    ("event_id", "time", "read_time"),
    [
        ("BDE/01", "", ""),
        ("", "09:05", "09:05"),
        ("7", "00:00:00", "00:00"),
        (" x y ", " 23:59:59 ", "23:59:59"),
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
        ("", "9:05", "column time: '9:05' is not a time of day in the form hh:mm or hh:mm:ss, such as 09:05"),
        ("", "24:00", "column time: '24:00' is not a time"),
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


def test_row_over_several_lines_stands_at_its_first_line(tmp_path: Path) -> None:
    """A quoted cell over several lines does not change the line numbers of later rows."""
    several = '1-01,1,2026-10-01,,,"a\nb\nc",,\n'
    assert [row.place.line for row in rows(tmp_path, HEADER + several + GOOD)] == [2, 5]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1-01,1,31/02/2026,,,x,,", "column date: '31/02/2026' is not a date in the form yyyy-mm-dd"),
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
        ("1-01,1,2026-10-01,,,x,maybe,", "column is_delivered: 'maybe' is not true, yes, sim, 1, false"),
        ("1-01,1,2026-10-01,,,x,true,2026-12-31", "column delivered_date: 2026-12-31 is in the future"),
        ("1-01,1,2026-10-01,,,x,,2026-10-01", "column delivered_date: set without is_delivered"),
        ("1-01,1,,,,,,", "column date: empty, and is_delivered is not set: there is nothing to send"),
        ("1-01,1,2026-10-01,,,x", "6 cells where the header has 8; add the missing cells"),
        ("1-01", "1 cell where the header has 8; add the missing cells"),
        ("1-01,1,2026-10-01,,,x,,,", "9 cells where the header has 8"),
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
        "column order_id",
        "column invoice_number",
        "column description",
        "column date",
        "column delivered_date",
        "column delivered_date",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "events.csv: empty; the first line must be the header: order_id,invoice_number,date"),
        ("\n\n", "events.csv: empty"),
        (GOOD, "events.csv:1: column 1 of the header, '1172452900788-01', is unknown. Known columns: order_id"),
        (HEADER.replace("city", "citty"), "column 4 of the header, 'citty', is unknown; did you mean city?"),
        (HEADER.replace("city", "order_id"), "column order_id appears twice in the header"),
        (HEADER.replace("city", "orderId"), "column order_id appears twice in the header"),
        ("order_id,date\n", "events.csv:1: the header lacks invoice_number, description"),
        (
            f'{HEADER}{GOOD}1-01,1,"x\n{GOOD}',
            "events.csv:3: not CSV: unexpected end of data; check the quotes",
        ),
        (f"{HEADER}{GOOD}1-01,1,{'x' * 140_000}\n", "events.csv:3: not CSV: field larger than field limit"),
        (b"PK\x03\x04\xff", "events.csv:1: an XLSX file or a ZIP archive; name an XLSX file .xlsx"),
    ],
)
def test_unusable_file_is_refused_as_a_whole(tmp_path: Path, content: str | bytes, said: str) -> None:
    """A file without a usable header, or with unclosed quotes, is refused with file, line and what to do."""
    assert said in refused(tmp_path, content)


def test_header_without_rows_is_accepted(tmp_path: Path) -> None:
    """A CSV file with only a header has no rows; an empty file of JSON lines is refused."""
    assert rows(tmp_path, HEADER) == []
    assert rows(tmp_path, f"\ufeff{HEADER}\n\n") == []
    assert refused(tmp_path, "", "events.jsonl") == "events.jsonl: no rows; each line must be one JSON object."


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    """A missing file and a folder raise InputFileError with the system's message."""
    with pytest.raises(InputFileError, match=r"none\.csv: cannot be read: No such file or directory\."):
        list(read_rows(tmp_path / "none.csv", NOW))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputFileError, match="cannot be read: Is a directory"):
        list(read_rows(tmp_path / "folder.csv", NOW))


def test_type_problems_do_not_hide_other_problems(tmp_path: Path) -> None:
    """A value of the wrong type is reported once, together with all other problems of the row."""
    line = {"invoice_number": 1, "date": 20261001, "city": "\x07", "is_delivered": "yes", "delivered_date": "soon"}
    line |= {"event_id": 7, "time": 9}
    assert [problem.split(": ")[1] for problem in told(tmp_path, json.dumps(line), "events.jsonl")] == [
        "column invoice_number",
        "column date",
        "column is_delivered",
        "column event_id",
        "column time",
        "column order_id",
        "column city",
        "column description",
        "column delivered_date",
    ]


def test_invalid_flag_does_not_hide_other_problems(tmp_path: Path) -> None:
    """An invalid is_delivered is reported together with other problems, and causes no further ones."""
    said = told(tmp_path, f"{HEADER}1-01,1,x,,,y,maybe,2026-10-01\n")
    assert [line.split(": ")[1] for line in said] == ["column is_delivered", "column date"]


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


def test_mapping_applies_to_csv(tmp_path: Path) -> None:
    """A mapping names a carrier's columns; columns that it does not name keep their own names."""
    mapping = {"Pedido": "order_id", "nf": "invoiceNumber", "Ocorr\u00eancia": "description"}
    text = "PEDIDO ;NF; ocorr\u00eancia;date\n1-01;1;Coletado;2026-10-01\n"
    (tmp_path / "events.csv").write_text(text, encoding="utf-8")
    (row,) = read_rows(tmp_path / "events.csv", NOW, mapping=mapping)
    assert isinstance(row, Row)
    assert (row.order_id, row.invoice_number, row.event) == ("1-01", "1", TrackingEvent("2026-10-01", "Coletado"))


def test_mapping_applies_to_json_lines(tmp_path: Path) -> None:
    """A mapping applies to the keys of JSON lines; an object may lack a mapped key."""
    text = '{"pedido": "1-01", "invoice_number": "1", "is_delivered": true, "peso": 3}\n'
    (tmp_path / "events.jsonl").write_text(text, encoding="utf-8")
    mapping = {"pedido": "order_id", "x": "city"}
    (row,) = read_rows(tmp_path / "events.jsonl", NOW, mapping=mapping, ignore_unknown=True)
    assert isinstance(row, Row)
    assert row.order_id == "1-01"
    (problem,) = read_rows(tmp_path / "events.jsonl", NOW, mapping=mapping)
    assert isinstance(problem, RowProblem)
    assert problem.column == "peso"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is read as CSV, as JSON lines where it begins with an object, or in the format that is named."""
    line = '{"order_id": "1-01", "invoice_number": "1", "is_delivered": true}\n'

    def read(text: str, **options: Any) -> list[Row | RowProblem]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        return list(read_rows("-", NOW, **options))

    assert read(HEADER + GOOD)[0].place == Place("<stdin>", 2)
    assert read(f"\ufeff\n {line}")[0].place == Place("<stdin>", 2)
    assert isinstance(read(line)[0], Row)
    assert isinstance(read(f"[]\n{line}", format="jsonl")[0], RowProblem)
    assert read(HEADER) == []
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputFileError, match="there is no standard input; name a file"):
        list(read_rows("-", NOW))


def test_named_pipe_is_read(tmp_path: Path) -> None:
    """A named pipe, which can be read only once, is read like a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(HEADER + GOOD,))
    writer.start()
    (row,) = read_rows(pipe, NOW, format="csv")
    writer.join()
    assert row.place == Place(str(pipe), 2)


def test_abandoned_reader_leaves_no_open_file(tmp_path: Path) -> None:
    """A caller that stops after the first row leaves no file open."""
    (tmp_path / "events.csv").write_text(HEADER + GOOD * 3, encoding="utf-8")
    for row in read_rows(tmp_path / "events.csv", NOW):
        assert row.place.line == 2
        break


@pytest.mark.parametrize("name", ["events.csv", "events.jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    """No row is kept when the next one is read, so peak memory does not grow with the file."""
    line = json.dumps({"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "x" * 500})
    row, header = (line, "") if name.endswith("jsonl") else (f"1-01,1,2026-10-01,,,{'x' * 500},,", HEADER)
    (tmp_path / name).write_text(header + f"{row}\n" * 6_000, encoding="utf-8")
    tracemalloc.start()
    for number, _ in enumerate(read_rows(tmp_path / name, NOW)):
        if number == 100:
            tracemalloc.reset_peak()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(HEADER.encode().__add__),
        st.text(alphabet='",;\n\r\t\0 {}[]:=-1\xe3', max_size=100).map(lambda text: (HEADER + text).encode()),
    ),
    st.sampled_from(["csv", "jsonl", "xlsx"]),
    st.sampled_from([None, "utf-8", "windows-1252"]),
)
def test_any_bytes_yield_rows_or_problems_or_raise(tmp_path: Path, content: bytes, format: Any, encoding: Any) -> None:  # noqa: A002
    """Any bytes yield rows or problems or raise InputFileError; every problem has its raw row and a message."""
    (tmp_path / "any").write_bytes(content)
    with suppress(InputFileError):
        for row in read_rows(tmp_path / "any", NOW, format=format, encoding=encoding):
            assert row.raw is not None
            assert isinstance(row, Row) or row.message


@pytest.mark.parametrize("name", ["events.txt", "events", "events.xls", "events.csv.gz"])
def test_unknown_extension_is_refused(tmp_path: Path, name: str) -> None:
    """A file with an unknown extension is refused with the known extensions."""
    with pytest.raises(
        InputFileError, match=r"unpack a compressed file, rename the file to one of \.csv, \.jsonl, \.ndjson"
    ):
        list(read_rows(tmp_path / name, NOW))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "events.jsonl:1: not valid JSON (column 2: "),
        ("[" * 100_000, "events.jsonl:1: not valid JSON ("),
        ("[1]", "events.jsonl:1: not a JSON object"),
        ('{"order_id": "1-01"}', "events.jsonl:1: column invoice_number: missing"),
        ('{"order_id": 1, "invoice_number": "1"}', "column order_id: 1 is not a string"),
        (
            '{"order_id": "1-01", "invoice_number": "1", "is_delivered": "true"}',
            "column is_delivered: 'true' is not true or false",
        ),
        (
            '{"order_id": "1-01", "invoice_number": "1", "date": [[]]}',
            "column date: a list or an object is not a string",
        ),
        ('{"order_id": "1-01", "orderId": "1-01", "invoice_number": "1"}', "column order_id: appears twice"),
        (
            '{"order_id": "1-01", "order_id": "2-01", "invoice_number": "1"}',
            "column order_id: appears twice; remove one",
        ),
        ('{"order_id": "1-01", "invoice_number": "1", "x\\n": 1}', r"column x\n: unknown; known columns: order_id"),
    ],
)
def test_invalid_json_line_is_reported(tmp_path: Path, line: str, said: str) -> None:
    """An invalid line of JSON is reported with file, line, column and message."""
    assert any(said in problem for problem in told(tmp_path, line, "events.jsonl"))


def test_json_lines_file_with_blank_lines_only_is_refused(tmp_path: Path) -> None:
    """A file of JSON lines without any row raises InputFileError."""
    assert "no rows" in refused(tmp_path, "\n", "events.jsonl")
