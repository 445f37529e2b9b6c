"""scripts/instructions: an update and a plan cost no more instructions than the stored counts."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def script(load_script: Callable[[str], Any]) -> Any:
    """Return the script as a module."""
    return load_script("instructions")


@pytest.mark.parametrize(
    ("counted", "message"),
    [(1000, None), (1049, None), (951, None), (1051, "+5% of 1,000"), (2000, "fix the regression"), (949, "is stale")],
)
def test_a_count_outside_its_margin_is_reported(script: Any, counted: int, message: str | None) -> None:
    """A higher count is a regression; a much lower one means that the stored count is stale."""
    messages = script.out_of_margin({"a": counted, "new": 5}, {"a": 1000})
    assert ("a" in messages) == (message is not None)
    assert (message or "") in messages.get("a", "")


def test_no_count_has_increased(script: Any) -> None:
    """The current counts are within the margin, on a Python and a processor with stored counts."""
    stored = json.loads(script.STORED_COUNTS.read_text(encoding="utf-8"))
    if script.platform_key() not in stored:
        pytest.skip(f"no counts are stored for {script.platform_key()}")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    counted = script.count_all()
    assert counted.keys() == stored[script.platform_key()].keys()
    assert script.out_of_margin(counted, stored[script.platform_key()]) == {}
