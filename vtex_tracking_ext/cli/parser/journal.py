"""The commands about what a journal knows of sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import STATES

from .shared import add_account_filter, add_connection, add_journal, add_json, add_rate, add_yes
from .value_types import age, moment, non_empty, positive

if TYPE_CHECKING:
    from .command_parser import Commands


def add_journal_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    commands.begin_group("see what was sent")
    _add_status(commands)
    _add_resolve(commands)
    _add_report(commands)
    _add_prune(commands)
    _add_migrate(commands)


def _add_status(commands: Commands) -> None:
    parser = commands.add(
        "status",
        "count the journal's events by state, and say what to do",
        "It reads the journal only, even while a push is running. It begins with the accounts that cannot be called, "
        "and says who delivers now. Exit status: 4 if outcomes are unknown (or in flight after a push was killed), "
        "else 5 if not everything was sent, or parked events were given up, else 1 if some were refused, else 0; "
        "withdrawn events do not count.",
        module="status",
    )
    add_journal(parser)
    add_account_filter(parser)
    add_json(parser, "JSON")


def _add_resolve(commands: Commands) -> None:
    parser = commands.add(
        "resolve",
        "settle the events whose outcome is unknown",
        "Without an action, it lists these events, each with a number. The actions read the orders again, or record "
        "what you saw. An action takes numbers, --cause or --all; for the numbers of refused events (--retry, "
        "--dismiss) and of pending ones (--withdraw), see the report. What becomes pending is sent by the next push, "
        "or by the workers.",
        module="resolve",
    )
    parser.add_argument("ids", nargs="*", type=positive, metavar="NUMBER", help="numbers of events")
    parser.add_argument("--all", action="store_true", help="all of them (of --account, if given)")
    text = "those with the cause of this number, as status, push and this command print it (of --account, if given)"
    parser.add_argument("--cause", type=positive, metavar="N", help=text)
    actions = parser.add_mutually_exclusive_group()
    for option, action, text in (
        ("--read", "read", "read their orders: events found there were applied"),
        ("--applied", "applied", "you saw them on the order, for example in VTEX Admin"),
        ("--not-applied", "pending", "you saw that they are missing: send them again"),
        ("--retry", "retry", "send refused events again after you fixed the cause; by number also withdrawn ones"),
        ("--withdraw", "withdraw", "do not send these pending events, unless their rows are pushed again"),
        ("--dismiss", "dismiss", "you have seen these refusals: count them as withdrawn, not as refused"),
    ):
        actions.add_argument(option, dest="action", action="store_const", const=action, help=text)
    add_yes(parser, "--withdraw or --dismiss of several events")
    add_journal(parser)
    add_rate(parser)
    add_json(parser)
    add_connection(parser)


def _add_report(commands: Commands) -> None:
    parser = commands.add(
        "report",
        "write the outcome of each event, as a file or a page",
        "JSON lines and CSV list every event, with the columns of the input, and outcome, status_code, receipt, "
        "reason, attempts, source, line, added, begun and settled (times in UTC), and the number that resolve takes. "
        "The HTML page says how much was applied, what needs a person and which commands help, and lists up to 1,000 "
        "packages with their events. The file is written whole or not at all, and replaces an existing one.",
        module="report",
    )
    add_journal(parser)
    parser.add_argument(
        "--format", choices=("jsonl", "csv", "html"), help="default: by the extension of --output, or jsonl"
    )
    parser.add_argument("--output", type=non_empty, metavar="FILE", help="the file to write (default: standard output)")
    add_account_filter(parser)
    parser.add_argument(
        "--state", dest="states", action="extend", nargs="+", choices=STATES, help="only these states; repeatable"
    )
    parser.add_argument(
        "--order",
        dest="orders",
        action="extend",
        nargs="+",
        type=non_empty,
        metavar="ID",
        help="only these orders; repeatable",
    )
    parser.add_argument(
        "--source",
        dest="sources",
        action="extend",
        nargs="+",
        type=non_empty,
        metavar="FILE",
        help="only events of these files, by the name with or without the folder, or by a pattern such as "
        "'jadlog-*.csv'; repeatable",
    )
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="only events that were added, sent or answered since then: 2d, 12h, 2026-11-27 or '2026-11-27 14:00', "
        "in this machine's time zone unless the time has an offset",
    )


def _add_prune(commands: Commands) -> None:
    parser = commands.add(
        "prune",
        "delete from the journal what was settled long ago",
        "The events of a package are deleted together, once none of them is open and all were settled long enough ago. "
        "The keys of applied and of dismissed events are kept, so that their rows are not sent again if they are "
        "pushed again. The file of the journal shrinks.",
        module="prune",
    )
    parser.add_argument("--older-than", type=age, required=True, metavar="DURATION", help="such as 90d")
    parser.add_argument(
        "--forget", action="store_true", help="delete the keys as well: rows that are pushed again are sent again"
    )
    add_yes(parser, "--forget")
    add_journal(parser)
    add_json(parser)


def _add_migrate(commands: Commands) -> None:
    parser = commands.add(
        "migrate",
        "create the journal, or upgrade its tables",
        "A push creates a missing journal itself. A journal in a database is upgraded only by this command, while no "
        "push is running; so a user who may change tables can run it for users who may not.",
        module="migrate",
    )
    add_journal(parser)
