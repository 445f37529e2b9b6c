"""The command line: thin. It parses, calls, prints; each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from . import output
from .exit_codes import Status, status_of
from .parser.commands import ShowVersion, add_commands

if TYPE_CHECKING:
    from collections.abc import Sequence


_OUR_MISTAKE = (
    "vtex-tracking {}: ended by a mistake of its own; what was on its way may have been applied or not. A push can be "
    "run again, and settles that first."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (see :class:`.status.Status`)."""
    output.prepare()
    try:
        return _run(arguments)
    finally:
        output.finish()


def _run(arguments: Sequence[str] | None) -> Status:
    parsed = _parser().parse_args(arguments)
    try:
        command = import_module(f".{parsed.module}", __name__)
        status: Status = getattr(command, parsed.function)(parsed)
    except VtexTrackingError as error:
        output.warn(f"vtex-tracking {parsed.command}: {visible(str(error), 4000)}")
        return status_of(error)
    except KeyboardInterrupt:
        output.warn(f"vtex-tracking {parsed.command}: interrupted.")
        return Status.INTERRUPTED
    except Exception:  # noqa: BLE001 - a mistake of this program: what was on its way may have been applied
        from traceback import format_exc  # noqa: PLC0415 - no command that goes well needs it

        lines = format_exc().splitlines()
        output.warn("\n".join([*(visible(line, 4000) for line in lines), _OUR_MISTAKE.format(parsed.command)]))
        return Status.UNKNOWN
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vtex-tracking",
        description="Tell VTEX stores where their parcels are.",
        epilog="Exit status: 0 all applied, 1 some refused, 2 usage or input, 3 configuration or credentials, "
        "4 outcomes unknown remain, 5 incomplete (run again to resume), 130 interrupted.",
    )
    parser.add_argument("--version", action=ShowVersion, help="show program's version number and exit")
    add_commands(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"))
    return parser
