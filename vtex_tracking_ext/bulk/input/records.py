"""What the reading of files hands on: places, rows, problems, and rows as they stood in their file. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from vtex_tracking_ext.errors import VtexTrackingError

if TYPE_CHECKING:
    from vtex_tracking_ext.events import TrackingEvent

Format = Literal["csv", "jsonl", "xlsx"]
Encoding = Literal["utf-8", "utf-8-sig", "windows-1252"]


class InputFileError(VtexTrackingError):
    """A file cannot be used as a whole; the message names file and line, and how to mend it. Nothing was sent."""


@frozen
class Place:
    """Where a row stands: the file as it was named, and the line (1 is the first); of a sheet, its row number."""

    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.source}:{self.line}"


@frozen
class Layout:
    """How a file writes its rows, so that bad ones can be written likewise. One object for all rows of a file.

    Attributes:
        format: ``csv`` or ``jsonl``; the rows of a sheet are written as CSV.
        delimiter: What stands between cells; empty for JSON lines.
        encoding: The file's encoding; ``utf-8-sig`` begins with a byte order mark.
        header: The header's cells as they were written; empty for JSON lines.
        reasons: Which of them (0 is the first) hold the reasons of an earlier rejects file.
    """

    format: Literal["csv", "jsonl"]
    delimiter: str = ""
    encoding: Encoding = "utf-8"
    header: tuple[str, ...] = ()
    reasons: tuple[int, ...] = ()


@frozen
class RawRow:
    """A row as it stood in its file.

    Attributes:
        layout: How its file writes rows.
        content: Its cells (CSV, or a sheet's cells as text), or its line (JSON lines).
    """

    layout: Layout
    content: Sequence[str] | str


@frozen
class Row:
    """A row that can be sent.

    Attributes:
        place: Where it stands.
        account: What its account column says, or empty.
        order_id: Order id.
        invoice_number: Invoice number of the package.
        event: Its event, or None for a row that only reports the delivery.
        is_delivered: Whether it reports the delivery.
        delivered_date: When, as written, or None.
        raw: The row as it stood in its file, for a rejects file; None where it came from no file. Not compared.
    """

    place: Place
    account: str
    order_id: str
    invoice_number: str
    event: TrackingEvent | None
    is_delivered: bool
    delivered_date: str | None
    raw: RawRow | None = field(default=None, eq=False, repr=False)

    def of(self, account: str) -> Row:
        """Return the row with its account named otherwise; as ``attrs.evolve``, which takes ten times as long."""
        return Row(
            self.place,
            account,
            self.order_id,
            self.invoice_number,
            self.event,
            self.is_delivered,
            self.delivered_date,
            self.raw,
        )


@frozen
class RowProblem:
    """A row, or a part of it, that cannot be sent.

    Attributes:
        place: Where it stands.
        column: The column at fault, or empty where it is the row as a whole.
        message: What is wrong, and how to mend it.
        raw: The row as it stood in its file, for a rejects file; None where it came from no file. Not compared.
    """

    place: Place
    column: str
    message: str
    raw: RawRow | None = field(default=None, eq=False, repr=False)

    @property
    def reason(self) -> str:
        """What is wrong, without the place."""
        return f"column {self.column}: {self.message}" if self.column else self.message

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


#: A row's values in the order of :data:`~vtex_tracking_ext.bulk.input.columns.COLUMNS`: text, None, and a bool where
#: the format has some.
Values: TypeAlias = tuple[Any, ...]

#: A column, and what is wrong with its value as the format writes it: a number where text is expected.
Fault: TypeAlias = tuple[str, str]

#: A row before the checks; a plain tuple, because there is one for each of a million rows.
Record: TypeAlias = tuple[Place, Values, RawRow | None, Sequence[Fault]]
