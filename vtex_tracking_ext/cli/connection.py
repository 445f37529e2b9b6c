"""A client from a command's options, a profile or the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict, fields

from vtex_tracking_ext.client import TrackingClient
from vtex_tracking_ext.config.credentials import WHERE_TO_GET, Settings, merged, settings_from_env
from vtex_tracking_ext.config.profiles import load_profile, load_profiles, profiles_path
from vtex_tracking_ext.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse


def make_client(parsed: argparse.Namespace, settings: Settings | None = None) -> TrackingClient:
    """Return a client that is connected as the options say.

    Args:
        parsed: The command's options.
        settings: The account and its credentials; by default, those of the options.

    Raises:
        ConfigurationError: Something is missing or cannot be used; the message says where to get it.
    """
    settings = settings or read_settings(parsed)
    if settings.account is None:
        raise ConfigurationError(
            "account is missing: give --account or --profile, or set VTEX_ACCOUNT. "
            "It is the name of the VTEX account that fulfils the orders."
        )
    if not settings.has_credentials():
        raise ConfigurationError(
            "No credentials: give --app-key and --app-token, or --user-token; or set VTEX_APP_KEY and VTEX_APP_TOKEN, "
            f"or VTEX_USER_TOKEN; or write them into the profile file, {profile_file(parsed)}. {WHERE_TO_GET}."
        )
    options: dict[str, Any] = {name: getattr(parsed, name) for name in ("timeout", "ca_file", "proxy")}
    options = {name: value for name, value in options.items() if value is not None}
    return TrackingClient(**asdict(settings), **options)


def read_settings(parsed: argparse.Namespace) -> Settings:
    """Return the options, completed from the named profile, or else from the environment and the account's profile."""
    options = Settings(**{attribute.name: getattr(parsed, attribute.name) for attribute in fields(Settings)})
    path = profile_file(parsed)
    name = parsed.profile or os.environ.get("VTEX_PROFILE")
    if name:
        return merged(options, load_profile(path, name))
    settings = merged(options, settings_from_env(os.environ))
    if settings.account is not None and not settings.has_credentials() and (parsed.profiles or path.exists()):
        return merged(settings, load_profiles(path).get(settings.account, Settings()))
    return settings


def profile_file(parsed: argparse.Namespace) -> Path:
    """Return the path of the profile file."""
    return profiles_path(os.environ) if parsed.profiles is None else Path(parsed.profiles)
