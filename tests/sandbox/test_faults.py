"""The grammar of faults, and which request each of them hits."""

from __future__ import annotations

from typing import Any

import pytest

from vtex_tracking_ext.sandbox import Fault, Faults, parse_fault
from vtex_tracking_ext.sandbox.faults import FORMS, OPERATIONS


@pytest.mark.parametrize(
    ("text", "fault", "said"),
    [
        ("500", Fault(500), "500 before applying"),
        ("500-before", Fault(500), "500 before applying"),
        ("503-after", Fault(503, after_applying=True), "503 after applying"),
        ("408-after", Fault(408, after_applying=True), "408 after applying"),
        ("404", Fault(404), "404"),
        ("501", Fault(501), "501"),
        ("429=30", Fault(429, retry_after=30), "429 with Retry-After: 30"),
        ("429=0", Fault(429, retry_after=0), "429 with Retry-After: 0"),
        ("cut", Fault(after_applying=True), "connection cut after applying"),
        ("cut-after", Fault(after_applying=True), "connection cut after applying"),
        ("cut-before", Fault(), "connection cut before applying"),
        ("slow=0.5", Fault(delay=0.5), "answered 0.5 s late"),
        ("500:3", Fault(500, times=3), "500 before applying"),
        ("cut:always", Fault(after_applying=True, times=None), "connection cut after applying"),
        ("slow=30:2@get_packages", Fault(delay=30, times=2, operation="get_packages"), "answered 30 s late"),
        ("cut@send", Fault(after_applying=True, operation="send"), "connection cut after applying"),
    ],
)
def test_a_fault_is_parsed(text: str, fault: Fault, said: str) -> None:
    """Each form gives its fault, which has a name for the page."""
    assert parse_fault(text) == fault
    assert str(fault) == said


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("form", FORMS)
def test_each_form_can_be_of_each_operation(form: str, operation: str) -> None:
    """The examples in messages are valid, with each name of an operation."""
    assert parse_fault(f"{form}:2@{operation}").operation == operation


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not FAULT"),
        ("200", "is not FAULT"),
        ("5000", "is not FAULT"),
        ("slow", "is not FAULT"),
        ("cut=5", "is not FAULT"),
        ("429=0.5", "is not FAULT"),
        ("500-later", "is not FAULT"),
        ("500:", "is not FAULT"),
        ("500:-1", "is not FAULT"),
        ("500:twice", "is not FAULT"),
        ("500 ", "is not FAULT"),
        ("500\n", "is not FAULT"),
        ("500:0", "at least 1, not 0"),
        ("slow=0", "above 0 and at most 3600 seconds, not 0"),
        ("slow=3601", "above 0 and at most 3600 seconds, not 3601"),
        ("404-after", "refused with 404 is not applied"),
        ("501-after", "refused with 501 is not applied"),
        ("500@nothing", "'nothing' is not an operation: use send"),
    ],
)
def test_a_text_that_is_no_fault_is_refused(text: str, said: str) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(ValueError, match=said):
        parse_fault(text)


@pytest.mark.parametrize(
    ("values", "said"),
    [({"status": 200}, "from 400 to 599, not 200"), ({"status": 429, "retry_after": -1}, "at least 0 seconds, not -1")],
)
def test_a_value_out_of_range_is_refused(values: dict[str, Any], said: str) -> None:
    """These values cannot be written in the grammar, but in Python."""
    with pytest.raises(ValueError, match=said):
        Fault(**values)


def test_a_fault_hits_its_operation_as_often_as_asked_for() -> None:
    """Each request has the first fault for its operation; one that is used up does not come again."""
    twice, reading = Fault(500, times=2), Fault(503, operation="get_packages")
    faults = Faults([reading, twice])
    assert faults.take("send") == twice
    assert faults.waiting() == [reading, Fault(500, times=1)]
    assert faults.take("get_packages") == reading
    assert faults.take("get_packages") == Fault(500, times=1)
    assert faults.take("send") is None
    assert faults.waiting() == []


def test_a_fault_can_stay_until_it_is_removed() -> None:
    """Without a number of times, each request has it."""
    faults, always = Faults(), Fault(500, times=None)
    faults.add(always)
    assert [faults.take("send") for _ in range(3)] == [always] * 3
    faults.clear()
    assert faults.take("send") is None
