"""The accounts of a run, and their clients, from a command's options, profiles and the environment."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vtex_tracking_ext.bulk.journal.account_name import account_name_at, account_name_of
from vtex_tracking_ext.client import TrackingClient
from vtex_tracking_ext.config.credentials import (
    CREDENTIALS_HELP,
    SETTING_NAMES,
    Settings,
    credential_headers,
    server_url,
    settings_from_env,
)
from vtex_tracking_ext.config.profiles import Profile, load_profile, load_profiles, profiles_path
from vtex_tracking_ext.config.secret import hidden_frames
from vtex_tracking_ext.config.server import Server
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted, visible

from .output import warn

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.config.redaction import Redactor


class Accounts:
    """Creates a client for each account when it is first needed, and closes them all. A context manager.

    Rows without an account use the run's own. Another account needs a profile of its own, because credentials belong
    to one store. If several profiles have the account, the one that is named after it is used.
    If an option or the environment sets another base URL, such as a sandbox's, the profile must set one as well:
    otherwise a trial run would call the real store.

    Args:
        parsed: The command's options.
    """

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        self._own = read_settings(parsed)
        self._redactor = self._own.redactor()  # for messages about rows, which are read before a client is made
        has_profile = parsed.profile or os.environ.get("VTEX_PROFILE")
        self._base_url: str = parsed.base_url or ("" if has_profile else os.environ.get("VTEX_BASE_URL", ""))
        self._profiles: dict[str, dict[str, Settings]] | None = None
        self._clients: dict[str, TrackingClient] = {}

    @property
    def own(self) -> str:
        """Name of the run's own account, in lower case, or empty if it has no account."""
        return (self._own.account or "").lower()

    @property
    def clients(self) -> tuple[TrackingClient, ...]:
        """The clients created so far."""
        return tuple(self._clients.values())

    def client(self, account: str = "") -> TrackingClient:
        """Return the client of an account, or of the run's own.

        Raises:
            ConfigurationError: There are no credentials for it, or they cannot be used.
        """
        name = account.lower() or self.own
        if name not in self._clients:
            self._clients[name] = make_client(self._parsed, self.settings(name))
        return self._clients[name]

    def name(self, account: str = "") -> str:
        """Return the journal's name of an account, or of the run's own. It needs no credentials.

        Raises:
            ConfigurationError: The account is missing, or its address is not known or invalid.
        """
        return _journal_name(self.settings(account.lower() or self.own))

    def resend_after(self, account: str = "", default: float | None = None) -> float | None:
        """Return after how many seconds an account's unknown events are sent again, or None for never.

        ``--resend-after`` comes first, then the account's profile, then the default.
        """
        seconds: float | None = self._parsed.resend_after
        if seconds is None:
            settings = self.settings(account.lower() or self.own)
            seconds = settings.resend_after if isinstance(settings, Profile) else None
        return (default if seconds is None else seconds) or None

    def client_for(self, journal_account: str) -> TrackingClient:
        """Return the client of an account as the journal names it.

        Raises:
            ConfigurationError: There are no credentials for it, or they are for another address.
        """
        client = self.client(journal_account.partition("@")[0])
        if account_name_of(client) != journal_account:
            raise ConfigurationError(f"recorded for another address than {client.base_url}")
        return client

    def names(self) -> frozenset[str]:
        """Return the run's own account, and those that have a profile, in lower case."""
        return frozenset(filter(None, (self.own, *self._by_account())))

    def journal_accounts(self) -> list[str]:
        """Return all accounts that have credentials, as the journal names them, sorted."""
        settings = [self._own, *(one for profiles in self._by_account().values() for one in profiles.values())]
        names = []
        for account in {one.account.lower() for one in settings if one.account and one.has_credentials()}:
            with suppress(ConfigurationError):  # reported if the account is used
                names.append(self.name(account))
        return sorted(names)

    @property
    def has_credentials(self) -> bool:
        """Whether any account has credentials."""
        return bool(self.journal_accounts())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.close()

    def settings(self, account: str) -> Settings:
        """Return the settings of an account in lower case: the run's own, or those of its profile.

        Raises:
            ConfigurationError: It has no profile, or several.
        """
        if account == self.own:
            return self._own
        path = profile_file(self._parsed)
        profiles = self._by_account().get(account)
        if profiles is None:
            known = ", ".join(map(quoted, self._by_account())) or "none"
            own = f"the account of this run is {quoted(self.own)}" if self.own else "this run has no account of its own"
            raise ConfigurationError(
                f"{quoted(account, 60)} has no profile in {path} (accounts with a profile: {known}), and {own}; add a "
                "profile for it, see vtex-tracking push --help"
            )
        if len(profiles) > 1:  # such as one of the store and one of its sandbox
            profiles = {name: one for name, one in profiles.items() if name.lower() == account} or profiles
        if len(profiles) > 1:
            raise ConfigurationError(
                f"{quoted(account, 60)} has several profiles in {path}: {', '.join(map(quoted, profiles))}; name "
                "the one to use after the account"
            )
        (profile,) = profiles.values()
        if self._base_url and profile.base_url is None:
            raise ConfigurationError(
                f"this run calls {visible(self._base_url)}, and the profile of {quoted(account, 60)} in {path} has no "
                "base_url; add one"
            )
        return profile

    def _by_account(self) -> dict[str, dict[str, Settings]]:
        """Return the profiles of each account, by their names."""
        if self._profiles is None:
            path = profile_file(self._parsed)
            is_required = self._parsed.profiles is not None or path.exists()
            self._profiles = {}
            for name, settings in load_profiles(path, _note).items() if is_required else ():
                self._profiles.setdefault((settings.account or "").lower(), {})[name] = settings
        return self._profiles


def make_client(parsed: argparse.Namespace, settings: Settings | None = None) -> TrackingClient:
    """Return a client that is connected as the options say.

    Args:
        parsed: The command's options.
        settings: The account and its credentials; by default, those of the options.

    Raises:
        ConfigurationError: Something is missing or cannot be used; the message says where to get it.
    """
    settings = settings or read_settings(parsed)
    _journal_name(settings)
    if not settings.has_credentials():
        raise ConfigurationError(
            "No credentials: give --app-key and --app-token, or --user-token; or set VTEX_APP_KEY and VTEX_APP_TOKEN, "
            f"or VTEX_USER_TOKEN; or let `vtex-tracking init` write them into the profile file, {profile_file(parsed)}"
            f"{_known_stores(profile_file(parsed))}. {CREDENTIALS_HELP}."
        )
    options: dict[str, Any] = {name: getattr(parsed, name) for name in ("timeout", "ca_file", "proxy")}
    options = {name: value for name, value in options.items() if value is not None}
    return TrackingClient(**{name: getattr(settings, name) for name in SETTING_NAMES}, **options)


def _known_stores(path: Path) -> str:
    """Return which stores a profile file has, for a message about one that it has not; or an empty text."""
    names = load_profiles(path) if path.exists() else {}
    return f", which has only {', '.join(map(quoted, names))}" if names else ""


def server_of(parsed: argparse.Namespace, settings: Settings, redactor: Redactor) -> Server:
    """Return the server that the options mean, with the credentials if there are any.

    Raises:
        ConfigurationError: The account is missing, or a value cannot be used.
    """
    _journal_name(settings)
    with hidden_frames():
        headers = {}
        if settings.has_credentials():
            headers = credential_headers(settings.app_key, settings.app_token, settings.user_token)
        address = server_url(settings.account or "", settings.environment, settings.base_url)
        return Server(address, headers, redactor, parsed.ca_file, parsed.proxy)


def _journal_name(settings: Settings) -> str:
    """Return the journal's name of an account.

    Raises:
        ConfigurationError: The account is missing, or its address is invalid.
    """
    if settings.account is None:
        raise ConfigurationError(
            "account is missing: give --account or --profile, or set VTEX_ACCOUNT. "
            "It is the name of the VTEX account that fulfils the orders."
        )
    return account_name_at(settings.account, server_url(settings.account, settings.environment, settings.base_url))


def read_settings(parsed: argparse.Namespace) -> Settings:
    """Return the options, completed from the named profile, or else from the environment and the account's profile."""
    options = Settings(**{name: getattr(parsed, name) for name in SETTING_NAMES})
    path = profile_file(parsed)
    name = parsed.profile or os.environ.get("VTEX_PROFILE")
    if name:
        return options.with_defaults(load_profile(path, name, _note))
    settings = options.with_defaults(settings_from_env(os.environ))
    if settings.account is not None and not settings.has_credentials() and (parsed.profiles or path.exists()):
        return settings.with_defaults(load_profiles(path, _note).get(settings.account, Settings()))
    return settings


@cache
def _note(text: str) -> None:
    """Print a note once, although a command reads the profile file more than once."""
    warn(f"Note: {text}")


def profile_file(parsed: argparse.Namespace) -> Path:
    """Return the path of the profile file."""
    return profiles_path(os.environ) if parsed.profiles is None else Path(parsed.profiles)
