"""Recording cassettes: what is kept, and what must not be."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, running

import cassettes
from cases import CASES, INVOICE, ORDER
from support.scratch import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCRIPT = ROOT / "scripts" / "record_cassettes"
UPDATE = next(case for case in CASES if case.name == "update")


@pytest.fixture
def script(load_script: Callable[[str], Any]) -> Any:
    """Return the script as a module."""
    return load_script("record_cassettes")


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """Return a command line; what is recorded goes to a folder of the test's, VTEX's file says what ours says."""
    monkeypatch.setattr(cassettes, "FOLDER", tmp_path)
    upstream = tmp_path / "upstream.json"
    upstream.write_text(json.dumps(yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))))
    return argparse.Namespace(target="sandbox", upstream=upstream)


@pytest.fixture
def real(script: Any) -> Iterator[Any]:
    """Return a server that knows another order than the examples', as a real one does."""
    oms = Oms()
    oms.add_order("v501402lspt-01", ["7"])
    with running(oms) as url:
        yield script.Server("a server", url, "otheraccount", "v501402lspt-01", "7", APP_KEY, APP_TOKEN)


def test_a_recording_speaks_of_the_examples_alone(script: Any, arguments: argparse.Namespace, real: Any) -> None:
    """And is believed; the account, the order, the invoice and the credentials are not in it."""
    path = script.record(arguments, UPDATE, real)
    assert cassettes.believed(path).server == "a server"
    assert sorted(file.name for file in path.parent.iterdir()) == ["update.provenance.json", "update.yaml"]
    ((request, answer),) = cassettes.exchanges(path)
    assert request[1] == f"/api/oms/pvt/orders/{ORDER}/invoice/{INVOICE}/tracking"
    assert json.loads(answer[2])["orderId"] == ORDER
    text = path.read_text(encoding="utf-8")
    assert not any(word in text for word in ("otheraccount", "v501402lspt", APP_KEY, APP_TOKEN))


def test_a_secret_in_a_recording_is_found(
    script: Any, arguments: argparse.Namespace, real: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should the scrubbing fail, nothing is kept, and the old recording stays."""
    path = script.record(arguments, UPDATE, real)
    before = path.read_bytes()
    monkeypatch.setattr(cassettes.Scrubber, "text", lambda _, text: text)
    with pytest.raises(SystemExit, match="update was not kept: it held a secret"):
        script.record(arguments, UPDATE, real)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 2


def test_what_the_contract_does_not_know_is_not_kept(script: Any, arguments: argparse.Namespace, real: Any) -> None:
    """Neither ours nor VTEX's, and no answer is none."""
    document = json.loads(arguments.upstream.read_text())
    document["components"]["schemas"]["Receipt"]["properties"]["receipt"]["type"] = "integer"
    arguments.upstream.write_text(json.dumps(document))
    with pytest.raises(SystemExit, match="update was not kept"):
        script.record(arguments, UPDATE, real)
    with pytest.raises(SystemExit, match="0 exchanges instead of one"):
        script.record(arguments, UPDATE, real._replace(url="http://127.0.0.1:9"))
    assert not any(file.is_file() for file in (arguments.upstream.parent / "sandbox").rglob("*"))


@pytest.mark.parametrize("missing", ["--order", "--invoice", "--events-will-be-added"])
def test_the_real_target_needs_its_flags(tmp_path: Path, missing: str) -> None:
    """All of them, before anything else happens."""
    given = {"--order": ["1-01"], "--invoice": ["1"], "--events-will-be-added": []}
    del given[missing]
    done = run(tmp_path, *(word for flag, values in given.items() for word in (flag, *values)))
    assert done.returncode == 2
    assert missing in done.stderr


def test_the_real_target_needs_credentials(arguments: argparse.Namespace) -> None:
    """Each that is missing is named."""
    done = run(arguments.upstream.parent, *REAL)
    assert done.returncode == 1
    assert "VTEX_ACCOUNT, VTEX_APP_KEY, VTEX_APP_TOKEN must be set" in done.stderr


def test_an_account_that_cannot_be_one_is_told(arguments: argparse.Namespace) -> None:
    """In a sentence, and nothing is sent."""
    environment = {"VTEX_ACCOUNT": "no/account", "VTEX_APP_KEY": "MADEUP", "VTEX_APP_TOKEN": "MADEUP"}
    done = run(arguments.upstream.parent, *REAL, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("record_cassettes: account")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, "cannot be read: No such file or directory."), ("{", "is no OpenAPI"), ("{}", "is no OpenAPI")],
)
def test_a_file_of_vtex_that_cannot_be_read_is_told_first(tmp_path: Path, text: str | None, said: str) -> None:
    """Before the credentials are looked for, and so before anything is sent."""
    if text is not None:
        (tmp_path / "upstream.json").write_text(text)
    done = run(tmp_path, *REAL)
    assert done.returncode == 1
    assert f"--upstream {tmp_path / 'upstream.json'} {said}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_prism_that_does_not_start_is_told(script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its exit status; and so is an npm that is not there."""
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
    with pytest.raises(SystemExit, match="needs npm"), script.prism(tmp_path / "upstream.json"):
        pytest.fail("it runs")


REAL = ("--order", "1-01", "--invoice", "1", "--events-will-be-added")


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the script against the real target, with no credentials but those of ``environment``."""
    command = [sys.executable, str(SCRIPT), "--target", "real", "--upstream", str(folder / "upstream.json")]
    return subprocess.run([*command, *arguments], check=False, capture_output=True, text=True, env=environment)
