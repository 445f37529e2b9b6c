"""Tests of rows that a program passes."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import TrackingEvent, TrackingUpdate
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.python_rows import SOURCE, check_rows
from vtex_tracking_ext.bulk.input.rows import Place, Row, RowNote, RowProblem

from support.journaled import row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vtex_tracking_ext.bulk.input.python_rows import RowInput

NOW = dt.datetime(2026, 11, 25, 1, 0, tzinfo=dt.UTC)
EVENT = TrackingEvent("2026-10-01", "Coletado", "Curitiba", "PR")
MAPPING: dict[str, Any] = {
    "order_id": "1-01",
    "invoice_number": "1",
    "date": "2026-10-01",
    "description": "Coletado",
    "city": "Curitiba",
    "state": "PR",
}


def read(*given: RowInput, **options: Any) -> list[Row | RowProblem | RowNote]:
    """Return the checked rows, problems and notes of some items."""
    return list(check_rows(given, NOW, Layout(**options)))


def expected(event: TrackingEvent | None = EVENT, line: int = 1, **changes: Any) -> Row:
    """Return the row that MAPPING makes, with changes."""
    return Row(
        Place(SOURCE, line), "", "1-01", "1", event, **{"is_delivered": False, "delivered_date": None, **changes}
    )


def test_rows_and_problems_pass_unchanged() -> None:
    """Rows, problems and notes, as read_rows yields them, pass unchanged."""
    problem, note = RowProblem(Place("f.csv", 3), "date", "wrong"), RowNote(Place("f.csv", 4), "a note")
    assert read(row(2, "a"), problem, note) == [row(2, "a"), problem, note]


def test_mapping_makes_a_row() -> None:
    """A mapping in either spelling, with dates as objects or as text, makes a row whose place counts from 1."""
    vtex = {"orderId": "1-01", "invoiceNumber": "1", "date": dt.date(2026, 10, 1), "description": "Coletado"}
    assert read(MAPPING, {**vtex, "city": "Curitiba", "state": "PR"}) == [expected(), expected(line=2)]
    moment = dt.datetime(2026, 10, 2, 21, 15, tzinfo=dt.UTC)
    for name, value, told in (
        ("delivered_date", moment, "2026-10-02 21:15"),
        ("deliveredDate", dt.date(2026, 10, 2), "2026-10-02"),
        ("delivered_date", "2026-10-02 21:15", "2026-10-02 21:15"),
    ):
        (found,) = read({**MAPPING, "is_delivered": True, name: value})
        assert found == expected(is_delivered=True, delivered_date=told)


def test_event_datetime_keeps_its_own_day() -> None:
    """An event's datetime becomes its own calendar day and time, without a time zone shift."""
    late = dt.datetime(2026, 10, 1, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    assert read({**MAPPING, "date": late}) == [expected(time="23:30")]


@pytest.mark.parametrize("time", [dt.time(9, 5), dt.time(9, 5, tzinfo=dt.UTC), "09:05", "09:05:00"])
def test_time_may_be_an_object(time: dt.time | str) -> None:
    """A time of day may be a datetime.time or text, and is not shifted; a datetime is not a time of day."""
    assert read({**MAPPING, "time": time, "eventId": "BDE-01"}) == [expected(time="09:05", event_id="BDE-01")]
    assert read({**MAPPING, "TIME": dt.time(9, 5, 30, 999)}) == [expected(time="09:05:30")]
    (problem,) = read({**MAPPING, "time": dt.datetime(2026, 10, 1, 9, 5, tzinfo=dt.UTC)})
    assert str(problem) == (
        "rows:1: column time: '2026-10-01 09:05:00+00:00' is not a time of day in the form hh:mm or hh:mm:ss, "
        "such as 09:05"
    )


def test_future_is_decided_in_the_delivery_time_zone() -> None:
    """A delivered date is compared with the current time in its own time zone, and refused only if it is later."""
    tokyo = dt.timezone(dt.timedelta(hours=9))
    for hour, is_fine in ((9, True), (11, False)):
        moment = dt.datetime(2026, 11, 25, hour, 0, tzinfo=tokyo)
        (found,) = read({**MAPPING, "is_delivered": True, "delivered_date": moment})
        assert isinstance(found, Row) is is_fine


def test_all_problems_of_a_mapping_are_reported() -> None:
    """Every problem of a mapping is reported with the position of the row."""
    found = read(MAPPING, {**MAPPING, "date": "1/10/2026", "invoice_number": 7, "colour": "red"})
    problems = [item for item in found if isinstance(item, RowProblem)]
    assert {(p.place.line, p.column) for p in problems} == {(2, "date"), (2, "invoice_number")}
    (note,) = (item for item in found if isinstance(item, RowNote))
    assert str(note.message) == "key 'colour' is passed over, because it is not known"


@pytest.mark.parametrize("what", [None, 7, "text", [EVENT]])
def test_item_of_another_type_is_a_problem(what: Any) -> None:
    """An item that is neither a mapping nor an update is reported with its type."""
    (problem,) = read(what)
    assert isinstance(problem, RowProblem)
    assert f"{type(what).__name__} is not a row" in problem.message


def test_update_makes_a_row_for_each_event_and_the_delivery() -> None:
    """A TrackingUpdate makes one row for each event, and one for its delivery."""
    update = TrackingUpdate("1-01", "1", [EVENT, EVENT], is_delivered=True, delivered_date=dt.date(2026, 10, 2))
    delivery = expected(None, is_delivered=True, delivered_date="2026-10-02")
    assert read(update) == [expected(), expected(), delivery]
    assert read(TrackingUpdate("1-01", "1", [EVENT])) == [expected()]
    assert read(TrackingUpdate("1-01", "1", is_delivered=True)) == [expected(None, is_delivered=True)]


def test_all_problems_of_an_update_are_reported() -> None:
    """Every problem of an update is reported at its place in the update, and none of its rows is yielded."""
    found = read(TrackingUpdate("1 01", "1", [EVENT, TrackingEvent("soon", "")]))
    assert [item.column for item in found if isinstance(item, RowProblem)] == [
        "order_id",
        "events[1].description",
        "events[1].date",
    ]
    assert len(found) == 3


def test_layout_applies_to_mappings() -> None:
    """Names, dates and numbers of mappings are read as a layout says."""
    given = {"Pedido": "1-01", "NF": "7", "Dia": "05/10/2026", "Ocorr\xeancia": "Entregue", "colour": "red"}
    options = {"mapping": {"Dia": "date"}, "date_format": "dd/mm/yyyy", "pad": {"invoice_number": 3}, "strict": False}
    (found, _) = read(given, **options, delivered_when={"ocorrencia": "Entregue"})
    assert isinstance(found, Row)
    assert (found.invoice_number, found.event, found.is_delivered) == (
        "007",
        TrackingEvent("2026-10-05", "Entregue"),
        True,
    )
    assert isinstance(read({**given, "Dia": "05/10/2026"}, mapping={"Dia": "date"})[0], RowProblem)


def reader(text: str) -> csv.DictReader[str]:
    """Return the rows of a text as csv.DictReader yields them."""
    return csv.DictReader(io.StringIO(text))


def test_rows_of_a_dict_reader() -> None:
    """They mean what the command line reads from the same file: flags, empty cells, missing and surplus cells."""
    header = "order_id,invoice_number,date,city,state,description,is_delivered\n"
    line = "1-01,1,2026-10-01,Curitiba,PR,Coletado,"
    text = f"{header}{line}True\n{line}\n{line[:-1]}\n{line}0,\n{line}0,x\n"
    *rows, problem = check_rows(reader(text), NOW, Layout())
    assert rows == [expected(line=number, is_delivered=number == 1) for number in range(1, 5)]
    assert str(problem) == "rows:5: more cells than the header has; quote a cell that contains the delimiter"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("events.csv", "rows is str, not rows: read a file with push(read_rows(path, now), ...)"),
        (b"events.csv", "rows is bytes, not rows: read a file"),
        (
            Path("events.csv"),
            "not rows: read a file with push(read_rows(path, now), ...), from vtex_tracking_ext.bulk.input",
        ),
        (MAPPING, "rows is dict, not rows: pass a list with it: push([row], ...)"),
        (row(1, "a"), "rows is Row, not rows: pass a list with it"),
        (TrackingUpdate("1-01", "1", [EVENT]), "rows is TrackingUpdate, not rows: pass a list with it"),
        (7, "rows is int, not rows: pass a list of dictionaries, a data frame, or TrackingUpdate objects"),
        (None, "rows is NoneType, not rows: pass a list"),
    ],
)
def test_what_is_no_rows_raises_with_the_right_call(rows: Any, said: str) -> None:
    """A path, a text, a single row and the like raise TypeError at once, with what to pass instead."""
    with pytest.raises(TypeError) as caught:
        check_rows(rows, NOW, Layout())
    assert said in str(caught.value)


class Series:
    """Stands in for a column of pandas or Polars."""

    def to_frame(self) -> None:
        """Return the data frame, which is not needed here."""

    def __iter__(self) -> Iterator[int]:
        return iter([1])


class PandasFrame:
    """Stands in for a data frame of pandas: the names of columns may be anything, rows are tuples."""

    columns = (*MAPPING, "is_delivered", 7)
    dtypes = ()

    def __init__(self, *rows: tuple[object, ...]) -> None:
        self._rows = rows

    def itertuples(self, *, index: bool, name: None) -> Iterator[tuple[object, ...]]:
        """Return the rows."""
        assert (index, name) == (False, None)
        return iter(self._rows)


class PolarsFrame:
    """Stands in for a data frame of Polars: rows are dictionaries."""

    columns = tuple(MAPPING)
    dtypes = ()

    def iter_rows(self, *, named: bool) -> Iterator[dict[str, object]]:
        """Return the rows."""
        assert named
        return iter([MAPPING])


class LazyFrame:
    """Stands in for a query of Polars that was not run."""

    columns = tuple(MAPPING)
    dtypes = ()


class NAType:
    """Stands in for pandas' NA, whose comparisons have no truth value."""

    def __ne__(self, other: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


class Odd(NAType):
    """A value of a caller's own class."""

    def __bool__(self) -> bool:
        raise ValueError("odd")


def test_data_frames() -> None:
    """Each row is read; numbers of a frame are text, because it cannot say whether a column holds digits."""
    moment = dt.datetime(2026, 10, 1, 9, 5)  # noqa: DTZ001 - as frames have them
    missing = float("nan")
    frame: Any = PandasFrame(
        ("1-01", 1, moment, "Coletado", "Curitiba", "PR", True, missing),
        ("1-01", 1.0, "2026-10-01", "Coletado", missing, NAType(), None, missing),
    )
    one, _, two, _ = check_rows(frame, NOW, Layout())
    assert one == expected(time="09:05", is_delivered=True)
    assert two == expected(TrackingEvent("2026-10-01", "Coletado"), 2)
    polars: Any = PolarsFrame()
    assert list(check_rows(polars, NOW, Layout())) == [expected()]
    (problem,) = read({**MAPPING, "city": Odd()})
    assert isinstance(problem, RowProblem)
    assert problem.column == "city"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Series(), "rows is Series, not rows: pass the data frame, or dictionaries: push(frame, ...)"),
        (LazyFrame(), "rows is LazyFrame, not rows: pass a list of dictionaries, a data frame, or TrackingUpdate"),
    ],
)
def test_a_column_or_a_query_raises(value: Any, said: str) -> None:
    """A single column, and a query that was not run, raise TypeError with what to pass instead."""
    with pytest.raises(TypeError, match=re.escape(said)):
        check_rows(value, NOW, Layout())


def test_values_of_numpy() -> None:
    """Scalars of NumPy are read as Python's own types; a time of NumPy may count nanoseconds."""

    class Scalar:
        __module__ = "numpy"

        def __init__(self, value: object, kind: str) -> None:
            self._value = value
            self.dtype = SimpleNamespace(kind=kind)

        def astype(self, name: str) -> Scalar:
            assert name == "datetime64[us]"
            return Scalar(dt.datetime(2026, 10, 1), "O")  # noqa: DTZ001 - as NumPy has them

        def item(self) -> object:
            return self._value

    (found,) = read({**MAPPING, "is_delivered": Scalar(1, "b"), "date": Scalar(1790812800000000000, "M")})
    assert found == expected(is_delivered=True)


def test_frames_of_pandas() -> None:
    """Timestamps, NaN, NA, NaT, integers and booleans of a real data frame of pandas."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "order_id": ["1-01", "1-01"],
            "invoice_number": [7, None],
            "date": pandas.to_datetime(["2026-10-01T00:00", "2026-10-02T09:05"]),
            "description": ["Coletado", "Entregue"],
            "city": ["Curitiba", float("nan")],
            "is_delivered": [False, True],
            "delivered_date": pandas.to_datetime([None, "2026-10-02 10:00"]),
        }
    )
    one, note, problem = check_rows(frame, NOW, Layout())
    assert isinstance(one, Row)
    assert (one.invoice_number, one.event) == ("7", TrackingEvent("2026-10-01", "Coletado", "Curitiba"))
    assert isinstance(note, RowNote)
    assert isinstance(problem, RowProblem)
    assert problem.column == "invoice_number"
    frame["invoice_number"] = ["7", "8"]
    _, two = check_rows(frame, NOW, Layout())
    assert isinstance(two, Row)
    assert (two.time, two.is_delivered, two.delivered_date) == ("09:05", True, "2026-10-02 10:00")
    numpy = pytest.importorskip("numpy")
    (found,) = read({**MAPPING, "date": numpy.datetime64("2026-10-01T00:00:00.000000000"), "is_delivered": numpy.True_})
    assert found == expected(is_delivered=True)
    with pytest.raises(TypeError, match="pass the data frame"):
        check_rows(frame["city"], NOW, Layout())


def test_frames_of_polars() -> None:
    """Datetimes, nulls, integers and booleans of a real data frame of Polars."""
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(
        {
            "order_id": ["1-01"],
            "invoice_number": [1],
            "date": [dt.datetime(2026, 10, 1, 9, 5)],  # noqa: DTZ001 - as frames have them
            "description": ["Coletado"],
            "city": ["Curitiba"],
            "state": ["PR"],
            "is_delivered": [True],
            "delivered_date": [None],
        }
    )
    assert list(check_rows(frame, NOW, Layout())) == [expected(time="09:05", is_delivered=True)]
    for wrong in (frame["city"], frame.lazy()):
        with pytest.raises(TypeError, match=r"^rows is (?:Series|LazyFrame), not rows: pass"):
            check_rows(wrong, NOW, Layout())


def test_frame_with_two_columns_of_one_name() -> None:
    """A row of the frame would hold only one of the two values."""

    class Frame:
        columns = ("order_id", "date", "date")
        dtypes = ()

        def itertuples(self, *, index: bool, name: None) -> Iterator[tuple[str, ...]]:
            raise NotImplementedError

    with pytest.raises(TypeError, match="rows is Frame with two columns of one name: rename or drop one"):
        check_rows(Frame(), NOW, Layout())  # type: ignore[arg-type]


def test_events_in_a_tuple_and_a_key_that_no_row_has() -> None:
    """A tuple of events is a list of events; a misspelt key of the rule for deliveries is noted."""
    order = {"order_id": "1-01", "invoice_number": "1", "events": ({"date": "2026-10-01", "description": "x"},)}
    row, note = check_rows([order], NOW, Layout(delivered_when={"Statsu": "x"}))
    assert isinstance(row, Row)
    assert row.event is not None
    assert isinstance(note, RowNote)
    assert note.message == "no object has the key 'Statsu', which the options name"
