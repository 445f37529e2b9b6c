"""The completion scripts, in the shells that are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.carriers.registry import SOURCES
from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.cli.parser.tree import first_clause, help_text, takes_value, values_of, walk

from support.terminals import terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran

#: What is typed before Tab, and what can follow. The folder has the files "events.csv" and "a b.csv".
COMPLETIONS = {
    "pu": ["push"],
    "orders ": ["backfill", "find", "import", "parked", "stale", "status", "sync"],
    "orders st": ["stale", "status"],
    "orders status --j": ["--journal", "--json"],
    "status --j": ["--journal", "--json"],
    "migrate --": ["--help", "--journal"],
    "push --fo": ["--format"],
    "push --format ": ["csv", "json", "jsonl", "xlsx"],
    "push --strict --format j": ["json", "jsonl"],
    "push --from corr": ["correios"],
    "push --account ev": [],
    "push --orders ev": ["events.csv"],
    "push ev": ["events.csv"],
    "status ev": [],
    "carriers corr": ["correios"],
    "completion z": ["zsh"],
    "--vers": ["--version"],
    "report --state applied --s": ["--since", "--source", "--state"],
}


@pytest.fixture
def script(run: Callable[..., Ran], tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes the script of a shell, beside a folder with files."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "events.csv").touch()
    (folder / "a b.csv").touch()

    def write(shell: str) -> Path:
        ran = run("completion", shell)
        assert (ran.status, ran.err) == (0, "")
        path = tmp_path / f"script.{shell}"
        path.write_text(ran.out, encoding="utf-8")
        return path

    return write


def output_of(command: list[str], folder: Path) -> list[str]:
    """Return the lines that a command prints; it prints nothing on standard error."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def required(shell: str) -> str:
    """Return the path of a shell, or skip the test."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    return path


@pytest.mark.parametrize("typed", COMPLETIONS)
def test_bash_completes(script: Callable[[str], Path], tmp_path: Path, typed: str) -> None:
    """The function of the script finds exactly the expected words, also behind an equals sign."""
    path, words = script("bash"), ["vtex-tracking", *typed.split(" ")]
    code = (
        f'source {path}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vtex_tracking; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    bash = [required("bash"), "--norc", "-c", code, "bash"]
    assert sorted(filter(None, output_of([*bash, *words], tmp_path / "files"))) == COMPLETIONS[typed]
    if typed == "push --format ":  # bash splits --format=c at the equals sign
        assert output_of([*bash, *words[:-1], "="], tmp_path / "files") == COMPLETIONS[typed]
        assert output_of([*bash, *words[:-1], "=", "c"], tmp_path / "files") == ["csv"]


@pytest.mark.parametrize("typed", COMPLETIONS)
def test_fish_completes(script: Callable[[str], Path], tmp_path: Path, typed: str) -> None:
    """fish finds exactly the expected words; its descriptions follow a tab."""
    code = f"source {script('fish')}; complete -C 'vtex-tracking {typed}'"
    found = output_of([required("fish"), "--no-config", "-c", code], tmp_path / "files")
    assert sorted(line.partition("\t")[0] for line in found) == COMPLETIONS[typed]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_tab_completes(script: Callable[[str], Path], tmp_path: Path, shell: str) -> None:
    """In a terminal, Tab completes commands, options, values and the names of files, one with a space as well.

    zsh writes an equals sign between an option and its value.
    """
    path = script(shell)
    command = [required(shell), "--norc", "-i"] if shell == "bash" else [required(shell), "-f", "-i"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb", "PS1": "$ ", "LC_ALL": "C.UTF-8"}
    (tmp_path / "vtex-tracking").write_text('#!/bin/sh\nprintf "ran"; printf " <%s>" "$@"; echo\n', encoding="utf-8")
    (tmp_path / "vtex-tracking").chmod(0o700)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    setup = "autoload -U compinit && compinit -u -D && " if shell == "zsh" else ""
    between = "=" if shell == "zsh" else "> <"
    with terminal(command, tmp_path / "files", environ) as converse:
        converse(f'{setup}eval "$(cat {path})"; echo rea""dy\n', "ready")
        for typed, words in (
            ("orders impo\ta\t\n", "<orders> <import> <a b.csv>"),
            ("rep\t--for\tht\t\n", f"<report> <--format{between}html>"),
            ("push --orders ev\t\n", "<push> <--orders> <events.csv>"),
            ("carriers corr\t\n", "<carriers> <correios>"),
        ):
            converse(f"vtex-tracking {typed}", f"ran {words}")


def test_zsh_offers_each_option(script: Callable[[str], Path], tmp_path: Path) -> None:
    """zsh accepts the specification of each command's arguments: none is refused, and each option is there."""
    path = script("zsh")
    code = (
        f"compdef() {{ }}; source {path}; _arguments() {{ printf '%s\\n' \"$@\" }}; for each in ${{(k)functions}}; do"
    )
    code += ' [[ $each == _vtex_tracking* ]] && { echo "== $each"; words=() state="" $each }; done'
    lines = output_of([required("zsh"), "-f", "-c", code], tmp_path)
    found = {"".join(line[1:].partition("[")[0]).rstrip("=") for line in lines if line.startswith("*-")}
    assert found == {
        name for _, each in walk(build_parser()) for option in each.options for name in option.option_strings
    }
    assert sum(line.startswith("== ") for line in lines) == len(list(walk(build_parser())))


def test_output_that_cannot_be_written_is_reported(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """A script or a page that is not complete is not a success."""
    for command, arguments in (("completion", ("fish",)), ("man", ())):
        monkeypatch.setattr(f"vtex_tracking_ext.cli.{command}.say", lambda _: False)
        ran = run(command, *arguments)
        assert (ran.status, ran.err) == (
            ExitCode.INCOMPLETE,
            f"vtex-tracking {command}: standard output cannot be written.\n",
        )


def test_descriptions_are_short() -> None:
    """Each is at most 60 characters of the help, ends with a whole word, and says something."""
    for _, command in walk(build_parser()):
        for option in command.options:
            text, short = help_text(command, option), first_clause(help_text(command, option))
            assert 3 < len(short) <= 60
            assert "%" not in short
            assert text.startswith(short)
            assert not text[len(short) :][:1].isalnum()
    assert first_clause("a" * 30 + " " + "b" * 31) == "a" * 30


def test_values_are_those_that_are_accepted() -> None:
    """The sources of payloads and choices are listed; a free text has no list, and a flag takes no value."""
    push = build_parser().commands["push"]
    options = {name: option for option in push.options for name in option.option_strings}
    assert values_of(options["--from"]) == tuple(SOURCES)
    assert values_of(options["--zone"]) == ()
    assert not takes_value(options["--strict"])
