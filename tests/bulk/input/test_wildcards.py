"""Names of files with wildcards."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.bulk.input.wildcards import expand

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Create files, and make their folder the current one."""
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "folder.csv").mkdir()
    for name in ("b.csv", "a.csv", "a1.csv", ".hidden.csv", "x.txt", "sub/c.csv", "sub/deep/d.csv", "e[1].csv"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("*.csv", ["a.csv", "a1.csv", "b.csv", "e[1].csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("sub/*", ["sub/c.csv"]),
        ("**/*.csv", ["a.csv", "a1.csv", "b.csv", "e[1].csv", "sub/c.csv", "sub/deep/d.csv"]),
        ("**", ["a.csv", "a1.csv", "b.csv", "e[1].csv", "sub/c.csv", "sub/deep/d.csv", "x.txt"]),
        ("[ab].csv", ["a.csv", "b.csv"]),
        ("e[1]*", ["e[1].csv"]),
        ("e[1].csv", ["e[1].csv"]),
    ],
)
def test_a_pattern_gives_the_files_that_match_sorted(name: str, files: list[str]) -> None:
    """Folders and hidden files do not match; square brackets that match nothing as wildcards stand for themselves."""
    assert expand(name) == [file.replace("/", os.sep) for file in files]


def test_an_absolute_pattern_gives_absolute_names(tmp_path: Path) -> None:
    """The folder of the pattern is kept."""
    assert expand(str(tmp_path / "?.csv")) == [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]


@pytest.mark.parametrize("name", ["-", "a.csv", "missing.csv", "missing[1].csv", "sub", "events.zip:may.csv", ""])
def test_other_names_stay_as_they_are(name: str) -> None:
    """A name without wildcards stays as it is, even if the file is missing; brackets alone are no wildcards."""
    assert expand(name) == [name]


@pytest.mark.skipif(os.name == "nt", reason="no such file name")
def test_a_file_of_that_very_name_is_meant_alone(tmp_path: Path) -> None:
    """A file that is called ``*.csv`` is not a pattern."""
    (tmp_path / "*.csv").touch()
    assert expand("*.csv") == ["*.csv"]


@pytest.mark.parametrize("name", ["*.xlsx", "missing/*", "sub/?", "folder*"])
def test_a_pattern_without_a_match_is_an_error_that_names_it(name: str) -> None:
    """A folder is no match."""
    with pytest.raises(InputFileError) as caught:
        expand(name)
    assert str(caught.value) == f"'{name}': no file matches this pattern; folders do not count."
