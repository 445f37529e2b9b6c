"""The environment variable that prints the log."""

from __future__ import annotations

import logging
import os
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import vtex_tracking_ext
from vtex_tracking_ext.config.log import print_log

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Return the package's logger; it is as before after the test."""
    logger = logging.getLogger("vtex_tracking_ext")
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.mark.parametrize(("level", "shown"), [("info", ["b"]), ("DEBUG", ["a", "b"])])
def test_the_log_is_printed_on_standard_error(
    logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    level: str,
    shown: list[str],
) -> None:
    """Each record of the level is one line, unless the application has a handler, which prints it."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    print_log(level)
    logger.debug("a")
    logger.info("b")
    logging.getLogger().addHandler(logging.NullHandler())
    logger.warning("c")
    captured = capsys.readouterr()
    assert [line.rpartition(": ")[2] for line in captured.err.splitlines()] == shown
    assert " INFO vtex_tracking_ext: b" in captured.err
    assert captured.out == ""


def test_another_level_is_reported(logger: logging.Logger) -> None:
    """It gives a warning, and nothing is printed."""
    before = list(logger.handlers)
    with pytest.warns(UserWarning, match="VTEX_TRACKING_LOG is 'loud': set it to debug or info"):
        print_log("loud")
    assert logger.handlers == before


@pytest.mark.parametrize(("value", "expected"), [("info", logging.INFO), ("", logging.NOTSET)])
def test_importing_the_package_reads_the_variable(value: str, expected: int) -> None:
    """The logger has the level of the variable as soon as the package is imported."""
    code = "import logging, vtex_tracking_ext; print(logging.getLogger('vtex_tracking_ext').level)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "VTEX_TRACKING_LOG": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{expected}\n"


def test_the_variable_is_read_when_the_package_is_imported(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same in this process, with the package's own code."""
    monkeypatch.setenv("VTEX_TRACKING_LOG", "debug")
    runpy.run_path(vtex_tracking_ext.__file__, run_name="vtex_tracking_ext")
    assert logger.level == logging.DEBUG
