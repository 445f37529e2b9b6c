"""docs/compatibility.md lists the public names, exit statuses and versions of Python that exist."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import Final, Literal, get_origin

import pytest

from vtex_tracking_ext.cli.exit_codes import ExitCode

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
PUBLIC: Final = {
    module: re.findall(r"`(\w+)`", names)
    for module, names in re.findall(r"^\| `([\w.]+)` \| (.+) \|$", PAGE, re.MULTILINE)
}

#: Packages whose ``__all__`` only says what their modules share.
PRIVATE: Final = {
    "vtex_tracking_ext.bulk.journal.postgres",
    "vtex_tracking_ext.bulk.journal.sqlite",
    "vtex_tracking_ext.call",
}


def modules_with_all() -> set[str]:
    """Return the modules of the package that define ``__all__``."""
    found = set()
    for path in (ROOT / "vtex_tracking_ext").rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                found.add(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    return found


def test_every_module_with_public_names_is_listed() -> None:
    """A module with ``__all__`` is listed, or known to be private."""
    assert modules_with_all() - PUBLIC.keys() == PRIVATE


@pytest.mark.parametrize("name", PUBLIC)
def test_the_listed_names_are_those_of_the_module(name: str) -> None:
    """They equal ``__all__``; of a module without it, each listed name exists. All have docstrings, except types."""
    module = importlib.import_module(name)
    assert getattr(module, "__all__", PUBLIC[name]) == PUBLIC[name], f"update docs/compatibility.md: {module.__all__}"
    for each in PUBLIC[name]:
        value = getattr(module, each)
        assert value.__doc__ or get_origin(value) is Literal, each


def test_the_exit_statuses_are_those_of_the_command_line() -> None:
    """Each status is named once, in ascending order."""
    (listed,) = re.findall(r"exit statuses: (.+?)\. A new status", " ".join(PAGE.split()))
    assert [int(number) for number in re.findall(r"\d+", listed)] == list(ExitCode)


def test_the_versions_of_python_are_those_of_the_classifiers() -> None:
    """The page names the first and the last one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [each.rpartition(" ")[2] for each in project["classifiers"] if ":: Python :: 3." in each]
    assert f"the tests run with: {versions[0]} to {versions[-1]}." in " ".join(PAGE.split())
    assert project["requires-python"] == f">={versions[0]}"
