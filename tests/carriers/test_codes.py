"""Code tables, and what a merchant says otherwise."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from vtex_tracking_ext import ConfigurationError
from vtex_tracking_ext.carriers import SOURCES, CarrierOptions, Status, load_table
from vtex_tracking_ext.carriers.codes import parse_options
from vtex_tracking_ext.carriers.registry import load_source


@pytest.mark.parametrize("name", SOURCES)
def test_table(name: str) -> None:
    """Each line of each table has a certainty and says where it was seen; each fact is used."""
    table = load_table(name)
    assert table.version >= 1
    assert all((table.title, table.shape, table.package))
    assert table.certainty in {"high", "good", "low"}
    assert {code.certainty for code in table.codes.values()} <= {"documented", "observed", "inferred"}
    assert {code.fact for code in table.codes.values()} <= table.facts.keys()
    assert (load_source(name).__doc__ or "").startswith(table.title.partition(" ")[0])


def test_merchant_says_otherwise() -> None:
    """A merchant's delivery codes replace those of the table; other statuses add to it; leading zeros do not count."""
    options = parse_options("ocoren", {"delivered": ["1", "24"], "exception": ["77"], "zone": "America/Manaus"})
    table = load_table("ocoren").with_options(options)
    assert set(table.delivered) == {"01", "24"}
    assert table.status("001") is Status.DELIVERED
    assert table.status("02") is Status.UNKNOWN
    assert table.status("77") is Status.EXCEPTION
    assert table.zone == ZoneInfo("America/Manaus")
    assert load_table("ocoren").with_options(CarrierOptions()) == load_table("ocoren")


@pytest.mark.parametrize(("hold", "seconds"), [("2h", 7200.0), ("0", 0.0), ("off", 0.0)])
def test_hold(hold: str, seconds: float) -> None:
    """A hold is a duration; 0 and off mean no hold."""
    options = parse_options("correios", {"hold": hold, "park": hold})
    assert (options.hold, options.park) == (seconds, seconds)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"delivery": ["01"]},
            "carriers.ssw: 'delivery' is not a setting; use texts, zone, hold, park, info_received, ",
        ),
        (
            {"delivered": "01"},
            "carriers.ssw: 'delivered': give a list of codes, each between quotes, such as ",
        ),
        ({"delivered": [1]}, "give a list of codes, each between quotes"),
        ({"delivered": ["1"], "returned": ["1"]}, "the code '1' has two statuses; give it one."),
        ({"delivered": ["01"], "returned": ["1"]}, "has two statuses; give it one."),
        ({"exception": ["77"], "returned": ["077"]}, "the code '77' has two statuses; give it one."),
        ({"texts": {"01": " "}}, "'texts': give a table with the text of each code, of at most 5000 printable"),
        ({"texts": {"01": "x" * 5001}}, "'texts': give a table with the text of each code"),
        ({"texts": {"01": 1}}, "'texts': give a table with the text of each code"),
        ({"texts": "x"}, "'texts': give a table with the text of each code"),
        ({"zone": "Brasilia"}, "zone is 'Brasilia', which is not known here"),
        ({"hold": "soon"}, "'hold' is not a duration such as 90s, 30m, 12h or 7d, or off."),
        ({"hold": 0}, "'hold' is not a duration"),
    ],
)
def test_setting_that_cannot_be_used(table: dict[str, Any], message: str) -> None:
    """A setting that cannot be used raises an error with its name and what it accepts."""
    with pytest.raises(ConfigurationError) as raised:
        parse_options("ssw", table)
    assert message in str(raised.value)


def test_unknown_source() -> None:
    """The error for an unknown source lists the sources."""
    with pytest.raises(ConfigurationError, match=r"'correio' is not a source: use ocoren, correios"):
        load_source("correio")
