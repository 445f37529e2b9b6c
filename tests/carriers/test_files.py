"""Files of payloads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext.bulk.input.rows import InputFileError
from vtex_tracking_ext.bulk.input.source import open_source
from vtex_tracking_ext.carriers import CarrierOptions, files

from support.carriers import sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (json.dumps(sample("correios.json"), indent=2).encode(), "correios"),
        (json.dumps(sample("correios.json")).encode("utf-16"), "correios"),
        (b"\xef\xbb\xbf" + json.dumps([sample("correios.json")] * 100).encode(), "correios"),
        (json.dumps({"aviso": "x" * 70_000, **sample("correios.json")}).encode(), "correios"),  # beyond the head
        (sample("ocoren31.txt"), "ocoren"),
        (sample("total_express.xml"), "total_express"),
        (b"order_id,invoice_number,date,description\n", None),
        (b'{"order_id": "1001-01", "invoice_number": "1", "events": []}\n', None),
        (b"000,1,2,3\n", None),
        (b"<html><body>503</body></html>", None),
        (b"{", None),
        (b"", None),
    ],
)
def test_recognised(tmp_path: Path, content: bytes, source: str | None) -> None:
    """A file is recognised by the shape of its first document; a file of rows is not, and stays at its beginning."""
    path = tmp_path / "f"
    path.write_bytes(content)
    with open_source(path) as opened:
        assert files.recognise_file(opened) == source
        assert opened.file.read() == content
        if source:
            assert files.read_carrier_file(opened, source, CarrierOptions()).events


def test_workbook_is_one_of_rows(tmp_path: Path) -> None:
    """A workbook is never a payload."""
    path = tmp_path / "f.xlsx"
    xlsxwriter.Workbook(path).close()
    with open_source(path) as opened:
        assert files.recognise_file(opened) is None


def test_too_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first document above the limit is not recognised, and a file above its limit is not read."""
    path = tmp_path / "f.json"
    path.write_bytes(json.dumps({"aviso": "x" * 70_000, **sample("correios.json")}).encode())
    monkeypatch.setattr(files, "MAX_DOCUMENT_BYTES", 70_000)
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1 << 16)
    with open_source(path) as opened:
        assert files.recognise_file(opened) is None
        with pytest.raises(InputFileError, match=r"f\.json: correios: more than 0 MB; split it\."):
            files.read_carrier_file(opened, "correios", CarrierOptions())


def test_payload_that_cannot_be_read(tmp_path: Path) -> None:
    """The message about a truncated file has its name, line, source and place, and what was expected."""
    path = tmp_path / "f.json"
    path.write_bytes(b'{"objetos": [')
    with open_source(path) as opened, pytest.raises(InputFileError) as raised:
        files.read_carrier_file(opened, "correios", CarrierOptions())
    assert str(raised.value) == (
        f"{path}:1: correios: line 1, column 14: not valid JSON (Expecting value); it ends too early; a JSON document "
        "was expected."
    )
