"""Print the log on standard error if the environment variable ``VTEX_TRACKING_LOG`` says so."""

from __future__ import annotations

import logging
import warnings
from typing import Final

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO}


def print_log(level: str) -> None:
    """Print the log of this package on standard error, unless the application sets up logging itself.

    Args:
        level: ``debug`` or ``info``. Any other level gives a warning.
    """
    number = _LEVELS.get(level.strip().lower())
    if number is None:
        warnings.warn(f"VTEX_TRACKING_LOG is {level!r}: set it to debug or info.", stacklevel=2)
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(lambda _: not logging.getLogger().handlers)  # the application's handlers print the record
    logger = logging.getLogger("vtex_tracking_ext")
    logger.addHandler(handler)
    logger.setLevel(number)
