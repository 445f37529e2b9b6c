"""Where a command's journal is, and which of its accounts are meant."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vtex_tracking_ext.bulk.journal.opening import check_location, display_name, hidden, is_postgres, open_reader
from vtex_tracking_ext.bulk.journal.sqlite.reader import missing_journal_error
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.journal.opening import Location


def journal_location(parsed: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Location:
    """Return where the journal is: ``--journal``, else ``VTEX_JOURNAL``, else the default in the user's state folder.

    Either names a file, or a database by its URL.

    Raises:
        JournalError: The name is neither.
        ConfigurationError: None is named, and the user has no such folder.
    """
    return _named(parsed, environ) or _default_path(environ)


def journal_location_for_writing(parsed: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> Location:
    """Return where the journal is, and create the default folder. A folder that was named must exist.

    Raises:
        ConfigurationError: The folder cannot be created.
    """
    named = _named(parsed, environ)
    if named is not None:
        return named
    path = _default_path(environ)
    try:
        for folder in [*reversed(path.parent.parents), path.parent]:
            if not folder.is_dir():
                folder.mkdir(0o700, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"The folder {visible(str(path.parent))} for the journal cannot be created: {error.strerror}; fix that, or "
            "choose another journal with --journal or VTEX_JOURNAL."
        ) from None
    return path


def open_journal_reader(parsed: argparse.Namespace) -> JournalReader:
    """Open the journal for reading.

    Raises:
        ConfigurationError: No journal is named, and there is no default folder.
        JournalError: It does not exist, or cannot be used.
    """
    named = _named(parsed, os.environ)
    if named is not None:
        return open_reader(named)
    path = _default_path(os.environ)
    with suppress(PermissionError):  # opening it reports that; Path.exists() would not, from Python 3.14 on
        try:
            path.parent.stat()
        except (FileNotFoundError, NotADirectoryError):
            # The user did not name the folder, so it is not reported as missing.
            raise missing_journal_error(path) from None
    return open_reader(path)


def is_journal_named(parsed: argparse.Namespace, environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether an option or the environment names the journal."""
    return bool(parsed.journal or environ.get("VTEX_JOURNAL"))


def journal_option(parsed: argparse.Namespace) -> str:
    """Return the option with which a suggested command finds the same journal, or an empty text.

    Raises:
        JournalError: ``--journal`` is an invalid URL.
        ConfigurationError: It is in a database, and the extra is missing.
    """
    return f" --journal {shlex.quote(visible(display_name(parsed.journal)))}" if parsed.journal else ""


def matching_accounts(account: str | None, journal_accounts: Iterable[str]) -> list[str]:
    """Return the journal's accounts that match an option: at every address, unless it names one.

    Args:
        account: The option, or None for all of them.
        journal_accounts: The accounts as the journal names them.

    Raises:
        VtexTrackingError: None matches. That is an error, not an account with nothing to do.
    """
    accounts = list(journal_accounts)
    if account is None:
        return accounts
    wanted = account.lower()
    found = [name for name in accounts if wanted in {name, name.partition("@")[0]}]
    if not found:
        known = ", ".join(map(visible, accounts)) or "none"
        raise VtexTrackingError(f"account {visible(wanted)} is not in the journal; accounts in it: {known}.")
    return found


def _named(parsed: argparse.Namespace, environ: Mapping[str, str]) -> Location | None:
    name = parsed.journal or environ.get("VTEX_JOURNAL")
    check_location(hidden(name))
    if not name or is_postgres(name):
        return name or None
    # A Path has no ./ at its start, which says that any name is a file's.
    return Path(name).absolute() if name.startswith("./") else Path(name)


def _default_path(environ: Mapping[str, str]) -> Path:
    for variable in ("XDG_STATE_HOME", "LOCALAPPDATA"):  # the second one is of Windows
        folder = Path(environ.get(variable) or ".")
        if folder.is_absolute():  # the XDG specification has relative ones ignored
            break
    else:
        try:
            folder = Path.home() / ".local" / "state"
        except RuntimeError:
            raise ConfigurationError(
                "There is no default journal, because this user has no home folder: name one with --journal or "
                "VTEX_JOURNAL."
            ) from None
    return folder / "vtex-tracking" / "journal.db"
