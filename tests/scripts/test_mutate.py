"""scripts/mutate compares surviving mutants with the listed ones. The mutation run takes minutes and is not tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

HALF = "call.retry._half: return 61"
OTHER = "call.retry._half: return 62"
DIFF = """--- vtex_tracking_ext/call/retry.py
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
    ("survivors", "listed", "modules", "expected"),
    [
        ([], [], ["call.retry"], ([], [])),
        ([HALF], [HALF], ["call.retry"], ([], [])),
        ([HALF], [], ["call.retry"], ([HALF], [])),
        ([], [HALF], ["call.retry"], ([], [HALF])),
        ([OTHER], [HALF], ["call.retry"], ([OTHER], [HALF])),
        ([], [HALF], ["call.validation", "call.retry_budget"], ([], [])),
    ],
    ids=["nothing", "listed", "not listed", "stale", "another mutant", "another module"],
)
def test_an_entry_covers_exactly_one_mutant(
    script: Any, survivors: list[str], listed: list[str], modules: list[str], expected: tuple[list[str], list[str]]
) -> None:
    """Survivors that are not listed and stale entries are both reported, for the modules that were mutated."""
    assert script.compare(survivors, listed, modules) == expected


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("errors.x_half__mutmut_7", "errors.half"),
        ("call.retry.x__half__mutmut_7", "call.retry._half"),
        ("call.retry.x_half__mutmut_12", "call.retry.half"),
        ("call.outcome.xǁStoryǁof__mutmut_7", "call.outcome.Story.of"),
        ("call.outcome.xǁStoryǁ__str____mutmut_1", "call.outcome.Story.__str__"),
    ],
)
def test_a_mutant_is_described_by_its_place_and_changed_lines(script: Any, name: str, place: str) -> None:
    """The description omits mutmut's number, because any edit of the function changes the numbers."""
    assert script.describe(name, DIFF) == f"{place}: return ( 61)"


def test_an_entry_without_a_reason_is_ignored(script: Any) -> None:
    """Only a mutant with an indented reason on the next line is an entry."""
    text = f"# Why.\n\n{HALF}\n    It is: enough.\n\n{OTHER}\ncall.retry._half: return 59\n"
    assert script.parse_equivalent(text) == {HALF: "It is: enough."}


def test_every_entry_of_the_project_is_parsed(script: Any) -> None:
    """Each entry in scripts/data/mutants.txt has a reason and names a module that is mutated."""
    text = script.EQUIVALENT.read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if line.strip() and line[0] not in "# "]
    assert list(script.parse_equivalent(text)) == entries
    assert all(entry.startswith(tuple(f"{module}." for module in script.MODULES)) for entry in entries)


def test_every_module_and_test_file_exists(script: Any) -> None:
    """The paths of the mutated modules and of the tests to run follow the package when modules move."""
    paths = [f"{script.PACKAGE}/{module.replace('.', '/')}.py" for module in script.MODULES]
    assert [path for path in [*paths, *(f"tests/{test}" for test in script.TESTS)] if not (ROOT / path).is_file()] == []


def test_the_results_give_each_mutant_its_status(script: Any) -> None:
    """The output of ``mutmut results`` is parsed into names without the package, and statuses."""
    lines = [
        "    vtex_tracking_ext.call.retry.x__half__mutmut_1: killed",
        "    vtex_tracking_ext.call.retry.x__half__mutmut_2: no tests",
    ]
    assert script.parse_results("\n".join(lines)) == {
        "call.retry.x__half__mutmut_1": "killed",
        "call.retry.x__half__mutmut_2": "no tests",
    }
