"""The stores of a run: the one that options or the environment name, and those that rows name."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from vtex_tracking_ext.bulk.journal.account_name import account_name_at, account_name_of
from vtex_tracking_ext.config.credentials import server_url
from vtex_tracking_ext.config.profiles import load_profiles
from vtex_tracking_ext.errors import ConfigurationError
from vtex_tracking_ext.text import quoted, visible

from .connection import client_of, profile_file, settings_from

if TYPE_CHECKING:
    import argparse

    from vtex_tracking_ext.client import TrackingClient
    from vtex_tracking_ext.config.credentials import Settings


class Accounts:
    """Makes a client for each account when it is first asked for, and closes them all. A context manager.

    Rows without an account go to the run's own. Another account needs a profile of its own, because credentials are one
    store's; of several for one account it is the one that is named after it.
    Where an option or the environment has the run call another address, such as a sandbox's, a profile must say where
    its account is called: else a trial would reach the other stores themselves.

    Args:
        parsed: The command's options.
    """

    def __init__(self, parsed: argparse.Namespace) -> None:
        self._parsed = parsed
        self._own = settings_from(parsed, os.environ)
        is_by_profile = parsed.profile or os.environ.get("VTEX_PROFILE")
        self._elsewhere: str = parsed.base_url or ("" if is_by_profile else os.environ.get("VTEX_BASE_URL", ""))
        self._profiles: dict[str, dict[str, Settings]] | None = None
        self._clients: dict[str, TrackingClient] = {}

    @property
    def own(self) -> str:
        """Name of the run's own account, in lower case, or empty where none is named."""
        return (self._own.account or "").lower()

    def client(self, account: str = "") -> TrackingClient:
        """Return the client of an account, or of the run's own.

        Raises:
            ConfigurationError: There are no credentials for it, or they cannot be used.
        """
        name = account.lower() or self.own
        if name not in self._clients:
            settings = self._own if name == self.own else self._profile(account)
            self._clients[name] = client_of(settings, self._parsed)
        return self._clients[name]

    def labels(self) -> dict[str, str]:
        """Return the journal's names of all accounts whose credentials are at hand, with the accounts' own names."""
        settings = [self._own, *(one for profiles in self._by_account().values() for one in profiles.values())]
        usable = {one.account.lower() for one in settings if one.account and one.has_credentials()}
        found = {}
        for account in sorted(usable):
            with suppress(ConfigurationError):  # told when it is asked for
                found[self._label(account)] = account
        return found

    def client_of_label(self, label: str) -> TrackingClient:
        """Return the client of an account by its name in the journal.

        Raises:
            ConfigurationError: There are no credentials for it, or they are for another address.
        """
        client = self.client(label.partition("@")[0])
        if account_name_of(client) != label:
            raise ConfigurationError(f"they were meant for another address than {client.base_url}")
        return client

    @property
    def made(self) -> tuple[TrackingClient, ...]:
        """The clients that were asked for so far."""
        return tuple(self._clients.values())

    def close(self) -> None:
        """Close every client."""
        for client in self._clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _profile(self, account: str) -> Settings:
        path = profile_file(self._parsed, os.environ)
        profiles = self._by_account().get(account.lower())
        if profiles is None:
            known = ", ".join(map(quoted, self._by_account())) or "none"
            also = (
                f"the account of this run is {quoted(self.own)}" if self.own else "this run has no account of its own"
            )
            raise ConfigurationError(
                f"{quoted(account, 60)} has no profile in {path} (it has: {known}), and {also}; write a profile for "
                "it, see vtex-tracking push --help"
            )
        if len(profiles) > 1:  # such as a store's and its sandbox's: nothing but its name tells the one that is meant
            profiles = {name: settings for name, settings in profiles.items() if name.lower() == account.lower()} or (
                profiles
            )
        if len(profiles) > 1:
            raise ConfigurationError(
                f"{quoted(account, 60)} has several profiles in {path}: {', '.join(map(quoted, profiles))}; name "
                "the one to use after the account"
            )
        (profile,) = profiles.values()
        if self._elsewhere and profile.base_url is None:
            raise ConfigurationError(
                f"this run calls {visible(self._elsewhere)}, and the profile of {quoted(account, 60)} in {path} does "
                "not say where to call; write a base_url into it"
            )
        return profile

    def _by_account(self) -> dict[str, dict[str, Settings]]:
        """Return the profiles of each account, by their names."""
        if self._profiles is None:
            path = profile_file(self._parsed, os.environ)
            is_asked_for = self._parsed.profiles is not None or path.exists()
            self._profiles = {}
            for name, settings in load_profiles(path).items() if is_asked_for else ():
                self._profiles.setdefault((settings.account or "").lower(), {})[name] = settings
        return self._profiles

    def _label(self, account: str) -> str:
        """Return an account's name in the journal; it costs no client."""
        settings = self._own if account == self.own else self._profile(account)
        return account_name_at(account, server_url(account, settings.environment, settings.base_url))
