"""Read the files of check and push: rows, or carriers' payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from vtex_tracking_ext.bulk.input.reader import rows_of_source
from vtex_tracking_ext.bulk.input.rows import Place, RowNote
from vtex_tracking_ext.bulk.input.source import open_source
from vtex_tracking_ext.carriers.files import read_carrier_file, recognise_file
from vtex_tracking_ext.orders import carrier_rows

from .carrier_settings import carrier_options
from .orders import import_orders

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from vtex_tracking_ext.bulk.input.layout import Layout
    from vtex_tracking_ext.bulk.input.rows import Recognition, Row, RowProblem
    from vtex_tracking_ext.bulk.input.source import Source
    from vtex_tracking_ext.carriers.codes import CarrierOptions
    from vtex_tracking_ext.orders import OrderStore
    from vtex_tracking_ext.orders.rows import PackageReader


class FileReader:
    """Reads files of rows and of carriers' payloads; finds the orders of the events in payloads.

    Args:
        parsed: The options of the command.
        layout: The layout of the command.
        open_store: Opens what is known of orders, which the files of orders are added to.
        read_packages: Returns the packages of an order; None if the command reads no orders.
        accounts: Returns the accounts that have credentials, in lower case.
        on_store: Called with what is known of orders, when the files of orders were read.
    """

    def __init__(
        self,
        parsed: argparse.Namespace,
        layout: Layout,
        open_store: Callable[[], OrderStore],
        read_packages: PackageReader | None = None,
        accounts: Callable[[], Collection[str]] = tuple,
        on_store: Callable[[OrderStore], object] = bool,
    ) -> None:
        self._parsed = parsed
        self._layout = layout
        self._read_packages = read_packages
        self._accounts = accounts
        self._on_store = on_store
        self._source: str | None = parsed.carrier or layout.carrier
        self._open_store = open_store
        self._store: OrderStore | None = None

    def read(
        self, path: Path | str, now: dt.datetime, recognition: Recognition
    ) -> Iterator[Row | RowProblem | RowNote]:
        """Yield the rows of a file; see :func:`~vtex_tracking_ext.bulk.input.reader.read_rows`.

        Args:
            path: The file; ``-`` for standard input.
            now: The current time, aware.
            recognition: Receives what is recognised.

        Raises:
            InputFileError: The file, or a file of orders, cannot be read.
            ConfigurationError: An option cannot be used.
        """
        with open_source(path, self._parsed.format) as opened:
            source = self._source_of(opened)
            if source is None:
                yield from rows_of_source(opened, now, self._layout, recognition)
            else:
                yield from self._rows(opened, source, now, recognition)

    def options(self, source: str) -> CarrierOptions:
        """Return the settings for a source.

        Raises:
            ConfigurationError: A setting cannot be used.
        """
        options = carrier_options(self._parsed, source)
        return options if self._layout.zone is None else evolve(options, zone=self._layout.zone)

    def _source_of(self, file: Source) -> str | None:
        """Return the source that the command or its layout names, or that a file has the shape of, or else None."""
        if self._source or self._parsed.format:
            return self._source
        return recognise_file(file)

    def _rows(
        self, file: Source, source: str, now: dt.datetime, recognition: Recognition
    ) -> Iterator[Row | RowProblem | RowNote]:
        """Yield the rows of a payload."""
        recognition.format = source
        if not self._source:
            yield RowNote(
                Place(file.name, 1),
                f"recognised as a payload of {source}; if that is wrong, name the source with --from",
            )
        if self._store is None:
            self._store = self._open_store()
            for path in self._parsed.orders or filter(None, [self._layout.orders]):
                imported = import_orders(path, self._store, self._parsed.encoding)
                yield from imported.problems
                if imported.note:
                    yield RowNote(Place(path, 1), imported.note)
            self._on_store(self._store)
        options = self.options(source)
        reading = read_carrier_file(file, source, options)
        yield from carrier_rows(
            reading,
            orders=self._store,
            read_packages=self._read_packages,
            accounts=self._accounts(),
            options=options,
            name=file.name,
            now=now,
            is_trial=self._read_packages is None,
        )
