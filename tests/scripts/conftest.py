"""Fixtures of the tests of scripts/."""

from __future__ import annotations

import importlib
import signal
import sys
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from typing import TYPE_CHECKING, Any

import pytest

from support.commands import Ran
from support.scratch import ROOT, Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def restored_signals() -> Iterator[None]:
    """Restore the handlers of signals, which some commands replace for the rest of their process."""
    numbers = [
        number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
    ]
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def load_script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Return a function that loads a command of scripts/ as a module, which does not enter an environment."""
    scripts = ROOT / "scripts"
    monkeypatch.syspath_prepend(str(scripts))
    monkeypatch.setattr(importlib.import_module("lib.environment"), "enter", lambda _: None)

    def load(name: str) -> Any:
        loader = SourceFileLoader(name, str(scripts / name))
        spec = spec_from_loader(loader.name, loader)
        assert spec is not None
        module = module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        loader.exec_module(module)
        return module

    return load


@pytest.fixture
def run_script(load_script: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a function that runs the ``main`` of a command, given its name and arguments, in this process."""

    def run(name: str, *arguments: object) -> Ran:
        try:
            status = load_script(name).main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                sys.stderr.write(f"{end.code}\n")
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def scratch(tmp_path: Path, run_script: Callable[..., Ran]) -> Scratch:
    """Return a copy of the contract and its generated tree."""
    return Scratch(tmp_path, partial(run_script, "regenerate"))
