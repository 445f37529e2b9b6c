"""The commands that read or prepare a journal: status, report, migrate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import STATES

from .shared_options import add_account_filter, add_command, add_journal, add_json
from .value_types import non_empty

if TYPE_CHECKING:
    from .shared_options import Commands


def add_status(commands: Commands) -> None:
    """Add the command status."""
    parser = add_command(
        commands,
        "status.status",
        "show how many events of the journal are in which state, and what to do next",
        "Reads the journal only, also while a push is running. Exit status: 4 if outcomes are unknown (or in flight "
        "after a push was killed), else 5 if not everything was sent, else 1 if some were refused, else 0.",
    )
    add_journal(parser)
    add_account_filter(parser)
    add_json(parser, "JSON")


def add_migrate(commands: Commands) -> None:
    """Add the command migrate."""
    parser = add_command(
        commands,
        "migrate.migrate",
        "create the journal, or upgrade its tables",
        "A push creates a missing journal itself. A journal in a database is upgraded only by this command, while no "
        "push is running; so a user who may change tables can run it for users who may not.",
    )
    add_journal(parser)


def add_report(commands: Commands) -> None:
    """Add the command report."""
    parser = add_command(
        commands,
        "report.report",
        "write the outcome of each event, as JSON lines, as CSV or as an HTML page",
        "JSON lines and CSV have the columns of the input, and outcome, status_code, receipt, reason, attempts, "
        "source, line, added, begun and settled (times in UTC), and the number that resolve takes. The page has "
        "totals, a chart over time, and the unknown and refused events. The file is written whole or not at all, and "
        "replaces an existing one.",
    )
    add_journal(parser)
    parser.add_argument(
        "--format", choices=("jsonl", "csv", "html"), help="default: by the ending of --output, or jsonl"
    )
    parser.add_argument("--output", type=non_empty, metavar="FILE", help="the file to write (default: standard output)")
    add_account_filter(parser)
    parser.add_argument(
        "--state", dest="states", action="extend", nargs="+", choices=STATES, help="only these states; repeatable"
    )
