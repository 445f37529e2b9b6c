"""Every command with its arguments. Imports nothing heavy, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from typing import Any

from .bulk_options import add_check, add_push, add_resolve, add_worker
from .journal_options import add_migrate, add_report, add_status
from .options import add_connection, command, port, positive, seconds


class ShowVersion(argparse.Action):
    """Prints the version; finding it out takes longer than everything else that ``--help`` needs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print it, and end."""
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see above

        numbers = []
        for name in ("vtex-tracking", "httptools"):
            try:
                numbers.append(version(name))
            except PackageNotFoundError:  # pragma: no cover - both are where the tests run
                numbers.append("not installed")
        print(f"{parser.prog} {numbers[0]} (httptools: {numbers[1]})")
        parser.exit()


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add every command."""
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


def _add_update(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = command(commands, "update", "single:update", "add events to one package that is on its way", "")
    _add_package(parser)
    _add_events(parser, required=True)
    add_connection(parser)


def _add_deliver(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = command(
        commands,
        "deliver",
        "single:deliver",
        "report one package as delivered or picked up",
        "Treat it as final: nothing public shows that a delivery can be taken back.",
    )
    _add_package(parser)
    parser.add_argument(
        "--delivered-date", metavar="WHEN", help="yyyy-mm-dd hh:mm, or yyyy-mm-dd; never taken from an event"
    )
    _add_events(parser, required=False)
    add_connection(parser)


def _add_packages(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = command(commands, "packages", "single:packages", "show the packages of an order, newest event first", "")
    parser.add_argument("order_id", metavar="ORDER_ID")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_connection(parser)


def _add_sandbox(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = command(
        commands,
        "sandbox",
        "sandbox:sandbox",
        "run a stand-in for VTEX's order system on this machine, with a page to look at",
        "It behaves as VTEX's documentation and known issues say; no answer of the real VTEX went into it. Nothing "
        "reaches VTEX, and its data is gone when it ends.",
    )
    parser.add_argument("--port", type=port, default=0, help="the port (0, that is any free one)")
    parser.add_argument("--rate-limit", type=positive, metavar="N", help="answer 429 above N calls a minute")
    parser.add_argument(
        "--retry-after", type=positive, metavar="SECONDS", help="say so in Retry-After with a 429 (not said)"
    )
    parser.add_argument(
        "--show-after", type=seconds, default=0.0, metavar="SECONDS", help="until an accepted event shows (0)"
    )


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("order_id", metavar="ORDER_ID", help="such as 1172452900788-01")
    parser.add_argument("invoice_number", metavar="INVOICE_NUMBER", help="such as 000030711; leading zeros count")


def _add_events(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--event",
        dest="events",
        action="append",
        nargs="+",
        default=None if required else [],
        required=required,
        metavar=("DATE", "DESCRIPTION"),
        help="an event: DATE (yyyy-mm-dd) DESCRIPTION [CITY [STATE]]; may be given again, oldest first",
    )
