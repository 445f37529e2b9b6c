"""The lock files in scripts/data: their contents, and the agreement of the lowest versions with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = ROOT / "scripts" / "data"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIREMENTS = [
    Requirement(text)
    for group in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for text in group
    if not text.startswith(PROJECT["name"])
]


@pytest.mark.parametrize("path", sorted(DATA.glob("requirements-*.txt")), ids=lambda path: path.stem)
def test_a_lock_file_has_hashes_and_no_addresses(path: Any) -> None:
    """Every package has an exact version and hashes; no line names a registry."""
    text = path.read_text(encoding="utf-8")
    packages = re.findall(r"^[\w.-]+==\S+.*(?:\n +--hash=sha256:[0-9a-f]{64}.*)+", text, re.MULTILINE)
    assert packages
    assert "\n".join(packages) == text.strip()


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    """If a lower bound changes, ``scripts/lock`` must run again, so that the tests run with that version."""
    lock = (DATA / "requirements-lowest.txt").read_text(encoding="utf-8")
    locked = {name: Version(version) for name, version in re.findall(r"^([\w.-]+)==(\S+)", lock, re.MULTILINE)}
    for requirement in REQUIREMENTS:
        (bound,) = (each.version for each in requirement.specifier if each.operator == ">=")
        assert locked[requirement.name] == Version(bound), f"{requirement}: run scripts/lock"


def test_the_lowest_version_of_each_dependency_is_tested(load_script: Callable[[str], Any]) -> None:
    """``scripts/test_lowest`` names existing files and folders, and at least one for each dependency."""
    tests: dict[str, str] = load_script("test_lowest").TESTS
    assert [path for path in tests if not (ROOT / path).exists()] == []
    assert {requirement.name for requirement in REQUIREMENTS} <= {
        name for text in tests.values() for name in text.split()
    }
