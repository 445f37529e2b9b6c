"""Tests of what is read of a sheet besides its values."""

from __future__ import annotations

import io
import zipfile
from typing import Final
from xml.etree.ElementTree import ParseError

import pytest

from vtex_tracking_ext.bulk.input.workbook_details import Details, read_details

from support.office_files import ods

_RELATIONSHIP: Final = '<Relationship Id="rId1" Target="{}"/>'
_SHEET: Final = "xl/worksheets/sheet1.xml"


def found_in(details: Details | None) -> dict[str, object]:
    """Return the attributes that say something."""
    return {name: value for name, value in vars(details).items() if value}


def details(sheet: str, *, target: str = "worksheets/sheet1.xml", styles: str = "", book: str = "") -> Details | None:
    """Return the details of an XLSX file with such rows."""
    parts = {
        "xl/workbook.xml": f'<workbook xmlns:r="r">{book}<sheets><sheet name="A" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f"<Relationships>{_RELATIONSHIP.format(target)}</Relationships>",
        _SHEET: f"<worksheet><sheetData>{sheet}</sheetData></worksheet>",
        "xl/styles.xml": f"<styleSheet>{styles}</styleSheet>",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        return read_details(archive, "A")


def zeros(code: str) -> Details | None:
    """Return the details of a sheet with a number in a number format."""
    code = code.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    formats = f'<numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts>'
    styles = f'{formats}<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs>'
    return details('<row r="1"><c r="A1" s="1"><v>7</v></c></row>', styles=styles)


@pytest.mark.parametrize(
    "code", ["000000000", "000000000;-000000000", "[Red]000000000", "[$-416]000000000;@", "000000000_)", "000000000\\ "]
)
def test_format_of_zeros_gives_the_number_of_digits(code: str) -> None:
    """A format that only adds zeros gives the number of digits, with a colour, a language or blanks around it too."""
    assert found_in(zeros(code)) == {"cells": {1: {0: 9}}}


@pytest.mark.parametrize(
    "code", ["00000-000", "00000\\-000", '"NF "000000000', "000.000", "[<=99]00", '"000"#', "\\0#", "0,000"]
)
def test_format_that_adds_more_is_counted(code: str) -> None:
    """A format that adds other characters, fixed digits or a condition is only counted."""
    found = zeros(code)
    assert found is not None
    assert (found.cells, found.formats) == ({}, {code: 1})


@pytest.mark.parametrize(
    "code", ["", "0", "0.00", "#,##0.00", "dd/mm/yyyy", "hh:mm:ss.000", "0.00E+00", '0" m2"', '"00', "@", "General"]
)
def test_other_formats_are_no_details(code: str) -> None:
    """No zeros are added for the format of a date, for one that shows a number as it is, or for an invalid one."""
    assert found_in(zeros(code)) == {}


def test_cells_are_found_by_address_or_position() -> None:
    """A cell is found by its address, or by its position after the one before; a row likewise."""
    found = details(
        '<row r="3"><c r="AB3" t="e"><v>#N/A</v></c><c t="e"><v>#REF!</v></c></row>'
        '<row hidden="true"><c><f>A1</f></c><c><f>A1</f><v>5</v></c><c t="str"><f>A1</f><v></v></c><c/></row>'
    )
    assert found is not None
    assert found.cells == {3: {27: "#N/A", 28: "#REF!"}, 4: {0: ""}}
    assert found.hidden_rows == {4}


@pytest.mark.parametrize(
    "target", ["/xl/worksheets/sheet1.xml", "../xl/worksheets/sheet1.xml", "./worksheets/sheet1.xml"]
)
def test_sheet_is_found_by_its_relationship(target: str) -> None:
    """The target of a relationship is relative to the workbook, or absolute."""
    assert found_in(details('<row r="1" hidden="1"/>', target=target)) == {"hidden_rows": {1}}


@pytest.mark.parametrize("target", ["", "x", "../../..", "/", "worksheets/../.."])
def test_sheet_that_is_not_found_has_no_details(target: str) -> None:
    """Without the sheet's part, its details are not known."""
    assert details('<row hidden="1"/>', target=target) is None


def test_many_styles_with_zeros_are_found() -> None:
    """Each of many styles with such a format gives the number of digits."""
    formats = '<numFmts><numFmt numFmtId="164" formatCode="000"/></numFmts>'
    styles = formats + "<cellXfs>" + '<xf numFmtId="164"/>' * 200 + "</cellXfs>"
    assert found_in(details('<row r="1"><c r="A1" s="199"><v>7</v></c></row>', styles=styles)) == {"cells": {1: {0: 3}}}


def test_calendar_is_found() -> None:
    """A workbook says whether it counts days from 1904."""
    assert found_in(details("", book='<workbookPr date1904="1"/>')) == {"is_1904": True}
    assert found_in(details("", book='<workbookPr date1904="0"/>')) == {}


@pytest.mark.parametrize("number", ["0", "-1", "abc", "", "1_0", " 1", "\u0661", "9" * 5000, "1.5"])
def test_wrong_row_number_is_an_error(number: str) -> None:
    """A row number that is not written in plain digits is an error, even if Python can parse it."""
    with pytest.raises(ValueError, match="is not the number of a row"):
        details(f'<row r="{number}" hidden="1"/>')


@pytest.mark.parametrize("address", ["A0", "ZZZZZ9", "A-1", "1", "", "a1", "$A$1", "A1:B2", "A" * 10**6, "A99999999"])
def test_wrong_address_is_an_error(address: str) -> None:
    """An invalid cell address is an error."""
    with pytest.raises(ValueError, match="is not the address of a cell"):
        details(f'<row r="1" hidden="1"><c r="{address}"/></row>')


def test_entities_are_not_read_from_files() -> None:
    """An entity that is not defined, or that is defined by a file, is an error."""
    with pytest.raises(ParseError, match="undefined entity"):
        details('<row hidden="1">&x;</row>')


def test_archive_without_a_workbook_has_no_details() -> None:
    """Details are not known of another kind of archive, such as XLSB."""
    with zipfile.ZipFile(io.BytesIO(), "w") as archive:
        archive.writestr("xl/workbook.bin", b"")
        assert read_details(archive, "A") is None


def test_long_sheet_is_searched_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign of details is found where two pieces of the sheet meet."""
    monkeypatch.setattr("vtex_tracking_ext.bulk.input.workbook_details._CHUNK", 40)
    for length in range(40):
        assert found_in(details(f'{" " * length}<row hidden="1"/>')) == {"hidden_rows": {1}}


def test_details_of_an_ods_sheet() -> None:
    """Hidden rows, errors and zeros of an ODS sheet are found, also in repeated cells and rows."""
    error = '<table:table-cell office:value-type="string" calcext:value-type="error"><text:p>#N/A</text:p>'
    number = '<table:table-cell {}office:value-type="float" office:value="7"><text:p>{}</text:p>'
    row = (
        '<table:table-row table:number-rows-repeated="2" table:visibility="filter">'
        '<table:table-cell table:number-columns-repeated="3"/>'
        + "".join(
            f"{cell}</table:table-cell>"
            for cell in (
                error,
                number.format('table:number-columns-repeated="2" ', "007"),
                number.format("", "7"),
                number.format("", "00-7"),
            )
        )
        + "</table:table-row>"
    )
    with zipfile.ZipFile(io.BytesIO(ods({"B": row, "A": f"<table:table-row/>{row}"}))) as archive:
        found = read_details(archive, "A")
    expected = {3: "#N/A", 4: 3, 5: 3}
    assert found is not None
    assert found.cells == {2: expected, 3: expected}
    assert (found.formats, found.hidden_rows) == ({"00-7": 2}, {2, 3})


def test_ods_sheet_without_signs_has_no_details() -> None:
    """An ODS sheet of plain cells is not parsed; its calendar is found."""
    with zipfile.ZipFile(io.BytesIO(ods({"A": "<table:table-row/>"}))) as archive:
        assert found_in(read_details(archive, "A")) == {}
    settings = (
        '<table:calculation-settings><table:null-date table:date-value="1904-01-01"/></table:calculation-settings>'
    )
    with zipfile.ZipFile(io.BytesIO(ods({"A": settings}))) as archive:
        assert found_in(read_details(archive, "A")) == {"is_1904": True}
