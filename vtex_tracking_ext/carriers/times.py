"""Read the times that carriers write. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from vtex_tracking_ext.text import quoted

if TYPE_CHECKING:
    from .payload import Value


def iso_time(value: Value, *keys: str) -> dt.datetime:
    """Return a time in ISO 8601, such as ``2026-10-05T14:12:09``. An offset is optional, and is kept.

    Raises:
        PayloadError: The time is missing, or is not in ISO 8601.
    """
    text = value.required(*keys)
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise value.get(*keys).error(
            f"{quoted(text, 60)} is not a time; one such as 2026-10-05T14:12:09 was expected"
        ) from None


def local_time(value: Value, text: str, pattern: str, example: str) -> dt.datetime:
    """Return a local time that is not in ISO 8601.

    Args:
        value: The value that the text comes from, for its place in the message.
        text: The text.
        pattern: The format of the text, for ``strptime``.
        example: An example for the message.

    Raises:
        PayloadError: The text does not have this format.
    """
    try:
        return dt.datetime.strptime(text, pattern)  # noqa: DTZ007 - the carrier's local time
    except ValueError:
        raise value.error(f"{quoted(text, 60)} is not a time; one such as {example} was expected") from None


def slashed_time(value: Value, key: str, *, month_first: bool = False) -> dt.datetime:
    """Return a local time such as ``05/10/2026 14:12``, with or without seconds.

    Args:
        value: The object that contains the time.
        key: The key of the time.
        month_first: Whether the month stands before the day.

    Raises:
        PayloadError: The time is missing, or does not have this format.
    """
    text = value.required(key)
    day = "%m/%d/%Y" if month_first else "%d/%m/%Y"
    seconds = ":%S" if text.count(":") > 1 else ""
    return local_time(value.get(key), text, f"{day} %H:%M{seconds}", "05/10/2026 14:12")
