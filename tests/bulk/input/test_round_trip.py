"""Generated tables in every layout that the reader claims to know are read back as they were, or refused."""

from __future__ import annotations

import csv
import datetime as dt
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from vtex_tracking_ext.bulk.input.layout import DELIMITERS
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Row, RowProblem

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 11, 30, 12, 0, tzinfo=dt.UTC)
HEADERS = (
    ("order_id", "invoice_number", "date", "city", "state", "description", "is_delivered"),
    ("Pedido", "Nota Fiscal", "Data", "Cidade", "UF", "Ocorr\xeancia", "Entregue"),
    ("N\xba do\npedido", "N\xba NF", "Data do evento", "Munic\xedpio", "uf", "Descri\xe7\xe3o", "Foi entregue"),
)
WORDS = [
    "São",
    "Paulo",
    "Brasília",
    "Niterói",
    "trânsito",
    "destinatário",
    "não",
    "entregue,",
    "rota;",
    "|saída",
    '"casa"',
    "'x'",
    "tab\tx",
    "10h",
    "agência",
]
FORMATS = {
    "yyyy-mm-dd": "%Y-%m-%d",
    "yyyy/mm/dd": "%Y/%m/%d",
    "dd/mm/yyyy": "%d/%m/%Y",
    "dd-mm-yyyy": "%d-%m-%Y",
    "dd.mm.yyyy": "%d.%m.%Y",
    "mm/dd/yyyy": "%m/%d/%Y",
}
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %H:%M:%S.000", "T%H:%M:%S-03:00")
ROWS = st.tuples(
    st.from_regex(r"[1-9][0-9]{12}-[0-9]{2}", fullmatch=True),
    st.from_regex(r"[0-9]{9}", fullmatch=True),
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 11, 29)),  # noqa: DTZ001 - a carrier's local time
    st.lists(st.sampled_from(WORDS), max_size=2).map(" ".join),
    st.sampled_from(["", "SP", "RJ"]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
    st.booleans(),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=8),
    header=st.sampled_from(HEADERS),
    delimiter=st.sampled_from([*DELIMITERS]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "windows-1252", "cp850", "mac-roman"]),
    date_format=st.sampled_from([*FORMATS]),
    time=st.sampled_from(TIMES),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    noise=st.lists(st.sampled_from(["title", "blank", "footer", "repeat", "trailing"]), unique=True),
    is_told=st.booleans(),
)
def test_a_table_in_any_layout_is_read_as_it_was_or_refused(  # noqa: PLR0913, PLR0917 - one argument a dimension
    tmp_path: Path,
    rows: list[tuple[str, str, dt.datetime, str, str, str, bool]],
    header: tuple[str, ...],
    delimiter: str,
    encoding: str,
    date_format: str,
    time: str,
    quoting: int,
    noise: list[str],
    *,
    is_told: bool,
) -> None:
    """No row is read otherwise than it was written; with the format of the dates told, none of UTF-8 is refused."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")  # type: ignore[arg-type]
    if "title" in noise:
        text.write(f"Relat\xf3rio{delimiter}{delimiter}\r\n")
    if "blank" in noise:
        text.write("\r\n")
    end = [""] if "trailing" in noise else []
    writer.writerow([*header, *end])
    expected = []
    for number, (order_id, invoice, moment, city, state, description, is_delivered) in enumerate(rows):
        if "repeat" in noise and number:
            writer.writerow([*header, *end])
        written = moment.strftime(FORMATS[date_format] + time)
        flag = "sim" if is_delivered else "n\xe3o"
        writer.writerow([order_id, invoice, written, city, state, description, flag, *end])
        clock = moment.strftime("%H:%M:%S" if "%S" in time else "%H:%M")
        clock = clock.removesuffix(":00") if len(clock) == len("hh:mm:ss") else clock
        clock = clock if time and clock != "00:00" else ""
        expected.append((order_id, invoice, f"{moment:%Y-%m-%d}", clock, city, state, description, is_delivered))
    if "footer" in noise:
        text.write(f"Total de registros: {len(rows)}\r\n")
    path = tmp_path / "events.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    try:
        found = list(read_rows(path, NOW, date_format=date_format if is_told else None))
    except InputFileError:
        assert not (is_told and encoding.startswith("utf"))
        return
    read = [
        (
            r.order_id,
            r.invoice_number,
            r.event.date,
            r.time,
            r.event.city,
            r.event.state,
            r.event.description,
            r.is_delivered,
        )
        for r in found
        if isinstance(r, Row) and r.event is not None
    ]
    assert read == expected
    assert not any(isinstance(each, RowProblem) for each in found)


def is_utf8(content: bytes) -> bool:
    """Return whether bytes beyond ASCII happen to be UTF-8."""
    try:
        return not content.decode().isascii()
    except UnicodeDecodeError:
        return False


@pytest.mark.parametrize("encoding", ["windows-1252", "cp850", "mac-roman"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text("ab \xe1\xe2\xe3\xe7\xe9\xea\xed\xf3\xf4\xf5\xfa", min_size=1, max_size=12))
def test_letters_in_any_order_are_not_misread(tmp_path: Path, encoding: str, text: str) -> None:
    """Lower-case letters that are no words of any language are read as they were, or their encoding is doubtful."""
    assume(not is_utf8(text.encode(encoding)))
    path = tmp_path / "events.csv"
    content = f"order_id;invoice_number;date;description\n1-01;1;2026-10-01;x{text}x\n"
    path.write_bytes(content.encode(encoding))
    found, refusal = [], ""
    try:
        found = list(read_rows(path, NOW))
    except InputFileError as error:
        refusal = str(error)
    if refusal:
        assert "the encoding cannot be told" in refusal or "contains UTF-8" in refusal
        return
    (row,) = (each for each in found if isinstance(each, Row))
    assert row.event is not None
    assert row.event.description == f"x{text}x"
