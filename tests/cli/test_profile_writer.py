"""Writing a store to the profile file."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.cli.profile_writer import write_profile
from vtex_tracking_ext.config.secret import Secret
from vtex_tracking_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

STORE = {"app_key": Secret("key"), "app_token": Secret('to"k\\en')}
LINES = 'app_key = "key"\napp_token = "to\\"k\\\\en"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a profile file in a folder that does not exist."""
    return tmp_path / "new" / "profiles.toml"


def written(path: Path, text: str, name: str = "mystore") -> str:
    """Return a file's content after the store was written to it."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    write_profile(path, name, STORE)
    return path.read_text("utf-8")


@pytest.mark.parametrize("name", ["mystore", "my store", 'a"b.c', "\xe3"])
def test_a_new_file_is_for_its_owner_only(path: Path, name: str) -> None:
    """Whatever the umask is; so is its folder. Names and values are quoted as TOML needs it."""
    umask = os.umask(0)
    try:
        write_profile(path, name, STORE)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert tomllib.loads(path.read_text("utf-8")) == {name: {"app_key": "key", "app_token": 'to"k\\en'}}
    assert [each.name for each in path.parent.iterdir()] == ["profiles.toml"]


def test_another_store_and_the_comments_are_kept(path: Path) -> None:
    """The store is added at the end; a mode that lets others read the file becomes 0600."""
    before = '# Stores\n[other] # the other one\napp_key = "o"\n\n[layouts.x]\ndelimiter = ";"\n\n'
    assert written(path, before) == f"{before.rstrip()}\n\n[mystore]\n{LINES}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_stays_one(path: Path, tmp_path: Path) -> None:
    """The file that it leads to is replaced."""
    link = tmp_path / "link.toml"
    write_profile(path, "a", STORE)
    link.symlink_to(path)
    write_profile(link, "b", STORE)
    assert link.is_symlink()
    assert tomllib.loads(path.read_text("utf-8")).keys() == {"a", "b"}


def test_the_credentials_of_a_store_are_replaced(path: Path) -> None:
    """Its other settings, its tables, its comments and the stores around it are kept."""
    before = (
        '[a]\napp_key = "a"\n  [mystore] # ours\n# valid until May\nuser_token = "u"\nbase_url="https://x"\n'
        'resend_after = "1h"\n\n[mystore.webhooks]\neasypost = "e"\n[mystore2]\napp_key = "b"\n'
    )
    assert written(path, before) == (
        f'[a]\napp_key = "a"\n  [mystore] # ours\n{LINES}# valid until May\nresend_after = "1h"\n\n'
        '[mystore.webhooks]\neasypost = "e"\n[mystore2]\napp_key = "b"\n'
    )
    assert written(path, "[mystore]") == f"[mystore]\n{LINES}"


@pytest.mark.parametrize(
    "text",
    [
        '["mystore"]\napp_key = "a"\n',
        'mystore = { app_key = "a" }\n',
        'mystore.app_key = "a"\n',
        '[mystore]\napp_key = """\na"""\n',
        '[mystore]\n"app_key" = "a"\n',
        '[mystore.webhooks]\neasypost = "e"\n',
    ],
)
def test_a_store_that_is_written_in_another_way_is_left(path: Path, text: str) -> None:
    """The file is as it was, and the message quotes no value."""
    with pytest.raises(ConfigurationError, match="is written in a way that cannot be changed here") as caught:
        written(path, text)
    assert path.read_text("utf-8") == text
    assert "key" not in str(caught.value)


def test_a_file_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """Nothing is left behind."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file/profiles.toml cannot be written: File exists\."):
        write_profile(tmp_path / "file" / "profiles.toml", "a", STORE)
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
