"""Reading a file of tracking numbers, and completing them by what an order shows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.events import Package
from vtex_tracking_ext.orders.tracking_numbers import TrackingNumber, read_tracking_numbers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a file."""
    return tmp_path / "numbers.csv"


@pytest.mark.parametrize(
    ("header", "date", "expected"),
    [
        ("order_id,invoice_number,tracking_number,tracking_url,courier,dispatched_date", "2026-10-05", "2026-10-05"),
        ("orderId,invoiceNumber,trackingNumber,trackingUrl,courier,dispatchedDate", "2026-10-05 00:00", "2026-10-05"),
        ("Pedido,Nº da NF,Rastreio,Link de rastreio,Transportadora,Data de envio", "25/10/2026", "2026-10-25"),
        ("Pedido,Factura,Guía,URL,Transportista,Fecha de envío", "5.10.2026 8:05,", "2026-10-05T08:05:00"),
        ("order,nf,awb,link,carrier,ship date", "2026-10-05 10:00 -0300", "2026-10-05T10:00:00-03:00"),
        ("order,nf,awb,link,carrier,shipped", "2022-02-08T13:16:13.46+00:00", "2022-02-08T13:16:13.46+00:00"),
    ],
)
def test_columns_and_dates(path: Path, header: str, date: str, expected: str) -> None:
    """Usual names are known, ids are read as spreadsheets leave them, and dates become those of VTEX."""
    date = date.rstrip(",")
    rows = [f'1-01,="0711",QB1,https://a.example,Log,{date}', "1-02,0712,QB2,null,-,13/10/2026", "1-03,0713,QB3,,,"]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    assert read_tracking_numbers(path) == (
        [
            TrackingNumber("1-01", "0711", "QB1", "https://a.example", "Log", expected),
            TrackingNumber("1-02", "0712", "QB2", dispatched_date="2026-10-13"),
            TrackingNumber("1-03", "0713", "QB3"),
        ],
        [],
    )


def test_workbook(tmp_path: Path) -> None:
    """Dates of a workbook are dates of dispatch."""
    path = tmp_path / "numbers.xlsx"
    with xlsxwriter.Workbook(path, {"default_date_format": "dd/mm/yy"}) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["order_id", "invoice_number", "awb", "Despachado em", "account"])
        sheet.write_row(1, 0, ["1-01", "0711", "QB1", dt.date(2026, 10, 5), "MyStore"])
    expected = TrackingNumber("1-01", "0711", "QB1", dispatched_date="2026-10-05", account="mystore")
    assert read_tracking_numbers(path) == ([expected], [])


def test_rows_that_cannot_be_used(path: Path) -> None:
    """Each names its line and column; of contradicting rows none is used, and equal rows are one."""
    rows = [
        "1-01,1,,Log,",
        "1-01,1,1.5E+12,Log,",
        ",1,QB1,Log,",
        "1-02,1,QB1,Log,2026-02-30",
        "1-03,1,QB1,Log\x07,",
        "1-04,1,QB1,Log,",
        "1-04,1,QB2,Log,",
        "1-04,1,QB1,,",
        "1-05,1,12.345,Log,",
        "1-05,1,12.345,Log,",
        "1-06,1,QB1,Log, SA,2026-10-05",
        "1-07,1,QB1,Log,25/10/26",
        "1-08,1,QB1,Log,46300",
    ]
    path.write_text("\n".join(["order_id,nf,awb,courier,dispatched", *rows]), encoding="utf-8")
    numbers, problems = read_tracking_numbers(path)
    assert numbers == [TrackingNumber("1-05", "1", "12.345", courier="Log")]
    *others, extra, short, serial = [str(problem).removeprefix(f"{path}:") for problem in problems]
    assert extra == "12: more cells than the header has; quote a cell that contains the delimiter"
    assert short == "13: column dispatched_date: '25/10/26' has a year of two digits; write yyyy-mm-dd"
    assert serial.endswith("as a spreadsheet's serial number: format the cells as dates; write yyyy-mm-dd")
    assert [problem[:70] for problem in others] == [
        "2: column tracking_number: empty; it would erase the tracking number t",
        "3: column tracking_number: a spreadsheet has shortened the number to '",
        "4: column order_id: empty; give the order id in the account that fulfi",
        "5: column dispatched_date: '2026-02-30' is not a date of the calendar,",
        "6: column courier: contains the control character U+0007; remove it",
        "7: line 9 gives this package other values; keep one, neither is set",
        "8: line 7 gives this package other values; keep one, neither is set",
        "9: line 8 gives this package other values; keep one, neither is set",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("order_id,nf\n", "the header of a file of tracking numbers lacks tracking_number. Its columns: order_id, nf."),
        ("order_id,nf,awb,envio,shipped\n1,1,1,,5/10/2026\n", "can have the day or the month first; write yyyy-mm-dd."),
    ],
)
def test_file_that_cannot_be_used(path: Path, content: str, message: str) -> None:
    """The message says what to change, and names no option that the command lacks."""
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError) as raised:
        read_tracking_numbers(path)
    assert message in str(raised.value)


def package(number: str | None, url: str | None, courier: str | None, type_: str = "Output") -> Package:
    """Return a package of invoice 1."""
    return Package("1", type_, number, url, courier, finished=False, delivered_date=None, events=())


def test_completed_by_the_order() -> None:
    """What is not given is taken from the package, not from a return."""
    wanted = TrackingNumber("1-01", "1", "QB1", courier="Log")
    packages = (package("R", "https://return.example", "R", "Input"), package(None, "https://a.example", "Old"))
    assert wanted.completed(packages) == TrackingNumber("1-01", "1", "QB1", "https://a.example", "Log")
    assert wanted.completed(()) == wanted


def test_is_set() -> None:
    """Only if every package of the invoice has exactly the values, and no date is given, which orders do not show."""
    wanted = TrackingNumber("1-01", "1", "QB1", courier="Log")
    same = package("QB1", None, "Log")
    assert wanted.is_set((same, package("R", None, None, "Input")))
    assert not wanted.is_set((same, package("QB2", None, "Log")))
    dated = TrackingNumber("1-01", "1", "QB1", courier="Log", dispatched_date="2026-10-05")
    assert not dated.is_set((same,))
