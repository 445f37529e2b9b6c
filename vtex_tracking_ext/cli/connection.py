"""A client from a command's options, a profile or the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import asdict, fields

from vtex_tracking_ext.client import TrackingClient
from vtex_tracking_ext.credentials import Settings, merged, settings_from_env
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.profiles import load_profile, load_profiles, profiles_path

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


def client_from(parsed: argparse.Namespace, **more: Any) -> TrackingClient:
    """Return a client as the options say.

    Raises:
        ConfigurationError: Something is missing or cannot be used; the message says where to get it.
    """
    settings = settings_from(parsed, os.environ)
    if settings.account is None:
        raise ConfigurationError(
            "account is missing: give --account or --profile, or set VTEX_ACCOUNT. "
            "It is the name of the VTEX account that fulfils the orders."
        )
    options = {name: getattr(parsed, name) for name in ("timeout", "ca_file", "proxy") if getattr(parsed, name)}
    return TrackingClient(**asdict(settings), **options, **more)


def settings_from(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Merge options with the profile that was named, else with the environment and the account's own profile."""
    given = Settings(**{attribute.name: getattr(parsed, attribute.name) for attribute in fields(Settings)})
    path = Path(parsed.profiles) if parsed.profiles else profiles_path(environ)
    name = parsed.profile or environ.get("VTEX_PROFILE")
    if name:
        return merged(given, load_profile(path, name))
    settings = merged(given, settings_from_env(environ))
    if settings.account and not settings.has_credentials() and (parsed.profiles or path.exists()):
        profile = load_profiles(path).get(settings.account, Settings())
        return merged(settings, profile)
    return settings
