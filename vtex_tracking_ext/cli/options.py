"""The commands' arguments. Imports nothing heavy, so that ``--help`` is quick."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("vtex-tracking")
except PackageNotFoundError:  # pragma: no cover - a source tree that was never installed
    VERSION = "unknown"

_CREDENTIALS_HELP = (
    "Taken from these options, from --profile, or from the environment: VTEX_ACCOUNT, VTEX_APP_KEY and "
    "VTEX_APP_TOKEN (or VTEX_USER_TOKEN), VTEX_BASE_URL, VTEX_ENVIRONMENT, VTEX_PROFILE, VTEX_PROFILES. "
    "Key and token are taken from the same one of them. "
    'The profile file is TOML, a table a store, named after its account: [mystore], below it app_key = "..." and '
    'app_token = "..." (or user_token), and where needed account, base_url and environment. It is found by '
    "--profiles, by VTEX_PROFILES, or as vtex-tracking/profiles.toml in the folder of your settings "
    "(XDG_CONFIG_HOME, APPDATA, or ~/.config). "
    "Other users of this machine can see an option's value: prefer the others for secrets."
)


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add every command."""
    # They are made of what is below.
    from .bulk_options import add_check, add_push, add_resolve, add_worker  # noqa: PLC0415
    from .ledger_options import add_migrate, add_report, add_status  # noqa: PLC0415

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


def positive(text: str) -> int:
    """Read a whole number from 1 up."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 up")
    return int(text)


def seconds(text: str) -> float:
    """Read a number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86_400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0 to 86400")
    return value


def timeout(text: str) -> float:
    """Read a number of seconds above zero."""
    value = seconds(text)
    if value == 0:
        raise argparse.ArgumentTypeError("0 seconds are no time for a call; give more, or leave the option out")
    return value


def filled(text: str) -> str:
    """Read a text that is not empty: an empty one, from a variable that was not set, must not count as absent."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a value, or leave the option out")
    return text


def port(text: str) -> int:
    """Read a TCP port; 0 lets the system choose."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):  # noqa: PLR2004 - the last port
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


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


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, home: str, summary: str, more: str
) -> argparse.ArgumentParser:
    """Add a command.

    Args:
        commands: Where to.
        name: Its name.
        home: The module of this package and the function in it that carry it out: ``push:push``.
        summary: What it does, as the list of commands says it.
        more: What its own help says besides.
    """
    parser = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}. {more}".strip())
    module, _, function = home.partition(":")
    parser.set_defaults(module=module, function=function)
    return parser


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


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which account to call, as whom, and how."""
    group = parser.add_argument_group("account and credentials", _CREDENTIALS_HELP)
    group.add_argument("--account", type=filled, help="name of the VTEX account that fulfils the orders")
    group.add_argument("--app-key", type=filled)
    group.add_argument("--app-token", type=filled)
    group.add_argument("--user-token", type=filled, help="instead of key and token")
    group.add_argument("--profile", type=filled, help="name of a profile in the profile file")
    group.add_argument("--profiles", type=filled, metavar="FILE", help="the profile file (TOML)")
    group.add_argument("--base-url", type=filled, metavar="URL", help="another address, such as a sandbox's")
    group.add_argument("--environment", type=filled, help="host name part after the account (vtexcommercestable)")
    group.add_argument("--timeout", type=timeout, metavar="SECONDS", help="for one call, all tries included (120)")
    group.add_argument("--ca-file", type=filled, metavar="FILE", help="certificates to trust instead of the usual ones")
    group.add_argument("--proxy", type=filled, metavar="URL", help="a proxy; the environment's are not used")
