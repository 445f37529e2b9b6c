"""The commands that send events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import DEFAULT_CONCURRENCY

from .reading import add_reading_options
from .shared import add_connection, add_journal, add_json, add_no_coalesce, add_rate, add_send_on
from .value_types import concurrency, duration, hold, non_empty, positive

if TYPE_CHECKING:
    import argparse

    from .command_parser import Commands

_FILE_HELP = (
    "a CSV, JSON or workbook file, or a carrier's payload; - for standard input, a pattern such as *.csv, or a folder "
    "for all of its files"
)
_CONCURRENCY_HELP = "packages sent at once (default: %(default)s)"
_COLUMNS = (
    "Columns: order_id, invoice_number, date (yyyy-mm-dd), city, state, description, is_delivered (true or false), "
    "delivered_date (yyyy-mm-dd hh:mm), account, event_id (the carrier's own), time (hh:mm); VTEX's spellings "
    "(orderId) are accepted too. "
)


def add_sending_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    commands.begin_group("send events")
    _add_check(commands)
    _add_push(commands)
    _add_update(commands)
    _add_deliver(commands)
    _add_set_tracking_number(commands)


def _add_check(commands: Commands) -> None:
    parser = commands.add(
        "check",
        "validate files of carrier events, and send nothing",
        f"It needs no credentials. {_COLUMNS}It prints what a push with a new journal would send, and every invalid "
        "row.",
        module="push",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help=_FILE_HELP)
    parser.add_argument(
        "--show",
        type=positive,
        metavar="N",
        help="print what was recognised, and the first N rows as they would be sent",
    )
    parser.add_argument(
        "--save-layout",
        type=non_empty,
        metavar="NAME",
        help="keep how the file was read as [layouts.NAME] in the profile file, for --layout NAME",
    )
    add_reading_options(parser)
    add_no_coalesce(parser)
    add_journal(parser)
    add_json(parser)
    add_connection(parser)


def _add_push(commands: Commands) -> None:
    parser = commands.add(
        "push",
        "send files of carrier events, each event once",
        f"The files are CSV or JSON files or workbooks with one event per row, or carriers' payloads. {_COLUMNS}A "
        "journal records what was sent, so the same file, or a carrier's whole history, can be pushed again: only new "
        "events are sent. The events of one package are sent in the order of their dates, the delivery last; several "
        "packages are sent at once. Invalid rows are reported, written to a rejects file and not sent; the valid rows "
        "are sent. Rows of other accounts are sent with the profiles of those accounts. Without files, the pending "
        "events of the journal are sent. Any number of pushes can run at the same time; one process at a time delivers "
        "an account, including what the others note meanwhile. The files of a folder are moved to its folder done; "
        "unusable ones, and those with invalid rows, to its folder rejected, with the rejects files. Files that are "
        "still being written are left.",
        module="push",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=_FILE_HELP)
    add_journal(parser)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--dry-run", action="store_true", help="print what would be sent; send and record nothing")
    extent.add_argument(
        "--no-deliver",
        "--enqueue",
        action="store_true",
        help="only note the rows in the journal, for another push or for workers; needs no credentials",
    )
    extent.add_argument(
        "--wait", action="store_true", help="if another process delivers the account, wait for the outcome"
    )
    parser.add_argument(
        "--watch", action="store_true", help="push the files of folders as they come, until Ctrl-C or SIGTERM"
    )
    add_reading_options(parser)
    park_help = (
        "how long a carrier's event whose order is not known is tried again, at each push and whenever orders become "
        "known, before it is given up and reported; off reports it now, and keeps nothing (default: the profile's "
        "park, else 14d)"
    )
    parser.add_argument("--park", type=hold, metavar="DURATION", help=park_help)
    rejects = parser.add_mutually_exclusive_group()
    rejects.add_argument(
        "--rejects", type=non_empty, metavar="FILE", help="file for invalid rows (default: beside the input)"
    )
    rejects.add_argument("--no-rejects", action="store_true", help="report invalid rows, but write no file of them")
    add_no_coalesce(parser)
    parser.add_argument(
        "--concurrency", type=concurrency, default=DEFAULT_CONCURRENCY, metavar="N", help=_CONCURRENCY_HELP
    )
    add_rate(parser)
    add_send_on(parser)
    parser.add_argument(
        "--resend-after",
        type=duration,
        metavar="DURATION",
        help="send an unknown event again if its order does not show it this long after its call, such as 1h; with "
        "less than 30m, VTEX may not show the event yet, and it is sent twice (default: the profile's resend_after, "
        "else off)",
    )
    add_json(parser)
    add_connection(parser)


def _add_update(commands: Commands) -> None:
    parser = commands.add("update", "add events to one package in transit", module="single")
    _add_package(parser)
    _add_events(parser, required=True)
    add_connection(parser)


def _add_deliver(commands: Commands) -> None:
    parser = commands.add(
        "deliver",
        "report one package as delivered or picked up",
        "Treat it as final: VTEX documents no way to take a delivery back.",
        module="single",
    )
    _add_package(parser)
    parser.add_argument("--delivered-date", metavar="WHEN", help="yyyy-mm-dd hh:mm, or yyyy-mm-dd (default: none)")
    _add_events(parser, required=False)
    add_connection(parser)


def _add_set_tracking_number(commands: Commands) -> None:
    parser = commands.add(
        "set-tracking-number",
        "set tracking numbers, which VTEX requires before events",
        "It sets the number of one package, or those of a file. VTEX's call replaces the tracking number, the URL, the "
        "courier and the date of dispatch, and erases what it is not given. So the order is read first, with a key "
        "that has View order, and the URL and the courier that the package has are kept where you give none. Orders do "
        "not show the date of dispatch: give it again when you change a package that has one. A package that has "
        "exactly these values is left as it is; if you give a date, it is set again. Repeating the command is safe. A "
        "journal that exists keeps the numbers, so that carriers' payloads find their orders. VTEX shows a change some "
        "seconds later, so wait before you change the same package again.",
        module="tracking_numbers",
    )
    parser.add_argument("order_id", nargs="?", metavar="ORDER_ID", help="such as 1172452900788-01")
    parser.add_argument("invoice_number", nargs="?", metavar="INVOICE_NUMBER", help="such as 000030711")
    parser.add_argument("tracking_number", nargs="?", metavar="TRACKING_NUMBER", help="the carrier's number")
    url_help = "the page on which the shopper can follow the package (default: what the package has)"
    parser.add_argument("--url", dest="tracking_url", type=non_empty, metavar="URL", help=url_help)
    courier_help = "the name of the carrier (default: what the package has)"
    parser.add_argument("--courier", type=non_empty, metavar="NAME", help=courier_help)
    dispatched_help = "when it was dispatched: yyyy-mm-dd, or with a time in ISO 8601 (default: none)"
    parser.add_argument("--dispatched", dest="dispatched_date", type=non_empty, metavar="WHEN", help=dispatched_help)
    file_help = (
        "a CSV file or a workbook, or - for standard input, with order_id, invoice_number, tracking_number, and any of "
        "tracking_url, courier, dispatched_date and account; usual names in Portuguese and Spanish are known"
    )
    parser.add_argument("--file", type=non_empty, metavar="FILE", help=file_help)
    parser.add_argument(
        "--dry-run", action="store_true", help="read the orders and print what would be set; set nothing"
    )
    add_journal(parser)
    add_rate(parser)
    add_json(parser)
    add_connection(parser)


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
