"""Read files about packages of orders: files of orders, with carriers' identifiers, and other kinds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from attrs import frozen

from vtex_tracking_ext.bulk.input.aliases import ALIASES, name_key
from vtex_tracking_ext.bulk.input.csv_table import csv_table
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place, RowProblem
from vtex_tracking_ext.bulk.input.source import open_source
from vtex_tracking_ext.bulk.input.tables import is_blank
from vtex_tracking_ext.bulk.input.text_source import text_source
from vtex_tracking_ext.bulk.input.values import ValueFaultError, is_missing, read_id, unwrapped
from vtex_tracking_ext.call.validation import invoice_number_problems, order_id_problems
from vtex_tracking_ext.text import quoted

from .package import OrderPackage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from vtex_tracking_ext.bulk.input.tables import Table

#: Usual names of the columns that only files of orders have. They are compared as those of files of events are.
_NAMES: Final = {
    "nfe_key": """
        nfe key, nf e key, invoice key, access key, chave, chave nfe, chave nf e, chave da nfe, chave da nf e,
        chave de acesso, chave nota fiscal, chave da nota fiscal, danfe
    """,
    "tracking_number": """
        tracking number, tracking, tracking code, tracking no, codigo de rastreio, codigo de rastreamento,
        codigo rastreio, codigo rastreamento, rastreio, rastreamento, objeto, codigo de objeto, codigo objeto, awb,
        guia, numero de guia, no guia, no de guia, codigo de seguimiento, numero de seguimiento
    """,
    "issuer": "issuer, cnpj, cnpj emitente, cnpj do emitente, emitente, issuer cnpj",
    "series": "series, serie, serie nf, serie da nf, serie nota fiscal, serie da nota fiscal",
    "tracking_url": """
        url, link, tracking link, link de rastreio, link rastreio, link de rastreamento, link rastreamento,
        url de rastreio, url rastreio, url de rastreamento, url rastreamento, enlace, enlace de seguimiento,
        link de seguimiento, url de seguimiento
    """,
    "courier": """
        carrier, carrier name, courier name, transportadora, nome transportadora, nome da transportadora,
        transportador, transportista, nombre transportista, nombre del transportista, mensajeria, paqueteria
    """,
    "dispatched_date": """
        dispatched, dispatch date, dispatched at, dispatched on, shipped, ship date, shipped date, shipped at,
        despachado em, enviado em, postado em, data despacho, data de despacho, data do despacho, data envio,
        data de envio, data do envio, data expedicao, data de expedicao, data da expedicao, data postagem,
        data de postagem, data da postagem, fecha despacho, fecha de despacho, fecha envio, fecha de envio,
        fecha del envio
    """,
}
_OF_PACKAGES: Final = ("order_id", "invoice_number", *_NAMES, "account")
_FIELDS: Final = {
    **ALIASES,
    **{" ".join(name.split()): field for field, names in _NAMES.items() for name in names.split(",")},
    **{field.replace("_", between): field for field in _OF_PACKAGES for between in (" ", "")},  # order_id and orderId
    # In VTEX Admin's report of orders, whose names are the wrong way round: VTEX's help says that "Input" has the
    # invoices of type Output, of purchases, and "Output" those of type Input, of returns; and so do reports.
    "invoice numbers": "all_invoices",
    "input invoices numbers": "purchase_invoices",
    "output invoices numbers": "return_invoices",
}

_BETWEEN_NUMBERS: Final = re.compile(r"[,;|\s]+")

#: What a spreadsheet makes of a long number. The digits of a tracking number may have an E between them, but no plus.
_SHORTENED: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[Ee]\+[0-9]+")


@frozen
class FileKind:
    """A kind of files about packages of orders.

    Attributes:
        content: The rows of the file in a word, for messages.
        columns: The fields that the file may have.
        required: The fields that the file must have.
        lists: Fields with any number of invoices in a cell, of which the first two stand for ``invoice_number``.
    """

    content: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    lists: tuple[str, ...] = ()

    def fields(self, cells: Sequence[str]) -> list[str]:
        """Return the field of each cell of a header, or an empty text for a column that is ignored."""
        names = [_FIELDS.get(name_key(cell), "") for cell in cells]
        return [name if name in self.columns + self.lists else "" for name in names]


_ORDERS: Final = FileKind(
    "orders",
    ("order_id", "invoice_number", "nfe_key", "tracking_number", "issuer", "series", "account"),
    ("order_id", "invoice_number"),
    ("all_invoices", "purchase_invoices", "return_invoices"),
)


def read_orders(path: Path | str, encoding: str | None = None) -> Iterator[OrderPackage | RowProblem]:
    """Yield the package of each row of a CSV file or a workbook, or the problem of the row.

    The columns are ``order_id`` and ``invoice_number``, and any of ``nfe_key``, ``tracking_number``, ``issuer``,
    ``series`` and ``account``; usual names in Portuguese and Spanish are known, and other columns are ignored.

    VTEX Admin's report of orders is read, too. It has a row for each SKU, with any number of invoices; rows without an
    invoice of the purchase are left out. The tracking number of a row with several of them is ignored, because the
    report does not say which of them has it.

    Args:
        path: The file; ``-`` for standard input.
        encoding: The encoding of a CSV file; by default, it is recognised.

    Raises:
        InputFileError: The file cannot be read, or its header lacks a column.
    """
    for row in read_package_rows(path, _ORDERS, encoding):
        yield row if isinstance(row, RowProblem) else OrderPackage(**row[1])


def read_package_rows(
    path: Path | str, kind: FileKind, encoding: str | None = None
) -> Iterator[tuple[Place, dict[str, str]] | RowProblem]:
    """Yield the place of each row of a CSV file or a workbook and its values by field, or the problem of the row.

    The order id and the invoice number of each row are valid.

    Args:
        path: The file; ``-`` for standard input.
        kind: The columns of the file. Other columns are ignored.
        encoding: The encoding of a CSV file; by default, it is recognised.

    Raises:
        InputFileError: The file cannot be read, or its header lacks a column.
    """
    with open_source(path) as source:
        if source.format == "xlsx":
            from vtex_tracking_ext.bulk.input.workbooks import SheetTable  # noqa: PLC0415 - an extra

            yield from _rows(SheetTable(source, Layout()), kind)
        elif source.format == "csv":
            table = csv_table(text_source(source, encoding), lambda cells: len({*kind.fields(cells)} - {""}), None)
            yield from _rows(table, kind)
        else:
            columns = ", ".join(kind.columns)
            raise InputFileError(f"{source.name}: JSON; give the {kind.content} as CSV, with the columns {columns}.")


def _rows(table: Table, kind: FileKind) -> Iterator[tuple[Place, dict[str, str]] | RowProblem]:
    fields: list[str] | None = None
    for number, cells, fault in table.records():
        if is_blank(cells):
            continue
        place = Place(table.name, number)
        if fields is None:
            fields = _fields(place, cells, kind)
            continue
        texts, faults = table.typed(cells, fields)
        values = {field: unwrapped(cell) for field, cell in zip(fields, texts, strict=False) if field}
        message = fault or "; ".join(f"{column}: {problem}" for column, problem in faults)
        if not message and not is_blank(cells[len(fields) :]):
            message = "more cells than the header has; quote a cell that contains the delimiter"
        for each in [values] if message else _packages(values, kind):
            problem = message or _read_ids(each)
            yield RowProblem(place, "", problem) if problem else (place, each)
    if fields is None:
        header = ",".join(kind.columns)
        raise InputFileError(f"{table.name}: empty; the first line must be the header: {header}.")


def _packages(values: dict[str, str], kind: FileKind) -> list[dict[str, str]]:
    """Return the values of a row for each of its packages."""
    lists = {name: _numbers(values.pop(name)) for name in kind.lists if name in values}
    if not lists or values.get("invoice_number"):
        return [values]
    purchases, returns = lists.get("purchase_invoices", []), lists.get("return_invoices", [])
    # An order without a purchase has no return: then the names of the two columns are the right way round.
    rest = [] if "purchase_invoices" in lists else returns
    numbers = purchases or [each for each in lists.get("all_invoices", returns) if each not in rest]
    if len(numbers) > 1:
        values = {name: value for name, value in values.items() if name in {"order_id", "account"}}
    return [{**values, "invoice_number": number} for number in numbers]


def _numbers(cell: str) -> list[str]:
    return [*dict.fromkeys(filter(None, _BETWEEN_NUMBERS.split(cell)))]


def _read_ids(values: dict[str, str]) -> str:
    """Read the ids of a row as spreadsheets write them, and return what is wrong with one, or an empty text."""
    for column, check in (("order_id", order_id_problems), ("invoice_number", invoice_number_problems)):
        try:
            values[column] = read_id(values.get(column, "")).value
        except ValueFaultError as error:
            return f"column {column}: {error}"
        if problems := check(values[column]):
            return f"column {column}: {problems[0].message}"
    for column in values.keys() - {"order_id", "invoice_number"}:
        if is_missing(values[column]):
            values[column] = ""
        elif _SHORTENED.fullmatch(values[column].strip()):
            return (
                f"column {column}: a spreadsheet has shortened the number to {quoted(values[column], 60)}, and digits "
                "are lost; format the column as text, and export it again"
            )
    return ""


def _fields(place: Place, cells: Sequence[str], kind: FileKind) -> list[str]:
    """Return the field of each column, or an empty text for a column that is ignored.

    Raises:
        InputFileError: A required column is missing, or two columns have one field.
    """
    fields = kind.fields(cells)
    for field in kind.required:
        if field not in fields and not (field == "invoice_number" and {*kind.lists[:2]} & {*fields}):
            shown = ", ".join(cell.strip() for cell in cells)
            raise InputFileError(
                f"{place}: the header of a file of {kind.content} lacks {field}. Its columns: {shown}. Rename them: "
                f"{', '.join(kind.columns)} are known."
            )
    twice = next((field for field in fields if field and fields.count(field) > 1), None)
    if twice is not None:
        raise InputFileError(f"{place}: two columns are {twice}; rename or drop one.")
    return fields
