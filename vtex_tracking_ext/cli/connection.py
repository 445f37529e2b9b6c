"""A client from a command's options, a profile or the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict

from vtex_tracking_ext.client import TrackingClient
from vtex_tracking_ext.config.credentials import CREDENTIALS_HELP, SETTING_NAMES, Settings, settings_from_env
from vtex_tracking_ext.config.profiles import load_profile, load_profiles, profiles_path
from vtex_tracking_ext.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


def client_from(parsed: argparse.Namespace) -> TrackingClient:
    """Return a client as the options say.

    Raises:
        ConfigurationError: Something is missing or cannot be used; the message says where to get it.
    """
    return client_of(settings_from(parsed, os.environ), parsed)


def client_of(settings: Settings, parsed: argparse.Namespace) -> TrackingClient:
    """Return the client of an account, connected as the options say.

    Raises:
        ConfigurationError: As for :func:`client_from`.
    """
    if settings.account is None:
        raise ConfigurationError(
            "account is missing: give --account or --profile, or set VTEX_ACCOUNT. "
            "It is the name of the VTEX account that fulfils the orders."
        )
    if not settings.has_credentials():
        raise ConfigurationError(
            "No credentials: give --app-key and --app-token, or --user-token; or set VTEX_APP_KEY and VTEX_APP_TOKEN, "
            f"or VTEX_USER_TOKEN; or write them into the profile file, {profile_file(parsed, os.environ)}. "
            f"{CREDENTIALS_HELP}."
        )
    options: dict[str, Any] = {name: getattr(parsed, name) for name in ("timeout", "ca_file", "proxy")}
    options = {name: value for name, value in options.items() if value is not None}
    return TrackingClient(**asdict(settings), **options)


def settings_from(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Merge options with the profile that was named, else with the environment and the account's own profile."""
    given = Settings(**{name: getattr(parsed, name) for name in SETTING_NAMES})
    path = profile_file(parsed, environ)
    name = parsed.profile or environ.get("VTEX_PROFILE")
    if name:
        return given.with_defaults(load_profile(path, name))
    settings = given.with_defaults(settings_from_env(environ))
    if settings.account is not None and not settings.has_credentials() and (parsed.profiles or path.exists()):
        profile = load_profiles(path).get(settings.account, Settings())
        return settings.with_defaults(profile)
    return settings


def profile_file(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Path:
    """Return where the profile file is looked for."""
    return profiles_path(environ) if parsed.profiles is None else Path(parsed.profiles)
