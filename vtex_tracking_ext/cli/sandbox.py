"""The command sandbox: a local server that behaves like VTEX's order system."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import ConfigurationError

from .exit_codes import ExitCode
from .output import say, warn

if TYPE_CHECKING:
    import argparse


def sandbox(parsed: argparse.Namespace) -> ExitCode:
    """Run the server until Ctrl-C."""
    try:
        from vtex_tracking_ext import sandbox as server  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"The sandbox needs an extra ({error.name} is missing): pip install 'vtex-tracking[sandbox]'."
        ) from None
    faults = []
    for text in parsed.fail:
        try:
            faults.append(server.parse_fault(text))
        except ValueError as error:
            warn(f"vtex-tracking sandbox: argument --fail: {error}")
            return ExitCode.USAGE
    settings = server.OmsSettings(
        rate_limit=parsed.rate_limit, retry_after=parsed.retry_after, show_after=parsed.show_after
    )

    def ready(url: str) -> None:
        say(f"Sandbox of VTEX's order system, reachable from this machine only: {url}")
        say("Open that address to see orders and requests, and to make requests fail. Ctrl-C stops the sandbox and")
        say("deletes its data. To use it:")
        for name, value in server.client_environment(url).items():
            say(f"  export {name}={value}")
        say(f"  vtex-tracking push {server.EXAMPLE_FILE}")

    oms = server.with_examples(settings)
    for fault in faults:
        oms.faults.add(fault)
    try:
        with suppress(KeyboardInterrupt):
            server.serve(oms, port=parsed.port, ready=ready)
    except OSError as error:
        raise ConfigurationError(f"The sandbox cannot use port {parsed.port}: {error.strerror}.") from None
    warn("Sandbox stopped.")
    return ExitCode.OK
