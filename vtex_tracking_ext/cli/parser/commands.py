"""Every command of ``vtex-tracking`` with its options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import (
    DEFAULT_CONCURRENCY,
    DEFAULT_RATE,
    DEFAULT_READ_RATE,
    DEFAULT_TIMEOUT,
    EVENTS_PER_CALL,
    STATES,
    WORKER_CONCURRENCY,
)

from .reading import add_reading_options, layout_value
from .show_version import ShowVersion
from .value_types import (
    address,
    age,
    concurrency,
    day,
    duration,
    hold,
    non_empty,
    port,
    positive,
    rate,
    seconds,
    secret,
    source,
    timeout,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name

_JOURNAL_HELP = (
    "the journal of what was sent: a file, or postgresql://USER@HOST/DATABASE, which several machines can share "
    "(default: VTEX_JOURNAL, else vtex-tracking/journal.db in your state folder: XDG_STATE_HOME, LOCALAPPDATA, or "
    "~/.local/state). Other users of this machine can see options: pass a password in VTEX_JOURNAL, PGPASSWORD or "
    "~/.pgpass"
)
_CREDENTIALS_HELP = (
    "Read from these options, from --profile, or from the environment: VTEX_ACCOUNT, VTEX_APP_KEY and "
    "VTEX_APP_TOKEN (or VTEX_USER_TOKEN), VTEX_BASE_URL, VTEX_ENVIRONMENT, VTEX_PROFILE, VTEX_PROFILES. "
    "Key and token must come from the same source. "
    'The profile file is TOML with one table per store, named after its account: [mystore], below it app_key = "..." '
    'and app_token = "..." (or user_token), and where needed account, base_url, environment, resend_after, '
    "layout, carriers and webhooks. "
    "--profiles or VTEX_PROFILES gives its path; the default is vtex-tracking/profiles.toml in your settings folder "
    "(XDG_CONFIG_HOME, APPDATA, or ~/.config). It is refused if other users can read it; "
    "VTEX_ALLOW_READABLE_PROFILES=1 allows that, for a mounted secret. "
    "Other users of this machine can see options: do not pass secrets as options."
)
_FILE_HELP = (
    "a .csv, .tsv, .jsonl, .ndjson or .xlsx file, - for standard input, a pattern such as *.csv, or a folder for "
    "all of its files"
)
_CONCURRENCY_HELP = "packages sent at once (default: %(default)s)"
_COLUMNS = (
    "Columns: order_id, invoice_number, date (yyyy-mm-dd), city, state, description, is_delivered (true or false), "
    "delivered_date (yyyy-mm-dd hh:mm), account, event_id (the carrier's own), time (hh:mm); VTEX's spellings "
    "(orderId) are accepted too. "
)


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
    _add_check(commands)
    _add_push(commands)
    _add_status(commands)
    _add_resolve(commands)
    _add_serve(commands)
    _add_worker(commands)
    _add_report(commands)
    _add_prune(commands)
    _add_migrate(commands)
    _add_update(commands)
    _add_deliver(commands)
    _add_packages(commands)
    _add_set_tracking_number(commands)
    _add_carriers(commands)
    _add_orders(commands)
    _add_sandbox(commands)
    return parser


def _add_check(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "push.check",
        "validate files of carrier events: sends nothing, needs no credentials",
        f"{_COLUMNS}Prints what a push with a new journal would send, and every invalid row.",
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
    _add_no_coalesce(parser)
    _add_journal(parser)
    _add_json(parser)
    _add_connection(parser)


def _add_push(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "push.push",
        "send files of carrier events, each event once: CSV, JSON lines or XLSX, one event per row",
        f"{_COLUMNS}A journal records what was sent, so the same file, or a carrier's whole history, can be pushed "
        "again: only new events are sent. The events of one package are sent in the order of their dates, the delivery "
        "last; several packages are sent at once. Invalid rows are reported, written to a rejects file and not sent; "
        "the valid rows are sent. Rows of other accounts are sent with the profiles of those accounts. Without files, "
        "the pending events of the journal are sent. Any number of pushes can run at the same time; one process at a "
        "time delivers an account, including what the others note meanwhile. The files of a folder are moved to its "
        "folder done, those with invalid rows and unusable ones to its folder rejected, with the rejects files; files "
        "that are still being written are left.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help=_FILE_HELP)
    _add_journal(parser)
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
        "try a carrier's event again for so long if its order is not known, at each push and whenever orders become "
        "known, and then report it once; off reports it now, and keeps nothing (default: the profile's park, else 14d)"
    )
    parser.add_argument("--park", type=hold, metavar="DURATION", help=park_help)
    rejects = parser.add_mutually_exclusive_group()
    rejects.add_argument(
        "--rejects", type=non_empty, metavar="FILE", help="file for invalid rows (default: beside the input)"
    )
    rejects.add_argument("--no-rejects", action="store_true", help="report invalid rows, but write no file of them")
    _add_no_coalesce(parser)
    parser.add_argument(
        "--concurrency", type=concurrency, default=DEFAULT_CONCURRENCY, metavar="N", help=_CONCURRENCY_HELP
    )
    _add_rate(parser)
    _add_send_on(parser)
    parser.add_argument(
        "--resend-after",
        type=duration,
        metavar="DURATION",
        help="send an unknown event again if its order does not show it so long after its call, such as 1h; after less "
        "than 30m, VTEX may not show the event yet, and it is sent twice (default: the profile's resend_after, else "
        "off)",
    )
    _add_json(parser)
    _add_connection(parser)


def _add_serve(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "serve.serve",
        "receive carriers' webhooks and VTEX's hook, and send what they report, until stopped",
        "A carrier posts to /carriers/SOURCE/ACCOUNT, and VTEX's hook to /vtex/hook/ACCOUNT. Who may post is said in "
        "the profile file, [mystore.webhooks], or by VTEX_WEBHOOK_SECRET_SOURCE; without a secret, posts are refused. "
        "/ is a page, and /metrics is for Prometheus; both need the password in VTEX_SERVICE_PASSWORD, and without "
        "one, only this machine sees them. A proxy in front of the service provides TLS.",
    )
    _add_journal(parser)
    text = "where to listen; 0.0.0.0:8080 is every address of this machine (default: 127.0.0.1:8080)"
    parser.add_argument("--listen", type=address, default=("127.0.0.1", 8080), metavar="[HOST:]PORT", help=text)
    parser.add_argument(
        "--no-deliver",
        action="store_true",
        help="only find the orders and note the events in the journal, for workers, or for a push",
    )
    parser.add_argument("--accounts", type=non_empty, metavar="A,B", help="default: all accounts with credentials")
    text = "bytes of a post at most (default: %(default)s)"
    parser.add_argument("--max-body", type=positive, default=1024 * 1024, metavar="BYTES", help=text)
    text = "posts a second of one source for one account at most, on average (default: %(default)s)"
    parser.add_argument("--max-posts", type=positive, default=1000, metavar="N", help=text)
    _add_delivery(parser, "packages of an account sent at once (default: %(default)s)", DEFAULT_CONCURRENCY)
    parser.add_argument("--log-json", action="store_true", help="log JSON lines")
    parser.add_argument("--quiet", action="store_true", help="log only problems, not every post and call")
    _add_connection(parser)


def _add_worker(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "worker.worker",
        "send the pending events of a journal in PostgreSQL, together with other workers, until stopped",
        "It sends what any machine notes in the journal, by push --no-deliver or a program, for the accounts it has "
        "credentials for. One worker at a time sends an account's events, each account in turn. Ctrl-C or SIGTERM "
        "stops it after the calls in flight; if it is killed, other workers take over its accounts.",
    )
    _add_journal(parser)
    parser.add_argument("--accounts", type=non_empty, metavar="A,B", help="default: all accounts with credentials")
    _add_delivery(parser, "packages sent at once, all accounts together (default: %(default)s)", WORKER_CONCURRENCY)
    parser.add_argument("--metrics", type=address, metavar="[HOST:]PORT", help="serve Prometheus metrics there")
    parser.add_argument("--quiet", action="store_true", help="log only problems, not every call")
    _add_connection(parser)


def _add_resolve(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "resolve.resolve",
        "resolve unknown outcomes: list them, read the orders again, or record what you saw",
        "Without an action, it lists the events whose outcome is unknown, each with a number. An action takes "
        "numbers or --all; for the numbers of refused events (--retry, --dismiss) and of pending ones (--withdraw), "
        "see the report. What becomes pending is sent by the next push, or by the workers.",
    )
    parser.add_argument("ids", nargs="*", type=positive, metavar="NUMBER", help="numbers of events")
    parser.add_argument("--all", action="store_true", help="all of them (of --account, if given)")
    actions = parser.add_mutually_exclusive_group()
    for option, action, text in (
        ("--read", "read", "read their orders: events found there were applied"),
        ("--applied", "applied", "you saw them on the order, for example in VTEX Admin"),
        ("--not-applied", "pending", "you saw that they are missing: send them again"),
        ("--retry", "retry", "send refused events again, with the cause fixed; by number also withdrawn ones"),
        ("--withdraw", "withdraw", "do not send these pending events, unless their rows are pushed again"),
        ("--dismiss", "dismiss", "you have seen these refusals: count them as withdrawn, not as refused"),
    ):
        actions.add_argument(option, dest="action", action="store_const", const=action, help=text)
    _add_yes(parser, "--withdraw or --dismiss of several events")
    _add_journal(parser)
    _add_rate(parser)
    _add_json(parser)
    _add_connection(parser)


def _add_status(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "status.status",
        "show how many events of the journal are in which state, and what to do next",
        "Reads the journal only, also while a push is running. It begins with the accounts that cannot be called, and "
        "says who delivers now. Exit status: 4 if outcomes are unknown (or in flight after a push was killed), else 5 "
        "if not everything was sent, or parked events were given up, else 1 if some were refused, else 0; withdrawn "
        "events do not count.",
    )
    _add_journal(parser)
    _add_account_filter(parser)
    _add_json(parser, "JSON")


def _add_prune(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "prune.prune",
        "delete from the journal what was settled long ago",
        "The events of a package are deleted together, once none of them is open and all were settled long enough ago. "
        "The keys of applied and of dismissed events are kept, so that their rows are not sent again if they are "
        "pushed again. The file of the journal shrinks.",
    )
    parser.add_argument("--older-than", type=age, required=True, metavar="DURATION", help="such as 90d")
    parser.add_argument(
        "--forget", action="store_true", help="delete the keys as well: rows that are pushed again are sent again"
    )
    _add_yes(parser, "--forget")
    _add_journal(parser)
    _add_json(parser)


def _add_migrate(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "migrate.migrate",
        "create the journal, or upgrade its tables",
        "A push creates a missing journal itself. A journal in a database is upgraded only by this command, while no "
        "push is running; so a user who may change tables can run it for users who may not.",
    )
    _add_journal(parser)


def _add_report(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "report.report",
        "write the outcome of each event as JSON lines or CSV, or an HTML page of totals and problems",
        "JSON lines and CSV list every event, with the columns of the input, and outcome, status_code, receipt, "
        "reason, attempts, source, line, added, begun and settled (times in UTC), and the number that resolve takes. "
        "The HTML page has totals, a chart over time, and the unknown and refused events. The file is written whole or "
        "not at all, and replaces an existing one.",
    )
    _add_journal(parser)
    parser.add_argument(
        "--format", choices=("jsonl", "csv", "html"), help="default: by the extension of --output, or jsonl"
    )
    parser.add_argument("--output", type=non_empty, metavar="FILE", help="the file to write (default: standard output)")
    _add_account_filter(parser)
    parser.add_argument(
        "--state", dest="states", action="extend", nargs="+", choices=STATES, help="only these states; repeatable"
    )


def _add_update(commands: Commands) -> None:
    parser = _add_command(commands, "single.update", "add events to one package in transit")
    _add_package(parser)
    _add_events(parser, required=True)
    _add_connection(parser)


def _add_deliver(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "single.deliver",
        "report one package as delivered or picked up",
        "Treat it as final: VTEX documents no way to take a delivery back.",
    )
    _add_package(parser)
    parser.add_argument("--delivered-date", metavar="WHEN", help="yyyy-mm-dd hh:mm, or yyyy-mm-dd (default: none)")
    _add_events(parser, required=False)
    _add_connection(parser)


def _add_packages(commands: Commands) -> None:
    parser = _add_command(
        commands, "single.packages", "show the packages of an order, most recently recorded event first"
    )
    parser.add_argument("order_id", metavar="ORDER_ID")
    _add_json(parser, "JSON")
    _add_connection(parser)


def _add_set_tracking_number(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "tracking_numbers.set_tracking_number",
        "set the tracking number of a package, or those of a file: VTEX requires it before events",
        "VTEX's call replaces the tracking number, the URL, the courier and the date of dispatch, and erases what it "
        "is not given. So the order is read first, with a key that has View order, and the URL and the courier that "
        "the package has are kept where you give none. Orders do not show the date of dispatch: give it again when "
        "you change a package that has one. A package that has exactly these values is left as it is; if you give a "
        "date, it is set again. Repeating the command is safe. A journal that exists keeps the numbers, so that "
        "carriers' payloads find their orders. VTEX shows a change some seconds later, so wait before you change the "
        "same package again.",
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
    _add_journal(parser)
    _add_rate(parser)
    _add_json(parser)
    _add_connection(parser)


def _add_carriers(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "carriers.carriers",
        "list the carriers whose payloads can be read, or print the code table of one",
        "check and push read such payloads: webhooks, answers of polling services and EDI files. The table says which "
        "codes are deliveries, how sure that is, and where it was seen; [STORE.carriers.SOURCE] in the profile file "
        "changes it for a store; --profile or --account names the store.",
    )
    parser.add_argument("source", nargs="?", type=source, metavar="SOURCE", help="a source, such as correios")
    _add_json(parser)
    _add_connection(parser)


def _add_orders(commands: Commands) -> None:
    parser = _add_command(
        commands,
        "orders.orders",
        "say which orders the parcels of carriers belong to",
        "The journal keeps what it knows of orders, so that carriers' payloads find them by order id, NF-e key, "
        "tracking number or invoice number. push also keeps the orders of --orders, and those that it reads.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = (
        "keep the orders of files: CSV or workbooks with order_id, invoice_number and any of nfe_key, tracking_number, "
        "issuer, series and account, or VTEX Admin's report of orders"
    )
    action = actions.add_parser("import", help=text, description=f"{text[0].upper()}{text[1:]}.")
    action.add_argument("files", nargs="+", metavar="FILE", help="a file of orders, or - for standard input")
    encoding_help = "the text encoding of CSV files, by any name that Python knows (default: recognised)"
    action.add_argument("--encoding", type=layout_value("encoding"), metavar="NAME", help=encoding_help)
    _add_journal(action)
    _add_json(action)
    _add_connection(action)
    text = "print the packages that an identifier means, and why"
    action = actions.add_parser(
        "find",
        help=text,
        description=f"{text[0].upper()}{text[1:]}. Exit status: 5 if it means no package, or events that name nothing "
        "else would be ambiguous, else 0.",
    )
    what_help = "order id, invoice number, NF-e key or tracking number"
    action.add_argument("what", type=non_empty, metavar="WHAT", help=what_help)
    _add_journal(action)
    _add_account_filter(action)
    _add_json(action)
    text = "list the events of carriers that wait for their orders, or drop some of them"
    action = actions.add_parser(
        "parked",
        help=text,
        description=f"{text[0].upper()}{text[1:]}. push parks an event whose order is not known yet, and tries it "
        "again. An event that waited too long, or that may be about several packages now, is given up: it is reported "
        "once, and stays in this list until it is dropped or its order is known.",
    )
    action.add_argument("numbers", nargs="*", type=positive, metavar="NUMBER", help="numbers of events (default: all)")
    drop_help = "delete the events with these numbers, or without numbers those that were given up"
    action.add_argument("--drop", action="store_true", help=drop_help)
    _add_yes(action, "--drop without numbers")
    _add_journal(action)
    _add_account_filter(action)
    _add_json(action)
    text = "print how many orders of each account are known, since when, and how many events wait for orders"
    action = actions.add_parser("status", help=text, description=f"{text[0].upper()}{text[1:]}.")
    _add_journal(action)
    _add_account_filter(action)
    _add_json(action)
    _add_order_sync(actions)


def _add_order_sync(actions: Commands) -> None:
    """Add the actions that read orders at VTEX, and the one that prints packages without progress."""
    text = "read the orders that VTEX's feed reports, and those that notifications of the hook requested"
    action = actions.add_parser(
        "sync",
        help=text,
        description=f"{text[0].upper()}{text[1:]}. An app key has one feed. If the key has none, it is configured for "
        "the statuses invoiced, canceled and replaced; the feed of another system is neither read nor changed. An item "
        "is committed after its order is in the journal. Exit status: 5 if orders could not be read.",
    )
    action.set_defaults(module="order_sync")
    ids_help = "read these orders, and those that notifications requested, instead of the feed"
    action.add_argument("order_ids", nargs="*", metavar="ORDER_ID", help=ids_help)
    action.add_argument("--follow", action="store_true", help="go on until Ctrl-C or SIGTERM")
    action.add_argument(
        "--configure",
        action="store_true",
        help="configure the feed again if it has these statuses, but other times",
    )
    action.add_argument("--no-feed", action="store_true", help="only the orders that notifications requested")
    _add_order_reading(action)
    text = "read the orders that were invoiced in a period, oldest first, from VTEX's list of orders"
    action = actions.add_parser(
        "backfill",
        help=text,
        description=f"{text[0].upper()}{text[1:]}. Orders that were read since they were invoiced are not read again. "
        "If a run is interrupted, the same command goes on where it was.",
    )
    action.set_defaults(module="order_sync")
    for option, name, text in (("--from", "first", "first"), ("--to", "last", "last")):
        help_text = f"the {text} day, yyyy-mm-dd in UTC"
        action.add_argument(option, dest=name, type=day, required=True, metavar="DATE", help=help_text)
    _add_order_reading(action)
    text = "print the packages that should have moved on"
    action = actions.add_parser(
        "stale",
        help=text,
        description=f"{text[0].upper()}{text[1:]}: invoiced and without an event, with an event and without a "
        "delivery, or delivered while the order, read later, does not show it. Reads the journal only. Exit status: 5 "
        "if there are any, else 0.",
    )
    action.set_defaults(module="order_sync")
    text = "days after the invoice after which an event is expected (default: %(default)s)"
    action.add_argument("--invoiced-days", type=positive, default=3, metavar="N", help=text)
    text = "days after the first event after which the delivery is expected (default: %(default)s)"
    action.add_argument("--shipped-days", type=positive, default=14, metavar="M", help=text)
    _add_journal(action)
    _add_account_filter(action)
    _add_json(action)


def _add_order_reading(action: argparse.ArgumentParser) -> None:
    """Add the options of the actions that read orders."""
    _add_journal(action)
    _add_rate(action, DEFAULT_READ_RATE)
    _add_json(action)
    _add_connection(action)


def _add_sandbox(commands: Commands) -> None:
    parser = _add_command(
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


def _add_delivery(parser: argparse.ArgumentParser, concurrency_help: str, default_concurrency: int) -> None:
    """Add the options that say how a process that runs until it is stopped sends events."""
    parser.add_argument(
        "--concurrency", type=concurrency, default=default_concurrency, metavar="N", help=concurrency_help
    )
    _add_rate(parser)
    _add_no_coalesce(parser)
    _add_send_on(parser)
    text = (
        "send an event of unknown outcome again if its order does not show it so long after the call: 30m, 12h, or "
        "off for never (default: the profile's resend_after, else 1h)"
    )
    parser.add_argument("--resend-after", type=duration, metavar="DURATION", help=text)


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


def _add_command(commands: Commands, function: str, summary: str, details: str = "") -> argparse.ArgumentParser:
    """Add a command and return its parser.

    Args:
        commands: The commands so far.
        function: The module of :mod:`vtex_tracking_ext.cli` and the function in it that run the command:
            ``single.update``. The command is named after the function, with hyphens.
        summary: What the command does, for the list of commands.
        details: What its own help says besides.
    """
    module, _, name = function.partition(".")
    description = f"{summary[0].upper()}{summary[1:]}. {details}".strip()
    parser = commands.add_parser(name.replace("_", "-"), help=summary, description=description)
    parser.set_defaults(module=module)
    return parser


def _add_journal(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the journal."""
    parser.add_argument("--journal", type=non_empty, metavar="JOURNAL", help=_JOURNAL_HELP)


def _add_yes(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that answers a question in advance."""
    parser.add_argument("--yes", action="store_true", help=f"do not ask before {what}; needed without a terminal")


def _add_account_filter(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects one account of a journal."""
    parser.add_argument("--account", type=non_empty, help="only this account")


def _add_json(parser: argparse.ArgumentParser, what: str = "JSON lines") -> None:
    """Add the option for output that programs read."""
    parser.add_argument("--json", action="store_true", help=f"print {what} on standard output, for programs")


def _add_rate(parser: argparse.ArgumentParser, default: float = DEFAULT_RATE) -> None:
    """Add the option for the pace."""
    text = "maximum calls a second to an account (default: %(default)g)"
    parser.add_argument("--rate", type=rate, default=default, metavar="N", help=text)


def _add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the options for the account, its credentials and the connection."""
    group = parser.add_argument_group("account and credentials", _CREDENTIALS_HELP)
    group.add_argument("--account", type=non_empty, help="name of the VTEX account that fulfils the orders")
    group.add_argument("--app-key", type=secret, help="an app key of the account")
    group.add_argument("--app-token", type=secret, help="the token of the app key")
    group.add_argument("--user-token", type=secret, help="instead of key and token")
    group.add_argument("--profile", type=non_empty, help="name of a profile in the profile file")
    group.add_argument("--profiles", type=non_empty, metavar="FILE", help="the profile file (TOML)")
    group.add_argument("--base-url", type=non_empty, metavar="URL", help="another address, such as a sandbox's")
    group.add_argument("--environment", type=non_empty, help="second part of the host name (vtexcommercestable)")
    timeout_help = f"for one call, all attempts included (default: {DEFAULT_TIMEOUT:g})"
    group.add_argument("--timeout", type=timeout, metavar="SECONDS", help=timeout_help)
    ca_help = "certificates to trust instead of the default ones"
    group.add_argument("--ca-file", type=non_empty, metavar="FILE", help=ca_help)
    proxy_help = "proxy to use; the environment's proxy variables are ignored"
    group.add_argument("--proxy", type=secret, metavar="URL", help=proxy_help)
