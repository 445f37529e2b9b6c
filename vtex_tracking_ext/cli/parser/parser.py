"""The parser of ``vtex-tracking``: every command with its options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from .bulk_commands import add_check, add_push, add_resolve, add_worker
from .journal_commands import add_migrate, add_report, add_status
from .shared_options import add_command, add_connection, add_json
from .value_types import port, positive, seconds

if TYPE_CHECKING:
    from .shared_options import Commands


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="vtex-tracking",
        description="Tell VTEX stores where their parcels are.",
        epilog="Exit status: 0 all applied, 1 some refused, 2 usage or input, 3 configuration or credentials, "
        "4 outcomes unknown remain, 5 incomplete (run again to resume), 130 interrupted.",
    )
    parser.add_argument("--version", action=ShowVersion, help="show program's version number and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_check(commands)
    add_push(commands)
    add_status(commands)
    add_resolve(commands)
    add_worker(commands)
    add_report(commands)
    add_migrate(commands)
    _add_update(commands)
    _add_deliver(commands)
    _add_packages(commands)
    _add_sandbox(commands)
    return parser


class ShowVersion(argparse.Action):
    """Prints the version. Reading it takes longer than everything else that ``--help`` needs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the versions of this package and of httptools, and exit."""
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see above

        numbers = []
        for name in ("vtex-tracking", "httptools"):
            try:
                numbers.append(version(name))
            except PackageNotFoundError:  # pragma: no cover - both are where the tests run
                numbers.append("not installed")
        print(f"{parser.prog} {numbers[0]} (httptools: {numbers[1]})")
        parser.exit()


def _add_update(commands: Commands) -> None:
    parser = add_command(commands, "single.update", "add events to one package in transit")
    _add_package(parser)
    _add_events(parser, required=True)
    add_connection(parser)


def _add_deliver(commands: Commands) -> None:
    parser = add_command(
        commands,
        "single.deliver",
        "report one package as delivered or picked up",
        "Treat it as final: VTEX documents no way to take a delivery back.",
    )
    _add_package(parser)
    parser.add_argument("--delivered-date", metavar="WHEN", help="yyyy-mm-dd hh:mm, or yyyy-mm-dd (default: none)")
    _add_events(parser, required=False)
    add_connection(parser)


def _add_packages(commands: Commands) -> None:
    parser = add_command(commands, "single.packages", "show the packages of an order, newest event first")
    parser.add_argument("order_id", metavar="ORDER_ID")
    add_json(parser, "JSON")
    add_connection(parser)


def _add_sandbox(commands: Commands) -> None:
    parser = add_command(
        commands,
        "sandbox.sandbox",
        "run a local server that behaves like VTEX's order system, with a web page",
        "It follows VTEX's documentation and known issues; it was not compared with responses of the real VTEX. "
        "Nothing is sent to VTEX, and the data is lost when it stops.",
    )
    parser.add_argument("--port", type=port, default=0, help="the port (default: any free one)")
    parser.add_argument("--rate-limit", type=positive, metavar="N", help="answer 429 above N calls a minute")
    parser.add_argument("--retry-after", type=positive, metavar="SECONDS", help="add Retry-After to a 429")
    text = "delay before an accepted event is shown (default: %(default)g)"
    parser.add_argument("--show-after", type=seconds, default=0.0, metavar="SECONDS", help=text)


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("order_id", metavar="ORDER_ID", help="such as 1172452900788-01")
    parser.add_argument("invoice_number", metavar="INVOICE_NUMBER", help="such as 000030711, with leading zeros")


def _add_events(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--event",
        dest="events",
        action="append",
        nargs="+",
        default=None if required else [],
        required=required,
        metavar=("DATE", "DESCRIPTION"),
        help="an event: DATE (yyyy-mm-dd) DESCRIPTION [CITY [STATE]]; repeatable, oldest first",
    )
