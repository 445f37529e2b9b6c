"""The commands that deliver events in bulk: check, push, worker, resolve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import DEFAULT_CONCURRENCY, EVENTS_PER_CALL, WORKER_CONCURRENCY

from .shared_options import add_command, add_connection, add_journal, add_json, add_rate
from .value_types import address, column_mapping, concurrency, non_empty, positive

if TYPE_CHECKING:
    import argparse

    from .shared_options import Commands

_FILE_HELP = "a .csv, .tsv, .jsonl, .ndjson or .xlsx file, or - for standard input"
_CONCURRENCY_HELP = "packages sent at once (default: %(default)s)"
_COLUMNS = (
    "Columns: order_id, invoice_number, date (yyyy-mm-dd), city, state, description, is_delivered (true or false), "
    "delivered_date (yyyy-mm-dd hh:mm), account; VTEX's spellings (orderId) are accepted too. "
)


def add_check(commands: Commands) -> None:
    """Add the command check."""
    parser = add_command(
        commands,
        "push.check",
        "validate files of carrier events: sends nothing, needs no credentials",
        f"{_COLUMNS}Prints what a push with a new journal would send, and every invalid row.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help=_FILE_HELP)
    _add_input(parser)
    _add_no_coalesce(parser)
    add_json(parser)
    add_connection(parser)


def add_push(commands: Commands) -> None:
    """Add the command push."""
    parser = add_command(
        commands,
        "push.push",
        "send files of carrier events, each event once: CSV, JSON lines or XLSX, one event per row",
        f"{_COLUMNS}A journal records what was sent, so the same file, or a carrier's whole history, can be pushed "
        "again: only new events are sent. The events of one package are sent in file order, the delivery last; "
        "several packages are sent at once. Invalid rows are reported, written to a rejects file and not sent; the "
        "valid rows are sent. Rows of other accounts are sent with the profiles of those accounts. Without files, "
        "the pending events of the journal are sent.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=_FILE_HELP)
    add_journal(parser)
    parser.add_argument("--dry-run", action="store_true", help="print what would be sent; send and record nothing")
    _add_input(parser)
    rejects = parser.add_mutually_exclusive_group()
    rejects.add_argument(
        "--rejects", type=non_empty, metavar="FILE", help="file for invalid rows (default: beside the input)"
    )
    rejects.add_argument("--no-rejects", action="store_true", help="report invalid rows, but write no file of them")
    _add_no_coalesce(parser)
    parser.add_argument(
        "--concurrency", type=concurrency, default=DEFAULT_CONCURRENCY, metavar="N", help=_CONCURRENCY_HELP
    )
    add_rate(parser)
    _add_send_on(parser)
    parser.add_argument(
        "--enqueue", action="store_true", help="record the rows and notify the workers (PostgreSQL only)"
    )
    add_json(parser)
    add_connection(parser)


def add_worker(commands: Commands) -> None:
    """Add the command worker."""
    parser = add_command(
        commands,
        "worker.worker",
        "send the pending events of a journal in PostgreSQL, together with other workers, until stopped",
        "Processes the tasks that push --enqueue adds, and those that a check each minute adds for events without a "
        "task, for the accounts it has credentials for. All workers share one rate limit for each account. Ctrl-C or "
        "SIGTERM stops it after the calls in flight; if it is killed, other workers take over its events.",
    )
    add_journal(parser)
    parser.add_argument("--accounts", type=non_empty, metavar="A,B", help="default: all accounts with credentials")
    parser.add_argument("--concurrency", type=positive, default=WORKER_CONCURRENCY, metavar="N", help=_CONCURRENCY_HELP)
    add_rate(parser, ", all workers together")
    _add_no_coalesce(parser)
    _add_send_on(parser)
    parser.add_argument("--metrics", type=address, metavar="[HOST:]PORT", help="serve Prometheus metrics there")
    parser.add_argument("--quiet", action="store_true", help="log only problems, not every call")
    add_connection(parser)


def add_resolve(commands: Commands) -> None:
    """Add the command resolve."""
    parser = add_command(
        commands,
        "resolve.resolve",
        "resolve unknown outcomes: list them, read the orders again, or say what you saw",
        "Without an action, it lists the events whose outcome is unknown, each with a number. An action takes "
        "numbers or --all; for the numbers of refused events (--retry) and of pending ones (--withdraw), see the "
        "report. Applied events stay applied; the others are sent by the next push, or by the workers.",
    )
    parser.add_argument("ids", nargs="*", type=positive, metavar="NUMBER", help="numbers of events")
    parser.add_argument("--all", action="store_true", help="all of them (of --account, if given)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--read", action="store_true", help="read their orders: events found there were applied")
    action.add_argument("--applied", action="store_true", help="you saw them on the order, for example in VTEX Admin")
    action.add_argument("--not-applied", action="store_true", help="you saw that they are missing: send them again")
    action.add_argument("--retry", action="store_true", help="send these refused events again, with the cause fixed")
    action.add_argument("--withdraw", action="store_true", help="do not send these pending events until pushed again")
    add_journal(parser)
    add_rate(parser)
    add_json(parser)
    add_connection(parser)


def _add_input(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("input files")
    group.add_argument("--format", choices=("csv", "jsonl", "xlsx"), help="file format (default: by the file's ending)")
    group.add_argument("--encoding", choices=("utf-8", "windows-1252"), help="text encoding (default: detected)")
    map_help = "the field that a column with another name holds; repeatable"
    group.add_argument("--map", action="append", default=[], type=column_mapping, metavar="COLUMN=FIELD", help=map_help)
    group.add_argument("--ignore-unknown", action="store_true", help="ignore unknown columns")
    group.add_argument("--sheet", type=non_empty, metavar="NAME", help="the sheet to read, if a workbook has several")


def _add_send_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--send-on",
        action="store_true",
        help="send later events of a package despite an unknown outcome; shoppers may see them in another order",
    )


def _add_no_coalesce(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-coalesce",
        dest="events_per_call",
        action="store_const",
        const=1,
        default=EVENTS_PER_CALL,
        help="send each event in a call of its own, instead of up to %(default)s of a package in one call",
    )
