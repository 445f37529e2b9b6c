"""The command line: parses arguments, runs a command, prints. Each command imports what it needs when it runs."""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import redirect_stderr
from importlib import import_module
from io import StringIO
from itertools import takewhile
from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from . import output
from .exit_codes import ExitCode, exit_code_of
from .parser.commands import build_parser

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (see :class:`.exit_codes.ExitCode`)."""
    output.prepare()
    try:
        exit_code = _run(sys.argv[1:] if arguments is None else arguments)
        output.end_quiet(is_well=exit_code is ExitCode.OK)
        return exit_code
    finally:
        output.finish()


def _run(arguments: Sequence[str]) -> ExitCode:
    parsed = _parse(arguments)
    output.configure(parsed)
    try:
        module = import_module(f".{parsed.module}", __name__)
        exit_code: ExitCode = getattr(module, parsed.command.replace("-", "_"))(parsed)
    except VtexTrackingError as error:
        exit_code = exit_code_of(error)
        output.fail(parsed.command, visible(str(error), 4000), type(error).__name__, exit_code)
    except KeyboardInterrupt:
        exit_code = ExitCode.INTERRUPTED
        output.fail(parsed.command, "interrupted.", "KeyboardInterrupt", exit_code)
    except Exception as error:  # noqa: BLE001 - a bug of this program, at a time when a call may have been applied
        from traceback import format_exc  # noqa: PLC0415 - needed here only

        lines = [visible(line, 4000) for line in format_exc().splitlines()]
        exit_code = ExitCode.UNKNOWN
        message = (
            "internal error; calls in flight may have been applied or not. A push can be run again: it checks their "
            "outcome first."
        )
        output.fail(parsed.command, message, type(error).__name__, exit_code, "\n".join(lines))
    return exit_code


def _parse(arguments: Sequence[str]) -> Namespace:
    """Parse the arguments. With ``--json``, also a usage error is printed as JSON.

    Raises:
        SystemExit: They are invalid, or ask for help or the version.
    """
    options = [*takewhile("--".__ne__, arguments)]
    if "--json" not in options:
        return build_parser().parse_args(arguments)
    messages = StringIO()
    try:
        with redirect_stderr(messages):
            return build_parser().parse_args(arguments)
    except SystemExit as end:
        if end.code:
            line, _, _ = messages.getvalue().partition("\n")  # the next one names --help
            _, _, message = line.partition(": error: ")
            command = next((option for option in options if not option.startswith("-")), "")
            output.configure(Namespace(json=True, quiet=False))
            output.fail(command, message, "UsageError", ExitCode.USAGE)
        raise
