"""The profile file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vtex_tracking_ext.config import profiles
from vtex_tracking_ext.config.profiles import Profile, load_profile, load_profiles, profiles_path
from vtex_tracking_ext.errors import ConfigurationError


def write(folder: Path, text: str) -> Path:
    """Write a profile file."""
    path = folder / "profiles.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_the_name_of_a_profile_is_its_account_by_default(tmp_path: Path) -> None:
    """The name of the table is the account unless it sets another."""
    path = write(tmp_path, '[mystore]\napp_key = "k"\napp_token = "t"\n[test]\naccount = "other"\nuser_token = "u"\n')
    assert load_profiles(path) == {
        "mystore": Profile("mystore", "k", "t"),
        "test": Profile("other", user_token="u"),
    }
    assert load_profile(path, "test").account == "other"


def test_a_profile_says_when_unknown_events_are_sent_again(tmp_path: Path) -> None:
    """A duration is converted to seconds, and off is 0, unlike a profile that does not say."""
    path = write(tmp_path, '[a]\nresend_after = "90m"\n[b]\nresend_after = "off"\n[c]\n')
    assert {name: profile.resend_after for name, profile in load_profiles(path).items()} == {
        "a": 5400,
        "b": 0,
        "c": None,
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a", "is not valid TOML"),
        ('a = "SECRET"', "is not a table"),
        ('[a]\napp_tokn = "SECRET"', "'app_tokn' is not a setting; use account, app_key"),
        ("[a]\napp_token = 5", "app_token is not text"),
        ('[a]\nresend_after = "SECRET"', "resend_after is not a duration such as 90s, 30m, 12h or 7d, or off"),
        ("[a]\nresend_after = 60", "resend_after is not text"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("[a]\napp_token = " + "5" * 5000, "is not valid TOML"),
        ("#" * (1024 * 1024 + 1), "larger than 1048576 bytes"),
    ],
)
def test_an_invalid_profile_file_is_refused_without_showing_values(tmp_path: Path, text: str, said: str) -> None:
    """The message about an invalid file names the file and the setting, never a value."""
    path = write(tmp_path, text)
    with pytest.raises(ConfigurationError, match=said) as caught:
        load_profiles(path)
    assert "SECRET" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unreadable_profile_file_is_refused(tmp_path: Path) -> None:
    """A file that is missing or is not UTF-8 is refused."""
    with pytest.raises(ConfigurationError, match="No such file"):
        load_profiles(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "binary.toml").chmod(0o600)
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load_profiles(tmp_path / "binary.toml")


def test_a_profile_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    """A file that an editor saved with a byte order mark is read."""
    assert load_profiles(write(tmp_path, '\ufeff[a]\nuser_token = "u"\n')) == {"a": Profile("a", user_token="u")}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o777])
def test_a_profile_file_that_others_can_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    """A file with any permission for others is refused before it is parsed, also through a link, unless allowed."""
    path = write(tmp_path, "SECRET = [")
    path.chmod(mode)
    link = tmp_path / "a link"
    link.symlink_to(path)
    for name, quoted in ((path, str(path)), (link, f"'{link}'")):
        with pytest.raises(ConfigurationError) as caught:
            load_profiles(name)
        assert str(caught.value) == (
            f"The profile file {name} contains credentials, and other users have access to it (mode {mode:04o}). Run: "
            f"chmod 600 {quoted}. If its mode cannot be changed, as that of a mounted secret, set the environment "
            "variable VTEX_ALLOW_READABLE_PROFILES=1."
        )
    monkeypatch.setenv("VTEX_ALLOW_READABLE_PROFILES", "yes")
    with pytest.raises(ConfigurationError, match="contains credentials"):
        load_profiles(path)
    monkeypatch.setenv("VTEX_ALLOW_READABLE_PROFILES", "1")
    path.write_text('[a]\nuser_token = "u"\n', encoding="utf-8")
    notes: list[str] = []
    assert load_profile(path, "a", notes.append) == load_profile(path, "a") == Profile("a", user_token="u")
    (note,) = notes
    assert note == (
        f"The profile file {path} contains credentials, and other users have access to it (mode {mode:04o}), which "
        "VTEX_ALLOW_READABLE_PROFILES=1 allows."
    )


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_profile_file_of_its_owner_is_read(tmp_path: Path, mode: int) -> None:
    """A file that only its owner can read is read without a note."""
    path = write(tmp_path, "[a]")
    path.chmod(mode)
    notes: list[str] = []
    assert load_profiles(path, notes.append) == {"a": Profile("a")}
    assert notes == []


def test_windows_has_no_permissions_to_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows, the mode is not checked; a note says so of a file outside of the user's own folder."""
    path = write(tmp_path, "[a]")
    path.chmod(0o666)
    monkeypatch.setattr(profiles, "_IS_WINDOWS", True)
    notes: list[str] = []
    for folder, number in ((tmp_path, 0), (tmp_path / "other", 1)):
        monkeypatch.setenv("HOME", str(folder))
        assert load_profiles(path, notes.append) == load_profiles(path) == {"a": Profile("a")}
        assert len(notes) == number
    assert notes[0].startswith(f"The profile file {path} contains credentials. On Windows, it is not checked whether")
    assert notes[0].endswith(f"below {tmp_path / 'other'}.")


def test_a_profile_file_may_be_a_pipe(tmp_path: Path) -> None:
    """A pipe, such as a shell's ``<(command)``, is read; one without a writer is empty and does not block."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert load_profiles(path) == {}
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    os.write(writer, b'[a]\nuser_token = "u"\n')
    os.close(writer)
    assert load_profiles(path) == {"a": Profile("a", user_token="u")}
    os.close(reader)


@pytest.mark.parametrize(("path", "said"), [("/dev/zero", "it is a device"), ("/", "Is a directory")])
def test_a_device_or_folder_is_refused_as_profile_file(path: str, said: str) -> None:
    """A device or a folder is refused before it is read without end."""
    with pytest.raises(ConfigurationError, match=f"cannot be read: {said}"):
        load_profiles(Path(path))


def test_the_message_about_a_missing_profile_lists_the_others(tmp_path: Path) -> None:
    """The message about a missing profile lists the profiles of the file."""
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
def test_the_path_of_the_profile_file(environ: dict[str, str], path: Path) -> None:
    """The path comes from a variable, else it is in the user's configuration folder."""
    assert profiles_path(environ) == path


def test_a_user_without_a_home_folder_has_no_profile_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home folder, the path of the profile file is returned and does not exist."""
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert not profiles_path({}).exists()
