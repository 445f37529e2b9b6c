"""Reading a file of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.orders import OrderPackage, read_orders

if TYPE_CHECKING:
    from pathlib import Path


def test_columns_in_several_languages(tmp_path: Path) -> None:
    """Usual names are known, other columns are ignored, and ids are read as spreadsheets write them."""
    path = tmp_path / "orders.csv"
    path.write_text(
        "Pedido;Nº da NF;Chave de acesso;Código de rastreio;CNPJ;Série;Cliente\n"
        '1001-01;="000030711";3526 0999;QB000000018BR;99.999.999/0001-91;001;X\n'
        "\n"
        "1002-01;30712;NULL;-;n/a;;\n",
        encoding="utf-8",
    )
    assert list(read_orders(path)) == [
        OrderPackage("1001-01", "000030711", "35260999", "99999999000191", "1", "QB000000018BR"),
        OrderPackage("1002-01", "30712"),
    ]


def test_encoding_that_cannot_be_told(tmp_path: Path) -> None:
    """One word alone does not tell it; the encoding can be named."""
    path = tmp_path / "orders.csv"
    path.write_bytes("Pedido;NF;S\xe9rie\n1001-01;30711;1\n".encode("windows-1252"))
    with pytest.raises(InputFileError, match=r"encoding cannot be told\. Name the one .* \(--encoding; "):
        list(read_orders(path))
    assert list(read_orders(path, "cp1252")) == [OrderPackage("1001-01", "30711", series="1")]


REPORT = """Origin;Order;Sequence;Courier;Status;Tracking Number;Seller Order Id;Delivered;Invoice Numbers;\
Input Invoices Numbers;Output Invoices Numbers
Marketplace;1001-01;502556;Modelo;Faturado;AA000000005BR;00-1001-01;False;30711;30711;
Marketplace;1001-01;502556;Modelo;Faturado;AA000000005BR;00-1001-01;False;30711;30711;
Marketplace;1002-01;502557;Modelo;Faturado;AA000000014BR;00-1002-01;False;"30712, 9";30712;9
Marketplace;1003-01;502558;Modelo;Faturado;AA000000028BR;00-1003-01;False;30713,30714;"30713,30714";
Marketplace;1005-01;502560;Modelo;Faturado;AA000000031BR;00-1005-01;False;30715;;30715
Marketplace;1004-01;502559;;Preparando;;00-1004-01;False;;;
"""


def test_report_of_vtex_admin(tmp_path: Path) -> None:
    """Each invoice of a purchase is a package; a return, and an order without an invoice, are none.

    In the report, they are called input invoices, and those of returns output invoices. An invoice without one of a
    purchase cannot be that of a return. A tracking number beside several invoices is not kept: any may have it.
    """
    path = tmp_path / "report.csv"
    path.write_text(REPORT, encoding="utf-8")
    first = OrderPackage("1001-01", "30711", tracking_number="AA000000005BR")
    expected = [
        first,
        first,
        OrderPackage("1002-01", "30712", tracking_number="AA000000014BR"),
        OrderPackage("1003-01", "30713"),
        OrderPackage("1003-01", "30714"),
        OrderPackage("1005-01", "30715", tracking_number="AA000000031BR"),
    ]
    assert list(read_orders(path)) == expected
    path.write_text("Order,Invoice Numbers,Output Invoices Numbers\n1001-01,30711;9,9\n1004-01,,\n", encoding="utf-8")
    assert list(read_orders(path)) == [OrderPackage("1001-01", "30711")]


def test_workbook(tmp_path: Path) -> None:
    """The first sheet of a workbook is read as a CSV file is."""
    path = tmp_path / "orders.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["order_id", "invoice_number", "account"])
        sheet.write_row(1, 0, ["1001-01", "30711", "mystore"])
    assert list(read_orders(path)) == [OrderPackage("1001-01", "30711", account="mystore")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1001-01,3.0711E+10,", "2: column invoice_number: a spreadsheet has shortened the number to '3.0711E+10'"),
        (
            "1001-01,30711,3.5E+43",
            "2: column tracking_number: a spreadsheet has shortened the number to '3.5E+43'",
        ),
        ("1001-01,30711,Silva, QB1", "2: more cells than the header has; quote a cell that contains the delimiter"),
        (",30711,", "2: column order_id: empty; give the order id"),
        ('1001-01,"30711,', "2: the line is not CSV: "),
    ],
)
def test_row_that_cannot_be_used(tmp_path: Path, row: str, message: str) -> None:
    """A row that cannot be used is a problem with its place, and does not stop the others."""
    path = tmp_path / "orders.csv"
    path.write_text(f"order_id,invoice_number,tracking\n{row}\n1002-01,30712,QB1\n", encoding="utf-8")
    problem, package = read_orders(path)
    assert str(problem).startswith(f"{path}:{message}")
    assert package == OrderPackage("1002-01", "30712", tracking_number="QB1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("order_id,tracking\n1,2\n", "lacks invoice_number. Its columns: order_id, tracking. Rename them: order_id, "),
        ("order_id,invoice_number,awb,guia\n", "two columns are tracking_number; rename or drop one."),
        ('{"order_id": "1"}\n', "JSON; give the orders as CSV"),
    ],
)
def test_file_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    """A file that cannot be used raises an error that says what a file of orders needs."""
    path = tmp_path / "orders.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match=r"orders\.csv") as raised:
        list(read_orders(path))
    assert message in str(raised.value)
