"""Describe the machine, the system and the versions of a run, without a name or address of the machine."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: Distributions whose versions are recorded.
_MEASURED = (
    "vtex-tracking",
    "httpx",
    "httpcore",
    "httptools",
    "aiohttp",
    "urllib3",
    "openapi-generator-cli",
    "pydantic",
    "vtexpy",
)

#: Distributions that slow down ``import httpx``, because httpx imports its command line with them.
HEAVY = ("click", "rich", "pygments")


def machine(*, pinned: bool) -> dict[str, str | int | bool]:
    """Describe this machine.

    Args:
        pinned: Whether the servers and the subjects were pinned to a processor each.
    """
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "pinned": pinned,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": _system(),
    }


def versions() -> dict[str, str]:
    """Return the installed versions of the recorded distributions."""
    return {name: found for name in _MEASURED if (found := _version(name))}


def heavy() -> list[str]:
    """Return the installed distributions that slow down httpx."""
    return [name for name in HEAVY if _version(name)]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
