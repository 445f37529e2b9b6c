"""The command report: the journal's entries for a program, a spreadsheet or a browser."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from vtex_tracking_ext.bulk.journal.opening import is_postgres
from vtex_tracking_ext.errors import ConfigurationError, VtexTrackingError
from vtex_tracking_ext.text import visible

from .exit_codes import ExitCode
from .output import pour, warn
from .status import journal_path, labels_of, reader_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from vtex_tracking_ext.bulk.journal.entries import Selection
    from vtex_tracking_ext.bulk.journal.interface import JournalReader
    from vtex_tracking_ext.bulk.journal.opening import Location

Format: TypeAlias = Literal["jsonl", "csv", "html"]

_ENDINGS: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".html": "html",
    ".htm": "html",
}

#: What an SQLite journal keeps beside its file.
_BESIDE: Final = ("", "-wal", "-shm", "-lock")

#: Characters of a page that are written at once.
_PIECE: Final = 1 << 16


def report(parsed: argparse.Namespace) -> ExitCode:
    """Write the entries.

    Nothing is changed by it, so an output that is lost is all that became of it: incomplete.
    """
    output = None if parsed.output in {None, "-"} else Path(parsed.output)
    form = parsed.format or _format_of(output)
    with reader_of(parsed, os.environ) as journal:
        texts = _texts(journal, _selection(parsed, journal), form)
        if output is None:
            is_whole = pour(texts)
            name = "standard output"
        else:
            _spare_journal(output, journal_path(parsed, os.environ))
            is_whole = _write(texts, output)
            name = visible(str(output))
    if not is_whole:
        warn(f"vtex-tracking report: {name} cannot be written.")
        return ExitCode.INCOMPLETE
    return ExitCode.OK


def _format_of(output: Path | None) -> Format:
    if output is None:
        return "jsonl"
    form = _ENDINGS.get(output.suffix.lower())
    if form is None:
        raise VtexTrackingError(
            f"--output {visible(str(output))}: its ending is none of {', '.join(_ENDINGS)}; change it, or give "
            "--format."
        )
    return form


def _selection(parsed: argparse.Namespace, journal: JournalReader) -> Selection:
    """Return which entries are to be told of.

    Raises:
        VtexTrackingError: The journal has nothing of such an account, or has it at several addresses.
    """
    from vtex_tracking_ext.bulk.journal.entries import STATES, Selection  # noqa: PLC0415 - so that --help is quick

    states = tuple(state for state in STATES if not parsed.states or state in parsed.states)
    if parsed.account is None:
        return Selection(states=states)
    labels = labels_of(parsed.account, journal.counts())
    if len(labels) > 1:
        raise VtexTrackingError(
            f"the journal has account {visible(parsed.account)} at several addresses; name one of: "
            f"{', '.join(map(visible, labels))}."
        )
    return Selection(states=states, account=labels[0])


def _texts(journal: JournalReader, selection: Selection, form: Format) -> Iterable[str]:
    if form == "html":
        return _page(journal, selection)
    from vtex_tracking_ext.bulk.report.rows import csv_lines, json_lines  # noqa: PLC0415 - so that --help is quick

    return {"csv": csv_lines, "jsonl": json_lines}[form](journal.entries(selection))


def _page(journal: JournalReader, selection: Selection) -> Iterator[str]:
    try:
        from vtex_tracking_ext.bulk.report import page  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            f"A report as HTML needs an extra ({error.name} is missing): pip install 'vtex-tracking[cli]'. "
            "--format csv and --format jsonl do without."
        ) from None
    from vtex_tracking_ext.bulk.journal.entries import utc_now  # noqa: PLC0415 - so that --help is quick

    text = page.page(journal, journal.name.rpartition(os.sep)[2], utc_now(), selection)
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _spare_journal(output: Path, where: Location) -> None:
    """Refuse to write over the only record of what was sent."""
    if is_postgres(where):
        return
    journal = Path(os.path.realpath(where))
    if Path(os.path.realpath(output)) in {journal.with_name(journal.name + ending) for ending in _BESIDE}:
        raise VtexTrackingError(f"--output {visible(str(output))} is the journal itself; name another file.")


def _write(texts: Iterable[str], output: Path) -> bool:
    """Write a file that appears whole or not at all.

    Returns:
        False where the disk failed or is full; then there is no file, or still the earlier one.

    Raises:
        ConfigurationError: The file cannot be made.
    """
    try:
        if output.exists() and not output.is_file():
            # A pipe or /dev/null is written to as it is; it must not be replaced by a file.
            with output.open("w", encoding="utf-8", newline="") as file:
                return pour(texts, file)
        path = Path(os.path.realpath(output))  # a link stays one
        partial = path.with_name(f".{path.name[:100]}.{os.getpid()}.partial")
        partial.unlink(missing_ok=True)
        file = partial.open("x", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigurationError(
            f"--output {visible(str(output))}: {error.strerror}; see that the folder exists and that you may write to "
            "it."
        ) from None
    try:
        with file:
            if not pour(texts, file):
                return False
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        return False
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return True
