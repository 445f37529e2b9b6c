"""Tests of columns, mappings and headers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.bulk.input.columns import COLUMNS, Columns, Header
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACE = Place("f.csv", 1)


def header(cells: str, mapping: Mapping[str, str] | None = None, **options: Any) -> Header:
    """Parse a header whose cells are separated by commas."""
    return Columns("f.csv", mapping, **options).header(PLACE, cells.split(","), ",", "utf-8")


def refused(cells: str, mapping: Mapping[str, str] | None = None, **options: Any) -> str:
    """Return the message with which a header is refused."""
    with pytest.raises(InputFileError) as caught:
        header(cells, mapping, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    "cells",
    [
        ",".join(COLUMNS),
        ",".join(COLUMNS.values()),
        ",".join(f" {name.upper()}\t" for name in COLUMNS),
        ",".join(f"\xa0{name.title()}" for name in COLUMNS.values()),
    ],
)
def test_columns_match_in_both_spellings_and_any_case(cells: str) -> None:
    """Our names and VTEX's spellings match in any case and with blanks around them."""
    found = header(cells)
    values = [str(number) for number in range(len(COLUMNS))]
    assert found.values([*values, ""]) == tuple(values)
    assert found.layout.header == tuple(cells.split(","))


def test_values_are_in_our_order_with_missing_columns_empty() -> None:
    """A row's values come in the order of COLUMNS whatever the file's order; columns that the file lacks are empty."""
    found = header("description,date,invoice_number,order_id")
    assert found.values(["d", "2026", "1", "o", ""]) == ("o", "1", "2026", "", "", "d", "", "", "", "", "")


def test_unknown_column_is_refused_with_suggestions() -> None:
    """An unknown column is refused with the known columns and the options that accept it."""
    assert refused("order_id,invoice_number,date,description,deliverd_date,peso,volume") == (
        "f.csv:1: column 5 of the header, 'deliverd_date', is unknown; did you mean delivered_date? "
        f"Known columns: {', '.join(COLUMNS)}. Also unknown: 'peso', 'volume'. --map COLUMN=FIELD maps a column to a "
        "field, --ignore-unknown ignores unknown columns (in Python: mapping=, ignore_unknown=)."
    )


def test_long_list_of_unknown_columns_is_shortened() -> None:
    """A message lists at most eight unknown columns, and escapes unprintable characters in their names."""
    said = refused(f"order_id,invoice_number,date,description,{','.join(f'x{n}' for n in range(20))}\x1b")
    assert "'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8' and 11 more." in said
    assert "\x1b" not in refused("order_id\x1b,pedid\x1b,x", {"pedido\x1b": "date"})


def test_ignore_unknown_ignores_unknown_columns() -> None:
    """With ignore_unknown, unknown and unnamed columns are ignored; required columns are still required."""
    assert header("peso,order_id,invoice_number,date,description,peso,", ignore_unknown=True).fields == (
        "",
        "order_id",
        "invoice_number",
        "date",
        "description",
        "",
        "",
    )
    assert "the header lacks order_id" in refused("pedido,invoice_number,date,description", ignore_unknown=True)


def test_mapping_assigns_fields_to_columns() -> None:
    """A mapping's columns and fields match in any case and with blanks around them."""
    mapping = {" PEDIDO": "order_id", "nota fiscal": " invoiceNumber", "hora": "time", "id": "event_id"}
    found = header("Nota Fiscal ,pedido,date,description,Hora,ID", mapping)
    assert found.fields == ("invoice_number", "order_id", "date", "description", "time", "event_id")


def test_mapped_field_is_not_found_under_its_own_name() -> None:
    """When a field is mapped to another column, the column with the field's own name is unknown."""
    cells, mapping = "order_id,invoice_number,date,event date,description", {"event date": "date"}
    assert "column 3 of the header, 'date', is unknown" in refused(cells, mapping)
    assert header(cells, mapping, ignore_unknown=True).fields[2:4] == ("", "date")
    assert header("order_id,invoice_number,date,description", {"date": "date"}).fields[2] == "date"
    assert header("order_id,invoice_number,date,city,description", {"date": "state", "city": "date"}).fields[2:4] == (
        "state",
        "date",
    )


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (
            {"pedidoo": "order_id"},
            "f.csv:1: the header has no column 'pedidoo', which is mapped to order_id; did you mean pedido? It has: '",
        ),
        (
            {"pedido": "orderr_id"},
            "f.csv: 'pedido' is mapped to 'orderr_id', which is not a field; did you mean order_id? Fields: ",
        ),
        ({"pedido": "x"}, "f.csv: 'pedido' is mapped to 'x', which is not a field. Fields: order_id"),
        ({"pedido": "order_id", "Pedido ": "city"}, "f.csv: 'pedido' is mapped twice; map it once."),
        (
            {"Reason": "description"},
            "f.csv: 'Reason' cannot be mapped to 'description': a column needs a name",
        ),
        ({" ": "description"}, "f.csv: ' ' cannot be mapped to 'description': "),
        ({"pedido": "order_id", "date": "order_id"}, "f.csv:1: column order_id appears twice in the header"),
    ],
)
def test_invalid_mapping_is_refused(mapping: dict[str, str], said: str) -> None:
    """A mapping with an unknown column or field, or with duplicates, is refused with a message about it."""
    assert refused("pedido,invoice_number,date,description", mapping).startswith(said)


def test_reason_column_is_known_and_ignored() -> None:
    """The reason column of a rejects file is ignored, so that such a file can be pushed unchanged."""
    found = header("Reason,order_id,invoice_number,date,description")
    assert found.layout.reasons == (0,)
    assert found.fields[0] == ""


def test_escaped_column_names_match() -> None:
    """A column name that a rejects file has escaped still matches a mapping."""
    mapping = {"=pedido": "order_id", "'nota": "invoice_number"}
    assert header("'=pedido,'nota,date,description", mapping).fields[:2] == ("order_id", "invoice_number")
