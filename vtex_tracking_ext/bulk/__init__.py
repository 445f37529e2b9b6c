"""Note files and feeds of carrier events in a journal, deliver them to VTEX, and report on them.

``note``, ``deliver``, ``push`` and ``Result`` are imported on first use, so that other parts can be imported without
the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pipeline import Result, deliver, note, push

__all__ = ["Result", "deliver", "note", "push"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import pipeline  # noqa: PLC0415 - on first use

    return getattr(pipeline, name)
