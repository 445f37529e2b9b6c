"""The command line: parses arguments, runs a command, prints. Each command imports what it needs when it runs."""

from __future__ import annotations

from importlib import import_module
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
        return _run(arguments)
    finally:
        output.finish()


def _run(arguments: Sequence[str] | None) -> ExitCode:
    parsed = build_parser().parse_args(arguments)
    try:
        module = import_module(f".{parsed.module}", __name__)
        exit_code: ExitCode = getattr(module, parsed.command.replace("-", "_"))(parsed)
    except VtexTrackingError as error:
        output.warn(f"vtex-tracking {parsed.command}: {visible(str(error), 4000)}")
        return exit_code_of(error)
    except KeyboardInterrupt:
        output.warn(f"vtex-tracking {parsed.command}: interrupted.")
        return ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001 - a bug of this program, at a time when a call may have been applied
        from traceback import format_exc  # noqa: PLC0415 - needed here only

        lines = [visible(line, 4000) for line in format_exc().splitlines()]
        output.warn(
            "\n".join(lines) + f"\nvtex-tracking {parsed.command}: internal error; calls in flight may have been "
            "applied or not. A push can be run again: it checks their outcome first."
        )
        return ExitCode.UNKNOWN
    return exit_code
