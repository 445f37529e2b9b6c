"""What calamine does not tell of a sheet of an XLSX or ODS file: errors, hidden rows and zeros that a format shows.

The module imports little, as :mod:`.workbook_process` does.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from functools import reduce
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Collection, Iterator
    from xml.etree.ElementTree import Element

_BOOK: Final = "xl/workbook.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"
_STYLES: Final = "xl/styles.xml"
_ODS: Final = "content.xml"
_CHUNK: Final = 1 << 20
_LONGEST_SIGN: Final = 64

#: Most signs of details that are looked for: to look for more takes longer than to parse the sheet.
_MAX_SIGNS: Final = 100

#: The part of a number format that is for positive numbers, and what shows nothing: ``[Red]``, ``_)``, ``* ``, ``\ ``.
_POSITIVE: Final = re.compile(r"""(?:"[^"]*"|\\.|[^;"\\])*""")
_INVISIBLE: Final = re.compile(r"\[[^<>=]*?\]|_.|\*.|\\ ")

_MAX_FORMAT: Final = 255  # characters, in Excel

#: The texts in a number format; a digit in its first text; the signs of one that is not for whole numbers; and a
#: format that only adds zeros.
_LITERAL: Final = re.compile(r""""[^"]*"|\\.""")
_FIXED_DIGIT: Final = re.compile(r"""(?:"[^"]*|\\)[0-9]""")
_OTHER_FORMAT: Final = re.compile("[DEHMSY%/]", re.IGNORECASE)
_ZEROS: Final = re.compile("0{2,50}")

#: The address of a cell, and the number of a row.
_ADDRESS: Final = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_ROW_NUMBER: Final = re.compile(r"[1-9][0-9]{0,6}")

#: What the text of a sheet has somewhere if it may have details: hidden rows, errors, formulas; in an ODS file, where
#: a cell has its visible text, also numbers that begin with a zero.
_XLSX_SIGNS: Final = (b"hidden=", b't="e"', b"<f", b":f")
_ODS_SIGNS: Final = (b'visibility="collapse"', b'visibility="filter"', b'value-type="error"', b">0")
_ODS_1904: Final = b'null-date table:date-value="1904-01-01"'
_ODS_ZEROS: Final = re.compile("0[0-9]")

_TRUE: Final = frozenset({"1", "true"})


class CellError(str):
    """The text of a cell whose value is an error; empty for a formula without a value."""

    __slots__ = ()


class Details:
    """Details of a sheet.

    Attributes:
        is_1904: Whether the workbook counts days from 1904.
        cells: For a row, from 1 up, and a column, from 0 up: the error of the cell, which is an empty text for a
            formula without a value; or the number of digits with which the cell's number is shown.
        formats: Other number formats that show more than the digits of a number, and how many cells have each.
        hidden_rows: The rows that are hidden, by a filter or by hand.
    """

    def __init__(self, *, is_1904: bool = False) -> None:
        self.is_1904 = is_1904
        self.cells: defaultdict[int, dict[int, str | int]] = defaultdict(dict)
        self.formats: Counter[str] = Counter()
        self.hidden_rows: set[int] = set()

    def add_number(self, row: int, column: int, shown: str) -> None:
        """Add a cell with a number, and what :func:`number_format` returns for its format."""
        if _ZEROS.fullmatch(shown):
            self.cells[row][column] = len(shown)
        elif shown:
            self.formats[shown] += 1


def read_details(archive: zipfile.ZipFile, sheet: str) -> Details | None:
    """Return the details of a sheet, or None if they cannot be found.

    Raises:
        ValueError: A row or a cell has no valid address.
        xml.etree.ElementTree.ParseError: A part is not XML.
    """
    names = set(archive.namelist())
    if _ODS in names:
        details = Details(is_1904=_has_signs(archive, _ODS, (_ODS_1904,)))
        if _has_signs(archive, _ODS, _ODS_SIGNS):
            _read_ods(archive, sheet, details)
        return details
    if not names.issuperset({_BOOK, _RELATIONS}):
        return None
    book = _parse(archive, _BOOK)
    ids = [_attribute(each, "id") for each in _all(book, "sheet") if each.get("name") == sheet]
    targets = {each.get("Id"): each.get("Target", "") for each in _all(_parse(archive, _RELATIONS), "Relationship")}
    part = posixpath.normpath(posixpath.join("/xl", targets.get(ids[0], "") if ids else "")).lstrip("/")
    if part not in names:
        return None
    styles = _styles(_parse(archive, _STYLES)) if _STYLES in names else {}
    details = Details(is_1904=any(each.get("date1904") in _TRUE for each in _all(book, "workbookPr")))
    signs = *_XLSX_SIGNS, *(f's="{style}"'.encode() for style in styles)
    if len(signs) > _MAX_SIGNS or _has_signs(archive, part, signs):
        _read_xlsx(archive, part, styles, details)
    return details


def _parse(archive: zipfile.ZipFile, part: str) -> Element:
    with archive.open(part) as file:
        return ET.parse(file).getroot()  # noqa: S314 - in a process with limits


def _all(root: Element, name: str) -> Iterator[Element]:
    """Yield the elements of a name in any namespace: strict files have another one."""
    return (each for each in root.iter() if _local(each.tag) == name)


def _attribute(element: Element, name: str) -> str | None:
    """Return an attribute in any namespace."""
    return next((value for key, value in element.items() if _local(key) == name), None)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _has_signs(archive: zipfile.ZipFile, part: str, signs: Collection[bytes]) -> bool:
    """Return whether the text of a sheet has signs of details; to parse it takes longer."""
    end = b""
    with archive.open(part) as file:
        while chunk := file.read(_CHUNK):
            text = end + chunk
            if any(sign in text for sign in signs):
                return True
            end = chunk[-_LONGEST_SIGN:]
    return False


def _styles(styles: Element) -> dict[str, str]:
    """Return the styles of cells whose number format shows digits that a number does not have, and these formats."""
    formats = {each.get("numFmtId"): each.get("formatCode", "") for each in _all(styles, "numFmt")}
    shown: dict[str, str] = {}
    for number, style in enumerate(next(_all(styles, "cellXfs"), ())):
        code = number_format(formats.get(style.get("numFmtId"), ""))
        if code:
            shown[str(number)] = code
    return shown


def number_format(code: str) -> str:
    """Return a number format if it shows digits that a whole number does not have, otherwise an empty text."""
    positive = _POSITIVE.match(code[:_MAX_FORMAT])
    code = _INVISIBLE.sub("", positive[0] if positive else "")
    bare = _LITERAL.sub("", code)
    has_more = bare.partition(".")[0].count("0") > 1 or _FIXED_DIGIT.match(code)
    return code if has_more and not _OTHER_FORMAT.search(bare) else ""


def _read_xlsx(archive: zipfile.ZipFile, part: str, styles: dict[str, str], details: Details) -> None:
    row_number = 0
    with archive.open(part) as file:
        for _, row in ET.iterparse(file):  # noqa: S314 - in a process with limits
            if _local(row.tag) != "row":
                continue
            row_number = _row_number(row.get("r"), row_number + 1)
            if row.get("hidden") in _TRUE:
                details.hidden_rows.add(row_number)
            place = row_number, -1
            for cell in row:
                place = _place(cell.get("r"), place)
                _add_cell(place, cell, styles, details)
            row.clear()


def _row_number(text: str | None, following: int) -> int:
    if text is None:
        return following
    if _ROW_NUMBER.fullmatch(text) is None:
        raise ValueError(f"{quoted(text, 60)} is not the number of a row")
    return int(text)


def _place(address: str | None, before: tuple[int, int]) -> tuple[int, int]:
    """Return the row and column of a cell from its address, such as ``AB12``, or from the cell before it."""
    if address is None:
        return before[0], before[1] + 1
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ValueError(f"{quoted(address, 60)} is not the address of a cell")
    return int(found[2]), reduce(lambda number, letter: number * 26 + ord(letter) - ord("A") + 1, found[1], 0) - 1


def _add_cell(place: tuple[int, int], cell: Element, styles: dict[str, str], details: Details) -> None:
    row, column = place
    kind, shown = cell.get("t", "n"), styles.get(cell.get("s", ""), "")
    if kind != "e" and not shown and (not len(cell) or not cell[0].tag.endswith("f")):
        return  # no formula, which would be the first element
    texts = {_local(each.tag): each.text or "" for each in cell}
    # The empty text that a formula may return is stored as an empty value of the type "str".
    has_value = texts.get("v") or "is" in texts or (kind == "str" and "v" in texts)
    if kind == "e" or ("f" in texts and not has_value):
        details.cells[row][column] = texts.get("v", "")
    elif kind == "n" and has_value:
        details.add_number(row, column, shown)


def _read_ods(archive: zipfile.ZipFile, sheet: str, details: Details) -> None:
    is_sheet, row_number = False, 1
    with archive.open(_ODS) as file:
        for event, element in ET.iterparse(file, ("start", "end")):  # noqa: S314 - in a process with limits
            name = _local(element.tag)
            if event == "start":
                if name == "table":
                    is_sheet, row_number = _attribute(element, "name") == sheet, 1
            elif name == "table-row":
                rows = range(row_number, row_number + int(_attribute(element, "number-rows-repeated") or 1))
                row_number = rows.stop
                if is_sheet:
                    _add_ods_row(rows, element, details)
                element.clear()


def _add_ods_row(rows: range, row: Element, details: Details) -> None:
    if _attribute(row, "visibility") in {"collapse", "filter"}:
        details.hidden_rows.update(rows)
    column = 0
    for cell in row:
        columns = range(column, column + int(_attribute(cell, "number-columns-repeated") or 1))
        column = columns.stop
        types = {value for key, value in cell.items() if _local(key) == "value-type"}
        text = "".join(part for each in cell if _local(each.tag) == "p" for part in each.itertext()).strip()
        found: str | int = text
        if "error" not in types:
            if "float" not in types or not _ODS_ZEROS.match(text):
                continue
            if not text.isdecimal():
                details.formats[text] += len(rows) * len(columns)
                continue
            found = len(text)
        for number in rows:
            details.cells[number].update(dict.fromkeys(columns, found))
