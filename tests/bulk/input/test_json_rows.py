"""Tests of JSON: objects a line, arrays, VTEX's request body."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingEvent
from vtex_tracking_ext.bulk.input.reader import read_rows
from vtex_tracking_ext.bulk.input.rows import InputFileError, Row, RowNote, RowProblem
from vtex_tracking_ext.bulk.input.tables import NO_DELIVERY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
OBJECT: dict[str, Any] = {
    "order_id": "1-01",
    "invoice_number": "1",
    "date": "2026-10-01",
    "description": "x",
    "is_delivered": False,
}


class Read:
    """The rows, problems and notes of a file."""

    def __init__(self, path: Path, **options: Any) -> None:
        found = list(read_rows(path, NOW, **options))
        self.rows = [each for each in found if isinstance(each, Row)]
        folder = f"{path.parent}/"
        self.problems = [str(each).removeprefix(folder) for each in found if isinstance(each, RowProblem)]
        self.notes = [f"{each.place.line}: {each.message}" for each in found if isinstance(each, RowNote)]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Read]:
    """Return a function that reads a file with a content."""

    def read(content: object, name: str = "events.jsonl", **options: Any) -> Read:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8", newline="")
        return Read(path, **options)

    return read


def test_json_lines_are_read(read: Callable[..., Read]) -> None:
    """VTEX's spellings are accepted in JSON lines, null counts as absent, and blank lines are skipped."""
    first = {"orderId": "1-01", "invoiceNumber": "1", "date": "2026-10-01", "description": "x", "isDelivered": True}
    second = {"order_id": "1-01", "invoice_number": "1", "is_delivered": True, "deliveredDate": None, "account": "a"}
    one, two = read(f"{json.dumps(first)}\n\n{json.dumps(second)}\n\x1a").rows
    assert (one.place.line, two.place.line) == (1, 3)
    assert (one.order_id, one.event, one.is_delivered) == ("1-01", TrackingEvent("2026-10-01", "x"), True)
    assert (two.event, two.is_delivered, two.delivered_date, two.account) == (None, True, None, "a")


def test_lines_are_separated_by_line_feeds_only(read: Callable[..., Read]) -> None:
    """A carriage return is JSON whitespace and U+2028 is part of a text; only a line feed ends a line."""
    text = json.dumps({**OBJECT, "description": "a\u2028b"}, ensure_ascii=False).replace(", ", ",\r")
    rows = read(f"\ufeff{text}\r\n \r\n\ufeff{text}").rows
    assert [(row.place.line, row.raw and row.raw.content) for row in rows] == [(1, text), (3, text)]


@pytest.mark.parametrize("depth", [500, 950, 990, 5000])
def test_deeply_nested_json_is_a_problem(read: Callable[..., Read], depth: int) -> None:
    """Deeply nested JSON is a problem of its row, whether or not the parser can read it; of an array, of the file."""
    line = '{"order_id": "1-01", "invoice_number": "1", "date": ' + "[" * depth + "]" * depth + "}"
    found = read(line)
    assert found.rows == []
    assert found.problems


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "events.jsonl:1: not valid JSON (column 2: "),
        ("[" * 100_000, "events.jsonl:1: not valid JSON ("),
        ("[1]", "events.jsonl:1: not a JSON object"),
        ('{"order_id": "1-01"}', "events.jsonl:1: column invoice_number: missing"),
        ('{"order_id": 1, "invoice_number": "1"}', "column order_id: 1 is not a string"),
        ({**OBJECT, "date": True}, "column date: True is not a string"),
        (
            {**OBJECT, "is_delivered": "maybe"},
            "column is_delivered: 'maybe' is neither yes nor no: write true or false",
        ),
        ({**OBJECT, "is_delivered": []}, "column is_delivered: a list or an object is not true or false"),
        ({**OBJECT, "is_delivered": 2.5}, "column is_delivered: '2.5' is neither yes nor no"),
        ({**OBJECT, "date": [[]]}, "column date: a list or an object is not a string"),
        (
            '{"order_id": "1-01", "orderId": "1-01", "invoice_number": "1"}',
            "column order_id: appears twice; remove one",
        ),
        ('{"order_id": "1", "order_id": "2", "invoice_number": "1"}', "column order_id: appears twice; remove one"),
    ],
)
def test_invalid_line_is_reported(read: Callable[..., Read], line: object, said: str) -> None:
    """An invalid line of JSON is reported with file, line, column and message."""
    assert any(said in problem for problem in read(line, format="jsonl").problems)


def test_type_problems_do_not_hide_other_problems(read: Callable[..., Read]) -> None:
    """A value of the wrong type is reported once, together with all other problems of the row."""
    line = {"invoice_number": 1, "date": 20261001, "city": "\x07", "is_delivered": "perhaps", "delivered_date": "soon"}
    line |= {"event_id": 7, "time": 9}
    assert [problem.split(": ")[1] for problem in read(line).problems] == [
        "column invoice_number",
        "column event_id",
        "column time",
        "column order_id",
        "column date",
        "column is_delivered",
        "column delivered_date",
        "column city",
        "column description",
    ]


def test_mapping_applies_to_keys(read: Callable[..., Read]) -> None:
    """A mapping applies to the keys of JSON; an object may lack a mapped key."""
    lines = '{"pedido no": "1-01", "invoice_number": "1", "is_delivered": true}\n'
    assert [row.order_id for row in read(lines, mapping={"Pedido N\xba": "order_id", "x": "city"}).rows] == ["1-01"]


def test_unknown_keys(read: Callable[..., Read]) -> None:
    """Each unknown key is noted once; without a note if asked; in strict mode, it is a problem of its row."""
    lines = f"{json.dumps({**OBJECT, 'peso': 1})}\n" + json.dumps({**OBJECT, "peso": 1, "x\n": []})
    found = read(lines)
    assert len(found.rows) == 2
    assert found.notes == [
        "1: key 'peso' is passed over, because it is not known",
        "2: key 'x\\n' is passed over, because it is not known",
    ]
    assert read(lines, ignore_unknown=True).notes == []
    assert read(lines, ignore=["Peso", "x"]).notes == []
    known = "unknown; known columns: order_id, invoice_number, date"
    found = read(lines, strict=True)
    assert [problem.partition(", city")[0] for problem in found.problems] == [
        f"events.jsonl:1: column peso: {known}",
        f"events.jsonl:2: column peso: {known}",
        f"events.jsonl:2: column x\\n: {known}",
    ]


def test_nothing_can_be_delivered(read: Callable[..., Read]) -> None:
    """A file in which no object has the key says so, unless a rule names the texts that mean a delivery."""
    line = {name: value for name, value in OBJECT.items() if name != "is_delivered"}
    assert read(line).notes == [f"1: {NO_DELIVERY}"]
    assert read(line, delivered_when={"description": "y"}).notes == []
    assert read({**OBJECT, "is_delivered": None}).notes == []
    body = {"order_id": "1-01", "invoice_number": "1", "events": [{"date": "2026-10-01", "description": "x"}]}
    assert read(body).notes == [f"1: {NO_DELIVERY}"]
    assert read({**body, "isDelivered": False}).notes == []


def test_delivered_by_a_rule(read: Callable[..., Read]) -> None:
    """The rule applies to keys, also to one that is no field; that key is not unknown."""
    lines = "\n".join(json.dumps({**OBJECT, "codigo": code}) for code in ("BDE", "bde ", 1, "PO"))
    found = read(lines, delivered_when={"C\xf3digo": ["BDE", "1"]}, strict=True)
    assert [row.is_delivered for row in found.rows] == [True, True, True, False]
    assert found.notes == []


def test_events_of_a_request_body(read: Callable[..., Read]) -> None:
    """Each event makes a row, and so does the delivery; a body of neither is reported, and so is an odd event."""
    body = {"orderId": "1-01", "invoiceNumber": "1", "isDelivered": False, "deliveredDate": None}
    events = [{"date": "2026-10-01", "description": "x"}, {"date": "2026-10-02", "description": "y"}]
    found = read({**body, "events": events})
    assert [row.event and row.event.date for row in found.rows] == ["2026-10-01", "2026-10-02"]
    assert "there is nothing to send" in read({**body, "events": []}).problems[0]
    (row,) = read({**body, "isDelivered": True, "events": []}).rows
    assert (row.event, row.is_delivered) == (None, True)
    assert "column date: empty" in read({**body, "events": [7]}).problems[0]
    assert "column invoice_number: missing" in read({"orderId": "1", "events": events[:1]}).problems[0]
    assert "column date: '10/01/2026'" not in read({**body, "events": [{**events[0], "date": "10/31/2026"}]}).problems


def test_order_of_day_and_month_is_decided_by_all_objects(read: Callable[..., Read]) -> None:
    """Also by those in arrays and request bodies; without a decision, the file is refused."""
    lines = [{**OBJECT, "date": "05/10/2026"}, {"events": [{"date": "31/10/2026"}, 7]}, {"date": 7}, OBJECT]
    text = "\n".join(['{"date": "31/12/', "[1]", *map(json.dumps, lines)])
    for content, line in ((text, 3), (json.dumps(lines), 1)):
        (row, _) = read(content, format="json" if line == 1 else "jsonl").rows
        assert row.place.line == line
        assert row.event is not None
        assert row.event.date == "2026-10-05"
    with pytest.raises(InputFileError, match=r"e\.json: column date: every date, such as '05/10/2026', can have"):
        read(lines[:1], "e.json")


def test_array_is_read_with_the_lines_of_its_objects(read: Callable[..., Read]) -> None:
    """Each object has the line on which it begins, and is kept as it was written; any other value is named."""
    one = json.dumps(OBJECT)
    two = one.replace(", ", ",\n")
    found = read(f"\ufeff\n [ {one} ,\n\n{two}\n,7 ]\n\x1a", "e.json")
    assert [row.place.line for row in found.rows] == [2, 4]
    assert [row.raw and row.raw.content for row in found.rows] == [one, two]
    assert found.problems == ["e.json:9: not a JSON object; a row must be one JSON object"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "e.json: no rows; give one JSON object a line, or an array of objects."),
        ("[\n1 2]", "e.json:2: not valid JSON (a comma or the end of the array is missing); no row of it is read."),
        ("[1,\n\n", "e.json:3: not valid JSON (Expecting value); no row of it is read."),
        ("[1]\n[2]", "e.json:2: not valid JSON (there is more after the end); no row of it is read."),
        ("{\n}\n{}", "e.json:3: not valid JSON (there is more after the end); no row of it is read."),
        ("[" * 100_000, tuple(f"e.json:1: not valid JSON ({why}" for why in ("maximum recursion", "Stack overflow"))),
    ],
)
def test_broken_array_is_refused_as_a_whole(
    read: Callable[..., Read], tmp_path: Path, text: str, said: str | tuple[str, ...]
) -> None:
    """What is no JSON is refused with its line, and no row is read line by line."""
    with pytest.raises(InputFileError) as caught:
        read(text, "e.json")
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(said)


def test_event_takes_no_day_or_place_from_its_order(read: Callable[..., Read]) -> None:
    """The day, the city and the status of an order are not those of an event in it that lacks them."""
    order = {"order_id": "1-01", "invoice_number": "1", "date": "2026-01-01", "city": "Recife", "status": "Entregue"}
    found = read({**order, "events": [{"description": "x"}, {"date": "2026-10-01", "description": "y"}]})
    assert [row.event for row in found.rows] == [TrackingEvent("2026-10-01", "y")]
    assert len(found.problems) == 1
    assert "column date: " in found.problems[0]
    found = read({**order, "events": [OBJECT]}, delivered_when={"Status": "entregue"})
    assert [row.is_delivered for row in found.rows] == [True]
    assert found.notes == []


@pytest.mark.parametrize("name", ["Events", "eventos", "EVENTOS"])
def test_list_of_events_has_usual_names(read: Callable[..., Read], name: str) -> None:
    """A list of events is not passed over because its name is in Portuguese or Spanish, or in capitals."""
    event = {"date": "05/10/2026", "description": "x"}
    body = {
        "orderId": "1-01",
        "invoiceNumber": "1",
        "isDelivered": True,
        name: [event, {**event, "date": "31/10/2026"}],
    }
    assert [row.event and row.event.date for row in read(body).rows] == ["2026-10-05", "2026-10-31", None]


def test_key_of_an_option_that_no_object_has(read: Callable[..., Read]) -> None:
    """A misspelt key would silently make no delivery; objects may leave a key out, so that it is only noted."""
    (note,) = read(OBJECT, delivered_when={"Statsu": "Entregue"}).notes
    assert note == "1: no object has the key 'Statsu', which the options name"
    assert read(OBJECT, mapping={"hour": "time"}).notes[0] == "1: no object has the key 'hour', which the options name"
