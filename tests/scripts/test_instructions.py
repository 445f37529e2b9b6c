"""What an update and a plan cost, in instructions: no more than was written down."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def script(load_script: Callable[[str], Any]) -> Any:
    """The script as a module."""
    return load_script("instructions")


@pytest.mark.parametrize(
    ("counted", "said"),
    [(1000, None), (1049, None), (951, None), (1051, "+5% of 1,000"), (2000, "fix the regression"), (949, "is stale")],
)
def test_a_count_beyond_its_margin_is_told(script: Any, counted: int, said: str | None) -> None:
    """More is a regression, and much less makes the figure worthless."""
    verdicts = script.out_of_margin({"a": counted, "new": 5}, {"a": 1000})
    assert ("a" in verdicts) == (said is not None)
    assert (said or "") in verdicts.get("a", "")


def test_nothing_has_become_dearer(script: Any) -> None:
    """Counted now, on the Python and the processor for which figures were written down."""
    stored = json.loads(script.STORED_COUNTS.read_text(encoding="utf-8"))
    if script.platform_key() not in stored:
        pytest.skip(f"no figures were written down for {script.platform_key()}")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    counted = script.count_all()
    assert counted.keys() == stored[script.platform_key()].keys()
    assert script.out_of_margin(counted, stored[script.platform_key()]) == {}
