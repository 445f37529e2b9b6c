"""The manual page."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli.man import _text
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.cli.parser.tree import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran


@pytest.fixture
def page(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the page as the command prints it on a day in 2026."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    ran = run("man")
    assert (ran.status, ran.err) == (0, "")
    return ran.out


def rendered(page: str, *command: str) -> str:
    """Return what a program makes of the page; it warns of nothing."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, input=page, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return re.sub(".\b", "", done.stdout)


def test_mandoc_finds_nothing_wrong(page: str) -> None:
    """Apart from the length of lines, which is a matter of style."""
    assert rendered(page, "mandoc", "-Tlint", "-Wwarning") == ""


@pytest.mark.parametrize(
    "command", [("groff", "-man", "-Tutf8", "-ww", "-P-c", "-rLL=100n"), ("mandoc", "-Tutf8", "-Owidth=100")]
)
def test_the_page_has_every_command_and_option(page: str, command: tuple[str, ...]) -> None:
    """Groff and mandoc show each name in full, the day, and the texts of the parser."""
    text = rendered(page, *command)
    words = set(re.split(r"[\s,]+", text))
    for path, parser in walk(build_parser()):
        if path:
            assert re.search(rf"^ +{' '.join(path)} (\[OPTION|ACTION)", text, re.MULTILINE), path
        names = {name for option in parser.options for name in option.option_strings if name not in {"-h", "--version"}}
        assert names <= words, path
    assert "2026-09-21" in text
    shown = " ".join(text.split())
    assert "vtex-tracking - tell VTEX stores where their parcels are" in shown
    assert "'Ocorr\xeancia=Entrega realizada'" in shown or "COLUMN has exactly this text" in shown
    assert 'app_key = "..."' in shown
    assert "5 incomplete (run again to resume)" in shown
    assert "It also has the options below: input files and account and credentials." in shown


def test_options_that_commands_share_are_described_once(page: str) -> None:
    """So that the page can be read: the options for credentials stand in a section of their own."""
    assert page.count("\n.B \\-\\-app\\-token APP_TOKEN\n") == 1
    assert page.count("\n.B \\-\\-delimiter NAME\n") == 1
    assert page.index(".SH EXIT STATUS\n") > page.index('.SH "OPTIONS: ACCOUNT AND CREDENTIALS"\n')


def test_without_the_variable_the_page_has_the_day_of_today(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In UTC."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setattr("vtex_tracking_ext.cli.man.time.time", lambda: 86_400.5)
    assert run("man").out.startswith(".TH VTEX-TRACKING 1 1970-01-02 ")


def test_texts_contain_no_commands_of_man() -> None:
    """A dot or an apostrophe at the start, a backslash, a quote and other characters are escaped."""
    assert _text('.a "b" \\c -d \xea') == "\\&.a \\(dqb\\(dq \\ec \\-d \\[u00EA]"
    assert _text("'a'") == "\\&'a'"
