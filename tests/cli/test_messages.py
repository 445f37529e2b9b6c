"""Tests of what check prints about a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtex_tracking_ext.bulk.input.rows import Recognition
from vtex_tracking_ext.cli.messages import Console


@pytest.mark.parametrize(
    ("recognition", "said"),
    [
        (Recognition("xlsx", header_line=2), "f: a workbook, header in line 2.\n"),
        (Recognition("jsonl", encoding="utf-8-sig"), "f: JSON lines, utf-8-sig.\n"),
        (
            Recognition("csv", "\t", "cp850", is_encoding_certain=False, columns=[("a\x1b", "date"), ("b", "")]),
            "f: CSV, delimited by tab, cp850 (its words read well in no other encoding).\n  Columns: a\\x1b is date.\n",
        ),
    ],
)
def test_what_was_recognised_is_printed(
    recognition: Recognition, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a format does not have is left out, and unprintable characters are escaped."""
    Console(as_json=False).recognised("f", recognition, [])
    assert capsys.readouterr().out == said


def test_proposed_option_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    """A layout's name is quoted for a shell where that is needed."""
    Console(as_json=False).saved_layout("Total Express", Path("p.toml"))
    assert capsys.readouterr().out == (
        "Layout saved as [layouts.Total Express] in p.toml; push with --layout 'Total Express'.\n"
    )
