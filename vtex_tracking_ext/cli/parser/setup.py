"""The commands that set the program up, and the sandbox to try it with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .shared import add_connection, add_journal, add_json
from .value_types import non_empty, port, positive, seconds

if TYPE_CHECKING:
    from .command_parser import Commands


def add_setup_commands(commands: Commands) -> None:
    """Add the commands of this group."""
    commands.begin_group("set up and try")
    _add_init(commands)
    _add_doctor(commands)
    _add_sandbox(commands)
    _add_completion(commands)
    _add_man(commands)


def _add_init(commands: Commands) -> None:
    parser = commands.add(
        "init",
        "write the credentials of a store to the profile file",
        "It asks for what the options and the environment do not give: the account, its environment, the app key and "
        "the app token, which is not shown. It checks them as doctor does, and writes the store to the profile file, "
        "with mode 0600; the other stores and the comments in the file are kept. The store has the account's name, or "
        "that of --profile. Without a terminal, set VTEX_ACCOUNT, VTEX_APP_KEY and VTEX_APP_TOKEN. "
        "Exit status: 3 if the checks did not succeed and nothing was written.",
        module="init",
    )
    force_help = "replace the account, the address and the credentials of a store that the file has; keep the rest"
    parser.add_argument("--force", action="store_true", help=force_help)
    parser.add_argument("--no-check", action="store_true", help="write without checking; sends nothing")
    add_connection(parser)


def _add_doctor(commands: Commands) -> None:
    parser = commands.add(
        "doctor",
        "check the account, the connection and the credentials",
        "It checks the profile file, the account, its host, proxy and certificate, the clock, the credentials, whether "
        "their role has the resources View order and Notify invoice, and the journal. Each line is ok, warning, "
        "failed or not checked, and says what to do. Nothing is added at VTEX: one order is read and one update is "
        "sent, which has no event and no delivery, for an order id that no order can have. Exit status: 3 if a check "
        "failed, else 0.",
        module="doctor",
    )
    order_help = "read this order as well, and say whether its packages can take events"
    parser.add_argument("--order", type=non_empty, metavar="ORDER_ID", help=order_help)
    read_help = "send only requests that read; Notify invoice is not checked then"
    parser.add_argument("--read-only", action="store_true", help=read_help)
    add_journal(parser)
    add_json(parser, "JSON")
    add_connection(parser)


def _add_sandbox(commands: Commands) -> None:
    parser = commands.add(
        "sandbox",
        "run a local server that stands in for VTEX",
        "It behaves like VTEX's order system, and has a web page. It follows VTEX's documentation and known issues; it "
        "was not compared with responses of the real VTEX. Nothing is sent to VTEX, and the data is lost when it "
        "stops.",
        module="sandbox",
    )
    parser.add_argument("--port", type=port, default=0, help="the port (default: any free one)")
    parser.add_argument("--rate-limit", type=positive, metavar="N", help="answer 429 above N calls a minute")
    parser.add_argument("--retry-after", type=positive, metavar="SECONDS", help="add Retry-After to a 429")
    text = "delay before an accepted event is shown (default: %(default)g)"
    parser.add_argument("--show-after", type=seconds, default=0.0, metavar="SECONDS", help=text)
    faults = parser.add_argument_group(
        "faults on demand",
        "The first requests fail as requested, then the sandbox answers as usual. FAULT is cut (apply the request, "
        "then close the connection without an answer), cut-before (close it, and apply nothing), 500 (answer with this "
        "status, from 400 to 599, and apply nothing), 500-after (apply the request, then answer with this status: 408, "
        "or 5xx except 501), 429=30 (answer with this status and Retry-After: 30), or slow=30 (apply the request, and "
        "answer 30 seconds later). TIMES is a number of requests, or always (default: 1). OPERATION is the client's "
        "method: send (updates and deliveries), get_packages, set_tracking_number, list_orders and so on (default: "
        "all). Examples: --fail 500:3, --fail cut@send, --fail slow=30:always@get_packages. The sandbox's page and the "
        "pytest fixture have the same faults.",
    )
    text = "make requests fail; repeat the option for several faults; they occur in the order of the options"
    faults.add_argument("--fail", action="append", default=[], metavar="FAULT[:TIMES][@OPERATION]", help=text)


def _add_completion(commands: Commands) -> None:
    parser = commands.add(
        "completion",
        "print a completion script for bash, zsh or fish",
        "Commands, options, their values and files are completed when you press Tab. For bash, add this line to "
        '~/.bashrc: eval "$(vtex-tracking completion bash)". For zsh, add this line to ~/.zshrc, after compinit: '
        'eval "$(vtex-tracking completion zsh)". For fish, run once: vtex-tracking completion fish > '
        "~/.config/fish/completions/vtex-tracking.fish.",
        module="completion",
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell")


def _add_man(commands: Commands) -> None:
    commands.add(
        "man",
        "print the manual page",
        "To read it, run: vtex-tracking man | man -l -. To install it, write the output to vtex-tracking.1 in a folder "
        "man1 of the manual path.",
        module="man",
    )
