"""Workbooks that no spreadsheet writes: odd, corrupt or hostile ones."""

from __future__ import annotations

import io
import random
import struct
import zipfile
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: The parts of an archive by name; a long one in pieces.
Parts: TypeAlias = "dict[str, str | bytes | list[str]]"

HEADER: Final = ("order_id", "invoice_number", "date", "description")
ROWS: Final = tuple((f"{number}-01", str(number), "2026-10-01", "Coletado") for number in (1, 2, 3))

_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_SHEET: Final = "xl/worksheets/sheet1.xml"
_RELATIONS: Final = "xl/_rels/workbook.xml.rels"


@frozen
class OddWorkbook:
    """A workbook, and what must become of it.

    Attributes:
        kind: What is odd about it.
        content: Its bytes.
        rows: The number of its rows if it must be read, 0 if it must be refused, and None if either is right.
    """

    kind: str
    content: bytes
    rows: int | None


def odd_workbook(kind: str, chance: random.Random) -> OddWorkbook:
    """Return a workbook of one of :data:`KINDS`."""
    make, rows = _KINDS[kind]
    return OddWorkbook(kind, make(chance), rows)


def odd_workbooks(count: int, seed: int) -> Iterator[OddWorkbook]:
    """Yield workbooks of every kind in turn; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - reproducible
    return (odd_workbook(KINDS[number % len(KINDS)], chance) for number in range(count))


def _address(column: int, row: int) -> str:
    return f"{chr(65 + column)}{row}"


def _cell(text: str, address: str = "", attributes: str = "") -> str:
    named = f' r="{address}"' if address else ""
    return f'<c{named} t="inlineStr"{attributes}><is><t>{text}</t></is></c>'


def _row(number: int, texts: tuple[str, ...], *, row_address: bool = True, cell_address: bool = True) -> str:
    cells = (_cell(text, _address(column, number) if cell_address else "") for column, text in enumerate(texts))
    start = f'<row r="{number}">' if row_address else "<row>"
    return f"{start}{''.join(cells)}</row>"


def _lines(**options: bool) -> list[str]:
    return [_row(number, texts, **options) for number, texts in enumerate((HEADER, *ROWS), 1)]


def _sheet(lines: list[str], before: str = "", after: str = "") -> str:
    return f'<worksheet xmlns="{_MAIN}">{before}<sheetData>{"".join(lines)}</sheetData>{after}</worksheet>'


def _parts(sheet: str | list[str]) -> Parts:
    def types(part: str, kind: str) -> str:
        content_type = f"application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"
        return f'<Override PartName="/{part}" ContentType="{content_type}"/>'

    return {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="xml" '
        f'ContentType="application/xml"/>{types("xl/workbook.xml", "sheet.main")}{types(_SHEET, "worksheet")}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>',
        _RELATIONS: f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
        f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        _SHEET: sheet,
    }


def _archive(parts: Parts, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w") as part:
                for piece in content if isinstance(content, list) else [content]:
                    part.write(piece.encode() if isinstance(piece, str) else piece)
    return file.getvalue()


def _repeated(before: str, text: str, after: str) -> list[str]:
    """Return 150 MB of a text, in pieces."""
    return [before, *[text * max(1, 10**6 // len(text))] * 150, after]


def _with(lines: list[str], before: str = "", after: str = "") -> bytes:
    return _archive(_parts(_sheet(lines, before, after)))


def _without_addresses(chance: random.Random) -> bytes:
    some = chance.choice(((False, False), (True, False), (False, True)))
    return _with(_lines(row_address=some[0], cell_address=some[1]))


def _far_without_addresses(chance: random.Random) -> bytes:
    first, *others = _lines(cell_address=False)
    far = _cell("x", f"XFD{2**20}")
    wide = f'<row r="{2**20}">{far}{_cell("x") * chance.randrange(9)}</row>'
    return _with([first, wide, *others])


def _unsorted(chance: random.Random) -> bytes:
    lines = _lines()
    chance.shuffle(lines)
    return _with(lines)


def _duplicate(chance: random.Random) -> bytes:
    lines = _lines()
    return _with([*lines, chance.choice(lines).replace("Coletado", "Entregue")])


def _overflowing(chance: random.Random) -> bytes:
    letters = "".join(chance.choices("AXZ", k=chance.randrange(4, 40)))
    digits = "".join(chance.choices("0189", k=chance.randrange(8, 40)))
    address = chance.choice((f"{letters}2", f"A9{digits}", f"{letters}9{digits}", f"{letters}{2**32 + 2}"))
    return _with([*_lines(), f'<row r="5">{_cell("x", address)}</row>'])


def _overflowing_row(chance: random.Random) -> bytes:
    number = chance.choice((2**31, 2**32 - 1, 2**32, 2**32 + 2, 2**64, 10**60, 2**20 + 1))
    return _with([*_lines(), f'<row r="{number}">{_cell("x") * chance.randrange(1, 4)}</row>'])


def _invalid_address(chance: random.Random) -> bytes:
    address = chance.choice(("A0", "A-1", "-A1", "1A", "AA", "12", " ", "A1:B2", "$A$1", "A 1", "\xc41", "A1.5", "0"))
    return _with([*_lines(), f'<row r="5">{_cell("x", address)}</row>'])


def _stray(chance: random.Random) -> bytes:
    row, column = chance.randrange(10**6, 2**20), chance.choice(("XFD", "XAA", "BZZ"))
    return _with([*_lines(), f'<row r="{row}">{_cell("x", f"{column}{row}")}</row>'])


def _dimension(chance: random.Random) -> bytes:
    reference = chance.choice(("A1:XFD1048576", "A1", "C3:A1", "A1:ZZZZZZZZ99999999999", "", "x", "A0:A-1", "B2:B2"))
    return _with(_lines(), before=f'<dimension ref="{reference}"/>')


def _large_dimension(_chance: random.Random) -> bytes:
    return _with(_lines(), before='<dimension ref="A1:XFD1048576"/>')


def _text_index(chance: random.Random) -> bytes:
    parts = _parts(_sheet(_lines()))
    index = chance.choice(("3", "-1", "4294967296", "1e9", "", "x", "1.5"))
    parts[_SHEET] = _sheet([*_lines(), f'<row r="5"><c r="A5" t="s"><v>{index}</v></c></row>'])
    count = chance.choice((1, 4294967295, 2**64, -1))
    parts["xl/sharedStrings.xml"] = (
        f'<sst xmlns="{_MAIN}" count="{count}" uniqueCount="{count}"><si><t>a</t></si></sst>'
    )
    related = str(parts[_RELATIONS])
    parts[_RELATIONS] = related.replace(
        "</Relationships>",
        f'<Relationship Id="rId2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    )
    return _archive(parts)


def _style(chance: random.Random) -> bytes:
    parts = _parts(
        _sheet([*_lines(), f'<row r="5"><c r="A5" s="{chance.choice((9, 2**32, -1, "x"))}"><v>1</v></c></row>'])
    )
    count = chance.choice(("0", "4294967295", "-1", "x"))
    parts["xl/styles.xml"] = chance.choice(
        (
            f'<styleSheet xmlns="{_MAIN}"><cellXfs count="{count}"><xf numFmtId="{count}"/></cellXfs></styleSheet>',
            "<styleSheet>",
            "",
            f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt formatCode="{"[" * 999}"/></numFmts></styleSheet>',
        )
    )
    return _archive(parts)


def _details(chance: random.Random) -> bytes:
    """Return a workbook with odd hidden rows, errors, formulas and number formats."""
    number = chance.choice(("0", "-1", "abc", "9" * 400, "5", "1048577", "&#0;", " 5"))
    address = chance.choice(("A0", "ZZZZZ9", "A5", "", "abc", "A5:B6", "XFD1048576", "a5"))
    content = chance.choice(("<f>A1</f>", "<f/><v/>", "<v>#N/A</v>", "<v>1e400</v>", "<f>&e;</f>", "<v>7</v><v>8</v>"))
    kind = chance.choice(("e", "n", "str", "b"))
    cell = f'<c r="{address}" s="1" t="{kind}">{content}</c>'
    parts = _parts(_sheet([*_lines(), f'<row r="{number}" hidden="1">{cell}</row>']))
    code = chance.choice(("0" * 10**6, "[" * 10**6, "000&quot;", "00-00", "0" * 9, "\\", "_", "&quot;0" * 10**5))
    parts["xl/styles.xml"] = (
        f'<styleSheet xmlns="{_MAIN}"><numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>'
    )
    return _archive(parts)


def _date(chance: random.Random) -> bytes:
    number = chance.choice(("1e300", "-1", "-1e9", "2958466", "1e17", "nan", "inf", "-0.0", "60", "9" * 400))
    parts = _parts(_sheet([*_lines(), f'<row r="5"><c r="C5" s="1"><v>{number}</v></c></row>']))
    parts["xl/styles.xml"] = (
        f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
    )
    return _archive(parts)


def _typed(chance: random.Random) -> bytes:
    kind = chance.choice(("b", "d", "e", "n", "str", "s", "x", ""))
    value = chance.choice(("7", "", "2026-99-99T99:99:99", "#NULL!", "#X", "abc", "99999-01-01", "1e999"))
    return _with([*_lines(), f'<row r="5"><c r="A5" t="{kind}"><v>{value}</v></c></row>'])


def _truncated(chance: random.Random) -> bytes:
    content = _with(_lines())
    return content[: chance.randrange(len(content) - 22)]


def _changed_bytes(chance: random.Random) -> bytes:
    content = bytearray(_archive(_parts(_sheet(_lines())), chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))))
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return bytes(content)


def _checksum(chance: random.Random) -> bytes:
    content = _archive(_parts(_sheet(_lines())), zipfile.ZIP_STORED)
    number = chance.choice((b"1-01", b"2-01", b"3-01"))
    return content.replace(number, b"9" + number[1:])


def _changed_xml(chance: random.Random) -> bytes:
    parts = _parts(_sheet(_lines()))
    name = chance.choice(list(parts))
    content = bytearray(str(parts[name]).encode())
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(content))
        content[at : at + chance.randrange(9)] = bytes(chance.choices(b"<>&;\"'/=! 0A\x00\xff", k=chance.randrange(9)))
    parts[name] = bytes(content)
    return _archive(parts)


def _missing_part(chance: random.Random) -> bytes:
    parts = _parts(_sheet(_lines()))
    del parts[chance.choice((_SHEET, _RELATIONS, "xl/workbook.xml"))]
    return _archive(parts)


def _related(chance: random.Random) -> bytes:
    parts = _parts(_sheet(_lines()))
    target = chance.choice(
        ("workbook.xml", "_rels/workbook.xml.rels", "../xl", "../../../x", "/", "", "worksheets/", ".")
    )
    parts[_RELATIONS] = str(parts[_RELATIONS]).replace("worksheets/sheet1.xml", target)
    return _archive(parts)


def _sheets(chance: random.Random) -> bytes:
    parts = _parts(_sheet(_lines()))
    state = chance.choice(("visible", "hidden", "veryHidden", "x"))
    name = chance.choice(("A", "", "x" * 10**6, "&#0;", "&#xFFFF;", "..&#10;"))
    sheet = f'<sheet name="{name}" sheetId="1" state="{state}" r:id="rId1"/>'
    sheets = sheet * chance.choice((0, 2, 999))
    parts["xl/workbook.xml"] = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets></workbook>'
    return _archive(parts)


def _entities(chance: random.Random) -> bytes:
    powers = "".join(f'<!ENTITY e{number} "{f"&e{number - 1};" * 10}">' for number in range(1, 10))
    sheet = _sheet([*_lines(), f'<row r="5">{_cell(chance.choice(("&e9;", "&x;", "&nothing;")), "A5")}</row>'])
    doctype = f'<!DOCTYPE x [<!ENTITY e0 "lol">{powers}<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    return _archive(_parts(f'<?xml version="1.0"?>{doctype}{sheet}'))


def _encoded(chance: random.Random) -> bytes:
    parts = _parts("")
    encoding = chance.choice(("utf-16", "utf-16-le", "utf-32", "cp037", "latin-1"))
    parts[_SHEET] = f'<?xml version="1.0" encoding="{encoding}"?>{_sheet(_lines())}\xe9'.encode(encoding, "replace")
    return _archive(parts)


def _deep(chance: random.Random) -> bytes:
    element = chance.choice(("row", "c", "is", "x", "sheetData"))
    return _with([*_lines(), f"<{element}>" * 10**6])


def _nested(_chance: random.Random) -> bytes:
    parts = _parts("")
    parts[_SHEET] = _with(_lines())
    return _archive(parts)


def _many_parts(chance: random.Random) -> bytes:
    return _archive({**_parts(_sheet(_lines())), **{f"{number}/{chance.random()}": b"" for number in range(20_000)}})


def _overlapping(_chance: random.Random) -> bytes:
    """Return an archive with many names for one part of 50 MB."""
    parts = {**_parts(_sheet(_lines())), "bomb": bytes(50 << 20)}
    content = _archive(parts)
    directory = content.index(b"PK\x01\x02")
    entry = content.index(b"PK\x01\x02", content.rindex(b"PK\x01\x02") - 1)
    end = content.index(b"PK\x05\x06")
    copies = 1000
    many = content[directory:end] + content[entry:end] * copies
    total = len(parts) + copies
    return (
        content[:directory] + many + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, total, total, len(many), directory, 0)
    )


def _bomb(chance: random.Random) -> bytes:
    """Return a small archive whose sheet has 150 MB of cells, text or blanks."""
    cell = _cell("x")
    text = chance.choice((cell, "<c/>", " ", "<row/>", f"<row>{cell}</row>", "<c><v>1</v></c>", "<!---->"))
    before, after = _sheet([*_lines(), '<row r="5">', "|</row>"]).split("|")
    return _archive(_parts(_repeated(before, text, after)))


def _text_bomb(chance: random.Random) -> bytes:
    parts = _parts(_sheet(_lines()))
    text = chance.choice(("<si/>", "<si><t>x</t></si>", f"<si><t>{'x' * 10**6}</t></si>"))
    parts["xl/sharedStrings.xml"] = _repeated(f'<sst xmlns="{_MAIN}">', text, "</sst>")
    return _archive(parts)


def _false_size(_chance: random.Random) -> bytes:
    """Return an archive in which a part declares another size than it has."""
    content = bytearray(_with(_lines()))
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFF_FFF0)
    return bytes(content)


def _stored(chance: random.Random) -> bytes:
    content = _archive(_parts(_sheet(_lines())), zipfile.ZIP_STORED)
    return content if chance.random() < 0.5 else bytes(chance.randrange(1, 999)) + content


def _method(chance: random.Random) -> bytes:
    return _archive(_parts(_sheet(_lines())), chance.choice((zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)))


def _opendocument(chance: random.Random) -> bytes:
    """Return an OpenDocument sheet that repeats a cell very often."""
    columns, rows = chance.choice(((16384, 2**20), (2**32, 2**32), (2**64, 1), (1, 10**7), (-1, 1), (1, 2**31)))
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<office:document-content xmlns:office="{urn}:office:1.0" xmlns:table="{urn}:table:1.0" '
        f'xmlns:text="{urn}:text:1.0"><office:body><office:spreadsheet><table:table table:name="A">'
        f'<table:table-row table:number-rows-repeated="{rows}">'
        f'<table:table-cell office:value-type="string" table:number-columns-repeated="{columns}"><text:p>x</text:p>'
        "</table:table-cell></table:table-row></table:table></office:spreadsheet></office:body>"
        "</office:document-content>"
    )
    manifest = f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0"/>'
    mimetype = "application/vnd.oasis.opendocument.spreadsheet"
    return _archive({"mimetype": mimetype, "content.xml": content, "META-INF/manifest.xml": manifest})


def _binary_parts(chance: random.Random) -> bytes:
    """Return a workbook in the binary format XLSB, with random records."""
    parts = _parts(_sheet(_lines()))
    parts["xl/workbook.bin"] = chance.randbytes(chance.randrange(400))
    parts["xl/_rels/workbook.bin.rels"] = parts.pop(_RELATIONS)
    del parts["xl/workbook.xml"]
    return _archive(parts)


def _old_format(chance: random.Random) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + chance.randbytes(chance.randrange(4000))


def _elements(chance: random.Random) -> bytes:
    lines = _lines()
    lines.insert(chance.randrange(len(lines)), "<!-- x --><?x y?><unknown><c/></unknown>")
    merged = '<mergeCells count="9"><mergeCell ref="A1:B2"/><mergeCell ref="B2:ZZZZZZZ9"/></mergeCells>'
    return _with(lines, before="<sheetPr/><cols><col min='1' max='99999999999'/></cols>", after=merged)


#: What is odd -> what makes such workbooks, and the number of their rows; see :class:`OddWorkbook`.
_KINDS: Final[dict[str, tuple[Callable[[random.Random], bytes], int | None]]] = {
    "cells or rows without an address": (_without_addresses, len(ROWS)),
    "cells without an address, after a cell far away": (_far_without_addresses, None),
    "unsorted rows": (_unsorted, len(ROWS)),
    "a duplicate row": (_duplicate, None),
    "an overflowing address": (_overflowing, None),
    "an overflowing row": (_overflowing_row, None),
    "an invalid address": (_invalid_address, None),
    "a stray cell": (_stray, 0),
    "a wrong dimension": (_dimension, None),
    "the largest dimension": (_large_dimension, len(ROWS)),
    "the index of a missing text": (_text_index, None),
    "a wrong style": (_style, None),
    "odd details": (_details, None),
    "a date out of range": (_date, None),
    "a value of another type": (_typed, None),
    "other elements": (_elements, None),
    "truncated": (_truncated, 0),
    "changed bytes": (_changed_bytes, None),
    "a wrong checksum": (_checksum, 0),
    "changed XML": (_changed_xml, None),
    "a missing part": (_missing_part, 0),
    "a wrong relationship": (_related, 0),
    "odd sheets": (_sheets, None),
    "entities": (_entities, None),
    "another encoding": (_encoded, None),
    "nested too deep": (_deep, None),
    "a workbook in a workbook": (_nested, 0),
    "many parts": (_many_parts, len(ROWS)),
    "overlapping parts": (_overlapping, 0),
    "a sheet that unpacks to much": (_bomb, None),
    "texts that unpack to much": (_text_bomb, None),
    "a wrong size": (_false_size, 0),
    "stored, perhaps after other bytes": (_stored, None),
    "another compression": (_method, None),
    "an OpenDocument sheet": (_opendocument, 0),
    "a binary workbook": (_binary_parts, 0),
    "an old format": (_old_format, 0),
}

#: All kinds.
KINDS: Final = tuple(_KINDS)
