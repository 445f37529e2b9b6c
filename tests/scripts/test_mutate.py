"""What survived a mutation run, held against what is explained. The run itself takes minutes and is not tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

HALF = "retry._half: return 61"
DIFFERENCE = """--- vtex_tracking_ext/call/retry.py
+++ vtex_tracking_ext/call/retry.py
@@ -1,5 +1,5 @@
 def _half() -> int:
-    return (60)
+    return (
+        61)
"""


@pytest.fixture
def script(load_script: Callable[[str], Any]) -> Any:
    """Return the script as a module."""
    return load_script("mutate")


@pytest.mark.parametrize(
    ("survived", "explained", "modules", "verdict"),
    [
        ([], [], ["retry"], ([], [])),
        ([HALF], [HALF], ["retry"], ([], [])),
        ([HALF], [], ["retry"], ([HALF], [])),
        ([], [HALF], ["retry"], ([], [HALF])),
        (["retry._half: return 62"], [HALF], ["retry"], (["retry._half: return 62"], [HALF])),
        ([], [HALF], ["limits", "retry_budget"], ([], [])),
    ],
    ids=["nothing", "explained", "not explained", "stale", "another change", "another module"],
)
def test_an_explanation_covers_one_change_and_no_other(
    script: Any, survived: list[str], explained: list[str], modules: list[str], verdict: tuple[list[str], list[str]]
) -> None:
    """What is not explained and what is explained in vain are both told, of the modules that were run."""
    assert script.compare(survived, explained, modules) == verdict


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("retry.x__half__mutmut_7", "retry._half"),
        ("retry.x_half__mutmut_12", "retry.half"),
        ("outcome.xǁStoryǁof__mutmut_7", "outcome.Story.of"),
        ("outcome.xǁStoryǁ__str____mutmut_1", "outcome.Story.__str__"),
    ],
)
def test_a_change_is_named_by_its_place_and_its_new_lines(script: Any, name: str, place: str) -> None:
    """mutmut's number is not part of it, because any edit of the function moves the numbers."""
    assert script.change(name, DIFFERENCE) == f"{place}: return ( 61)"


def test_an_explanation_is_a_change_and_its_reason_below(script: Any) -> None:
    """A change without a reason is not explained."""
    text = f"# Why.\n\n{HALF}\n    It is: enough.\n\nretry._half: return None\nretry._half: return 59\n"
    assert script.explanations(text) == {HALF: "It is: enough."}


def test_every_explanation_of_the_project_is_read(script: Any) -> None:
    """Each has its reason, and speaks of a module that is mutated."""
    text = script.EXPLAINED.read_text(encoding="utf-8")
    explained = script.explanations(text)
    changes = [line for line in text.splitlines() if line.strip() and line[0] not in "# "]
    assert list(explained) == changes
    assert {change.partition(".")[0] for change in changes} <= set(script.MODULES)


def test_a_listing_gives_each_mutant_its_status(script: Any) -> None:
    """As mutmut prints it."""
    lines = [
        "    vtex_tracking_ext.call.retry.x__half__mutmut_1: killed",
        "    vtex_tracking_ext.call.retry.x__half__mutmut_2: no tests",
    ]
    assert script.results("\n".join(lines)) == {
        "retry.x__half__mutmut_1": "killed",
        "retry.x__half__mutmut_2": "no tests",
    }
