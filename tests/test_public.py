"""The package's public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import vtex_tracking_ext
from vtex_tracking_ext import call

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


def test_the_version_is_that_of_the_installed_package() -> None:
    """``__version__`` is a public name, although it is read when it is first asked for."""
    assert vtex_tracking_ext.__version__ == version("vtex-tracking")
    assert "__version__" in dir(vtex_tracking_ext)


def test_the_package_is_the_command_line() -> None:
    """``python -m vtex_tracking_ext`` runs the command, with its exit status."""
    command = [sys.executable, "-m", "vtex_tracking_ext"]
    done = subprocess.run([*command, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(f"vtex-tracking {vtex_tracking_ext.__version__} ")
    assert subprocess.run([*command, "no-command"], check=False, capture_output=True).returncode == 2


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
with TrackingClient("mystore", user_token="MADEUP") as client:
    client.with_options(timeout=5)
assert tls._default_context.cache_info().currsize == 0, "a TLS context was built"
"""
MADE_ASYNC = """
from vtex_tracking_ext import AsyncTrackingClient
AsyncTrackingClient("mystore", user_token="MADEUP")
"""

#: What making a client imports of this package and the generated client. Each further module makes the start slower:
#: what a call needs is imported with the first call.
MADE_OF = {
    "vtex_oms_client",
    "vtex_oms_client.client",
    "vtex_oms_client.constants",
    "vtex_tracking_ext",
    "vtex_tracking_ext.call",
    "vtex_tracking_ext.config",
    "vtex_tracking_ext.config.credentials",
    "vtex_tracking_ext.config.defaults",
    "vtex_tracking_ext.config.options",
    "vtex_tracking_ext.config.redaction",
    "vtex_tracking_ext.config.retry_policy",
    "vtex_tracking_ext.config.secret",
    "vtex_tracking_ext.config.server",
    "vtex_tracking_ext.errors",
    "vtex_tracking_ext.events",
    "vtex_tracking_ext.text",
    "vtex_tracking_ext.transport",
    "vtex_tracking_ext.transport.lazy",
    "vtex_tracking_ext.transport.route",
    "vtex_tracking_ext.transport.tls",
}
HELP = """
from contextlib import suppress
from vtex_tracking_ext.cli import main
with suppress(SystemExit):
    main(["--help"])
"""


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        (MADE, {"asyncio", "h11", "httpcore", "httptools", "importlib.metadata"}),
        (HELP, {"attrs", "httpx", "importlib.metadata", "traceback"}),
    ],
    ids=["a client", "--help"],
)
def test_a_start_imports_nothing_that_is_not_needed_yet(code: str, heavy: set[str]) -> None:
    """Making a client and printing the help import no module that takes milliseconds and is not needed."""
    code = f"import sys; before = set(sys.modules)\n{code}\nsys.exit(str({heavy!r} & set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize(
    ("code", "client"), [(MADE, "vtex_tracking_ext.client"), (MADE_ASYNC, "vtex_tracking_ext.client_async")]
)
def test_making_a_client_imports_what_its_construction_needs(code: str, client: str) -> None:
    """The modules of this package and the generated client are compared, because times vary."""
    code = f"import sys\n{code}\nprint(*[name for name in sys.modules if name.startswith('vtex_')])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == {*MADE_OF, client}


def test_modules_of_calls_are_imported_when_they_are_asked_for() -> None:
    """Other names raise Python's usual AttributeError."""
    assert call.finding.__name__ == "vtex_tracking_ext.call.finding"
    with pytest.raises(AttributeError, match="no attribute 'stepz'"):
        call.stepz  # noqa: B018 - the look-up is the test
