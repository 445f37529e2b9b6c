"""What holds for every source of carrier events, checked with payloads that its test builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext.carriers import PayloadError, read, recognise

from support.carriers import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def check_rules(
    source: str, build: Callable[[Sequence[tuple[str, str]]], Any], code: str = "9999", tracking_code: str = "TC18"
) -> None:
    """Check order, repeated scans, an unknown code, an empty history, an event that cannot be read, and another shape.

    Args:
        source: The name of the source.
        build: Returns a payload with one package and the events that are given, in that order.
        code: A code that the table of the source does not contain.
        tracking_code: The tracking code that the payload names.
    """
    morning, evening = "2026-09-17T08:02:00", "2026-09-17T19:30:00"
    for times in ((morning, evening), (evening, morning, morning)):
        reading = read(source, build([(code, time) for time in times]))
        assert [event.occurred_at.replace(tzinfo=None).isoformat() for event in reading.events] == [morning, evening]
        assert len({event.event_id for event in reading.events}) == 2
        assert (statuses(reading), reading.unknown_codes) == (["unknown", "unknown"], (code,))
        assert {event.tracking_code for event in reading.events} == {tracking_code}
        assert all(event.event_id.startswith(f"{source}|{event.package}|") for event in reading.events)
    reading = read(source, build([]))
    assert (reading.events, reading.problems, reading.unknown_codes) == ((), (), ())
    reading = read(source, build([(code, evening), (code, "soon"), (code, morning)]))
    assert len(reading.events) == 2
    (problem,) = reading.problems
    assert str(problem).startswith(f"{source}: ")
    assert "is not a time" in problem.message
    with pytest.raises(PayloadError, match=f"^{source}: another shape; expected: "):
        read(source, b"<other><data/></other>" if isinstance(build([]), bytes | str) else {"other": []})
    assert recognise(build([(code, morning)])) == source
