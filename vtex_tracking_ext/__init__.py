"""Tell VTEX stores where their parcels are.

The public names are imported when first used, so that importing the package costs next to nothing and does
not import httpx.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from .client import TrackingClient
    from .client_async import AsyncTrackingClient
    from .config.retry_policy import RetryBudget, RetryPolicy
    from .errors import (
        AuthenticationError,
        ConfigurationError,
        ConflictError,
        InvalidUpdateError,
        NotFoundError,
        NotSentError,
        OutcomeUnknownError,
        PermissionDeniedError,
        Problem,
        RateLimitedError,
        ReadFailedError,
        RefusedError,
        VtexTrackingError,
    )
    from .events import AttemptEvent, Package, PackageEvent, TrackingEvent, TrackingReceipt, TrackingUpdate
    from .finding import FeedConfiguration, FeedItem, OrderPage

__all__ = [
    "AsyncTrackingClient",
    "AttemptEvent",
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "FeedConfiguration",
    "FeedItem",
    "InvalidUpdateError",
    "NotFoundError",
    "NotSentError",
    "OrderPage",
    "OutcomeUnknownError",
    "Package",
    "PackageEvent",
    "PermissionDeniedError",
    "Problem",
    "RateLimitedError",
    "ReadFailedError",
    "RefusedError",
    "RetryBudget",
    "RetryPolicy",
    "TrackingClient",
    "TrackingEvent",
    "TrackingReceipt",
    "TrackingUpdate",
    "VtexTrackingError",
]

_HOMES = {
    "client": ("TrackingClient",),
    "client_async": ("AsyncTrackingClient",),
    "config.retry_policy": ("RetryBudget", "RetryPolicy"),
    "events": ("AttemptEvent", "Package", "PackageEvent", "TrackingEvent", "TrackingReceipt", "TrackingUpdate"),
    "finding": ("FeedConfiguration", "FeedItem", "OrderPage"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for (PEP 562)."""
    if name == "__version__":
        return import_module(".config.version", __name__).package_version()
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "errors")
    value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


if os.environ.get("VTEX_TRACKING_LOG"):
    import_module(".config.log", __name__).print_log(os.environ["VTEX_TRACKING_LOG"])
