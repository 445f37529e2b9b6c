"""All commands in scripts/: their help, docs/maintainers.md, and the type checker."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = sorted(path.name for path in (ROOT / "scripts").iterdir() if path.is_file())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_describes_the_command_and_does_nothing_else(
    name: str, load_script: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``--help`` prints the module's docstring, before an environment is created, and exits with status 0."""
    module = load_script(name)
    monkeypatch.setattr(module, "enter", pytest.fail, raising=False)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as caught:
        module.main()
    assert caught.value.code == 0
    assert module.__doc__.strip() in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_in_the_page_for_maintainers_and_is_type_checked(name: str) -> None:
    """docs/maintainers.md names it, and pyproject.toml lists it for mypy, which does not find it without a suffix."""
    page = (ROOT / "docs" / "maintainers.md").read_text(encoding="utf-8")
    assert re.search(rf"`scripts/{name}\b", page)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert f"scripts/{name}" in settings["files"]


def test_a_command_without_help_among_its_arguments_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """``answer_help`` returns if no argument asks for help."""
    environment = importlib.import_module("lib.environment")
    monkeypatch.setattr(sys, "argv", ["test", "tests/contract", "-k", "help"])
    environment.answer_help("A description.")
