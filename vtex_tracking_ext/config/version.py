"""The version of this package."""

from __future__ import annotations


def package_version() -> str:
    """Return the version of the installed package; ``0+unknown`` in a source tree that was never installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - it takes milliseconds to import

    try:
        return version("vtex-tracking")
    except PackageNotFoundError:
        return "0+unknown"
