"""The option --version."""

from __future__ import annotations

import argparse
from typing import Any


class ShowVersion(argparse.Action):
    """Prints the version. Reading it takes longer than everything else that ``--help`` needs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the versions of this package and of httptools, and exit."""
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - see above

        numbers = []
        for name in ("vtex-tracking", "httptools"):
            try:
                numbers.append(version(name))
            except PackageNotFoundError:  # pragma: no cover - both are where the tests run
                numbers.append("not installed")
        print(f"{parser.prog} {numbers[0]} (httptools: {numbers[1]})")
        parser.exit()
