"""The help, and what is reported about misspelt commands and options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli.parser.command_parser import CommandParser
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.cli.parser.tree import walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.commands import Ran

COMMANDS = list(walk(build_parser()))


def test_each_command_is_listed_in_one_line_in_its_group(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns, the help of the program and that of orders have a line for each command, below a title."""
    monkeypatch.setenv("COLUMNS", "80")
    for path, parser in COMMANDS:
        if parser.commands:
            lines = run(*path, "--help").out.splitlines()
            for title, names in parser.groups.items():
                start = lines.index(f"{title}:") + 1
                listed = [line.split(None, 1) for line in lines[start : start + len(names)]]
                assert listed == [[name, parser.commands[name].summary] for name in names]
                assert lines[start + len(names)] == ""
            assert sorted(parser.commands) == sorted(name for names in parser.groups.values() for name in names)
            assert lines[lines.index("options:") + 1].split() == [
                "-h,",
                "--help",
                "show",
                "this",
                "help",
                "message",
                "and",
                "exit",
            ]
            assert "Exit status: 0 all applied" in " ".join(lines) or path


@pytest.mark.parametrize("path", [(), ("orders",)])
def test_without_arguments_the_help_is_printed(run: Callable[..., Ran], path: tuple[str, ...]) -> None:
    """On standard error and with status 2, so that a script does not take it for a success."""
    ran = run(*path)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == run(*path, "--help").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pusj",), "vtex-tracking: unknown command 'pusj'; did you mean push?"),
        (("orders", "fidn"), "vtex-tracking orders: unknown command 'fidn'; did you mean find?"),
        (("xyzzy",), "vtex-tracking: unknown command 'xyzzy'"),
        (
            ("push", "--delimter", "tab", "a.csv"),
            "vtex-tracking push: unknown option --delimter; did you mean --delimiter?",
        ),
        (("push", "--delimter=tab"), "vtex-tracking push: unknown option --delimter; did you mean --delimiter?"),
        (
            ("push", "--profil"),
            "vtex-tracking push: unknown option --profil; did you mean --profile or --profiles?",
        ),
        (("push", "--dry"), "vtex-tracking push: unknown option --dry; did you mean --dry-run?"),
        (("push", "-x"), "vtex-tracking push: unknown option -x"),
        (
            ("orders", "status", "--jsn"),
            "vtex-tracking orders status: unknown option --jsn; did you mean --json?",
        ),
        (("migrate", "now"), "vtex-tracking migrate: unexpected argument 'now'"),
        (("migrate", "--", "--journal"), "vtex-tracking migrate: unexpected argument '--journal'"),
        (
            ("report", "--format", "htm"),
            "vtex-tracking report: argument --format: invalid choice: 'htm': use jsonl, csv, html; did you mean html?",
        ),
        (("packages",), "vtex-tracking packages: the following arguments are required: ORDER_ID"),
    ],
)
def test_a_mistake_is_named_with_what_was_probably_meant(
    run: Callable[..., Ran], arguments: tuple[str, ...], said: str
) -> None:
    """The message names the command and where its help is, and the usage is not printed."""
    ran = run(*arguments)
    program, _, message = said.partition(": ")
    expected = f"{program}: error: {message}\nRun `{program} --help` for help.\n"
    assert (ran.status, ran.out, ran.err) == (2, "", expected)


def test_no_option_can_be_abbreviated() -> None:
    """Neither those of a command, nor those of an action of a command."""
    assert all(parser.allow_abbrev is False for _, parser in COMMANDS)


def test_the_value_of_an_unknown_option_is_not_printed(run: Callable[..., Ran]) -> None:
    """It may be a credential."""
    for arguments in (("--app-tokn", "TOPSECRET"), ("--app-tokn=TOPSECRET",)):
        ran = run("packages", "1-01", *arguments)
        assert "unknown option --app-tokn; did you mean --app-token?" in ran.err
        assert "TOPSECRET" not in ran.err


def test_names_with_hyphens_are_not_broken_at_the_end_of_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they can be copied, and found."""
    monkeypatch.setenv("COLUMNS", "30")
    for width in range(30, 50):
        monkeypatch.setenv("COLUMNS", str(width))
        parser = CommandParser(prog="x", description="a b c vtex-tracking/profiles.toml d e f g h")
        parser.add_argument("--y", help="i j k --resend-after l m n")
        assert {"vtex-tracking/profiles.toml", "--resend-after"} <= set(parser.format_help().split())


def test_help_texts_contain_no_option_that_does_not_exist() -> None:
    """Each option that a help text names is one of some command."""
    known = {name for _, parser in COMMANDS for option in parser.options for name in option.option_strings}
    for path, parser in COMMANDS:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", parser.format_help()))
        assert named <= known, path
