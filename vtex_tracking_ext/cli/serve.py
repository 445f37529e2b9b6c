"""The command serve: the service between carriers and VTEX, until it is stopped."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from vtex_tracking_ext.config.profiles import Profile
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.config.webhooks import SECRET_VARIABLE, webhook_redactor, webhooks_from_env
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import visible

from .accounts import Accounts
from .carrier_settings import profile_options
from .exit_codes import ExitCode
from .interrupts import sigterm_as_interrupt
from .journal_location import journal_location_for_writing
from .long_running import delivery_options, log_to_stderr, served_accounts
from .output import say, warn

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from vtex_tracking_ext.config.webhooks import WebhookCheck
    from vtex_tracking_ext.service import Bridge, ServedAccount

#: The environment variable with the password of the page.
PASSWORD_VARIABLE: Final = "VTEX_SERVICE_PASSWORD"  # noqa: S105 - the name of a variable

#: Seconds in which requests are finished after a signal.
_SHUTDOWN_SECONDS: Final = 10


def serve(parsed: argparse.Namespace) -> ExitCode:
    """Run the service until SIGTERM or SIGINT."""
    try:
        from vtex_tracking_ext import asgi_server  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.service import Bridge  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.service.app import create_app  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.service.connections import Connection, allow_connections  # noqa: PLC0415 - an extra
        from vtex_tracking_ext.service.limits import MAX_HEADER_BYTES, Limits  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"serve needs an extra ({error.name} is missing): pip install 'vtex-tracking[service]'."
        ) from None
    host, port = parsed.listen
    settings: dict[str, Any] = {
        "http": partial(Connection, most=allow_connections()),  # with h11, which limits the length of headers
        "h11_max_incomplete_event_size": MAX_HEADER_BYTES,
        "log_level": "critical",  # the application logs its own errors
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": _SHUTDOWN_SECONDS,
    }
    with (
        Accounts(parsed) as accounts,
        log_to_stderr("vtex_tracking_ext.service", quiet=parsed.quiet, as_json=parsed.log_json),
    ):
        served = _served(parsed, accounts)
        redactor = webhook_redactor(check for each in served for check in each.checks.values())
        try:
            listener = asgi_server.listen(port, host)
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0]  # the rest is the address once more
            raise ConfigurationError(f"--listen {host}:{port} cannot be used: {reason}.") from None
        with listener:
            bridge = Bridge(
                journal_location_for_writing(parsed), served, delivers=not parsed.no_deliver, rate=parsed.rate
            )
            password = os.environ.get(PASSWORD_VARIABLE)
            limits = Limits(max_body=parsed.max_body, posts_per_second=parsed.max_posts)
            app = create_app(bridge, password=None if not password else Secret(password), limits=limits)
            url = asgi_server.url_of(listener)
            server = asgi_server.Server(app, partial(_say_ready, url, bridge), **settings)
            try:
                with suppress(KeyboardInterrupt), sigterm_as_interrupt():  # uvicorn raises the signal again
                    server.run([listener])
            finally:
                bridge.close()
        del redactor
    say("Service stopped.")
    return ExitCode.OK


def _served(parsed: argparse.Namespace, accounts: Accounts) -> list[ServedAccount]:
    """Return the accounts to serve, with their secrets and settings.

    Raises:
        ConfigurationError: Something is missing or cannot be used.
    """
    from vtex_tracking_ext.service import ServedAccount  # noqa: PLC0415 - an extra
    from vtex_tracking_ext.service.processing import SLICE_SECONDS  # noqa: PLC0415 - an extra
    from vtex_tracking_ext.service.verification import VTEX_HOOK  # noqa: PLC0415 - an extra

    served = []
    for name in served_accounts(parsed, accounts):
        account = name.partition("@")[0]
        settings = accounts.settings(account)
        options = cache(partial(profile_options, parsed, settings))
        checks = _checks(accounts, account)
        for source in checks.keys() - {VTEX_HOOK}:
            options(source)  # reports what cannot be used now, not with the first webhook
        delivery = delivery_options(parsed, accounts, name, SLICE_SECONDS)
        served.append(ServedAccount(accounts.client_for(name), checks, options, delivery))
    return served


def _checks(accounts: Accounts, account: str) -> Mapping[str, WebhookCheck]:
    """Return how the posts for an account are verified: by the environment for the run's own, else by its profile."""
    from vtex_tracking_ext.service.verification import check_webhooks  # noqa: PLC0415 - an extra

    settings = accounts.settings(account)
    of_profile = settings.webhooks if isinstance(settings, Profile) else {}
    of_environment = webhooks_from_env(os.environ) if account == accounts.own else {}
    check_webhooks(of_profile, lambda source: f"In the profile of {visible(account)}, webhooks.{source}")
    check_webhooks(of_environment, lambda source: f"The environment variable {SECRET_VARIABLE}{source.upper()}")
    return {**of_profile, **of_environment}


def _say_ready(url: str, bridge: Bridge) -> None:
    """Print where the service listens, and who may post what."""
    say(f"Serving at {url}. Ctrl-C or SIGTERM stops the service after the requests and calls in progress.")
    for name, account in sorted(bridge.accounts.items()):
        if account.checks:
            say(f"  {visible(name)}: posts are accepted from {visible(', '.join(sorted(account.checks)))}")
        else:
            warn(f"Note: all posts for {visible(name)} are refused, because no secret is configured for it.")
