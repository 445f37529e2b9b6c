"""What converts an option's text to its value."""

from __future__ import annotations

import argparse
from contextlib import suppress
from typing import TYPE_CHECKING

from vtex_tracking_ext.config.defaults import MAX_CONCURRENCY
from vtex_tracking_ext.config.duration import duration_seconds

if TYPE_CHECKING:
    import datetime as dt

    from vtex_tracking_ext.config.secret import Secret


def positive(text: str) -> int:
    """Return a whole number of at least 1."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def concurrency(text: str) -> int:
    """Return a number of packages to send at once."""
    number = positive(text)
    if number > MAX_CONCURRENCY:
        raise argparse.ArgumentTypeError(f"{number} is more than the maximum, {MAX_CONCURRENCY}")
    return number


def seconds(text: str) -> float:
    """Return a number of seconds, at most a day."""
    return _number(text, 0, 86_400, "number of seconds")


def timeout(text: str) -> float:
    """Return a number of seconds above 0."""
    value = seconds(text)
    if value == 0:
        raise argparse.ArgumentTypeError("timeout must be greater than 0")
    return value


def duration(text: str) -> float:
    """Return the seconds of a duration such as 90s, 30m, 12h or 7d; 0 for ``off``."""
    try:
        return duration_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is {error}, or off") from None


def day(text: str) -> dt.date:
    """Return a calendar day."""
    import datetime as dt  # noqa: PLC0415 - for quick --help

    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-10-01") from None


def moment(text: str) -> dt.datetime:
    """Return a time in UTC, given as a day, as a day and a time, or as a duration such as 2d before now."""
    import datetime as dt  # noqa: PLC0415 - for quick --help

    with suppress(argparse.ArgumentTypeError):
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age(text))
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC)  # without an offset, it is in the machine's zone
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time such as 2d, 2026-11-27 or '2026-11-27 14:00'"
        ) from None


def hold(text: str) -> float:
    """Return the seconds of a duration; 0 for ``0`` and ``off``."""
    return 0.0 if text == "0" else duration(text)


def age(text: str) -> float:
    """Return the seconds of a duration above 0."""
    value = duration(text)
    if not value:
        raise argparse.ArgumentTypeError("it must be longer than 0 seconds")
    return value


def rate(text: str) -> float:
    """Return a number of calls a second."""
    return _number(text, 0.01, 1000, "number of calls a second")


def non_empty(text: str) -> str:
    """Return a text that is not empty: an empty one, from a variable that is not set, must not count as absent."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; give a value, or leave the option out")
    return text


def secret(text: str) -> Secret:
    """Return a text that is not empty, and that the repr of the options does not show."""
    from vtex_tracking_ext.config.secret import Secret  # noqa: PLC0415 - --help does not need it

    return Secret(non_empty(text))


def port(text: str) -> int:
    """Return a TCP port; 0 lets the system choose."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65_535):  # noqa: PLR2004 - the last port
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to 65535")
    return int(text)


def address(text: str) -> tuple[str, int]:
    """Return host and port of [HOST:]PORT."""
    host, _, number = text.rpartition(":")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", port(number)


def column_mapping(text: str) -> tuple[str, str]:
    """Return the column and the field of COLUMN=FIELD."""
    name, equals, field = text.rpartition("=")
    if not equals or not name.strip() or not field.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=FIELD, such as 'Data do evento=date'")
    return name, field


def source(text: str) -> str:
    """Return the name of a source of carriers' payloads; capitals, blanks and hyphens are also accepted."""
    from vtex_tracking_ext.carriers.registry import SOURCES  # noqa: PLC0415 - most commands do not need it

    name = text.lower().replace("-", "_").replace(" ", "_")
    if name not in SOURCES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a source: use {', '.join(SOURCES)}")
    return name


def _number(text: str, lowest: float, highest: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not lowest <= value <= highest:
        raise argparse.ArgumentTypeError(f"{text!r} is not a {what} from {lowest} to {highest}")
    return value
