"""Recorded traffic, replayed without a network through both clients."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import vtex_tracking_ext
from vtex_tracking_ext import (
    AsyncTrackingClient,
    RetryPolicy,
    TrackingClient,
    TrackingReceipt,
    VtexTrackingError,
    transport,
)

from cases import ACCOUNT, CASES, Case
from cassettes import FOLDER, CassetteError, believed, cassette_path, recorder
from contract_check import check_answer, check_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from answers import Twin

APP_KEY, APP_TOKEN = "vtexappkey-apiexamples-MADEUP", "MADEUPTOKENMADEUPTOKEN"
CASSETTES = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_recorded_case_replays(
    case: Case, kind: Any, monkeypatch: pytest.MonkeyPatch, twin: Callable[..., Twin]
) -> None:
    """The same request, to the byte of its body, and the outcome that belongs to the answer."""
    path = cassette_path("sandbox", case.name)
    believed(path)
    sent = _watch(monkeypatch)
    client = twin(kind, ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN, retry=RetryPolicy(attempts=1))
    with recorder({}, "none").use_cassette(str(path)) as cassette:
        try:
            found: object = getattr(client, case.method)(**case.arguments)
        except VtexTrackingError as error:
            found = error
    assert cassette.play_count == len(cassette) == len(sent)
    assert sent[0].headers["X-VTEX-API-AppKey"] == APP_KEY
    assert sent[0].headers["X-VTEX-API-AppToken"] == APP_TOKEN
    if case.error is None:
        assert isinstance(found, TrackingReceipt)
        assert found.note is None
        assert found.date is not None
    else:
        assert type(found) is getattr(vtex_tracking_ext, case.error)


def _watch(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """Keep every request that is built."""
    build = transport._Stub._build
    sent: list[httpx.Request] = []

    def keep(self: transport._Stub, *arguments: Any) -> httpx.Request:
        sent.append(build(self, *arguments))
        return sent[-1]

    monkeypatch.setattr(transport._Stub, "_build", keep)
    return sent


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_was_recorded_conforms_to_the_contract(path: Path) -> None:
    """Each request, credentials apart, and each answer."""
    believed(path)
    for exchange in yaml.safe_load(path.read_text(encoding="utf-8"))["interactions"]:
        sent, received = exchange["request"], exchange["response"]
        headers = [(name, value) for name, values in sent["headers"].items() for value in values]
        headers += [("X-VTEX-API-AppKey", "-"), ("X-VTEX-API-AppToken", "-")]
        path_sent = "/" + sent["uri"].split("/", 3)[3]
        body = (sent["body"] or "").encode() if isinstance(sent["body"], str | None) else sent["body"]
        request = check_request(sent["method"], path_sent, headers, body)
        answered = [(name, value) for name, values in received["headers"].items() for value in values]
        content = received["body"]["string"]
        check_answer(
            request, received["status"]["code"], answered, content.encode() if isinstance(content, str) else content
        )


def test_a_hidden_second_send_fails() -> None:
    """One recorded exchange answers one request."""
    (case,) = (case for case in CASES if case.name == "update")
    client = TrackingClient(ACCOUNT, app_key=APP_KEY, app_token=APP_TOKEN, retry=RetryPolicy(attempts=1))
    with recorder({}, "none").use_cassette(str(cassette_path("sandbox", "update"))):
        client.send(**case.arguments)
        with pytest.raises(VtexTrackingError, match="CannotOverwriteExistingCassette"):
            client.send(**case.arguments)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.with_suffix(".provenance.json").unlink(), "has no provenance"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"200", b"201", 1)), "was changed after"),
        (lambda path: _relabel(path, spec_sha256="0"), "under another openapi.yaml"),
        (lambda path: _relabel(path, target="real"), "recorded from real"),
    ],
)
def test_a_cassette_that_cannot_be_believed_fails_with_the_command_that_mends_it(
    tmp_path: Path, damage: Any, said: str
) -> None:
    """Missing, unlabelled, edited by a byte, or older than the contract."""
    shutil.copytree(FOLDER / "sandbox", tmp_path / "sandbox")
    path = tmp_path / "sandbox" / "update.yaml"
    believed(path)
    damage(path)
    with pytest.raises(CassetteError, match=said) as caught:
        believed(path)
    assert "scripts/record_cassettes --target sandbox" in str(caught.value)


def _relabel(path: Path, **changes: str) -> None:
    beside = path.with_suffix(".provenance.json")
    beside.write_text(json.dumps({**json.loads(beside.read_text(encoding="utf-8")), **changes}), encoding="utf-8")
