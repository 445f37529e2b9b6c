"""docs/how-to/proxy.md: the options and arguments are accepted, and the errors are those that the page names."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final

import pytest
import trustme

from vtex_tracking_ext import ConfigurationError, NotSentError, RetryPolicy, TrackingClient
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from support.pages import steps_of, texts
from support.reading import ORDER

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = "docs/how-to/proxy.md"


def test_the_command_is_one() -> None:
    """The command is accepted with its options; no such proxy is there to run it."""
    for block in texts(PAGE, "console"):
        for step in steps_of(block):
            parsed = build_parser().parse_args(shlex.split(step.command)[1:])
            assert parsed.ca_file == "/etc/ssl/corporate-ca.pem"


def test_the_example_makes_clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both clients are made. A proxy that does not answer, and a file that does not exist, are named in the errors."""
    for name, value in {"ACCOUNT": "mystore", "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
        monkeypatch.setenv(f"VTEX_{name}", value)
    (example,) = texts(PAGE, "python")
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        exec(example.replace("/etc/ssl/corporate-ca.pem", "missing.pem"), {})  # noqa: S102 - our own page
    authority = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(authority))
    names: dict[str, TrackingClient] = {}
    exec(example.replace("/etc/ssl/corporate-ca.pem", str(authority)), names)  # noqa: S102 - as above
    for name in ("client", "trusting"):
        names[name].close()
    with (
        TrackingClient.from_env(proxy="http://127.0.0.1:9", retry=RetryPolicy(attempts=1)) as client,
        pytest.raises(NotSentError, match=re.escape("127.0.0.1:9")),
    ):
        client.get_packages(ORDER)
