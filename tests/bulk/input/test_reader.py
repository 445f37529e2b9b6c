"""Tests of reading files of carrier events."""

from __future__ import annotations

import datetime as dt
import json
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext import ConfigurationError
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Recognition, Row, RowNote

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,state,description,is_delivered,delivered_date\n"
GOOD = "1172452900788-01,000030711,2015-06-23,Rio de Janeiro,RJ,Coletado,false,\n"


def write(folder: Path, content: str | bytes, name: str = "events.csv") -> Path:
    """Write a file."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, **options: Any) -> str:
    """Return the message with which a file is refused as a whole, without the folder."""
    with pytest.raises(InputFileError) as caught:
        list(read_rows(path, NOW, **options))
    return str(caught.value).removeprefix(f"{path.parent}/")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "events.csv: empty; the first line must be the header: order_id,invoice_number,date"),
        ("\n\n", "events.csv: empty"),
        (
            GOOD,
            "events.csv:1: the header lacks order_id, invoice_number, date, description. Its columns: '117245290078",
        ),
        (HEADER.replace("city", "order_id"), "events.csv:1: 'order_id', 'order_id' are all order_id; map one of them."),
        (HEADER.replace("city", "orderId"), "events.csv:1: 'order_id', 'orderId' are all order_id; map one of them."),
        ("x\n\norder_id,date\n", "events.csv:3: the header lacks invoice_number, description"),
        (b"%PDF-1.7", "events.csv:1: a PDF file; ask for the events as CSV."),
    ],
)
def test_unusable_file_is_refused_as_a_whole(tmp_path: Path, content: str | bytes, said: str) -> None:
    """A file without a usable header is refused with file, line and what to do."""
    assert refused(write(tmp_path, content)).startswith(said)


def test_header_without_rows_is_accepted(tmp_path: Path) -> None:
    """A CSV file with only a header has no rows; a file of JSON lines without any is refused."""
    assert list(read_rows(write(tmp_path, HEADER), NOW)) == []
    assert list(read_rows(write(tmp_path, f"\ufeff{HEADER}\n\n"), NOW)) == []
    path = write(tmp_path, "\n", "events.jsonl")
    said = "events.jsonl: no rows; give one JSON object a line, or an array of objects."
    assert refused(path, format="jsonl") == said


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    """A missing file and a folder raise InputFileError with the system's message."""
    assert refused(tmp_path / "none.csv") == "none.csv: cannot be read: No such file or directory."
    assert refused(tmp_path).endswith(": cannot be read: Is a directory.")


def test_options_replace_those_of_the_layout(tmp_path: Path) -> None:
    """A layout may be given, and options, which are stronger; a wrong one raises before the file is opened."""
    content = "Pedido;NF;Data;Texto\n1-01;7;01/02/2026;x\n"
    path, layout = write(tmp_path, content), Layout(date_format="mm/dd/yyyy", mapping={"Texto": "description"})
    cases: list[tuple[dict[str, Any], str]] = [({}, "2026-01-02"), ({"date_format": "dd/mm/yyyy"}, "2026-02-01")]
    for options, day in cases:
        (row, *_) = sorted(read_rows(path, NOW, layout=layout, **options), key=lambda each: isinstance(each, RowNote))
        assert isinstance(row, Row)
        assert row.event is not None
        assert (row.event.date, row.event.description) == (day, "x")
    with pytest.raises(ConfigurationError, match="date_format: 'soon' is not a date format"):
        list(read_rows(tmp_path / "none.csv", NOW, date_format="soon"))


def test_what_is_recognised(tmp_path: Path) -> None:
    """A caller that passes a Recognition is told format, delimiter, encoding, header, columns and the order of days."""
    content = "Relat\xf3rio\nPedido;NF;Data;Peso;Ocorr\xeancia;\n1-01;7;31/10/2026;2;Entrega n\xe3o realizada;\n"
    recognition = Recognition()
    list(read_rows(write(tmp_path, content.encode("windows-1252")), NOW, recognition=recognition))
    assert recognition == Recognition(
        format="csv",
        delimiter=";",
        encoding="windows-1252",
        is_encoding_certain=False,
        header_line=2,
        columns=[
            ("Pedido", "order_id"),
            ("NF", "invoice_number"),
            ("Data", "date"),
            ("Peso", ""),
            ("Ocorr\xeancia", "description"),
        ],
        day_orders={"date": "day first"},
    )
    recognition = Recognition()
    lines = [{"order_id": "1", "invoice_number": "1", "date": f"{day}/10/2026", "description": "x"} for day in (1, 31)]
    list(read_rows(write(tmp_path, json.dumps(lines), "e.json"), NOW, recognition=recognition))
    assert recognition == Recognition(format="json", encoding="utf-8", day_orders={"date": "day first"})


@pytest.mark.parametrize("is_json", [False, True])
def test_options_of_a_rejects_file_are_read(tmp_path: Path, *, is_json: bool) -> None:
    """They count where no option is given; wrong ones name the file."""
    options = '{"date_format": "mm/dd/yyyy"}'
    line = {"reason": "x", "layout": json.loads(options), "order_id": "1-01", "invoice_number": "7"}
    line |= {"date": "01/02/2026", "description": "x"}
    quoted = options.replace('"', '""')
    csv = f'"reason {quoted}";order_id;invoice_number;date;description\n;1-01;7;01/02/2026;x\n'
    path = write(tmp_path, json.dumps(line) if is_json else csv)
    for asked, day in ((None, "2026-01-02"), ("dd/mm/yyyy", "2026-02-01")):
        given_options: dict[str, Any] = {} if asked is None else {"date_format": asked}
        (row,) = (each for each in read_rows(path, NOW, **given_options) if isinstance(each, Row))
        assert row.event is not None
        assert row.event.date == day
    path.write_text(path.read_text("utf-8").replace("mm/dd/yyyy", "mm"), "utf-8")
    assert refused(path).startswith(
        "events.csv:1: the options behind the word reason: date_format: 'mm' is not a date format: "
    )


def test_abandoned_reader_leaves_no_open_file(tmp_path: Path) -> None:
    """A caller that stops after the first row leaves no file open."""
    for row in read_rows(write(tmp_path, HEADER + GOOD * 3), NOW):
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
        st.text(alphabet='",\n {}[]:1', max_size=60).map(lambda text: f"[{text}".encode()),
    ),
    st.sampled_from([None, "csv", "json", "jsonl"]),
    st.sampled_from([None, "utf-8", "windows-1252"]),
)
def test_any_bytes_yield_rows_or_problems_or_raise(tmp_path: Path, content: bytes, format: Any, encoding: Any) -> None:  # noqa: A002
    """Any bytes yield rows, problems or notes, or raise InputFileError; every row has its raw row, all have a text."""
    path = write(tmp_path, content, "any")
    with suppress(InputFileError):
        for row in read_rows(path, NOW, format=format, encoding=encoding):
            assert isinstance(row, RowNote) or row.raw is not None
            assert isinstance(row, Row) or row.message
