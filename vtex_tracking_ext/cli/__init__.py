"""The command line: thin. It parses, calls, prints; each command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import VtexTrackingError
from vtex_tracking_ext.text import visible

from .options import VERSION, add_commands
from .status import Status, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status (see :class:`.status.Status`)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show an accent must not end the run
            stream.reconfigure(errors="backslashreplace")
    parsed = _parser().parse_args(arguments)
    command = import_module(f".{parsed.module}", __name__)
    try:
        status: Status = getattr(command, parsed.function)(parsed)
        sys.stdout.flush()
    except VtexTrackingError as error:
        print(f"vtex-tracking {parsed.command}: {visible(str(error), 4000)}", file=sys.stderr)
        return status_of(error)
    except KeyboardInterrupt:
        print(f"vtex-tracking {parsed.command}: interrupted.", file=sys.stderr)
        return Status.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone: nothing more can be said, and Python must not try at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Status.INCOMPLETE
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vtex-tracking",
        description="Tell VTEX stores where their parcels are.",
        epilog="Exit status: 0 all applied, 1 some refused, 2 usage or input, 3 configuration or credentials, "
        "4 outcomes unknown remain, 5 incomplete (run again to resume), 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {VERSION}")
    add_commands(parser.add_subparsers(dest="command", required=True, metavar="COMMAND"))
    return parser
