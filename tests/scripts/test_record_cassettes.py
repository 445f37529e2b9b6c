"""scripts/record_cassettes keeps only conforming recordings without secrets."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, running

import cassettes
from cases import CASES, INVOICE, ORDER
from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.commands import Ran

REAL = ("--order", "1-01", "--invoice", "1", "--events-will-be-added")
UPDATE = next(case for case in CASES if case.name == "update")


@pytest.fixture
def script(load_script: Callable[[str], Any]) -> Any:
    """Return the script as a module."""
    return load_script("record_cassettes")


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """Return arguments that record to a temporary folder, with a copy of openapi.yaml as VTEX's file."""
    monkeypatch.setattr(cassettes, "FOLDER", tmp_path)
    upstream = tmp_path / "upstream.json"
    upstream.write_text(json.dumps(yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))))
    return argparse.Namespace(target="sandbox", upstream=upstream)


@pytest.fixture
def real(script: Any) -> Iterator[Any]:
    """Return a server with another account and order than the examples, as the real one has."""
    oms = Oms()
    oms.add_order("v501402lspt-01", ["7"])
    with running(oms) as url:
        yield script.Server("a server", url, "otheraccount", "v501402lspt-01", "7", APP_KEY, APP_TOKEN)


@pytest.fixture
def run(run_script: Callable[..., Ran]) -> Callable[..., Ran]:
    """Return a function that runs the command for the real target, with ``upstream.json`` of a folder."""

    def run_main(folder: Path, *arguments: str) -> Ran:
        return run_script("record_cassettes", "--target", "real", "--upstream", folder / "upstream.json", *arguments)

    return run_main


def test_a_recording_contains_only_example_names(script: Any, arguments: argparse.Namespace, real: Any) -> None:
    """The account, the order, the invoice and the credentials are replaced, and the cassette is valid."""
    path = script.record(arguments, UPDATE, real)
    assert cassettes.validate(path).server == "a server"
    assert sorted(file.name for file in path.parent.iterdir()) == ["update.provenance.json", "update.yaml"]
    ((request, answer),) = cassettes.exchanges(path)
    assert request[1] == f"/api/oms/pvt/orders/{ORDER}/invoice/{INVOICE}/tracking"
    assert json.loads(answer[2])["orderId"] == ORDER
    text = path.read_text(encoding="utf-8")
    assert not any(word in text for word in ("otheraccount", "v501402lspt", APP_KEY, APP_TOKEN))


def test_stale_records_only_what_is_not_valid(
    arguments: argparse.Namespace, run_script: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing cassette and one of a changed operation are recorded; valid ones keep their bytes."""
    folder = arguments.upstream.parent / "sandbox"
    shutil.copytree(ROOT / "tests" / "contract" / "cassettes" / "sandbox", folder)
    monkeypatch.setattr(Path, "relative_to", lambda path, _: Path(path.name))
    command = ("record_cassettes", "--target", "sandbox", "--stale", "--upstream", arguments.upstream)
    before = (folder / "update.yaml").stat().st_mtime_ns
    done = run_script(*command)
    assert (done.status, done.out) == (0, "All cassettes of the target sandbox are valid; nothing was recorded.\n")
    beside = folder / "packages.provenance.json"
    beside.write_text(re.sub(r'": "[0-9a-f]{64}"', '": "0"', beside.read_text(encoding="utf-8"), count=1))
    (folder / "read_feed.yaml").unlink()
    done = run_script(*command)
    assert (done.status, done.out) == (0, "recorded packages.yaml\nrecorded read_feed.yaml\n")
    assert cassettes.validate(folder / "packages.yaml")
    assert (folder / "update.yaml").stat().st_mtime_ns == before


def test_a_secret_in_a_recording_is_found(
    script: Any, arguments: argparse.Namespace, real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If scrubbing fails, the recording is rejected and the old cassette is kept."""
    path = script.record(arguments, UPDATE, real)
    before = path.read_bytes()
    monkeypatch.setattr(cassettes.Scrubber, "text", lambda _, text: text)
    with pytest.raises(SystemExit, match="update was not recorded: it contains a secret"):
        script.record(arguments, UPDATE, real)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2


def test_a_recording_that_violates_a_contract_is_rejected(
    script: Any, arguments: argparse.Namespace, real: Any
) -> None:
    """Traffic that violates VTEX's file is rejected, and so is a recording without a response."""
    document = json.loads(arguments.upstream.read_text())
    document["components"]["schemas"]["Receipt"]["properties"]["receipt"]["type"] = "integer"
    arguments.upstream.write_text(json.dumps(document))
    with pytest.raises(SystemExit, match="update was not recorded"):
        script.record(arguments, UPDATE, real)
    with pytest.raises(SystemExit, match="0 exchanges instead of 1"):
        script.record(arguments, UPDATE, real._replace(url="http://127.0.0.1:9"))
    assert not any(file.is_file() for file in (arguments.upstream.parent / "sandbox").rglob("*"))


@pytest.mark.parametrize("missing", ["--order", "--invoice", "--events-will-be-added"])
def test_the_real_target_needs_its_flags(tmp_path: Path, missing: str, run: Callable[..., Ran]) -> None:
    """If one of the three is missing, the command exits with status 2 before it does anything."""
    given = {"--order": ["1-01"], "--invoice": ["1"], "--events-will-be-added": []}
    del given[missing]
    done = run(tmp_path, *(word for flag, values in given.items() for word in (flag, *values)))
    assert done.status == 2
    assert missing in done.err


def test_the_real_target_needs_credentials(arguments: argparse.Namespace, run: Callable[..., Ran]) -> None:
    """The message names every variable that is missing."""
    done = run(arguments.upstream.parent, *REAL)
    assert done.status == 1
    assert "VTEX_ACCOUNT, VTEX_APP_KEY, VTEX_APP_TOKEN must be set" in done.err


def test_an_invalid_account_is_reported(
    arguments: argparse.Namespace, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command exits with a message, and sends nothing."""
    for name, value in {"ACCOUNT": "no/account", "APP_KEY": "MADEUP", "APP_TOKEN": "MADEUP"}.items():
        monkeypatch.setenv(f"VTEX_{name}", value)
    done = run(arguments.upstream.parent, *REAL)
    assert done.status == 1
    assert done.err.startswith("record_cassettes: account")
    assert done.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read: No such file or directory."), ("{", "is not an OpenAPI"), ("{}", "is not an OpenAPI")],
)
def test_an_unreadable_file_of_vtex_is_reported_first(
    tmp_path: Path, text: str | None, said: str, run: Callable[..., Ran]
) -> None:
    """The file is checked before the credentials, and so before anything is sent."""
    if text is not None:
        (tmp_path / "upstream.json").write_text(text)
    done = run(tmp_path, *REAL)
    assert done.status == 1
    assert f"--upstream {tmp_path / 'upstream.json'} {said}" in done.err


def test_a_prism_that_does_not_start_is_reported(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has Prism's exit status, or says that npm is missing."""
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 3\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(SystemExit, match=r"Prism did not start \(exit status 3\)"),
        script.prism(tmp_path / "upstream.json"),
    ):
        pytest.fail("it runs")
    npm.unlink()
    with pytest.raises(SystemExit, match="requires npm"), script.prism(tmp_path / "upstream.json"):
        pytest.fail("it runs")
