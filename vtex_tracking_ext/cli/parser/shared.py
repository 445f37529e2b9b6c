"""Options that several commands have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import DEFAULT_RATE, DEFAULT_TIMEOUT, EVENTS_PER_CALL

from .value_types import non_empty, rate, secret, timeout

if TYPE_CHECKING:
    import argparse

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


def add_send_on(parser: argparse.ArgumentParser) -> None:
    """Add the option that does not let an unknown outcome hold its package."""
    parser.add_argument(
        "--send-on",
        action="store_true",
        help="send later events of a package despite an unknown outcome; shoppers may see them in another order",
    )


def add_no_coalesce(parser: argparse.ArgumentParser) -> None:
    """Add the option that sends each event in a call of its own."""
    parser.add_argument(
        "--no-coalesce",
        dest="events_per_call",
        action="store_const",
        const=1,
        default=EVENTS_PER_CALL,
        help="send each event in a call of its own, instead of up to %(default)s of a package in one call",
    )


def add_journal(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the journal."""
    parser.add_argument("--journal", type=non_empty, metavar="JOURNAL", help=_JOURNAL_HELP)


def add_yes(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option that answers a question in advance."""
    parser.add_argument("--yes", action="store_true", help=f"do not ask before {what}; needed without a terminal")


def add_account_filter(parser: argparse.ArgumentParser) -> None:
    """Add the option that selects one account of a journal."""
    parser.add_argument("--account", type=non_empty, help="only this account")


def add_json(parser: argparse.ArgumentParser, what: str = "JSON lines") -> None:
    """Add the options that say what is printed."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--json", action="store_true", help=f"print {what} on standard output, for programs")
    text = "print nothing if the exit status is 0, and otherwise what went wrong, on standard error"
    group.add_argument("--quiet", action="store_true", help=text)
    text = "colours: auto is on a terminal, unless NO_COLOR is set (default: auto)"
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help=text)


def add_rate(parser: argparse.ArgumentParser, default: float = DEFAULT_RATE) -> None:
    """Add the option for the pace."""
    text = "maximum calls a second to an account (default: %(default)g)"
    parser.add_argument("--rate", type=rate, default=default, metavar="N", help=text)


def add_connection(parser: argparse.ArgumentParser) -> None:
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
