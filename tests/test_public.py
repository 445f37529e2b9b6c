"""The package's public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vtex_tracking_ext

FIXED = {
    "AsyncTrackingClient",
    "AuthenticationError",
    "ConfigurationError",
    "ConflictError",
    "InvalidUpdateError",
    "NotFoundError",
    "NotSentError",
    "OutcomeUnknownError",
    "Package",
    "PermissionDeniedError",
    "RateLimitedError",
    "RefusedError",
    "RetryPolicy",
    "TrackingClient",
    "TrackingEvent",
    "TrackingReceipt",
    "TrackingUpdate",
    "VtexTrackingError",
}


def test_all_is_sorted_complete_and_importable() -> None:
    """``__all__`` is sorted and contains the fixed names; each can be imported and has a docstring."""
    names = vtex_tracking_ext.__all__
    assert names == sorted(names)
    assert set(names) >= FIXED
    for name in names:
        assert getattr(vtex_tracking_ext, name).__doc__, name
    assert set(names) <= set(dir(vtex_tracking_ext))


def test_an_unknown_name_raises_attribute_error() -> None:
    """An unknown name of the package raises Python's usual AttributeError."""
    with pytest.raises(AttributeError, match="no attribute 'Tracker'"):
        vtex_tracking_ext.Tracker  # noqa: B018 - the look-up is the test


def test_importing_the_package_does_not_import_httpx() -> None:
    """Importing the package and making a TrackingEvent do not import httpx."""
    code = "import sys, vtex_tracking_ext as v; v.TrackingEvent('2015-06-23', 'x'); sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


MADE = """
from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.transport import tls
TrackingClient("mystore", user_token="MADEUP")
assert tls._default_context.cache_info().currsize == 0, "a TLS context was built"
"""
HELP = """
from contextlib import suppress
from vtex_tracking_ext.cli import main
with suppress(SystemExit):
    main(["--help"])
"""


@pytest.mark.parametrize(
    ("code", "heavy"),
    [(MADE, {"asyncio", "importlib.metadata"}), (HELP, {"attrs", "httpx", "importlib.metadata", "traceback"})],
    ids=["a client", "--help"],
)
def test_a_start_imports_nothing_that_is_not_needed_yet(code: str, heavy: set[str]) -> None:
    """Making a client and printing the help import no module that takes milliseconds and is not needed."""
    code = f"import sys; before = set(sys.modules)\n{code}\nsys.exit(str({heavy!r} & set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == "set()"
