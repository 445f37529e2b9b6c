"""Options that several commands have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import DEFAULT_RATE, DEFAULT_TIMEOUT

from .value_types import non_empty, rate, timeout

if TYPE_CHECKING:
    import argparse
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
    'and app_token = "..." (or user_token), and where needed account, base_url and environment. --profiles or '
    "VTEX_PROFILES gives its path; the default is vtex-tracking/profiles.toml in your settings folder "
    "(XDG_CONFIG_HOME, APPDATA, or ~/.config). "
    "Other users of this machine can see options: do not pass secrets as options."
)


def add_command(commands: Commands, function: str, summary: str, details: str = "") -> argparse.ArgumentParser:
    """Add a command and return its parser.

    Args:
        commands: The commands so far.
        function: The module of :mod:`vtex_tracking_ext.cli` and the function in it that run the command:
            ``single.update``. The command is named after the function.
        summary: What the command does, for the list of commands.
        details: What its own help says besides.
    """
    module, _, name = function.partition(".")
    description = f"{summary[0].upper()}{summary[1:]}. {details}".strip()
    parser = commands.add_parser(name, help=summary, description=description)
    parser.set_defaults(module=module)
    return parser


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the journal."""
    parser.add_argument("--journal", type=non_empty, metavar="JOURNAL", help=_JOURNAL_HELP)


def add_account_filter(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects one account of a journal."""
    parser.add_argument("--account", type=non_empty, help="only this account")


def add_json(parser: argparse.ArgumentParser, what: str = "JSON lines") -> None:
    """Add the option for output that programs read."""
    parser.add_argument("--json", action="store_true", help=f"print {what} on standard output, for programs")


def add_rate(parser: argparse.ArgumentParser, scope: str = "") -> None:
    """Add the option for the pace."""
    text = f"maximum calls a second to an account{scope} (default: %(default)g)"
    parser.add_argument("--rate", type=rate, default=DEFAULT_RATE, metavar="N", help=text)


def add_connection(parser: argparse.ArgumentParser) -> None:
    """Add the options for the account, its credentials and the connection."""
    group = parser.add_argument_group("account and credentials", _CREDENTIALS_HELP)
    group.add_argument("--account", type=non_empty, help="name of the VTEX account that fulfils the orders")
    group.add_argument("--app-key", type=non_empty, help="an app key of the account")
    group.add_argument("--app-token", type=non_empty, help="the token of the app key")
    group.add_argument("--user-token", type=non_empty, help="instead of key and token")
    group.add_argument("--profile", type=non_empty, help="name of a profile in the profile file")
    group.add_argument("--profiles", type=non_empty, metavar="FILE", help="the profile file (TOML)")
    group.add_argument("--base-url", type=non_empty, metavar="URL", help="another address, such as a sandbox's")
    group.add_argument("--environment", type=non_empty, help="second part of the host name (vtexcommercestable)")
    timeout_help = f"for one call, all attempts included (default: {DEFAULT_TIMEOUT:g})"
    group.add_argument("--timeout", type=timeout, metavar="SECONDS", help=timeout_help)
    group.add_argument("--ca-file", type=non_empty, metavar="FILE", help="certificates to trust instead of the usual")
    group.add_argument("--proxy", type=non_empty, metavar="URL", help="a proxy; the environment's are not used")
