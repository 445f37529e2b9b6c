"""Tests of columns, mappings and headers."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.bulk.input.aliases import ALIASES
from vtex_tracking_ext.bulk.input.columns import COLUMNS, Columns, Header, stored_layout
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.rows import InputFileError, Place

PLACE = Place("f.csv", 1)


def header(cells: str, mapping: dict[str, str] | None = None, **options: Any) -> Header:
    """Parse a header whose cells are separated by commas."""
    columns = Columns("f.csv", Layout(mapping=mapping or {}, **options))
    return columns.header(PLACE, cells.split(","), ",", "utf-8", {})


def refused(cells: str, mapping: dict[str, str] | None = None, **options: Any) -> str:
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
    assert found.dialect.header == tuple(cells.split(","))


def test_values_are_in_our_order_with_missing_columns_empty() -> None:
    """A row's values come in the order of COLUMNS whatever the file's order; columns that the file lacks are empty."""
    found = header("description,date,invoice_number,order_id")
    assert found.values(["d", "2026", "1", "o", ""]) == ("o", "1", "2026", "", "", "d", "", "", "", "", "")


def test_other_names_are_fields_that_are_known() -> None:
    """Every other name belongs to a field, and none of them is our own name of another field."""
    assert set(ALIASES.values()) <= set(COLUMNS)
    assert set(ALIASES).isdisjoint(COLUMNS)


def test_unknown_column_is_refused_with_suggestions_if_asked() -> None:
    """In strict mode, an unknown column is refused with the known columns and the option that names it."""
    assert refused("order_id,invoice_number,date,description,deliverd_date,peso,volume", strict=True) == (
        "f.csv:1: column 'deliverd_date' is unknown; did you mean delivered_date? "
        f"Known columns: {', '.join(COLUMNS)}. Also unknown: 'peso', 'volume'. --map COLUMN=FIELD says which field a "
        "column is (in Python: mapping=; in a layout: map)."
    )


def test_long_list_of_columns_is_shortened() -> None:
    """A message lists at most eight columns, and escapes unprintable characters in their names."""
    cells = f"order_id,invoice_number,date,description,{','.join(f'x{n}' for n in range(20))}\x1b"
    said = refused(cells, strict=True)
    assert "'x1', 'x2', 'x3', 'x4', 'x5', 'x6', 'x7', 'x8' and 11 more." in said
    assert "\x1b" not in refused("order_id\x1b,pedid\x1b,x", {"pedido\x1b": "date"})


def test_missing_columns_are_named_with_those_that_there_are() -> None:
    """A header that lacks columns is refused with the options that help."""
    assert refused("order_id,notas,date") == (
        "f.csv:1: the header lacks invoice_number, description. Its columns: 'order_id', 'notas', 'date'. "
        "--map COLUMN=FIELD says which field a column is (in Python: mapping=; in a layout: map). "
        "--header-row N says where the header is."
    )


def test_columns_without_a_name() -> None:
    """They are passed over; behind the last name, they are no columns, unless unknown ones are to be ignored."""
    cells = "peso,,order_id,invoice_number,date,description,, "
    found = header(cells)
    assert found.fields == ("", "", "order_id", "invoice_number", "date", "description")
    assert found.unknown == ("peso",)
    assert found.dialect.header == tuple(cells.split(","))
    found = header(cells, ignore_unknown=True)
    assert len(found.fields) == 8
    assert found.unknown == ()


def test_mapping_assigns_fields_to_columns() -> None:
    """A mapping's columns and fields match in any case and with blanks around them."""
    mapping = {" PEDIDO": "order_id", "nota fiscal": " invoiceNumber", "relogio": "time", "id": "event_id"}
    found = header("Nota Fiscal ,pedido,date,description,Rel\xf3gio,ID", mapping)
    assert found.fields == ("invoice_number", "order_id", "date", "description", "time", "event_id")


def test_mapped_field_is_not_found_under_its_own_name() -> None:
    """When a field is mapped to another column, the column with the field's own name is unknown."""
    cells, mapping = "order_id,invoice_number,date,event date,description", {"event date": "date"}
    found = header(cells, mapping)
    assert (found.fields[2:4], found.unknown) == (("", "date"), ("date",))
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
        (
            {"pedido": "order_id", "date": "order_id", "x": "date"},
            "f.csv:1: the header has no column 'x', which is mapped to date. It has",
        ),
        (
            {"pedido": "date", "date": "date", "invoice_number": "order_id", "nota": "invoice_number"},
            "f.csv:1: 'pedido', 'date' are all date; map one of them. --map COLUMN=FIELD",
        ),
    ],
)
def test_invalid_mapping_is_refused(mapping: dict[str, str], said: str) -> None:
    """A mapping with an unknown column or field, or with duplicates, is refused with a message about it."""
    assert refused("pedido,invoice_number,date,description,nota", mapping).startswith(said)


def test_reason_column_is_known_and_ignored() -> None:
    """The reason column of a rejects file is ignored, so that such a file can be pushed unchanged."""
    found = header("Reason,order_id,invoice_number,date,description")
    assert found.dialect.reasons == (0,)
    assert (found.fields[0], found.unknown) == ("", ())


def test_escaped_column_names_match() -> None:
    """A column name that a rejects file has escaped still matches a mapping."""
    mapping = {"=pedido": "order_id", "'nota": "invoice_number"}
    assert header("'=pedido,'nota,date,description", mapping).fields[:2] == ("order_id", "invoice_number")


def test_columns_of_the_rule_for_deliveries() -> None:
    """They must exist, need no field, and are not unknown, in headers and in the keys of objects."""
    rule = {"C\xf3digo": ["BDE", "BDI"]}
    cells = "order_id,invoice_number,date,description,codigo"
    found = header(cells, delivered_when=rule, strict=True)
    assert found.rule == ((4, frozenset({"bde", "bdi"})),)
    assert "has no column 'C\xf3digo', which is mapped to the rule for deliveries" in refused(
        cells[:-7], delivered_when=rule
    )
    columns = Columns("f", Layout(delivered_when=rule))
    assert columns.fields_of(("CODIGO", "peso")) == ["", None]
    assert columns.is_delivery({"CODIGO": " bde ", "x": "y"}) is True
    assert columns.is_delivery({"CODIGO": "PO", "x": "BDE"}) is False


def test_headers_of_objects_that_all_differ_are_not_kept() -> None:
    """The fields of at most a thousand headers are kept, whatever the number of different objects."""
    columns = Columns("f", Layout())
    for number in range(1100):
        assert columns.fields_of((f"x{number}", "date")) == [None, "date"]
    assert len(columns._known) == 1000


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ('reason {"clean": true},order_id\r\n', {"clean": True}),
        ('\ufeff"reason {""map"": {""Pedido"": ""order_id""}}";Pedido\n', {"map": {"Pedido": "order_id"}}),
        ('{"order_id": "1", "reason": "x", "layout": {"strict": true}}\n', {"strict": True}),
        ('{"order_id": "1", "layout": {"strict": true}}\n', {}),
        ('{"order_id": "1", "reason": "x"}\n', {}),
        ('{"order_id": "1", "reason": "x", "layout": 7}\n', {}),
        ("reason,order_id\n", {}),
        ("reason {x,order_id\n", {}),
        ("{\n", {}),
        ("", {}),
    ],
)
def test_options_of_a_rejects_file(line: str, options: dict[str, Any]) -> None:
    """They stand behind the word reason, or under a key; any other first line has none."""
    assert stored_layout(line) == options
