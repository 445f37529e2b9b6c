"""scripts/walks: a call and a row stay easy to follow through the code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import pytest

from vtex_tracking_ext.config import redaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: The largest accepted counts: calls, functions, files, changes of file. Lower them when the code gets simpler.
BOUNDS: Final = {
    "update()": (126, 93, 24, 50),
    "update() answered with 500": (146, 107, 24, 52),
    "push() of one row": (910, 420, 64, 408),
    "vtex-tracking push FILE": (1840, 700, 106, 780),
}


@pytest.fixture
def script(load_script: Callable[[str], Any]) -> Any:
    """Return scripts/walks as a module."""
    return load_script("walks")


def test_counts_stay_within_their_bounds(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No operation runs through more calls, functions, files or changes of file than its bounds allow."""
    monkeypatch.setattr(redaction, "_redactors", WeakSet())  # those of other tests would be applied to each line
    counts = script.count_walks()
    assert counts.keys() == BOUNDS.keys()
    above = {
        name: f"{tuple(counts[name])}, but at most {bounds}"
        for name, bounds in BOUNDS.items()
        if any(number > bound for number, bound in zip(counts[name], bounds, strict=True))
    }
    assert above == {}


def test_only_functions_of_the_package_are_counted(
    script: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two made-up files of the counted folder call each other; the test's own functions add nothing."""
    folder = tmp_path / "counted"
    monkeypatch.setattr(script, "COUNTED_FOLDERS", (f"{folder}{os.sep}",))
    names: dict[str, Any] = {}
    exec(compile("def low(): pass", folder / "low.py", "exec"), names)  # noqa: S102 - made up here
    exec(compile("def high(): low(); low()", folder / "high.py", "exec"), names)  # noqa: S102 - made up here

    def outside() -> None:
        names["high"]()

    recorder = script.CallRecorder()
    with recorder.recording():
        outside()
    assert tuple(recorder.counts()) == (3, 2, 2, 2)
