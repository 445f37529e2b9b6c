"""What the arguments of several commands are made of. Imports nothing heavy, so that ``--help`` is quick."""

from __future__ import annotations

import argparse

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
