"""The command init."""

from __future__ import annotations

import getpass
import io
import os
import stat
import sys
import warnings
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.config.profiles import Profile, load_profiles
from vtex_tracking_ext.sandbox import (
    APP_KEY,
    APP_TOKEN,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    USER_TOKEN,
    WRITE_ONLY_APP_KEY,
    WRITE_ONLY_APP_TOKEN,
    Oms,
)

from support.scratch import ROOT
from support.terminals import terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.commands import Ran


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the path of the default profile file; nothing is set in the environment."""
    for name in [name for name in os.environ if name.startswith("VTEX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "vtex-tracking" / "profiles.toml"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that gives the answers of a person at a terminal, and tokens to hidden questions."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def answer(*lines: str, tokens: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "400")  # no line is wrapped
        remaining = iter(tokens)

        def hidden(_: str) -> str:
            token = next(remaining, None)
            if token is None:
                raise EOFError
            return token

        monkeypatch.setattr(getpass, "getpass", hidden)

    return answer


def test_a_person_is_asked_and_the_store_is_written(
    run: Callable[..., Ran], answer: Callable[..., None], url: str, oms: Oms, path: Path
) -> None:
    """Answers that cannot be used are asked again; the checks are printed; no event was added."""
    answer("a b", "mystore", "half", f" {APP_KEY} ", tokens=("", f"{APP_TOKEN}\r"))
    ran = run("init", "--base-url", url)
    assert (ran.status, load_profiles(path)) == (
        0,
        {"mystore": Profile("mystore", APP_KEY, APP_TOKEN, base_url=url)},
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line.partition(":")[0] for line in ran.err.splitlines()] == [
        "VTEX account that fulfils the orders, such as mystore",
        "VTEX account that fulfils the orders, such as mystore",
        "App key",
    ]
    assert "account 'a b' is not a single host name label" in ran.err
    assert "App key: app_token is empty." in ran.err
    lines = ran.out.splitlines()
    assert lines[-2:] == [
        "7 ok.",
        f"{path} has the store 'mystore'; only you can read the file. Use it with `--profile mystore`.",
    ]
    assert APP_TOKEN not in ran.out + ran.err
    assert [request.status for request in oms.received] == [404, 404]
    assert run("packages", "1172452900788-01", "--profile", "mystore").status == 0


def test_the_environment_of_the_account_is_asked(
    run: Callable[..., Ran], answer: Callable[..., None], path: Path
) -> None:
    """The usual one is not written, another one is; an option can name the store, or else it has the account's name."""
    answer("mystore", "", APP_KEY, tokens=(APP_TOKEN,))
    assert run("init", "--no-check").status == 0
    answer("mystore", "vtexcommercebeta", APP_KEY, tokens=(APP_TOKEN,))
    assert run("init", "--no-check", "--profile", "beta").status == 0
    assert load_profiles(path) == {
        "mystore": Profile("mystore", APP_KEY, APP_TOKEN),
        "beta": Profile("mystore", APP_KEY, APP_TOKEN, environment="vtexcommercebeta"),
    }


@pytest.mark.usefixtures("account")
def test_without_a_terminal_the_environment_is_enough(run: Callable[..., Ran], path: Path, url: str) -> None:
    """A store of that name is not overwritten, but with --force; a store of another name is added."""
    assert run("init").status == 0
    ran = run("init")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        f"vtex-tracking init: The profile file {path} already has a store 'sandbox': give --force to replace its "
        "account, address and credentials, or --profile for another name.\n"
    )
    assert run("init", "--profile", "second").status == 0
    assert run("init", "--force", "--user-token", USER_TOKEN).status == 0
    assert load_profiles(path) == {
        "sandbox": Profile("sandbox", user_token=USER_TOKEN, base_url=url),
        "second": Profile("sandbox", APP_KEY, APP_TOKEN, base_url=url),
    }


def test_without_a_terminal_what_is_missing_is_an_error(run: Callable[..., Ran], path: Path) -> None:
    """The message names the variables."""
    for options in ((), ("--account", "mystore"), ("--app-key", "k", "--app-token", "t")):
        ran = run("init", *options)
        assert (ran.status, ran.out) == (2, "")
        assert "set VTEX_ACCOUNT, VTEX_APP_KEY and VTEX_APP_TOKEN, or give options." in ran.err
    assert run("init", "--account", "mystore", "--app-key", "k").status == ExitCode.CONFIGURATION
    assert run("init", "--account", "layouts", "--user-token", "t").status == 2
    assert not path.exists()


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("options", "is_written"),
    [
        (("--app-key", APP_KEY, "--app-token", "wrong"), False),
        (("--app-key", READ_ONLY_APP_KEY, "--app-token", READ_ONLY_APP_TOKEN), False),
        (("--app-key", WRITE_ONLY_APP_KEY, "--app-token", WRITE_ONLY_APP_TOKEN), True),
        (("--base-url", "http://127.0.0.1:9"), False),
        (("--base-url", "http://127.0.0.1:9", "--no-check"), True),
    ],
)
def test_credentials_that_fail_a_check_are_not_written(
    run: Callable[..., Ran], path: Path, options: tuple[str, ...], is_written: bool
) -> None:
    """A warning, such as a key that may not read orders, does not keep them from being written."""
    ran = run("init", *options)
    assert ran.status == (0 if is_written else ExitCode.CONFIGURATION)
    assert path.exists() == is_written
    assert ("nothing was written to" in ran.err) != is_written


def test_a_person_can_have_them_written_all_the_same(
    run: Callable[..., Ran], answer: Callable[..., None], url: str, path: Path
) -> None:
    """Or not, which is the default."""
    where = ("--account", "mystore", "--base-url", url, "--profile", "x", "--proxy", url)
    answer(APP_KEY, "", tokens=("wrong",))
    assert run("init", *where).status == ExitCode.CONFIGURATION
    assert not path.exists()
    answer(APP_KEY, "y", tokens=("wrong",))
    ran = run("init", *where)
    assert ran.status == 0
    assert "The checks did not succeed. Write the store to the profile file anyway? [y/N]" in ran.err
    assert ran.out.endswith("Give --ca-file and --proxy to later commands as well: a profile does not have them.\n")
    assert load_profiles(path) == {"x": Profile("mystore", APP_KEY, "wrong", base_url=url)}


def test_an_input_that_ends_writes_nothing(
    run: Callable[..., Ran], answer: Callable[..., None], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a question, at the token, and on a terminal that would show the token."""
    for lines in ((), ("mystore", "", "", APP_KEY)):
        answer(*lines)
        ran = run("init")
        assert ran.status == 2
        assert ran.err.endswith("vtex-tracking init: The input ended; nothing was written.\n")
    answer("mystore", "", "", APP_KEY)

    def shown(_: str) -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        raise AssertionError("the token is read although the terminal shows it")

    monkeypatch.setattr(getpass, "getpass", shown)
    ran = run("init")
    assert ran.status == 2
    assert "This terminal would show the token" in ran.err
    assert not path.exists()


@pytest.mark.usefixtures("account")
def test_a_profile_file_that_others_can_read_is_refused(run: Callable[..., Ran], path: Path) -> None:
    """Before anything is sent."""
    path.parent.mkdir()
    path.write_text("", "utf-8")
    path.chmod(0o644)
    ran = run("init")
    assert (ran.status, ran.out) == (ExitCode.CONFIGURATION, "")
    assert f"chmod 600 {path}" in ran.err


def test_the_token_is_not_shown_on_a_terminal(url: str, path: Path, tmp_path: Path) -> None:
    """In a real terminal, what is typed is shown, but for the token."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("VTEX_")}
    environ |= {"XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'generated'}"}
    arguments = [sys.executable, "-m", "vtex_tracking_ext", "init", "--base-url", url]
    with terminal(arguments, tmp_path, environ) as converse:
        shown = converse("", "such as mystore: ")
        shown += converse("mystore\n", "App key: ")
        shown += converse(f"{APP_KEY}\n", "(not shown): ")
        shown += converse(f"{APP_TOKEN}\n", "`--profile mystore`.")
    assert APP_KEY in shown
    assert APP_TOKEN not in shown
    assert load_profiles(path) == {"mystore": Profile("mystore", APP_KEY, APP_TOKEN, base_url=url)}
