"""Names of files with wildcards that the shell did not expand; cmd.exe on Windows expands none."""

from __future__ import annotations

import glob
from pathlib import Path

from vtex_tracking_ext.text import quoted

from .rows import InputFileError


def expand(name: str) -> list[str]:
    """Return the files that match a name with wildcards, sorted; a name without wildcards as it is.

    ``**`` matches any number of folders. Where a file has this very name, it alone is meant. Square brackets are
    wildcards only if that matches something, because ``events[1].csv`` is a usual name. Folders, and names that begin
    with a dot, do not match.

    Raises:
        InputFileError: No file matches.
    """
    if not glob.has_magic(name) or Path(name).exists():
        return [name]
    for pattern in dict.fromkeys((name, name.replace("[", "[[]"))):
        matches = glob.iglob(pattern, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute patterns
        if files := {path for path in matches if Path(path).is_file()}:
            return sorted(files)
    if "*" in name or "?" in name:
        raise InputFileError(f"{quoted(name, 200)}: no file matches this pattern; folders do not count.")
    return [name]
