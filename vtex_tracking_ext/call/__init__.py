"""One call, without I/O.

The modules that the clients call are imported when they are first used, with the generated client and the parsers, so
that making a client is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import finding, steps

__all__ = ["finding", "steps"]


def __getattr__(name: str) -> Any:
    """Import a module when it is first asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f".{name}", __name__)
