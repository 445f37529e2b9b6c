"""The arguments of the commands that take files of events, or settle what became of them."""

from __future__ import annotations

import argparse

from .journal_options import add_journal
from .options import add_connection, command, filled, port, positive

_COLUMNS = (
    "Columns: order_id, invoice_number, date (yyyy-mm-dd), city, state, description, is_delivered (true or false), "
    "delivered_date (yyyy-mm-dd hh:mm), account; VTEX's spellings (orderId) are taken too. "
)
#: As in :data:`vtex_tracking_ext.bulk.delivery.deliver.MAX_CONCURRENCY`, which would take long to import.
MAX_CONCURRENCY = 100

_JSON_HELP = "print JSON lines on standard output, for machines"


def add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command check."""
    parser = command(
        commands,
        "check",
        "push:check",
        "read and plan files of carrier events: sends nothing, needs no credentials",
        f"{_COLUMNS}Says what a push that knows of nothing earlier would send, and names every row with a mistake.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help=_FILE_HELP)
    _add_reading(parser)
    _add_coalescing(parser)
    parser.add_argument("--json", action="store_true", help=_JSON_HELP)
    add_connection(parser)


_FILE_HELP = "a .csv, .tsv, .jsonl, .ndjson or .xlsx file, or - for standard input"


def add_push(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command push."""
    parser = command(
        commands,
        "push",
        "push:push",
        "send files of carrier events, each event once: CSV, JSON lines or XLSX, one event a row",
        f"{_COLUMNS}What was sent is kept in a journal, so that the same file, or a carrier's whole history, can be "
        "pushed again: only what is new is sent. Rows of one package travel together, in the file's order, the "
        "delivery last; packages go side by side. A row with a mistake is named, written to a file of its own and not "
        "sent; the others are. Rows of another account than the run's are sent with that account's profile. Without "
        "files, what waits in the journal is sent.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=_FILE_HELP)
    add_journal(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent; send and keep nothing")
    _add_reading(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--rejects", type=filled, metavar="FILE", help="where the rows with mistakes go (beside each input file)"
    )
    where.add_argument("--no-rejects", action="store_true", help="name the rows with mistakes, write no file of them")
    _add_coalescing(parser)
    parser.add_argument("--concurrency", type=concurrency, default=8, metavar="N", help="packages at once (8)")
    parser.add_argument(
        "--rate", type=rate, default=25.0, metavar="N", help="calls a second to an account, at most (25)"
    )
    _add_send_on(parser)
    parser.add_argument(
        "--enqueue",
        action="store_true",
        help="note the rows and ring for the workers, send nothing (needs a journal on PostgreSQL)",
    )
    parser.add_argument("--json", action="store_true", help=_JSON_HELP)
    add_connection(parser)


def add_worker(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command worker."""
    parser = command(
        commands,
        "worker",
        "worker:worker",
        "deliver what waits in a journal on PostgreSQL, together with other workers, until told to end",
        "Serves the doorbells that push --enqueue rings, and those of a sweep each minute, for the accounts whose "
        "credentials it has. All workers together keep to the pace of each account. Ctrl-C or SIGTERM ends it once the "
        "calls on their way are finished; one that is killed leaves nothing behind that the others do not find.",
    )
    add_journal(parser)
    parser.add_argument("--accounts", type=filled, metavar="A,B", help="serve these alone (all with credentials)")
    parser.add_argument("--concurrency", type=positive, default=16, metavar="N", help="packages at once (16)")
    parser.add_argument(
        "--rate",
        type=rate,
        default=25.0,
        metavar="N",
        help="calls a second to an account, all workers together, at most (25)",
    )
    _add_coalescing(parser)
    _add_send_on(parser)
    parser.add_argument(
        "--metrics", type=address, metavar="[HOST:]PORT", help="tell Prometheus what happens (HOST: 127.0.0.1)"
    )
    parser.add_argument("--quiet", action="store_true", help="log only what went wrong, not every call")
    add_connection(parser)


def add_resolve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command resolve."""
    parser = command(
        commands,
        "resolve",
        "resolve:resolve",
        "settle what nobody knows: list it, read the orders again, or say what you saw",
        "Without an action it lists what is unknown, each with a number. Name numbers or --all with an action; those "
        "of what was refused, for --retry, and of what waits, for --withdraw, are in the report. What was applied "
        "stays so; what was not is sent by the next push, or by the workers.",
    )
    parser.add_argument("ids", nargs="*", type=positive, metavar="NUMBER", help="which ones, by their numbers")
    parser.add_argument("--all", action="store_true", help="all of them (of --account, if that is given)")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--read", action="store_true", help="read their orders: what is found there was applied")
    action.add_argument("--applied", action="store_true", help="you saw them on the order, in the VTEX Admin say")
    action.add_argument("--not-applied", action="store_true", help="you saw that they are missing: send them again")
    action.add_argument(
        "--retry",
        action="store_true",
        help="send these refused ones again, now that what VTEX refused them for is mended",
    )
    action.add_argument(
        "--withdraw", action="store_true", help="never send these waiting ones; pushing their rows again renews them"
    )
    add_journal(parser)
    parser.add_argument(
        "--rate", type=rate, default=25.0, metavar="N", help="calls a second to an account, at most (25)"
    )
    parser.add_argument("--json", action="store_true", help=_JSON_HELP)
    add_connection(parser)


def rate(text: str) -> float:
    """Read calls a second."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 1000:  # noqa: PLR2004 - from one call in 100 seconds to what no account allows
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of calls a second from 0.01 to 1000")
    return value


def address(text: str) -> tuple[str, int]:
    """Read [HOST:]PORT."""
    host, _, number = text.rpartition(":")
    return host or "127.0.0.1", port(number)


def concurrency(text: str) -> int:
    """Read how many packages go at once."""
    number = positive(text)
    if number > MAX_CONCURRENCY:
        raise argparse.ArgumentTypeError(f"{number} is more than {MAX_CONCURRENCY}, the most at once")
    return number


def column(text: str) -> tuple[str, str]:
    """Read COLUMN=FIELD."""
    name, equals, field = text.rpartition("=")
    if not equals or not name.strip() or not field.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=FIELD, such as 'Data do evento=date'")
    return name, field


def _add_reading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading")
    group.add_argument("--format", choices=("csv", "jsonl", "xlsx"), help="of the files (told by their endings)")
    group.add_argument("--encoding", choices=("utf-8", "windows-1252"), help="of the files (told by their bytes)")
    group.add_argument(
        "--map",
        action="append",
        default=[],
        type=column,
        metavar="COLUMN=FIELD",
        help="what a column with another name holds; may be given again",
    )
    group.add_argument("--ignore-unknown", action="store_true", help="pass over columns that are not known")
    group.add_argument("--sheet", type=filled, metavar="NAME", help="the sheet of a workbook with more than one")


def _add_send_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--send-on",
        action="store_true",
        help="send a package's later events although an earlier one's outcome is unknown; they may show in another "
        "order",
    )


def _add_coalescing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no-coalesce",
        dest="events_per_call",
        action="store_const",
        const=1,
        default=20,
        help="a call for each event, rather than up to 20 of a package in one",
    )
