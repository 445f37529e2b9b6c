"""The command init: asks for a store's account and credentials, checks them, and writes them to the profile file."""

from __future__ import annotations

import getpass
import os
import sys
import warnings
from typing import TYPE_CHECKING, TypeVar

from attrs import evolve
from vtex_oms_client import constants

from vtex_tracking_ext.config.credentials import (
    SETTING_NAMES,
    Settings,
    credential_headers,
    server_url,
    settings_from_env,
)
from vtex_tracking_ext.config.profiles import LAYOUTS, load_profiles
from vtex_tracking_ext.config.secret import Secret, hidden_frames
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import quoted, trimmed, visible

from .accounts import profile_file, server_of
from .checks import STEP_SECONDS, check_server
from .confirm import confirm, has_terminal
from .doctor import print_check, summary
from .exit_codes import ExitCode
from .output import say, warn
from .profile_writer import write_profile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

T = TypeVar("T")


def init(parsed: argparse.Namespace) -> ExitCode:
    """Ask for what the options and the environment do not give, check it, and write it."""
    path = profile_file(parsed)
    stores = load_profiles(path, warn) if path.exists() else {}
    settings = Settings(**{name: getattr(parsed, name) for name in SETTING_NAMES})
    settings = settings.with_defaults(settings_from_env(os.environ))
    if (settings.account is None or not settings.has_credentials()) and not has_terminal():
        raise VtexTrackingError(
            "There is no terminal to ask for the account and its credentials: set VTEX_ACCOUNT, VTEX_APP_KEY and "
            "VTEX_APP_TOKEN, or give options."
        )
    if settings.account is None:
        settings = _ask_account(settings)
    account = settings.account or ""
    server_url(account, settings.environment, settings.base_url)
    name = parsed.profile or account
    if name == LAYOUTS:
        raise VtexTrackingError(f"A store cannot be named {LAYOUTS}: give another name with --profile.")
    if name in stores and not parsed.force:
        raise VtexTrackingError(
            f"The profile file {path} already has a store {quoted(name, 60)}: give --force to replace its account, "
            "address and credentials, or --profile for another name."
        )
    if not settings.has_credentials():
        settings = _ask_credentials(settings)
    redactor = settings.redactor()  # removes credentials from what is printed, for as long as this function runs
    server = server_of(parsed, settings, redactor)
    if not parsed.no_check:
        checks = []
        for check in check_server(server, parsed.timeout or STEP_SECONDS):
            checks.append(check)
            print_check(check)
        say(summary(checks))
        is_accepted = any(check.name == "credentials" and check.status == "ok" for check in checks)
        if not is_accepted or any(check.status == "failed" for check in checks):
            question = "The checks did not succeed. Write the store to the profile file anyway?"
            if not has_terminal():
                warn(f"vtex-tracking init: nothing was written to {path}. --no-check writes without these checks.")
                return ExitCode.CONFIGURATION
            if not confirm(question, is_confirmed=False):
                return ExitCode.CONFIGURATION
    write_profile(path, name, _profile_of(name, settings))
    say(
        f"{path} has the store {quoted(name, 60)}; only you can read the file. Use it with `--profile {visible(name)}`."
    )
    if parsed.ca_file or parsed.proxy:
        say("Give --ca-file and --proxy to later commands as well: a profile does not have them.")
    return ExitCode.OK


def _profile_of(name: str, settings: Settings) -> dict[str, str | Secret]:
    """Return the settings to write; those that are as usual are left out."""
    values = {each: getattr(settings, each) for each in SETTING_NAMES}
    if values["account"] == name:
        del values["account"]
    if values["environment"] == constants.DEFAULT_ENVIRONMENT:
        del values["environment"]
    return {each: value for each, value in values.items() if value is not None}


def _ask_account(settings: Settings) -> Settings:
    def ask() -> Settings:
        given = evolve(settings, account=_ask("VTEX account that fulfils the orders, such as mystore"))
        if given.environment is None and given.base_url is None:
            given = evolve(given, environment=_ask("Environment of the account", constants.DEFAULT_ENVIRONMENT))
        server_url(given.account or "", given.environment, given.base_url)
        return given

    return _until_valid(ask)


def _ask_credentials(settings: Settings) -> Settings:
    def ask() -> Settings:
        with hidden_frames():
            given = evolve(settings, app_key=Secret(_ask("App key")), app_token=_ask_hidden("App token (not shown)"))
            credential_headers(given.app_key, given.app_token)
            return given

    return _until_valid(ask)


def _until_valid(ask: Callable[[], T]) -> T:
    """Ask until the answers can be used."""
    while True:
        try:
            return ask()
        except ConfigurationError as error:
            warn(str(error))


def _ask(question: str, default: str = "") -> str:
    """Return the answer to a question, or the default for an empty one.

    Raises:
        VtexTrackingError: The input ended.
    """
    sys.stderr.write(f"{question} [{default}]: " if default else f"{question}: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise VtexTrackingError("The input ended; nothing was written.")
    return trimmed(line) or default


def _ask_hidden(question: str) -> Secret:
    """Return the answer to a question, which the terminal does not show.

    Raises:
        VtexTrackingError: The input ended, or the terminal would show the answer.
    """
    with warnings.catch_warnings(), hidden_frames():
        warnings.simplefilter("error", getpass.GetPassWarning)
        try:
            return Secret(trimmed(getpass.getpass(f"{question}: ")))
        except EOFError:
            raise VtexTrackingError("The input ended; nothing was written.") from None
        except getpass.GetPassWarning:
            raise VtexTrackingError(
                "This terminal would show the token: set VTEX_APP_KEY and VTEX_APP_TOKEN instead; nothing was written."
            ) from None
