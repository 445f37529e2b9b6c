"""A fake credential, planted in every input, appears in no output."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import (
    AsyncTrackingClient,
    ConfigurationError,
    InvalidUpdateError,
    RetryPolicy,
    TrackingClient,
    TrackingEvent,
    TrackingUpdate,
    VtexTrackingError,
)
from vtex_tracking_ext.bulk import push
from vtex_tracking_ext.cli import main

from wire.server import Request, Server, close, read, respond, say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.answers import Twin

SECRET = "TOPSECRET+TOP/SECRET=="
ESCAPED = SECRET.replace("+", "\\u002B").replace("/", "%2F")
CREDENTIALS = [{"app_key": SECRET, "app_token": SECRET}, {"user_token": SECRET}]
both = pytest.mark.parametrize("kind", [TrackingClient, AsyncTrackingClient])
any_credentials = pytest.mark.parametrize("credentials", CREDENTIALS, ids=["key", "token"])

#: An event whose text is the secret: somebody pasted it into the wrong place.
UPDATE = TrackingUpdate("1-01", "1", [TrackingEvent("2015-06-23", SECRET, SECRET, "RJ")])


def echo(status: int) -> Server:
    """Return a server that answers with the request itself, in an envelope, in headers, and escaped."""

    def answer(request: Request) -> bytes:
        said = f"{request.raw.decode()} {request.body.decode()} {ESCAPED}"
        error = {"code": SECRET, "message": said, "exception": None}
        content = json.dumps({"error": error, "orderId": SECRET, "receipt": SECRET, "date": SECRET, "traceId": ESCAPED})
        lines = [f"HTTP/1.1 {status} {SECRET}", f"Content-Length: {len(content.encode())}", f"X-Echo: {SECRET}"]
        lines += [f"x-vtex-error-message: {ESCAPED}", f"x-vtex-operation-id: {SECRET}", f"Set-Cookie: a={SECRET}"]
        return "\r\n".join([*lines, "", content]).encode()

    return Server([read, respond(answer), close])


def unseen(*texts: object) -> None:
    """Fail if the secret, whole or escaped, is in any of the texts."""
    for text in texts:
        folded = str(text).lower()
        for form in (SECRET, ESCAPED, SECRET.replace("+", "\\u002B"), SECRET.replace("/", "%2F")):
            assert form.lower() not in folded


@both
@any_credentials
@pytest.mark.parametrize("status", [200, 202, 302, 400, 401, 403, 404, 409, 429, 500, 520])
@pytest.mark.parametrize("read", [False, True])
@pytest.mark.usefixtures("way")
def test_a_server_that_echoes_the_request_reveals_no_credential(
    kind: Any,
    credentials: dict[str, str],
    status: int,
    read: bool,
    twin: Callable[..., Twin],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Results, errors, their pickles and copies, tracebacks, hooks and all logs contain no credential."""
    seen: list[object] = []
    with caplog.at_level(logging.DEBUG), echo(status) as server:
        client = twin(
            kind, "mystore", base_url=server.url, retry=RetryPolicy(attempts=1), on_attempt=seen.append, **credentials
        )
        try:
            result = client.get_packages("1-01") if read else client.send(UPDATE)
        except VtexTrackingError as error:
            for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own
                unseen(one, repr(one), vars(one), "".join(traceback.format_exception(one)))
            unseen(pickle.dumps(error, protocol=0).decode("latin-1"))
        else:
            unseen(
                result, repr(result), getattr(result, "headers", ""), pickle.dumps(result, protocol=0).decode("latin-1")
            )
    unseen(caplog.text, seen, repr(client.client), vars(client.client))
    assert caplog.records
    assert seen


@both
@any_credentials
def test_a_credential_in_another_argument_is_not_quoted(
    kind: Any, credentials: dict[str, str], twin: Callable[..., Twin]
) -> None:
    """The message about a credential given as account, address, id or date does not contain it."""
    for wrong in ({"account": SECRET}, {"environment": SECRET}, {"base_url": f"http://{SECRET}"}, {"timeout": SECRET}):
        with pytest.raises(ConfigurationError) as refused:
            kind(**{"account": "mystore", **credentials, **wrong})
        unseen(refused.value, "".join(traceback.format_exception(refused.value)))
    client = twin(kind, "mystore", **credentials)
    event = TrackingEvent(SECRET, SECRET + "\0", SECRET, SECRET)
    calls: list[Callable[[], object]] = [
        lambda: client.send(TrackingUpdate(SECRET, SECRET, [event], is_delivered=True, delivered_date=SECRET)),
        lambda: client.get_packages(SECRET),
        lambda: client.set_tracking_number(SECRET, SECRET, tracking_number="1"),
    ]
    for call in calls:
        with pytest.raises(InvalidUpdateError) as invalid:
            call()
        unseen(invalid.value, invalid.value.problems, "".join(traceback.format_exception(invalid.value)))


#: As long as a user token, and longer than what a message quotes.
LONG = "TOPSECRET+TOP/SECRET==" * 30


@both
@pytest.mark.parametrize("option", ["account", "environment", "timeout", "on_unknown", "retry", "ca_file"])
def test_the_start_of_a_long_credential_in_another_argument_is_not_quoted(kind: Any, option: str) -> None:
    """A message that truncates a credential in another argument does not contain its start."""
    with pytest.raises(ConfigurationError) as refused:
        kind(**{"account": "mystore", "user_token": LONG, option: LONG})
    assert LONG[:8] not in "".join(traceback.format_exception(refused.value))


@both
def test_a_credential_in_a_file_name_is_not_quoted(kind: Any) -> None:
    """The message about a ca_file that cannot be used does not contain a credential in its name."""
    with pytest.raises(ConfigurationError, match="cannot be used") as refused:
        kind("mystore", user_token=SECRET, ca_file=f"/none/{SECRET}.pem")
    unseen(refused.value, "".join(traceback.format_exception(refused.value)))


@both
def test_the_start_of_a_long_credential_in_an_update_is_not_quoted(kind: Any, twin: Callable[..., Twin]) -> None:
    """The problems of an update do not contain the start of a long credential."""
    client = twin(kind, "mystore", user_token=LONG)
    with pytest.raises(InvalidUpdateError) as invalid:
        client.update("1-01", "1", events=[LONG, TrackingEvent(LONG, "x")])
    assert LONG[:8] not in f"{invalid.value} {invalid.value.problems}"


@both
def test_a_credential_in_the_name_of_a_response_header_is_redacted(kind: Any, twin: Callable[..., Twin]) -> None:
    """A credential that the server echoes as the name of a header is redacted."""
    for status in (200, 404):
        said = f"HTTP/1.1 {status} x\r\nMADEUPTOKEN: 1\r\nContent-Length: 0\r\n\r\n".encode()
        with Server([read, say(said), close]) as server:
            client = twin(kind, "mystore", user_token="MADEUPTOKEN", base_url=server.url)
            try:
                result: Any = client.send(UPDATE)
            except VtexTrackingError as error:
                result = error
        assert "madeuptoken" not in str(result.headers).lower()
        assert result.headers["[credential]"] == "1"


@both
@pytest.mark.parametrize("credentials", [{"app_key": f"{SECRET}\n", "app_token": "x"}, {"user_token": f"{SECRET} x"}])
def test_an_invalid_credential_is_not_quoted(kind: Any, credentials: dict[str, str]) -> None:
    """The message about a credential with a line break or a space does not contain it."""
    with pytest.raises(ConfigurationError) as refused:
        kind("mystore", **credentials)
    unseen(refused.value, "".join(traceback.format_exception(refused.value)))


@any_credentials
def test_a_client_cannot_be_pickled_and_shows_no_credential(credentials: dict[str, Any]) -> None:
    """The reprs of a client and of its parts contain no credential, and neither can be pickled."""
    with TrackingClient("mystore", **credentials) as client:
        unseen(client, repr(client), repr(client._options.server), repr(client._options), repr(client._transport))
        for value in (client, client._options.server):
            with pytest.raises(TypeError):
                pickle.dumps(value)


#: Credentials that are valid as an order id, or not.
PASTED = ["TOPSECRETTOKEN1234", "TOPSECRET+TOKEN/1234", "LONGSECRET" * 20]


@both
@pytest.mark.parametrize("token", PASTED)
def test_a_receipt_of_an_update_that_was_found_in_the_order_does_not_name_a_credential(
    kind: Any, token: str, twin: Callable[..., Twin], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt after an unknown outcome has the order id that was sent, unless it is a credential."""
    monkeypatch.setattr("vtex_tracking_ext.call.steps.CHECK_PAUSES", (0.0,))
    update = TrackingUpdate(token, token, [TrackingEvent("2015-06-23", token)])
    shown = json.dumps(
        {
            "orderId": token,
            "packageAttachment": {
                "packages": [
                    {
                        "invoiceNumber": token,
                        "courierStatus": {"data": [{"lastChange": "2015-06-23T00:00:00", "description": token}]},
                    }
                ]
            },
        }
    )
    found = f"HTTP/1.1 200 OK\r\nContent-Length: {len(shown)}\r\n\r\n{shown}".encode()
    with Server([read, close], [read, say(found), close]) as server:
        client = twin(kind, "mystore", user_token=token, base_url=server.url, on_unknown="check", timeout=2)
        try:
            result: object = client.send(update)
        except VtexTrackingError as error:
            result = error
    assert token not in f"{result!r} {result}"


@pytest.mark.parametrize("token", PASTED)
def test_a_problem_of_a_row_does_not_quote_a_credential(token: str, tmp_path: Path) -> None:
    """Problems of rows in which a client's token was pasted as an id or a date do not show it."""
    rows = [{"order_id": f"{token}/", "invoice_number": f"{token}/", "date": token, "description": "x"}]
    with TrackingClient("mystore", user_token=token) as client:
        problems = push(rows, client, tmp_path / "journal.db").problems
    assert len(problems) == 3
    assert token[:8] not in f"{problems} {[str(each) for each in problems]}"


@pytest.mark.parametrize("token", PASTED)
def test_no_command_prints_a_credential(token: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A push of rows with a pasted token, and commands for an order with its name, do not print the token."""
    rows = tmp_path / "rows.csv"
    rows.write_text(f"order_id,invoice_number,date,description\n{token}/,1,2015-06-23,x\n{token},1,2015-06-23,x\n")
    options = ["--account", "mystore", "--user-token", token, "--base-url", "http://127.0.0.1:9"]
    journal = ["--journal", str(tmp_path / "journal.db")]
    main(["push", str(rows), *journal, *options])
    main(["update", token, token, "--event", "2015-06-23", "x", *options])
    with Server([read, say(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"orderId":"1"}'), close]) as server:
        main(["packages", token, *options[:4], "--base-url", server.url])
    printed = capsys.readouterr()
    assert "order_id" in printed.err
    assert token[:8] not in printed.out + printed.err
