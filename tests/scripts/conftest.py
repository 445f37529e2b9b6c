"""Fixtures of the scripts' tests."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import TYPE_CHECKING, Any

import pytest

from support.scratch import ROOT, Scratch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """Return a copy of the contract and its generated tree."""
    return Scratch(tmp_path)


@pytest.fixture
def load_script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that gives a script as a module."""

    def load(name: str) -> Any:
        monkeypatch.syspath_prepend(str(ROOT / "scripts"))
        loader = SourceFileLoader(name, str(ROOT / "scripts" / name))
        spec = spec_from_loader(loader.name, loader)
        assert spec is not None
        module = module_from_spec(spec)
        loader.exec_module(module)
        return module

    return load
