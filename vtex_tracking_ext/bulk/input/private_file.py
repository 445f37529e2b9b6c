"""Create files that only their owner can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path


def create_private(path: Path, encoding: str = "utf-8", errors: str | None = None) -> TextIOWrapper:
    """Create a text file with mode 0600, because it names orders. Line ends are not translated.

    Raises:
        FileExistsError: The file exists; its mode may be another.
        OSError: It cannot be created.
    """
    return open(path, "x", encoding=encoding, errors=errors, newline="", opener=_open_private)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
