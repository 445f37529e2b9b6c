"""The arguments of what has to do with the journal. Imports nothing heavy, so that ``--help`` is quick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .options import command, filled

if TYPE_CHECKING:
    import argparse

#: As in :data:`vtex_tracking_ext.bulk.journal.entries.STATES`, which would take long to import.
STATES: Final = ("pending", "in_flight", "applied", "refused", "unknown")

_JOURNAL_HELP: Final = (
    "the journal of what was sent: a file, or postgresql://USER@HOST/DATABASE, which several machines can share "
    "(VTEX_JOURNAL, else vtex-tracking/journal.db in the folder of your state: XDG_STATE_HOME, LOCALAPPDATA, or "
    "~/.local/state). Other users of this machine can see an option: give a password by VTEX_JOURNAL, PGPASSWORD or "
    "~/.pgpass"
)


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the journal."""
    parser.add_argument("--journal", type=filled, metavar="JOURNAL", help=_JOURNAL_HELP)


def add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command status."""
    parser = command(
        commands,
        "status",
        "status:status",
        "tell how much of the journal was applied, what is open, and what to do next",
        "It only looks, and can do so while a push is running. Exit status: 0 all applied, 1 some refused, 4 outcomes "
        "unknown (or in flight, where the push was killed), 5 not all sent yet; the gravest of them, which is 4, then "
        "5, then 1.",
    )
    add_journal(parser)
    parser.add_argument("--account", type=filled, help="of this account alone")
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_migrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command migrate."""
    parser = command(
        commands,
        "migrate",
        "migrate:migrate",
        "make the journal, or bring its tables up to date",
        "A push makes a journal where there is none. A journal in a database is brought up to date by this alone, "
        "while no push is running; so a user who may change tables can do it for others who may not.",
    )
    add_journal(parser)


def add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command report."""
    parser = command(
        commands,
        "report",
        "report:report",
        "write what became of each event, as JSON lines, as CSV or as a page for a browser",
        "JSON lines and CSV have the columns of the input, and outcome, status_code, receipt, reason, attempts, "
        "source, line, added, begun and settled (times in UTC), and the number that resolve takes. The page has "
        "totals, a chart over time, and what is unknown or was refused. A file appears whole or not at all; one that "
        "is there is replaced.",
    )
    add_journal(parser)
    parser.add_argument(
        "--format", choices=("jsonl", "csv", "html"), help="the format (by --output's ending; without --output, jsonl)"
    )
    parser.add_argument("--output", type=filled, metavar="FILE", help="the file to write (standard output)")
    parser.add_argument("--account", type=filled, help="of this account alone")
    parser.add_argument(
        "--state",
        dest="states",
        action="extend",
        nargs="+",
        choices=STATES,
        help="entries in one of these states alone; may be given again",
    )
