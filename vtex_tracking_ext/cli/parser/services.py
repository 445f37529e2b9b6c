"""The commands that run until they are stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import DEFAULT_CONCURRENCY, WORKER_CONCURRENCY

from .shared import add_connection, add_journal, add_no_coalesce, add_rate, add_send_on
from .value_types import address, concurrency, duration, non_empty, positive

if TYPE_CHECKING:
    import argparse

    from .command_parser import Commands


def add_service_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    commands.begin_group("run until stopped")
    _add_serve(commands)
    _add_worker(commands)


def _add_serve(commands: Commands) -> None:
    parser = commands.add(
        "serve",
        "receive carriers' webhooks and VTEX's hook",
        "It sends what they report, until it is stopped. A carrier posts to /carriers/SOURCE/ACCOUNT, and VTEX's hook "
        "to /vtex/hook/ACCOUNT. The profile file ([mystore.webhooks]) or VTEX_WEBHOOK_SECRET_SOURCE says who may post; "
        "without a secret, posts are refused. / is a page, and /metrics is for Prometheus; both need the password in "
        "VTEX_SERVICE_PASSWORD, and without one, only this machine can see them. A proxy in front of the service "
        "provides TLS.",
        module="serve",
    )
    add_journal(parser)
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
    add_connection(parser)


def _add_worker(commands: Commands) -> None:
    parser = commands.add(
        "worker",
        "send the events of a journal that machines share",
        "Any number of workers send what any machine notes in a journal in PostgreSQL, with push --no-deliver or from "
        "a program, for the accounts whose credentials they have, until they are stopped. One worker at a time sends "
        "an account's events, each account in turn. Ctrl-C or SIGTERM stops it after the calls in flight; if it is "
        "killed, other workers take over its accounts.",
        module="worker",
    )
    add_journal(parser)
    parser.add_argument("--accounts", type=non_empty, metavar="A,B", help="default: all accounts with credentials")
    _add_delivery(parser, "packages sent at once, all accounts together (default: %(default)s)", WORKER_CONCURRENCY)
    parser.add_argument("--metrics", type=address, metavar="[HOST:]PORT", help="serve Prometheus metrics there")
    parser.add_argument("--quiet", action="store_true", help="log only problems, not every call")
    add_connection(parser)


def _add_delivery(parser: argparse.ArgumentParser, concurrency_help: str, default_concurrency: int) -> None:
    """Add the options that say how a process that runs until it is stopped sends events."""
    parser.add_argument(
        "--concurrency", type=concurrency, default=default_concurrency, metavar="N", help=concurrency_help
    )
    add_rate(parser)
    add_no_coalesce(parser)
    add_send_on(parser)
    text = (
        "send an event of unknown outcome again if its order does not show it this long after the call: 30m, 12h, or "
        "off for never (default: the profile's resend_after, else 1h)"
    )
    parser.add_argument("--resend-after", type=duration, metavar="DURATION", help=text)
