"""The pages can be built as a site."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from vtex_tracking_ext import __all__ as public_names

from support.pages import DOCS, PAGES
from support.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

#: Fails when something is looked up or connected to, so that the build needs no network.
WITHOUT_NETWORK: Final = """
import socket, sys
def refuse(*arguments, **options): raise AssertionError("the build needs the network")
socket.getaddrinfo = socket.create_connection = socket.socket.connect = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with warnings as errors, such as a link that leads nowhere, and a page that no menu has."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--fail-on-warning", "--keep-going", "--fresh-env"]
    command = [sys.executable, "-c", WITHOUT_NETWORK, *options, "-d", str(folder / "cache"), str(DOCS), str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    """Each page of docs/ but the maintainers' has a page of the site."""
    pages = {page.removeprefix("docs/") for page in PAGES} - {"README.md", "maintainers.md"}
    assert {page for page in pages if not (site / page).with_suffix(".html").is_file()} == set()


def test_the_python_reference_has_every_public_name(site: Path) -> None:
    """Classes and functions have a signature and their docstrings."""
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    assert {name for name in public_names if f'id="vtex_tracking_ext.{name}"' not in page} == set()
    for name in ("bulk.push", "bulk.note", "bulk.deliver", "carriers.read", "orders.carrier_rows", "otel.SpanHook"):
        assert f'id="vtex_tracking_ext.{name}"' in page, name


def test_the_command_line_reference_has_every_command(site: Path) -> None:
    """Each command has a heading, and the options that commands share have a section of their own."""
    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    for name in ("push", "orders-sync", "orders-backfill", "serve", "sandbox"):
        assert f'id="vtex-tracking-{name}"' in page, name
    assert 'id="account-and-credentials"' in page
    assert page.count("--app-key") == 1


def test_the_site_loads_nothing_from_elsewhere(site: Path) -> None:
    """No page has a script, style or font of another host."""
    for page in site.glob("**/*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert '<link rel="stylesheet" type="text/css" href="http' not in text, page
