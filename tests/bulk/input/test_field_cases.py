"""Files as people have them, one kind a test: what public reports of other importers show that users try to read."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Row, RowNote, RowProblem
from vtex_tracking_ext.call.validation import EARLIEST_ZONE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = dt.datetime(2026, 11, 30, 12, 0, tzinfo=dt.UTC).astimezone(EARLIEST_ZONE)
HEADER = "order_id;invoice_number;date;city;state;description;is_delivered;delivered_date\n"
FIRST = "1-01;30711;2026-10-01;Niter\xf3i;RJ;Coletado;;\n"
SECOND = "1-01;30711;2026-10-02;Niter\xf3i;RJ;Em rota;;\n"


class Read:
    """What a file reads as.

    Attributes:
        rows: For each row: invoice number, day, time, city, description.
        delivered: For each row: whether it is a delivery, and its date.
        problems: What is wrong, without the file's name.
        notes: The notes.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        found = list(read_rows(path, NOW, **options))
        rows = [each for each in found if isinstance(each, Row)]
        self.rows = [
            (row.invoice_number, row.event.date, row.time, row.event.city, row.event.description)
            for row in rows
            if row.event is not None
        ]
        self.delivered = [(row.is_delivered, row.delivered_date) for row in rows]
        self.orders = [row.order_id for row in rows]
        self.problems = [f"{each.place.line}: {each.reason}" for each in found if isinstance(each, RowProblem)]
        self.notes = [each.message for each in found if isinstance(each, RowNote)]

    @property
    def days(self) -> list[object]:
        """The days of the rows."""
        return [row[1] for row in self.rows]

    @property
    def texts(self) -> list[object]:
        """The descriptions of the rows."""
        return [row[4] for row in self.rows]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Read]:
    """Return a function that reads a file with a content."""

    def read(content: str | bytes, name: str = "events.csv", **options: Any) -> Read:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return Read(path, **options)

    return read


@pytest.fixture
def refused(read: Callable[..., Read]) -> Callable[..., str]:
    """Return a function that reads a file that is refused, and returns the message."""

    def refused(content: str | bytes, name: str = "events.csv", **options: Any) -> str:
        with pytest.raises(InputFileError) as caught:
            read(content, name, **options)
        return str(caught.value)

    return refused


COLLECTED = ("30711", "2026-10-01", "", "Niter\xf3i", "Coletado")
ON_THE_WAY = ("30711", "2026-10-02", "", "Niter\xf3i", "Em rota")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_sep_line_and_delimiters(read: Callable[..., Read], delimiter: str) -> None:
    """A first line ``sep=;`` is taken; without it the delimiter is told from the header."""
    content = (HEADER + FIRST).replace(";", delimiter)
    assert read(content).rows == [COLLECTED]
    assert read(f"sep={delimiter}\n{content}").rows == [COLLECTED]


@pytest.mark.parametrize(("header_end", "row_end"), [(";", ";"), ("", ";"), (";", ""), ("", ";;;")])
def test_trailing_delimiters(read: Callable[..., Read], header_end: str, row_end: str) -> None:
    """Empty cells beyond the header, and missing cells at the end, do no harm."""
    content = HEADER.replace("\n", f"{header_end}\n") + (FIRST + SECOND).replace("\n", f"{row_end}\n")
    found = read(content)
    assert (found.rows, found.problems) == ([COLLECTED, ON_THE_WAY], [])


def test_short_rows(read: Callable[..., Read]) -> None:
    """Cells that are missing at the end of a row are empty."""
    assert read(f"{HEADER}1-01;30711;2026-10-01;Niter\xf3i;RJ;Coletado\n").rows == [COLLECTED]


def test_surplus_cells_are_a_problem(read: Callable[..., Read]) -> None:
    """A cell beyond the header that is not empty says that the row is shifted."""
    assert read(HEADER + FIRST.replace("\n", ";x\n")).problems == [
        "2: 9 cells where the header has 8; quote a cell that contains the delimiter"
    ]


@pytest.mark.parametrize(
    "above", ["Relat\xf3rio de Ocorr\xeancias;;;\nPer\xedodo: 01/10/2026;;\n;;;\n", "Relat\xf3rio\n\n"]
)
def test_title_rows(read: Callable[..., Read], above: str) -> None:
    """The header is found below titles."""
    assert read(above + HEADER + FIRST).rows == [COLLECTED]


def test_header_row(read: Callable[..., Read], refused: Callable[..., str]) -> None:
    """A person can say where the header is; a file without one says which columns it lacks."""
    assert read(HEADER + HEADER + FIRST, header_row=2).rows == [COLLECTED]
    assert "the header lacks order_id, invoice_number, date, description" in refused("a;b\n1;2\n")


def test_header_repeated(read: Callable[..., Read]) -> None:
    """The header within the file, as in joined files, is passed over with a note."""
    found = read(HEADER + FIRST + HEADER + SECOND)
    assert (found.rows, found.problems) == ([COLLECTED, ON_THE_WAY], [])
    assert found.notes == ["the header again; passed over"]


@pytest.mark.parametrize(
    "end", ["Total de registros: 1;;;;;;;\n", "TOTAL;;1\n", "\x1a", "\n\n;;;\n\x1a\n", "Fim do relat\xf3rio\n"]
)
def test_footer_rows(read: Callable[..., Read], end: str) -> None:
    """Totals, the end of a report and Ctrl-Z are passed over with a note; blank lines without one."""
    found = read(HEADER + FIRST + end)
    assert (found.rows, found.problems) == ([COLLECTED], [])
    assert found.notes == ["not an event; passed over"]


def test_day_first_dates(read: Callable[..., Read], refused: Callable[..., str]) -> None:
    """One date that can only have the day first decides for the column; without one, the file is refused."""
    header, line = "PEDIDO;NF;DATA;HORA;SITUACAO\n", "1-01;30711;{} ;12:02;Em rota\n"
    found = read(header + line.format("11/02/2026") + line.format("15/02/2026"))
    assert [row[1:3] for row in found.rows] == [("2026-02-11", "12:02"), ("2026-02-15", "12:02")]
    said = refused(header + line.format("11/02/2026"))
    assert "column date: every date, such as '11/02/2026', can have the day or the month first" in said
    assert "--date-format" in said
    assert read(header + line.format("11/02/2026"), date_format="dd/mm/yyyy").days == ["2026-02-11"]
    assert read(header + line.format("11/02/2026"), date_format="mm/dd/yyyy").days == ["2026-11-02"]
    assert "has the day first, but '02/15/2026' the month" in refused(
        header + line.format("15/02/2026") + line.format("02/15/2026")
    )


@pytest.mark.parametrize(
    ("written", "day", "time"),
    [
        ("2026-10-01 00:00:00", "2026-10-01", ""),
        ("2026-10-02 14:05:33.000", "2026-10-02", "14:05:33"),
        ("2026-10-03T09:15:00", "2026-10-03", "09:15"),
        ("2026/10/03 9:15", "2026-10-03", "09:15"),
        ("2026-03-15T23:30:00-03:00", "2026-03-15", "23:30"),
        ("2026-03-15T23:30:00Z", "2026-03-15", "23:30"),
        ("31.10.2026 08:00", "2026-10-31", "08:00"),
        ("31-10-2026, 8:00 PM", "2026-10-31", "20:00"),
    ],
)
def test_dates_with_times(read: Callable[..., Read], written: str, day: str, time: str) -> None:
    """The day is the one that is written, whatever the offset; the time distinguishes events of a day."""
    found = read(f"{HEADER}1-01;30711;{written};;;x;;\n")
    assert [row[1:3] for row in found.rows] == [(day, time)]


def test_epoch(read: Callable[..., Read]) -> None:
    """A number is refused with a word on what it may be, and read as a layout says, in the carrier's zone."""
    line = json.dumps({"order_id": "1-01", "invoice_number": "1", "date": 1773628200000, "description": "x"})
    assert "it may be milliseconds since 1970" in read(line, "e.jsonl").problems[0]
    found = read(line, "e.jsonl", date_format="epoch-ms", zone="America/Sao_Paulo")
    assert [row[1:3] for row in found.rows] == [("2026-03-15", "23:30")]


def test_utc_times_in_a_zone(read: Callable[..., Read]) -> None:
    """With a zone named, a time in UTC becomes that zone's, and another offset does not."""
    content = f"{HEADER}1-01;1;2026-03-16T01:00:00Z;;;x;;\n1-01;1;2026-03-16T01:00:00+02:00;;;y;;\n"
    assert read(content, zone="America/Sao_Paulo").days == ["2026-03-15", "2026-03-16"]


OBJECTS = [
    {
        "order_id": "1-01",
        "invoice_number": "30711",
        "date": "2026-10-01",
        "description": "Coletado",
        "city": "Niter\xf3i",
    },
    {
        "order_id": "1-01",
        "invoice_number": "30711",
        "date": "2026-10-02",
        "description": "Em rota",
        "city": "Niter\xf3i",
    },
]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["events.json", "events.jsonl", "events.csv"])
def test_json_array(read: Callable[..., Read], name: str, indent: int | None) -> None:
    """An array of objects is read as rows, whatever the name of the file and the line breaks in it."""
    assert read(json.dumps(OBJECTS, indent=indent), name).rows == [COLLECTED, ON_THE_WAY]


def test_broken_json_array(refused: Callable[..., str]) -> None:
    """An array that is cut off is refused as a whole, with its line."""
    assert "events.json:2: not valid JSON" in refused(
        json.dumps(OBJECTS)[:-1].replace("}, {", "},\n{")[:-9], "events.json"
    )


def test_vtex_body(read: Callable[..., Read]) -> None:
    """VTEX's own request body with its order and invoice makes a row for each event, and one for the delivery."""
    body = {"orderId": "1-01", "invoiceNumber": "30711", "isDelivered": True, "deliveredDate": "2026-10-03 10:00"}
    body["events"] = [{"city": "Niter\xf3i", "description": "Coletado", "date": "2026-10-01"}]
    for indent in (None, 1):
        found = read(json.dumps(body, indent=indent), "body.jsonl")
        assert found.rows == [COLLECTED]
        assert found.delivered == [(False, None), (True, "2026-10-03 10:00")]


def test_pandas_floats(read: Callable[..., Read]) -> None:
    """``30711.0`` is read as the number, with a note about lost zeros, and ``1.0`` as yes."""
    found = read(f"{HEADER}1-01;30711.0;2026-10-01;Niter\xf3i;RJ;Coletado;1.0;\n")
    assert (found.rows, found.delivered) == ([COLLECTED], [(True, None)])
    assert found.notes == ["column invoice_number: '30711.0' is read as 30711; if it had leading zeros, they are lost"]


@pytest.mark.parametrize("written", ["30.711", "30.711,00", "30711,0"])
def test_thousands(read: Callable[..., Read], written: str) -> None:
    """A number with separators is read as its digits, with a note."""
    found = read(f"{HEADER}1-01;{written};2026-10-01;Niter\xf3i;RJ;Coletado;;\n")
    assert found.rows == [COLLECTED]
    assert len(found.notes) == 1


@pytest.mark.parametrize("written", ["1,17245E+12", "1.17245E+12", "3,52606E+43", "30711.5", "30711,25"])
def test_lost_digits(read: Callable[..., Read], written: str) -> None:
    """A number that a spreadsheet has shortened, or that has a fraction, is refused with the cause."""
    (problem,) = read(f"{HEADER}1-01;{written};2026-10-01;;;Coletado;;\n").problems
    assert "a spreadsheet has shortened the number" in problem or "has a fraction" in problem


@pytest.mark.parametrize(
    "written", ['="000030711"', "'000030711", '"=""000030711"""', " 000030711\xa0", "\x1f000030711"]
)
def test_text_tricks(read: Callable[..., Read], written: str) -> None:
    """What exports write to keep leading zeros is removed."""
    found = read(f"{HEADER}1-01;{written};2026-10-01;Niter\xf3i;RJ;Coletado;;\n")
    assert [row[0] for row in found.rows] == ["000030711"]


def test_padding(read: Callable[..., Read]) -> None:
    """A person can say how many digits an invoice number has; one that is not a number stays as it is."""
    content = HEADER + FIRST + SECOND.replace("30711", "A-7")
    assert [row[0] for row in read(content, pad={"invoice_number": 9}).rows] == ["000030711", "A-7"]


def test_no_break_blanks(read: Callable[..., Read]) -> None:
    """No-break and zero-width blanks around ids and texts are removed; a cell of nothing else is empty."""
    found = read(f"{HEADER}1-01\xa0;\u200b30711;2026-10-01;\xa0;RJ\u200b;\xa0Coletado ;;\n")
    assert found.rows == [("30711", "2026-10-01", "", "", "Coletado")]
    assert found.orders == ["1-01"]


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        ("destinat&aacute;rio", "destinat\xe1rio"),
        ("<a href='https://example.test'>Clique aqui</a>", "Clique aqui"),
        ("S\xc3\xa3o Paulo", "S\xe3o Paulo"),
        ("BRAS\xc3\x8dLIA", "BRAS\xcdLIA"),
    ],
)
def test_damaged_texts(read: Callable[..., Read], written: str, repaired: str) -> None:
    """HTML and misread UTF-8 are refused, or repaired with a note if a person asks for it."""
    content = f'{HEADER}1-01;30711;2026-10-01;;;"{written}";;\n'
    assert f"--clean to send '{repaired}'" in read(content).problems[0]
    found = read(content, clean=True)
    assert found.texts == [repaired]
    assert f"is read as '{repaired}'" in found.notes[0]


@pytest.mark.parametrize("written", ["Bras\ufffdlia", "Bras\xef\xbf\xbdlia"])
def test_lost_letters(read: Callable[..., Read], written: str) -> None:
    """U+FFFD, and what it becomes when misread, cannot be repaired."""
    assert "has lost letters" in read(f"{HEADER}1-01;30711;2026-10-01;{written};;x;;\n", clean=True).problems[0]


@pytest.mark.parametrize("word", ["NULL", "nan", "NaN", "N/A", "#N/A", "None", "-", "#REF!"])
def test_null_words(read: Callable[..., Read], word: str) -> None:
    """A word for a missing value is refused, or read as an empty cell with a note if a person asks for it."""
    content = f"{HEADER}1-01;30711;2026-10-01;{word};;Coletado;;\n"
    assert "stands for a missing value" in read(content).problems[0]
    found = read(content, clean=True)
    assert found.rows == [("30711", "2026-10-01", "", "", "Coletado")]
    assert found.notes == [f"column city: '{word}' is read as an empty cell"]


@pytest.mark.parametrize("word", ["NULL", "NaT", "0000-00-00", "#N/A"])
def test_null_words_in_dates(read: Callable[..., Read], word: str) -> None:
    """They are refused in a date, or read as an empty cell in the date of a delivery."""
    content = HEADER + FIRST.replace(";;\n", f";;{word}\n")
    assert read(content).problems
    assert read(content, clean=True).delivered == [(False, None)]


LETTERS = "S\xe3o Paulo;SP;Em tr\xe2nsito - Niter\xf3i"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "windows-1252", "cp850", "mac-roman"]
)
def test_encodings(read: Callable[..., Read], encoding: str) -> None:
    """An encoding is recognised from the whole file."""
    found = read(f"{HEADER}1-01;30711;2026-10-01;{LETTERS};;\n".encode(encoding))
    assert found.rows == [("30711", "2026-10-01", "", "S\xe3o Paulo", "Em tr\xe2nsito - Niter\xf3i")]


def test_romanian(read: Callable[..., Read]) -> None:
    """Windows-1250 is told from Windows-1252 by the letters of Romanian."""
    content = f"{HEADER}1-01;30711;2026-10-01;Bac\u0103u;BC;Livrat\u0103 \xeen Bucure\u015fti;;\n"
    assert read(content.encode("windows-1250")).texts == ["Livrat\u0103 \xeen Bucure\u015fti"]


def test_doubtful_encoding(refused: Callable[..., str], read: Callable[..., Read]) -> None:
    """What could be two encodings is refused with both readings; a person can name any codec of Python's."""
    content = f"{HEADER}1-01;30711;2026-10-01;;;SERVI\xc7OS;;\n".encode("windows-1252")
    said = refused(content)
    assert "windows-1252: 'SERVI\xc7OS'" in said
    assert "cp850: 'SERVI\xc3OS'" in said
    assert read(content, encoding="latin-1").texts == ["SERVI\xc7OS"]


def test_byte_order_marks(read: Callable[..., Read]) -> None:
    """Marks at the beginning, twice, in the middle, and before another encoding are passed over."""
    mark = "\ufeff"
    assert read(mark + HEADER + FIRST + mark + SECOND).rows == [COLLECTED, ON_THE_WAY]
    assert read(mark * 2 + HEADER + FIRST).rows == [COLLECTED]
    assert read(mark.encode() + (HEADER + FIRST).encode("windows-1252")).rows == [COLLECTED]


@pytest.mark.parametrize(
    "header",
    [
        "Pedido;NF;Data;Munic\xedpio;UF;Ocorr\xeancia;Entregue;Data de entrega",
        "PEDIDO;nota fiscal;data do evento;cidade;uf;DESCRI\xc7\xc3O;entregue;dt. entrega",
        "N\xba do Pedido;N\xba Nota;Data\n;Cidade;UF;Situa\xe7\xe3o;entregue;data entrega",
        "N\xfamero de orden;Factura;Fecha;Ciudad;Provincia;Descripci\xf3n;Entregado;Fecha de entrega",
        "Nr. comand\u0103;Factur\u0103;Data evenimentului;Ora\u0219;Jude\u021b;Descriere;Livrat;Data livr\u0103rii",
        "Order number;Invoice;Event date;City;State;Event description;Delivered;Delivery date",
        "Pedido;NF;Data;Munici\u0301pio;UF;Ocorre\u0302ncia;Entregue;Data de entrega",
    ],
)
def test_usual_column_names(read: Callable[..., Read], header: str) -> None:
    """Names in Portuguese, Spanish, Romanian and English are known, with and without accents, in any case."""
    cells = ";".join(f'"{cell}"' for cell in header.split(";"))
    assert read(f"{cells}\n{FIRST}").rows == [COLLECTED]


def test_line_break_in_a_column_name(read: Callable[..., Read]) -> None:
    """A line break in a name counts as a blank."""
    content = (
        'order_id;invoice_number;"Data\r\ndo evento";"Descri\xe7\xe3o\nda ocorr\xeancia"\r\n1-01;30711;2026-10-01;x\r\n'
    )
    assert read(content).rows == [("30711", "2026-10-01", "", "", "x")]


def test_unknown_columns(read: Callable[..., Read], refused: Callable[..., str]) -> None:
    """They are passed over with a note, without one if asked, or refused if asked."""
    content = f"Peso;{HEADER}5;{FIRST}"
    found = read(content)
    assert (found.rows, found.notes) == ([COLLECTED], ["passed over, because they are not known: Peso"])
    assert read(content, ignore_unknown=True).notes == []
    assert "column 'Peso' is unknown" in refused(content, strict=True)


def test_two_columns_of_one_field(read: Callable[..., Read], refused: Callable[..., str]) -> None:
    """Two usual names of one field are refused, unless one is our own name, or mapped."""
    header = "Pedido;NF;Data;Status;Ocorr\xeancia\n"
    line = "1-01;30711;2026-10-01;a;b\n"
    assert "'Status', 'Ocorr\xeancia' are all description; map one of them" in refused(header + line)
    assert read(header + line, mapping={"Status": "description"}).texts == ["a"]
    assert read(header.replace("Status", "description") + line).texts == ["a"]


@pytest.mark.parametrize(
    ("written", "is_delivered"),
    [
        *dict.fromkeys(
            ["VERDADEIRO", "VERDADERO", "S", "Sim", "S\xed", "si", "Da", "Y", "yes", "TRUE", "1", "1.0"], True
        ).items(),
        *dict.fromkeys(["FALSO", "N", "N\xe3o", "nao", "no", "Nu", "False", "0", "0,0", ""], False).items(),
    ],
)
def test_localised_booleans(read: Callable[..., Read], written: str, *, is_delivered: bool) -> None:
    """Flags in four languages are understood."""
    assert read(f"{HEADER}1-01;30711;2026-10-01;;;x;{written};\n").delivered == [(is_delivered, None)]


@pytest.mark.parametrize("written", ["X", "talvez", "entregue", "#N/A", "2"])
def test_unclear_booleans(read: Callable[..., Read], written: str) -> None:
    """What says neither yes nor no is refused."""
    assert "is neither yes nor no" in read(f"{HEADER}1-01;30711;2026-10-01;;;x;{written};\n").problems[0]


def test_delivered_by_a_rule(read: Callable[..., Read]) -> None:
    """Equality with a listed text of a column means a delivery; nothing else does, and the date of it is optional."""
    header = "Pedido;NF;Data;Ocorr\xeancia;Data de entrega\n"
    lines = "1-01;1;2026-10-01;Entrega n\xe3o realizada;2026-10-02\n1-01;1;2026-10-02;ENTREGA  realizada ;2026-10-02\n"
    rule = {"ocorrencia": "Entrega realizada"}
    assert read(header + lines, delivered_when=rule).delivered == [(False, None), (True, "2026-10-02")]


def test_a_missing_value_does_not_tell_that_there_is_no_delivery(read: Callable[..., Read]) -> None:
    """A row whose column of the rule has a word for a missing value is refused, unless it is to be repaired."""
    content = "Pedido;NF;Data;Ocorr\xeancia;Situa\xe7\xe3o final\n1-01;1;2026-10-01;x;#N/D\n1-01;1;2026-10-01;y;\n"
    rule = {"Situa\xe7\xe3o final": "ok"}
    found = read(content, delivered_when=rule)
    assert found.texts == ["y"]
    assert "'#N/D' stands for a missing value" in found.problems[0]
    assert read(content, delivered_when=rule, clean=True).delivered == [(False, None)] * 2


@pytest.mark.parametrize("column", ["event_id", "account"])
def test_null_words_are_no_names(read: Callable[..., Read], column: str) -> None:
    """Events without an id must not all have the id NULL, which would make them one event."""
    content = f"order_id;invoice_number;date;description;{column}\n1-01;1;2026-10-01;x;NULL\n"
    assert read(content).problems[0].startswith(f"2: column {column}: 'NULL' stands for a missing value")
    assert read(content, clean=True).texts == ["x"]


def test_nothing_can_be_delivered(read: Callable[..., Read]) -> None:
    """A file with neither the column nor a rule says so."""
    assert (
        "nothing in this file counts as delivered"
        in read("Pedido;NF;Data;Ocorr\xeancia\n1-01;1;2026-10-01;x\n").notes[0]
    )


@pytest.mark.parametrize(
    "line",
    [
        '1-01;30711;2026-10-02;;;"Maria" recebeu;;\n',
        '1-01;30711;2026-10-02;;;"Recebido por \\"Maria\\"; portaria";;\n',
        '1-01;30711;2026-10-02;;;"Recebido por "Maria" na portaria";;\n',
        '1-01;30711;2026-10-02;;;"Recebido;;\n',
    ],
)
def test_unescaped_quotes(read: Callable[..., Read], line: str) -> None:
    """A wrong quote costs its row, and no other."""
    found = read(HEADER + FIRST + line + SECOND * 3 + '1-01;30711;2026-10-04;;;"fim";;\n')
    assert found.days == ["2026-10-01", "2026-10-02", "2026-10-02", "2026-10-02", "2026-10-04"]
    (problem,) = found.problems
    assert problem.startswith("3: the line is not CSV: ")


@pytest.mark.parametrize("day", ["0001-01-01", "1900-01-01", "1970-01-01", "2062-10-01", "9999-12-31"])
def test_sentinel_dates(read: Callable[..., Read], day: str) -> None:
    """Days that stand for no day are refused, for events and deliveries."""
    assert len(read(f"{HEADER}1-01;30711;{day};;;x;;\n").problems) == 1
    assert len(read(f"{HEADER}1-01;30711;2026-10-01;;;x;true;{day}\n").problems) == 1


def test_local_time_ahead_of_the_server(read: Callable[..., Read]) -> None:
    """A delivery of a time that is past in the carrier's zone is no mistake; with the zone named it may be one."""
    content = f"{HEADER}1-01;30711;2026-11-30;Iasi;IS;Livrat;true;2026-11-30 13:50\n"
    assert read(content).delivered == [(True, "2026-11-30 13:50")]
    assert read(content, zone="Europe/Bucharest").delivered == [(True, "2026-11-30 13:50")]
    assert "is in the future" in read(content, zone="America/Sao_Paulo").problems[0]


def test_compressed_files(read: Callable[..., Read], refused: Callable[..., str], tmp_path: Path) -> None:
    """gzip and ZIP archives with one file are read; of several files, one must be named."""
    content = (HEADER + FIRST).encode()
    assert read(gzip.compress(content), "events.csv.gz").rows == [COLLECTED]

    def archive(*names: str) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as opened:
            for name in names:
                opened.writestr(name, content)
        return file.getvalue()

    assert read(archive("may.csv"), "events.zip").rows == [COLLECTED]
    assert read(archive("__MACOSX/x", "a/may.csv"), "events.zip").rows == [COLLECTED]
    said = refused(archive("may.csv", "june.csv"), "events.zip")
    assert "contains several files; name one, such as FILE.zip:events.csv. Its files: 'may.csv', 'june.csv'" in said
    assert Read(tmp_path / "events.zip:june.csv").rows == [COLLECTED]
    with pytest.raises(InputFileError, match=r"does not contain 'july\.csv'"):
        Read(tmp_path / "events.zip:july.csv")
    assert "cannot be unpacked" in refused(archive("may.csv")[:-30], "events.zip")


@pytest.mark.parametrize("name", ["events.TXT", "events.CSV", "events.xls", "events"])
def test_format_is_told_by_the_bytes(read: Callable[..., Read], name: str) -> None:
    """The name of a file does not decide how it is read."""
    assert read(HEADER + FIRST, name).rows == [COLLECTED]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html><table><tr><td>order_id</td></tr></table></html>", "a web page"),
        (b'<?xml version="1.0"?><Workbook/>', "XML"),
        (b"%PDF-1.7", "a PDF file"),
        (b"000" + b"A" * 70 + b"0110261200OCO01102612000\r\n", "an EDI file of PROCEDA (OCOREN)"),
        (b"\x00\x01\x02\x03", "binary, not text"),
        (b"", "empty; the first line must be the header"),
    ],
)
def test_other_files_are_named(refused: Callable[..., str], content: bytes, said: str) -> None:
    """A file that cannot be read is named for what it is."""
    assert said in refused(content)


def test_json_types(read: Callable[..., Read]) -> None:
    """Flags as text or numbers are understood; a number as an id, and NaN, are refused with the cause."""

    def line(**changes: object) -> str:
        return json.dumps({**OBJECTS[0], **changes})

    lines = [line(is_delivered=flag) for flag in ("false", "VERDADEIRO", 0, 1, None)]
    found = read("\n".join(lines), "events.jsonl")
    assert [each[0] for each in found.delivered] == [False, True, False, True, False]
    found = read(
        "\n".join([line(invoice_number=30711), line(order_id=1.5e21), line(city=float("nan"))]), "events.jsonl"
    )
    assert [problem.split(":", 2)[1].strip() for problem in found.problems] == [
        "column invoice_number",
        "column order_id",
        "column city",
    ]


def test_rejects_through_excel(read: Callable[..., Read]) -> None:
    """What a spreadsheet makes of a corrected rejects file is read, if its dates leave one order."""
    content = (
        f"reason;{HEADER}column is_delivered;1-01;30711;22/10/2026;Niter\xf3i;RJ;Entregue;VERDADEIRO;22/10/2026 10:00\n"
    )
    found = read(content.encode("windows-1252"))
    assert found.days == ["2026-10-22"]
    assert found.delivered == [(True, "2026-10-22 10:00")]
