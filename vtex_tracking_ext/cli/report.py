"""The command report: writes the journal's entries for a program, a spreadsheet or a browser."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vtex_tracking_ext.bulk.input.disk import write_error
from vtex_tracking_ext.bulk.input.private_file import create_private
from vtex_tracking_ext.bulk.journal.entries import STATES, Selection, utc_now
from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.bulk.report import rows
from vtex_tracking_ext.bulk.report.filters import EntryFilter, find_orders
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import visible

from .exit_codes import ExitCode
from .journal_location import journal_location, matching_accounts, open_journal_reader
from .output import warn, write_all

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.journal.opening import Location

#: Ending of a file -> its format.
_ENDINGS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".html": "html", ".htm": "html"}

#: Endings of the files of an SQLite journal.
_JOURNAL_FILES: Final = "(-wal|-shm|-new|-lock|-open|-lease-[0-9]+)?"

#: A file that the shell opened.
_DESCRIPTOR: Final = re.compile(r"/dev/(stdout|stderr|fd/)|/proc/(self|[0-9]+)/fd/")

#: Characters of a page that are written at once.
_CHUNK: Final = 1 << 16


def report(parsed: argparse.Namespace) -> ExitCode:
    """Write the entries. The status is INCOMPLETE if the output could not be written completely."""
    output = None if parsed.output in {None, "-"} else Path(parsed.output)
    format_ = parsed.format or _format_of(output)
    with open_journal_reader(parsed) as journal:
        texts = _texts(journal, _chosen(parsed, journal), format_)
        if output is None:
            is_complete = write_all(texts)
            name = "standard output"
        else:
            _check_not_journal(output, journal_location(parsed))
            is_complete = _write(texts, output)
            name = visible(str(output))
    if not is_complete:
        warn(f"vtex-tracking report: {name} cannot be written.")
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def _format_of(output: Path | None) -> str:
    if output is None:
        return "jsonl"
    try:
        return _ENDINGS[output.suffix.lower()]
    except KeyError:
        raise VtexTrackingError(
            f"--output {visible(str(output))}: unknown extension; use one of {', '.join(_ENDINGS)}, or give --format."
        ) from None


def _chosen(parsed: argparse.Namespace, journal: JournalReader) -> EntryFilter:
    """Return which entries to write.

    Raises:
        VtexTrackingError: The account or an order is not in the journal, or the account has several addresses in it.
    """
    states = tuple(state for state in STATES if not parsed.states or state in parsed.states)
    selection = Selection(states=states)
    if parsed.account is not None:
        accounts = matching_accounts(parsed.account, journal.counts())
        if len(accounts) > 1:
            raise VtexTrackingError(
                f"account {visible(parsed.account)} is in the journal with several addresses; use one of: "
                f"{', '.join(map(visible, accounts))}."
            )
        selection = Selection(states=states, account=accounts[0])
    orders = tuple(dict.fromkeys(parsed.orders or ()))
    missing = [order for order, packages in find_orders(journal, orders).items() if not packages]
    if missing:
        raise VtexTrackingError(f"not in the journal: {', '.join(f'order {visible(order)}' for order in missing)}.")
    return EntryFilter(selection, orders, tuple(parsed.sources or ()), parsed.since)


def _texts(journal: JournalReader, chosen: EntryFilter, format_: str) -> Iterable[str]:
    if format_ != "html":
        lines = rows.csv_lines if format_ == "csv" else rows.json_lines
        return lines(chosen.entries(journal))
    try:
        from vtex_tracking_ext.bulk.report import page  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"An HTML report needs an extra ({error.name} is missing): pip install 'vtex-tracking[cli]'. "
            "--format csv and --format jsonl do not."
        ) from None
    text = page.render_page(journal, journal.name.rpartition(os.sep)[2], utc_now(), chosen)
    return (text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK))


def _check_not_journal(output: Path, location: Location) -> None:
    """Raise if the output would overwrite the journal."""
    if is_postgres(location):
        return
    if re.fullmatch(re.escape(os.path.realpath(location)) + _JOURNAL_FILES, os.path.realpath(output)):
        raise VtexTrackingError(f"--output {visible(str(output))} is the journal itself; choose another file.")


def _write(texts: Iterable[str], output: Path) -> bool:
    """Write a file completely or not at all, readable only by its owner even if it replaces one that others can read.

    Returns:
        False if the disk failed or is full; an earlier file stays.

    Raises:
        ConfigurationError: The file cannot be created.
        DiskError: The disk is full or fails.
    """
    try:
        if _DESCRIPTOR.match(str(output)) or (output.exists() and not output.is_file()):
            # A pipe, /dev/null or a file that the shell opened must not be replaced by a file.
            with output.open("a", encoding="utf-8", newline="") as opened:
                return write_all(texts, opened)
        path = Path(os.path.realpath(output))  # a link is kept
        partial = path.with_name(f".{path.name[:100]}.{os.getpid()}.partial")
        partial.unlink(missing_ok=True)
        file = create_private(partial)
    except OSError as error:
        raise write_error(
            f"--output {visible(str(output))}: {error.strerror}; check that the folder exists and is writable.", error
        ) from None
    try:
        with file:
            if not write_all(texts, file):
                return False
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return True
