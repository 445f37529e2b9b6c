"""The command sandbox: a stand-in for VTEX's order system on this machine."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vtex_tracking_ext.errors import ConfigurationError

from .exit_codes import ExitCode
from .output import say, warn

if TYPE_CHECKING:
    import argparse


def sandbox(parsed: argparse.Namespace) -> ExitCode:
    """Run it until it is told to end."""
    try:
        from vtex_tracking_ext import sandbox as room  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"The sandbox needs an extra ({error.name} is missing): pip install 'vtex-tracking[sandbox]'."
        ) from None
    settings = room.OmsSettings(
        rate_limit=parsed.rate_limit, retry_after=parsed.retry_after, show_after=parsed.show_after
    )

    def ready(url: str) -> None:
        say(f"Sandbox of VTEX's order system, for this machine alone: {url}")
        say("Open that address to see orders and packages. Ctrl-C ends it, and its data is gone. To use it:")
        for name, value in (
            ("VTEX_ACCOUNT", "sandbox"),
            ("VTEX_BASE_URL", url),
            ("VTEX_APP_KEY", room.APP_KEY),
            ("VTEX_APP_TOKEN", room.APP_TOKEN),
        ):
            say(f"  export {name}={value}")
        say(f"  vtex-tracking push {room.EXAMPLE_FILE}")

    try:
        with suppress(KeyboardInterrupt):  # Ctrl-C is how one ends it
            room.serve(room.with_examples(settings), port=parsed.port, ready=ready)
    except OSError as error:
        raise ConfigurationError(f"The sandbox cannot use port {parsed.port}: {error.strerror}.") from None
    warn("The sandbox has ended.")
    return ExitCode.OK
