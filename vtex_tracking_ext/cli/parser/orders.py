"""The commands about orders, and about carriers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import DEFAULT_READ_RATE

from .command_parser import Commands
from .reading import layout_value
from .shared import add_account_filter, add_connection, add_journal, add_json, add_rate, add_yes
from .value_types import day, non_empty, positive, source

if TYPE_CHECKING:
    from .command_parser import CommandParser


def add_order_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    commands.begin_group("orders and carriers")
    _add_packages(commands)
    _add_orders(commands)
    _add_carriers(commands)


def _add_packages(commands: Commands) -> None:
    details = "The event that was recorded last comes first."
    parser = commands.add("packages", "show the packages of an order, with their events", details, module="single")
    parser.add_argument("order_id", metavar="ORDER_ID")
    add_json(parser, "JSON")
    add_connection(parser)


def _add_orders(commands: Commands) -> None:
    parser = commands.add(
        "orders",
        "find the orders that carriers' parcels belong to",
        "The journal keeps what it knows of orders, so that carriers' payloads find them by order id, NF-e key, "
        "tracking number or invoice number. push also keeps the orders of --orders, and those that it reads.",
        module="orders",
    )
    actions = Commands(parser, "action")
    actions.begin_group("actions")
    action = actions.add(
        "import",
        "keep the orders of files",
        "The files are CSV or workbooks with order_id, invoice_number and any of nfe_key, tracking_number, issuer, "
        "series and account, or VTEX Admin's report of orders.",
    )
    action.add_argument("files", nargs="+", metavar="FILE", help="a file of orders, or - for standard input")
    encoding_help = "the text encoding of CSV files, by any name that Python knows (default: recognised)"
    action.add_argument("--encoding", type=layout_value("encoding"), metavar="NAME", help=encoding_help)
    add_journal(action)
    add_json(action)
    add_connection(action)
    action = actions.add(
        "find",
        "print the packages that an identifier means, and why",
        "Exit status: 5 if it means no package, or events that name nothing else would be ambiguous, else 0.",
    )
    what_help = "order id, invoice number, NF-e key or tracking number"
    action.add_argument("what", type=non_empty, metavar="WHAT", help=what_help)
    add_journal(action)
    add_account_filter(action)
    add_json(action)
    action = actions.add(
        "parked",
        "list carriers' events that wait for their orders",
        "It can also drop some of them. push parks an event whose order is not known yet, and tries it "
        "again. An event that waited too long, or that may be about several packages now, is given up: it is reported "
        "once, and stays in this list until it is dropped or its order is known.",
    )
    action.add_argument("numbers", nargs="*", type=positive, metavar="NUMBER", help="numbers of events (default: all)")
    drop_help = "delete the events with these numbers, or without numbers those that were given up"
    action.add_argument("--drop", action="store_true", help=drop_help)
    add_yes(action, "--drop without numbers")
    add_journal(action)
    add_account_filter(action)
    add_json(action)
    details = "It prints for each account how many orders are known, since when, and how many events wait for orders."
    action = actions.add("status", "count the orders that the journal knows", details)
    add_journal(action)
    add_account_filter(action)
    add_json(action)
    _add_order_sync(actions)


def _add_order_sync(actions: Commands) -> None:
    """Add the actions that read orders at VTEX, and the one that prints packages without progress."""
    action = actions.add(
        "sync",
        "read the orders that VTEX's feed and hook report",
        "Those of the hook are the ones that its notifications requested. An app key has one feed. If the key has "
        "none, it is configured for the statuses invoiced, canceled and replaced; the feed of another system is "
        "neither read nor changed. An item is committed after its order is in the journal. Exit status: 5 if orders "
        "could not be read.",
        module="order_sync",
    )
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
    action = actions.add(
        "backfill",
        "read the orders that were invoiced in a period",
        "They are read from VTEX's list of orders, oldest first. Orders that were read since they were invoiced are "
        "not read again. If a run is interrupted, the same command goes on where it was.",
        module="order_sync",
    )
    for option, name, text in (("--from", "first", "first"), ("--to", "last", "last")):
        help_text = f"the {text} day, yyyy-mm-dd in UTC"
        action.add_argument(option, dest=name, type=day, required=True, metavar="DATE", help=help_text)
    _add_order_reading(action)
    action = actions.add(
        "stale",
        "print the packages that should have moved on",
        "These packages were invoiced and have no event, have an event and no delivery, or were delivered but the "
        "order, read later, does not show it. It reads the journal only. Exit status: 5 if there are any, else 0.",
        module="order_sync",
    )
    text = "days after the invoice after which an event is expected (default: %(default)s)"
    action.add_argument("--invoiced-days", type=positive, default=3, metavar="N", help=text)
    text = "days after the first event after which the delivery is expected (default: %(default)s)"
    action.add_argument("--shipped-days", type=positive, default=14, metavar="M", help=text)
    add_journal(action)
    add_account_filter(action)
    add_json(action)


def _add_order_reading(action: CommandParser) -> None:
    """Add the options of the actions that read orders."""
    add_journal(action)
    add_rate(action, DEFAULT_READ_RATE)
    add_json(action)
    add_connection(action)


def _add_carriers(commands: Commands) -> None:
    parser = commands.add(
        "carriers",
        "list the carriers whose payloads can be read",
        "With a source, it prints the source's code table. check and push read such payloads: webhooks, answers of "
        "polling services and EDI files. The table says which codes are deliveries, how sure that is, and where it was "
        "seen; [STORE.carriers.SOURCE] in the profile file changes it for a store; --profile or --account names the "
        "store.",
        module="carriers",
    )
    parser.add_argument("source", nargs="?", type=source, metavar="SOURCE", help="a source, such as correios")
    add_json(parser)
    add_connection(parser)
