"""The profile file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtex_tracking_ext.config.credentials import Settings
from vtex_tracking_ext.config.profiles import load_profile, load_profiles, profiles_path
from vtex_tracking_ext.errors import ConfigurationError


def write(folder: Path, text: str) -> Path:
    """Write a profile file."""
    path = folder / "profiles.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_profile_is_named_after_its_account(tmp_path: Path) -> None:
    """The table's name is the account unless it says otherwise."""
    path = write(tmp_path, '[mystore]\napp_key = "k"\napp_token = "t"\n[test]\naccount = "other"\nuser_token = "u"\n')
    assert load_profiles(path) == {
        "mystore": Settings("mystore", "k", "t"),
        "test": Settings("other", user_token="u"),
    }
    assert load_profile(path, "test").account == "other"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "is not valid TOML"),
        ('a = "SECRET"', "is not a table"),
        ('[a]\napp_tokn = "SECRET"', "'app_tokn' is not a setting; use account, app_key"),
        ("[a]\napp_token = 5", "app_token is not text"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("[a]\napp_token = " + "5" * 5000, "is not valid TOML"),
        ("#" * (1024 * 1024 + 1), "larger than 1048576 bytes"),
    ],
)
def test_a_wrong_profile_file_is_refused_without_showing_it(tmp_path: Path, text: str, said: str) -> None:
    """The message names the file and the entry, never a value."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_profiles(path)
    assert "SECRET" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_profile_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, or no text."""
    with pytest.raises(ConfigurationError, match="No such file"):
        load_profiles(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_profiles(tmp_path / "binary.toml")


def test_a_profile_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """As some editors write it."""
    assert load_profiles(write(tmp_path, '\ufeff[a]\nuser_token = "u"\n')) == {"a": Settings("a", user_token="u")}


def test_a_profile_file_may_be_a_pipe(tmp_path: Path) -> None:
    """As a shell makes one of ``<(command)``; one that nobody writes to is empty, and blocks nothing."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert load_profiles(path) == {}
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b'[a]\nuser_token = "u"\n')
    os.close(writer)
    assert load_profiles(path) == {"a": Settings("a", user_token="u")}
    os.close(reader)


@pytest.mark.parametrize(("path", "said"), [("/dev/zero", "it is a device"), ("/", "Is a directory")])
def test_a_profile_file_that_is_none_is_refused(path: str, said: str) -> None:
    """Before it is read without end."""
    with pytest.raises(ConfigurationError, match=f"cannot be read: {said}"):
        load_profiles(Path(path))


def test_a_profile_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    """A typo is found at a glance."""
    with pytest.raises(ConfigurationError, match=r"There is no profile 'b' in .* Its profiles: 'a'"):
        load_profile(write(tmp_path, "[a]"), "b")
    with pytest.raises(ConfigurationError, match="Its profiles: none"):
        load_profile(write(tmp_path, ""), "b")


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"VTEX_PROFILES": "/x/p.toml"}, Path("/x/p.toml")),
        ({"XDG_CONFIG_HOME": "/c"}, Path("/c/vtex-tracking/profiles.toml")),
        ({"APPDATA": "/a"}, Path("/a/vtex-tracking/profiles.toml")),
        ({}, Path.home() / ".config/vtex-tracking/profiles.toml"),
    ],
)
def test_where_the_profile_file_is_looked_for(environ: dict[str, str], path: Path) -> None:
    """A variable, else the user's configuration folder."""
    assert profiles_path(environ) == path


def test_a_user_may_have_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is no such file either; credentials can come from elsewhere."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert not profiles_path({}).exists()
