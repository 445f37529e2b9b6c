"""The settings for a source, as the profile file and the options of a command have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from vtex_tracking_ext.carriers.codes import CarrierOptions, parse_options
from vtex_tracking_ext.carriers.registry import require_source
from vtex_tracking_ext.config.profiles import Profile
from vtex_tracking_ext.errors import ConfigurationError

from .accounts import profile_file, read_settings

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.config.credentials import Settings


def carrier_options(parsed: argparse.Namespace, source: str) -> CarrierOptions:
    """Return the settings for a source in the profile of a command, or as ``--hold`` and ``--park`` give them.

    Raises:
        ConfigurationError: A source or a setting is unknown, or its value cannot be used.
    """
    options = profile_options(parsed, read_settings(parsed), source)
    given = {name: vars(parsed).get(name) for name in ("hold", "park")}  # not every command has them
    return evolve(options, **{name: value for name, value in given.items() if value is not None})


def profile_options(parsed: argparse.Namespace, settings: Settings, source: str) -> CarrierOptions:
    """Return the settings for a source in a profile.

    Raises:
        ConfigurationError: A source or a setting is unknown, or its value cannot be used.
    """
    tables = (settings.carriers if isinstance(settings, Profile) else None) or {}
    try:
        for name in (source, *tables):
            require_source(name)  # also that of a layout
        return parse_options(source, tables.get(source, {}))
    except ConfigurationError as error:
        raise ConfigurationError(f"In the profile file {profile_file(parsed)}: {error}") from None
