"""Tests of rejects files."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import stat
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import xlsxwriter  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext import ConfigurationError, TrackingEvent
from vtex_tracking_ext.bulk.input import rejects as rejects_module
from vtex_tracking_ext.bulk.input.csv_injection import MARK, unescape_cells, unescape_name
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rejects import RejectsFile, rejects_path
from vtex_tracking_ext.bulk.input.rows import Dialect, Place, Row, RowNote, RowProblem

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HEADER = "order_id,invoice_number,date,city,state,description\n"
GOOD = "1-01,1,2026-10-01,Niter\xf3i,RJ,Coletado\n"
BAD = "1-01,1,2026-10-32,Niter\xf3i,RJ,Coletado\n"
REASON = "column date: '2026-10-32' is not a date in the form yyyy-mm-dd, such as 2026-02-28"


def rejected(path: Path, **options: Any) -> Path | None:
    """Write the rejects file of an input file and return its path."""
    with RejectsFile() as rejects:
        for problem in problems_of(path, **options):
            rejects.add(problem)
        return rejects.close()


def problems_of(path: Path, **options: Any) -> list[RowProblem]:
    """Return the problems of a file."""
    return [row for row in read_rows(path, NOW, **options) if isinstance(row, RowProblem)]


def rows_of(path: Path, **options: Any) -> list[Row | RowProblem]:
    """Return the rows and problems of a file."""
    return [row for row in read_rows(path, NOW, **options) if not isinstance(row, RowNote)]


def write(folder: Path, content: str, name: str = "events.csv", encoding: str = "utf-8") -> Path:
    """Write an input file."""
    path = folder / name
    path.write_text(content, encoding=encoding, newline="")
    return path


def cells(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[list[str]]:
    """Read a CSV file with only the csv module."""
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter, strict=True))


def test_each_invalid_row_is_written_once_with_all_reasons(tmp_path: Path) -> None:
    """Only invalid rows are written, in the file's order, each with all of its reasons in the first column."""
    path = write(tmp_path, HEADER + GOOD + BAD + "1 01,1,2026-10-01,,,\n" + GOOD)
    found = rejected(path)
    assert found == tmp_path / "events.rejects.csv"
    header, one, two = cells(found)
    assert header == ["reason", *HEADER.strip().split(",")]
    assert one == [REASON, *BAD.strip().split(",")]
    first, _, second = two[0].partition(" | ")
    assert first.startswith("column order_id: '1 01' contains a space")
    assert second == "column description: empty; describe the event, because the shopper reads this text"


def test_no_rejects_file_without_invalid_rows(tmp_path: Path) -> None:
    """A file without invalid rows gets no rejects file, not even an empty one."""
    assert rejected(write(tmp_path, HEADER + GOOD)) is None
    assert [path.name for path in tmp_path.iterdir()] == ["events.csv"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252", "cp850", "utf-16"])
def test_rejects_file_keeps_delimiter_and_is_unicode(tmp_path: Path, delimiter: str, encoding: str) -> None:
    """A rejects file has its input's delimiter. It is UTF-8, with a byte order mark if the input was anything else.

    Its one row with an accent may not tell the input's encoding.
    """
    content = (HEADER + GOOD + BAD.replace("Niter\xf3i", "\xc7")).replace(",", delimiter)
    found = rejected(write(tmp_path, content, encoding=encoding), encoding=encoding)
    assert found is not None
    assert cells(found, delimiter, "utf-8-sig")[1][4] == "\xc7"
    assert found.read_bytes().startswith(b"\xef\xbb\xbf") == (encoding != "utf-8")
    (again,) = rows_of(found)
    assert again.raw is not None
    assert again.raw.content[4] == "\xc7"


def test_lone_surrogate_in_a_reason_is_escaped(tmp_path: Path) -> None:
    """A character that UTF-8 cannot encode is written as its escape."""
    (problem,) = problems_of(write(tmp_path, HEADER + BAD))
    with RejectsFile(tmp_path / "out.csv") as rejects:
        rejects.add(attrs.evolve(problem, column="", message="\ud83d"))
    assert cells(tmp_path / "out.csv")[1][0] == "\\ud83d"


def test_corrected_rejects_file_can_be_read(tmp_path: Path) -> None:
    """A corrected rejects file can be read with its reason column in place."""
    found = rejected(write(tmp_path, HEADER + BAD))
    assert found is not None
    text = found.read_text(encoding="utf-8").replace(",2026-10-32,", ",2026-10-31,")
    (row,) = rows_of(write(tmp_path, text, "repaired.csv"))
    assert isinstance(row, Row)
    assert row.event is not None
    assert row.event.date == "2026-10-31"


def test_uncorrected_rejects_file_is_rejected_again(tmp_path: Path) -> None:
    """An uncorrected rejects file yields the same rows again with new reasons; wrong cells and quotes stay wrong."""
    one = rejected(write(tmp_path, f'{HEADER}{BAD}1-01,1,2026-10-01,,x\n1-01,1,2026-10-01,,,x,y\n1-01,1,"x"y\n'))
    assert one is not None
    two = rejected(one)
    assert two == tmp_path / "events.rejects.rejects.csv"
    assert [row[1:] for row in cells(one)] == [row[1:] for row in cells(two)]
    assert [row[0].split(";")[0] for row in cells(one)[2:]] == [
        "column description: empty",
        "7 cells where the header has 6",
        "the line is not CSV: ',' expected after '\"'",
    ]
    assert cells(one)[4][1:] == ['1-01,1,"x"y']
    assert [row[0].split(";")[0] for row in cells(two)[2:4]] == [
        "column description: empty",
        "8 cells where the header has 7",
    ]
    assert cells(two)[4][0].startswith("column order_id: '1-01,1,\"x\"y' contains ','")


def test_ignored_columns_are_kept(tmp_path: Path) -> None:
    """Ignored columns are written too; a reason column of the input is replaced."""
    content = "peso;Reason;order_id;invoice_number;date;description;peso\n1,5;theirs;1-01;1;2026-10-32;x;2\n"
    found = rejected(write(tmp_path, content), ignore_unknown=True)
    assert found is not None
    assert cells(found, ";") == [
        ['reason {"ignore_unknown": true}', "peso", "order_id", "invoice_number", "date", "description", "peso"],
        [REASON, "1,5", "1-01", "1", "2026-10-32", "x", "2"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "'=", "''@", '"=', " \xa0=", "\uff1d", "\u2212"])
def test_formula_cells_are_escaped_and_restored(tmp_path: Path, start: str) -> None:
    """A cell that a spreadsheet would run is escaped in the rejects file, and restored when it is read."""
    text = f"{start}cmd|' /C calc'!A0"
    row = io.StringIO(newline="")
    csv.writer(row).writerow(["1-01", "1", "2026-10-32", f"{start}1", "RJ", text])
    found = rejected(write(tmp_path, HEADER + row.getvalue()))
    assert found is not None
    (_, (reason, *_, city, _, description)) = cells(found)
    assert (city, description) == (f"'{start}1", f"'{text}")
    assert reason == f"{REASON} {MARK}"
    repaired = found.read_bytes().decode()
    (good,) = rows_of(write(tmp_path, repaired.replace("2026-10-32,", "2026-10-31,"), "repaired.csv"))
    assert isinstance(good, Row)
    assert good.raw is not None
    assert (good.raw.content[4], good.raw.content[6]) == (f"{start}1", text)


def test_cells_of_ordinary_files_are_unchanged(tmp_path: Path) -> None:
    """Cells that look escaped are unchanged unless the reason of their row contains the mark."""
    row = "1-01,1,2026-10-01,'=x,-1,'+1"
    (one,) = rows_of(write(tmp_path, f"{HEADER}{row}\n"))
    (two,) = rows_of(write(tmp_path, f"reason,{HEADER}column date: x,{row}\n"))
    (three,) = rows_of(write(tmp_path, f"{HEADER}{row} {MARK}\n"))
    for found, description in ((one, "'+1"), (two, "'+1"), (three, f"'+1 {MARK}")):
        assert isinstance(found, Row)
        assert found.event is not None
        assert (found.event.city, found.event.state, found.event.description) == ("'=x", "-1", description)


def test_row_without_escaped_cells_has_no_mark(tmp_path: Path) -> None:
    """Only the reason of a row with escaped cells contains the mark."""
    found = rejected(write(tmp_path, HEADER + BAD + BAD.replace("RJ", "-")))
    assert found is not None
    assert [MARK in row[0] for row in cells(found)] == [False, False, True]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    texts=st.lists(st.text("'=+-@\t\n a,;\"1", min_size=1, max_size=8), min_size=1, max_size=3),
    delimiter=st.sampled_from(",;\t"),
)
def test_no_spreadsheet_finds_a_formula_in_a_rejects_file(tmp_path: Path, texts: list[str], delimiter: str) -> None:
    """A rejects file has no formula for a spreadsheet that expects another delimiter, or ignores quotes."""
    file = io.StringIO(newline="")
    rows = [["no id", "1", "2026-10-01", text, "RJ", "x"] for text in texts]
    csv.writer(file, delimiter=delimiter).writerows([HEADER.strip().split(","), *rows])
    found = rejected(write(tmp_path, file.getvalue()))
    assert found is not None
    content = found.read_text(encoding="utf-8")
    for other in ",;\t":
        split = [cell for line in content.splitlines() for cell in line.split(other)]
        split += [cell for row in csv.reader(io.StringIO(content, newline=""), delimiter=other) for cell in row]
        assert [cell for cell in split if cell.strip(' "').startswith(("=", "+", "-", "@"))] == []
    for leftover in tmp_path.iterdir():
        leftover.unlink()


def test_header_is_escaped_and_still_matches(tmp_path: Path) -> None:
    """An escaped header cell still matches its mapping, in the rejects file and in the rejects file of that."""
    mapping = {"=pedido": "order_id"}
    path = write(tmp_path, (HEADER + BAD).replace("order_id", "=pedido"))
    found = rejected(path, mapping=mapping)
    assert found is not None
    assert cells(found)[0][1] == "'=pedido"
    again = rejected(found, mapping=mapping)
    assert again is not None
    assert unescape_name(cells(again)[0][1]) == "=pedido"
    assert cells(again)[1] == cells(found)[1]


#: A byte order mark at the beginning of a line is ignored, and a file with NUL is not text.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff\0"), max_size=12) | st.text(
    "'=+-@\t\r\n\",; ", max_size=6
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    table=st.lists(st.lists(TEXT, min_size=4, max_size=7), min_size=1, max_size=4),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_any_rows_survive_repeated_rejection(
    tmp_path: Path, table: list[list[str]], delimiter: str, encoding: str
) -> None:
    """Rows that are rejected repeatedly keep every cell."""
    file = io.StringIO(newline="")
    rows = [["no id", *row] for row in table]
    csv.writer(file, delimiter=delimiter).writerows([HEADER.strip().split(","), *rows])
    path: Path | None = write(tmp_path, file.getvalue(), encoding=encoding)
    for width in (0, 1, 1):
        assert path is not None
        problems = problems_of(path)
        seen = {id(problem.raw): problem.raw for problem in problems}
        assert [list(raw.content[width:]) for raw in seen.values() if raw is not None] == rows
        path = rejected(path)
    for leftover in tmp_path.iterdir():
        leftover.unlink()


def test_event_id_and_time_survive_rejection(tmp_path: Path) -> None:
    """A rejected row keeps its event id and time, so that its correction is pushed with the same identity."""
    header = HEADER.replace("\n", ",event_id,time\n")
    found = rejected(write(tmp_path, header + BAD.replace("\n", ",=7,09:05:30\n")))
    assert found is not None
    found.write_text(found.read_text(encoding="utf-8").replace(",2026-10-32,", ",2026-10-31,"), encoding="utf-8")
    (row,) = rows_of(found)
    assert isinstance(row, Row)
    assert (row.event_id, row.time) == ("=7", "09:05:30")


def test_json_lines_get_a_reason_key(tmp_path: Path) -> None:
    """A rejected JSON object keeps its values and gets a reason, which replaces an earlier one."""
    record = {"order_id": "1 01", "invoice_number": "1", "is_delivered": True, "Peso": 1.5, "x": ["Niter\xf3i", None]}
    path = write(tmp_path, json.dumps({"Reason": "then", **record}), "events.ndjson")
    found = rejected(path, ignore_unknown=True)
    assert found == tmp_path / "events.rejects.ndjson"
    text = found.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "Niter\xf3i" in text
    document = json.loads(text)
    assert document.pop("reason").startswith("column order_id: '1 01' contains a space")
    assert document.pop("layout") == {"ignore_unknown": True}
    assert document == record
    (again,) = rows_of(found, ignore_unknown=True)
    assert isinstance(again, RowProblem)


@pytest.mark.parametrize(
    "line",
    ['{"order_id": ', "[1]", "null", '{"order_id": "1", "order_id": "2"}', '{"date": ' + "[" * 5000, "\x01\u2028"],
)
def test_line_without_an_object_is_kept_as_text(tmp_path: Path, line: str) -> None:
    """A line that is not a JSON object is written as text, and is rejected again when it is not corrected."""
    found = rejected(write(tmp_path, f"{line}\n", "events.jsonl"), format="jsonl")
    assert found is not None
    document = json.loads(found.read_text(encoding="utf-8"))
    assert document["line"] == line.strip(" ")
    assert set(document) == {"line", "reason"}
    again = rejected(found, ignore_unknown=True)
    assert again is not None
    assert json.loads(again.read_text(encoding="utf-8"))["line"] == line.strip(" ")


def test_lone_surrogate_is_written_as_json_escape(tmp_path: Path) -> None:
    """A lone surrogate, which UTF-8 cannot encode, is written as its JSON escape."""
    line = '{"order_id": "1-01", "invoice_number": "1", "date": "2026-10-01", "description": "\\ud83d"}'
    found = rejected(write(tmp_path, line, "events.jsonl"))
    assert found is not None
    assert json.loads(found.read_text(encoding="utf-8"))["description"] == "\ud83d"


def test_sheet_rows_are_written_as_csv_with_byte_order_mark(tmp_path: Path) -> None:
    """Rows of a sheet are written as CSV with a byte order mark and dates as text, and can be read again."""
    book = xlsxwriter.Workbook(tmp_path / "events.xlsx", {"default_date_format": "d/m/yy"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER.strip().split(","))
    sheet.write_row(1, 0, ["1 01", 30711, dt.date(2026, 10, 1), "Niter\xf3i", "RJ", "-x"])
    book.close()
    found = rejected(tmp_path / "events.xlsx")
    assert found == tmp_path / "events.xlsx.rejects.csv"
    assert found.read_bytes().startswith(b"\xef\xbb\xbf")
    assert cells(found, encoding="utf-8-sig")[1][1:] == ["1 01", "30711", "2026-10-01", "Niter\xf3i", "RJ", "'-x"]
    (again,) = rows_of(found)
    assert again.raw is not None
    assert again.raw.content[-1] == "-x"


@pytest.mark.parametrize(
    ("source", "format", "expected"),
    [
        ("in/events.csv", "csv", "in/events.rejects.csv"),
        ("in/events.TSV", "csv", "in/events.rejects.TSV"),
        ("events.ndjson", "jsonl", "events.rejects.ndjson"),
        ("events.xlsx", "csv", "events.xlsx.rejects.csv"),
        ("events.txt", "jsonl", "events.txt.rejects.jsonl"),
        ("<stdin>", "csv", "stdin.rejects.csv"),
        ("<stdin>", "jsonl", "stdin.rejects.jsonl"),
    ],
)
def test_rejects_path_is_derived_from_the_input(source: str, format: Any, expected: str) -> None:  # noqa: A002
    """The path is that of the input with .rejects before an extension that fits the content."""
    assert rejects_path(source, Dialect(format)) == Path(expected)


def test_existing_files_are_not_overwritten(tmp_path: Path) -> None:
    """An existing file of other content is kept and the new one is numbered; one of the same content is used again."""
    path = write(tmp_path, HEADER + BAD)
    assert rejected(path) == tmp_path / "events.rejects.csv"
    assert rejected(path) == tmp_path / "events.rejects.csv"
    write(tmp_path, "begun", "events.rejects.csv")
    assert rejected(path) == tmp_path / "events.rejects-2.csv"
    write(tmp_path, "begun too", "events.rejects-2.csv")
    (tmp_path / "events.rejects-3.csv").mkdir()
    assert rejected(path) == tmp_path / "events.rejects-4.csv"
    assert (tmp_path / "events.rejects.csv").read_text(encoding="utf-8") == "begun"
    assert len(list(tmp_path.iterdir())) == 5


def test_only_the_owner_can_read_a_rejects_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its creation on, the file has mode 0600, whatever the umask, and so has its second version."""
    modes = []

    def publish(partial: Path, path: Path) -> Path:
        modes.append(stat.S_IMODE(partial.stat().st_mode))
        return original(partial, path)

    original = rejects_module._publish
    monkeypatch.setattr(rejects_module, "_publish", publish)
    umask = os.umask(0)
    try:
        for _ in range(2):
            path = rejected(write(tmp_path, HEADER + BAD))
            assert path is not None
            modes.append(stat.S_IMODE(path.stat().st_mode))
            path.write_text("being corrected", encoding="utf-8")
    finally:
        os.umask(umask)
    assert modes == [0o600] * 4


def test_failed_block_leaves_no_file(tmp_path: Path) -> None:
    """A block that raises leaves no rejects file, whether or not it has added rows."""
    path = write(tmp_path, HEADER + BAD)
    (problem,) = problems_of(path)
    for problems in ([problem], []):
        with pytest.raises(ConfigurationError, match="made to fail"):
            _begin_and_fail(tmp_path / "out.csv", [*problems, *problems_of(path)])
        assert {path.name for path in tmp_path.iterdir()} == {"events.csv"}


def test_partial_file_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """A process may have the number of one that was killed while it wrote the file."""
    path = write(tmp_path, HEADER + BAD)
    write(tmp_path, "left", f".events.rejects.csv.{os.getpid()}.partial")
    assert rejected(path) is not None
    assert {path.name for path in tmp_path.iterdir()} == {"events.csv", "events.rejects.csv"}


def _begin_and_fail(path: Path, problems: list[RowProblem]) -> None:
    with RejectsFile(path) as rejects:
        for number, problem in enumerate(problems, 1):
            assert isinstance(problem, RowProblem)
            rejects.add(problem)
            assert rejects.rows == number
        raise ConfigurationError("made to fail")


def test_unwritable_file_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error at the first row or at the end raises ConfigurationError, and no partial file remains."""
    path = write(tmp_path, HEADER + BAD)
    (problem,) = problems_of(path)
    assert isinstance(problem, RowProblem)
    rejects = RejectsFile(tmp_path / "none" / "out.csv")
    rejects.add(problem)
    with pytest.raises(ConfigurationError, match=r"none/out\.csv: cannot be written: No such file or directory\."):
        rejects.close()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vtex_tracking_ext.bulk.input.rejects._publish", full)
    with pytest.raises(ConfigurationError, match=r"events\.rejects\.csv: cannot be written: No space left on device"):
        rejected(path)
    assert {path.name for path in tmp_path.iterdir()} == {"events.csv"}


def test_problem_without_row_or_of_another_file_raises(tmp_path: Path) -> None:
    """A problem without its raw row, or with a row of another file, raises ValueError."""
    (problem,) = problems_of(write(tmp_path, HEADER + BAD))
    (other,) = problems_of(write(tmp_path, (HEADER + BAD).replace(",", ";"), "other.csv"))
    assert isinstance(problem, RowProblem)
    assert isinstance(other, RowProblem)
    rejects = RejectsFile()
    with pytest.raises(ValueError, match="does not contain its row"):
        rejects.add(RowProblem(Place("f.csv", 1), "", "x"))
    rejects.add(problem)
    rejects.add(other)
    with pytest.raises(ValueError, match=r"other\.csv:2 is a row of another file"):
        rejects.close()
    rejects.drop()


def test_valid_row_can_be_rejected_later(tmp_path: Path) -> None:
    """A valid row contains its raw row, so that it can be rejected for a reason that is found later."""
    (row,) = rows_of(write(tmp_path, HEADER + GOOD))
    with RejectsFile(tmp_path / "out.csv") as rejects:
        rejects.add(RowProblem(row.place, "account", "is another", row.raw))
    assert cells(tmp_path / "out.csv")[1] == ["column account: is another", *GOOD.strip().split(",")]


OPTIONS: Final[dict[str, Any]] = {
    "mapping": {"O qu\xea?": "description", "=id": "order_id"},
    "pad": {"invoice_number": 9},
    "delivered_when": {"=x": ["entregue, enfim", '"=A1']},
    "zone": "America/Sao_Paulo",
}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_rejects_file_keeps_its_layout(tmp_path: Path, delimiter: str) -> None:
    """Pushed without options, a rejects file is read as its input was, and so is the rejects file of that.

    How the input was written (its title lines, delimiter and encoding) is not kept, because the rejects file has
    another header and encoding. The order of day and month is kept, although the first problem came before it was
    known. No cell of the header is a formula, however it is split.
    """
    rows = [
        ["Relat\xf3rio"],
        ["=id", "NF", "Data", "O qu\xea?", "=x"],
        ["1 01", "7", "", "y", "x"],
        ["1 01", "7", "2026-10-01T02:00:00Z", "y", '"=A1'],
        ["1 01", "7", "05/10/2026", "y", "ENTREGUE,  enfim"],
        ["1-01", "7", "31/10/2026", "z", ""],
    ]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(rows)
    path = write(tmp_path, file.getvalue(), encoding="cp850")
    named = {**OPTIONS, "header_row": 2, "encoding": "cp850", "delimiter": delimiter}
    first = rejected(path, **named)
    assert first is not None
    second = rejected(first)
    assert second is not None
    for found in (first, second):
        content = found.read_text(encoding="utf-8-sig")
        for other in ",;\t|":
            assert [
                part for line in content.splitlines() for part in line.split(other) if part.strip(' "')[:1] == "="
            ] == []
        (header, *_) = cells(found, delimiter, "utf-8-sig")
        (kept,) = unescape_cells(header[:1])
        assert json.loads(kept.removeprefix("reason ")) == {
            **{("map" if name == "mapping" else name): value for name, value in OPTIONS.items()},
            "date_format": "dd/mm/yyyy",
        }
        found.write_text(content.replace("1 01", "1-01"), encoding="utf-8")
        problem, one, two = rows_of(found)
        assert isinstance(problem, RowProblem)
        assert problem.column == "date"
        assert isinstance(one, Row)
        assert isinstance(two, Row)
        assert (one.order_id, one.invoice_number, one.is_delivered) == ("1-01", "000000007", True)
        assert (one.event, two.event) == (TrackingEvent("2026-09-30", "y"), TrackingEvent("2026-10-05", "y"))
        assert two.is_delivered is True


def test_rejected_objects_keep_their_layout(tmp_path: Path) -> None:
    """Each object has the options under a key, although the order of day and month was not known at the first."""
    values = {"id": "1 01", "invoice_number": "7", "Ocorr\xeancia": "x"}
    lines = [{**values, "date": day} for day in ("2026-10-01", "05/10/2026", "31/10/2026")]
    path = write(tmp_path, json.dumps(lines, indent=1), "events.json")
    found = rejected(path, mapping={"id": "order_id"}, clean=True)
    assert found == tmp_path / "events.json.rejects.jsonl"
    documents = [json.loads(line) for line in found.read_text("utf-8").splitlines()]
    kept = {"map": {"id": "order_id"}, "date_format": "dd/mm/yyyy", "clean": True}
    assert [document["layout"] for document in documents] == [kept] * 3
    assert [document["date"] for document in documents] == [line["date"] for line in lines]
    again = rejected(found)
    assert again is not None
    assert [json.loads(line) for line in again.read_text("utf-8").splitlines()] == documents
    found.write_text(found.read_text("utf-8").replace("1 01", "1-01"), "utf-8")
    rows = rows_of(found)
    assert [row.event and row.event.date for row in rows if isinstance(row, Row)] == [
        "2026-10-01",
        "2026-10-05",
        "2026-10-31",
    ]


def test_orders_of_two_columns_are_not_kept(tmp_path: Path) -> None:
    """One date format cannot say that two columns differ; the corrected file is refused or decided again."""
    header = HEADER.replace("\n", ",is_delivered,delivered_date\n")
    path = write(tmp_path, f"{header}1 01,1,31/10/2026,,,x,true,11/22/2026\n")
    found = rejected(path)
    assert found is not None
    assert cells(found)[0][0] == "reason"
