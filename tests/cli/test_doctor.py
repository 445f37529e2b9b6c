"""The command doctor."""

from __future__ import annotations

import datetime as dt
import json
import socket
import ssl
from email.utils import format_datetime
from importlib import metadata
from time import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from vtex_tracking_ext.bulk.journal.opening import open_journal
from vtex_tracking_ext.bulk.journal.sqlite.schema import SCHEMA_VERSION
from vtex_tracking_ext.cli import checks, doctor
from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.sandbox import (
    APP_KEY,
    APP_TOKEN,
    READ_ONLY_APP_KEY,
    READ_ONLY_APP_TOKEN,
    WRITE_ONLY_APP_KEY,
    WRITE_ONLY_APP_TOKEN,
    Oms,
    OmsSettings,
    running,
)

from support.commands import Ran
from wire.server import HOST, Server, Step, handshake, read, respond, say, until_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wire.server import Request

ORDER = "1172452900788-01"
NAMES = ["versions", "profile file", "account", *checks.SERVER_CHECKS, "journal"]


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no test read a profile file or a journal of the user, nor use a proxy."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("VTEX_JOURNAL", str(tmp_path / "journal.db"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def results(run: Callable[..., Ran]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs doctor with JSON, and returns its checks by name; the status agrees with them."""

    def results(*arguments: object) -> dict[str, Any]:
        ran = run("doctor", "--json", *arguments)
        document = json.loads(ran.out)
        found = {check.pop("name"): check for check in document["checks"]}
        has_failed = "failed" in {check["status"] for check in found.values()}
        assert ran.status == (ExitCode.CONFIGURATION if has_failed else ExitCode.OK)
        assert document["ok"] is not has_failed
        assert ran.err == ""
        return found

    return results


def statuses(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the checks that are not ok, with their status."""
    return {name: check["status"] for name, check in found.items() if check["status"] != "ok"}


@pytest.mark.usefixtures("account")
def test_all_is_well(run: Callable[..., Ran], url: str, oms: Oms, tmp_path: Path) -> None:
    """Each check has a line in order, and no event was added: one order was read, and one empty update was sent."""
    with open_journal(tmp_path / "journal.db"):
        pass
    ran = run("doctor")
    lines = ran.out.splitlines()
    assert (ran.status, ran.err) == (0, "")
    assert [line[13:].partition(":")[0] for line in lines[:-1]] == NAMES
    assert {line[:13] for line in lines[:-1]} == {"ok           "}
    assert lines[-1] == "11 ok."
    assert f"account: sandbox, at {url}" in ran.out
    assert f"journal: {tmp_path / 'journal.db'} has version {SCHEMA_VERSION}" in ran.out
    get, put = oms.received
    assert (get.method, get.status, put.method, put.status) == ("GET", 404, "PUT", 404)
    assert json.loads(put.body) == {"isDelivered": False, "deliveredDate": None, "events": []}
    order_id = get.path.rpartition("/")[2]
    assert order_id.startswith("vtex-tracking-doctor-")
    assert order_id not in oms.orders
    assert put.path == f"{get.path}/invoice/vtex-tracking-doctor/tracking"
    assert run("doctor").status == 0
    assert order_id not in oms.received[-1].path


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("key", "token", "expected"),
    [
        (
            APP_KEY,
            "wrong-token",
            {"credentials": "failed", "View order": "not checked", "Notify invoice": "not checked"},
        ),
        (READ_ONLY_APP_KEY, READ_ONLY_APP_TOKEN, {"Notify invoice": "failed"}),
        (WRITE_ONLY_APP_KEY, WRITE_ONLY_APP_TOKEN, {"View order": "warning"}),
    ],
)
def test_what_credentials_allow(
    results: Callable[..., dict[str, Any]], key: str, token: str, expected: dict[str, str]
) -> None:
    """A wrong token fails, and so does a key that may not write; one that may not read is a warning."""
    found = results("--app-key", key, "--app-token", token)
    assert statuses(found) == expected
    for name, status in expected.items():
        assert bool(found[name]["remedy"]) == (status != "not checked")
        if name in {"View order", "Notify invoice"} and status != "not checked":
            assert f"the resource {name}" in found[name]["remedy"]


@pytest.mark.usefixtures("account")
def test_read_only_sends_no_update(results: Callable[..., dict[str, Any]], oms: Oms) -> None:
    """Whether the key may write is not checked then."""
    assert statuses(results("--read-only")) == {"Notify invoice": "not checked"}
    assert [request.method for request in oms.received] == ["GET"]


@pytest.mark.usefixtures("account")
def test_an_order_is_read(results: Callable[..., dict[str, Any]], oms: Oms) -> None:
    """Its invoices are named, and those to which VTEX would accept no event; an order of another account fails."""
    oms.add_order("1-01", ["1", "2"], tracking_number=None)
    oms.add_invoice("1-01", "3")
    oms.add_order("2-01")
    name = f"order {ORDER}"
    assert results("--order", ORDER)[name]["detail"] == "its invoices are 000030711, each with a tracking number"
    check = results("--order", "1-01")["order 1-01"]
    assert check["status"] == "warning"
    assert check["detail"] == "its invoices are 1, 2, 3; without a tracking number: 1, 2"
    assert results("--order", "2-01")["order 2-01"]["detail"] == "it has no invoice"
    check = results("--order", "3-01")["order 3-01"]
    assert check["status"] == "failed"
    assert "the account that fulfils the order" in check["remedy"]
    check = results("--order", "a b")["order a b"]
    assert (check["status"], check["remedy"]) == ("failed", "")
    assert {request.method for request in oms.received} == {"GET", "PUT"}
    assert all(request.status == 404 for request in oms.received if request.method == "PUT")


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("skew", "status", "detail"),
    [
        (30, "ok", "it agrees with the server's"),
        (100, "warning", "100 seconds ahead of the server's"),
        (-100, "warning", "100 seconds behind the server's"),
        (-86_400, "failed", "86400 seconds behind the server's"),
    ],
)
def test_the_clock_is_compared(
    results: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, skew: int, status: str, detail: str
) -> None:
    """With the response's header Date."""
    monkeypatch.setattr(checks, "time", lambda: time() + skew)
    check = results()["clock"]
    assert check["status"] == status
    if status == "ok":
        assert check["detail"] == detail
    else:  # Date has whole seconds
        words = detail.split(" ", 1)
        assert check["detail"].split(" ", 1)[1] == words[1]
        assert abs(float(check["detail"].split()[0]) - float(words[0])) <= 10
        assert "NTP" in check["remedy"]


def answer(status: int, body: str = "{}", date: str = "") -> bytes:
    """Return a response, after which the connection is closed."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"Date: {date}"] if date else []
    return "\r\n".join([*lines, "", body]).encode()


@pytest.mark.parametrize(
    ("reading", "writing", "expected"),
    [
        (answer(404), answer(400), {"Notify invoice": "not checked"}),
        (answer(404), answer(200), {"Notify invoice": "not checked"}),
        (answer(404), answer(404, "<html>"), {"Notify invoice": "not checked"}),
        (answer(404), answer(403, "<html>"), {"Notify invoice": "not checked"}),
        (answer(404), answer(401), {"Notify invoice": "failed"}),
        (answer(404), b"", {"Notify invoice": "not checked"}),
        *(
            (first, answer(404), dict.fromkeys(("credentials", "View order", "Notify invoice"), "not checked"))
            for first in (answer(200), answer(404, " <html>"), answer(403, "<html>"), answer(429), answer(500), b"")
        ),
    ],
)
def test_an_answer_that_does_not_tell_is_not_taken_for_one(
    results: Callable[..., dict[str, Any]], reading: bytes, writing: bytes, expected: dict[str, str]
) -> None:
    """A page of a firewall, an outage or a lost connection says nothing of the credentials; no update is sent then."""

    def respond_to(request: Request) -> bytes:
        return reading if request.method == "GET" else writing

    with Server([read, respond(respond_to)]) as server:
        options = ("--account", "mystore", "--base-url", server.url, "--app-key", "key", "--app-token", "token")
        found = results(*options)
        requests = list(server.requests)
    assert statuses(found) == {"clock": "not checked", **expected}
    assert len(requests) == (1 if "credentials" in expected else 2)


@pytest.mark.parametrize(
    ("certificate", "expected", "said"),
    [
        ("good", "ok", "TLSv1.3; the certificate of 127.0.0.1 was issued by Example Inspection"),
        ("ends soon", "warning", "expires soon"),
        ("expired", "failed", "certificate has expired; the certificate of 127.0.0.1 was issued by Example Inspection"),
        ("wrong host", "failed", "The certificate is for another host"),
        ("wrong authority", "failed", "lacks the issuer's certificate"),
        ("no file", "failed", "If this issuer is your company's"),
        ("no TLS", "failed", "does not speak TLS at this address"),
    ],
)
def test_the_certificate_is_checked(
    results: Callable[..., dict[str, Any]], tmp_path: Path, certificate: str, expected: str, said: str
) -> None:
    """What is wrong with it is said with its issuer and what to do, and no request with credentials is sent."""
    authority, now = trustme.CA(organization_name="Example Inspection"), dt.datetime.now(dt.UTC)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = {
        "ends soon": lambda: authority.issue_cert(HOST, not_after=now + dt.timedelta(days=13)),
        "expired": lambda: authority.issue_cert(HOST, not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
        "wrong host": lambda: authority.issue_cert("other.example"),
        "wrong authority": lambda: trustme.CA().issue_cert(HOST),
    }.get(certificate, lambda: authority.issue_cert(HOST, not_after=now + dt.timedelta(days=90)))()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    begin: list[Step] = [say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), until_gone]
    if certificate != "no TLS":
        begin = [handshake(context), read, say(answer(404, date=format_datetime(now, usegmt=True)))]
    with Server(begin, scheme="https") as server:
        options: tuple[object, ...] = ("--account", "mystore", "--base-url", server.url, "--user-token", "token")
        if certificate != "no file":
            options += ("--ca-file", tmp_path / "ca.pem")
        found = results(*options)
        assert len(server.requests) == (0 if expected == "failed" else 2)
    assert found["TLS"]["status"] == expected
    assert said in f"{found['TLS']['detail']}. {found['TLS']['remedy']}"
    if expected == "failed":
        assert {found[name]["detail"] for name in checks.SERVER_CHECKS[3:]} == {"the server cannot be reached"}


def test_a_host_that_cannot_be_reached_is_reported(
    results: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an address, without a listener, and behind a proxy that cannot be reached or refuses."""
    with socket.create_server((HOST, 0)) as listener:
        nowhere = f"{HOST}:{listener.getsockname()[1]}"
    options = ("--account", "mystore", "--user-token", "token")
    found = results(*options, "--base-url", f"https://{nowhere}")
    assert found["host"]["detail"].startswith(f"{nowhere} does not accept connections: ")
    assert found["TLS"]["detail"] == f"there is no connection to {nowhere}"
    found = results(*options, "--proxy", f"http://{nowhere}")
    assert found["proxy"]["status"] == "failed"
    with Server([read, say(answer(407))]) as proxy:
        found = results(*options, "--proxy", proxy.url)
    assert found["proxy"]["detail"] == "the proxy answered 407 to CONNECT"
    assert "mystore.vtexcommercestable.com.br:443" in found["proxy"]["remedy"]

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    found = results(*options)
    assert found["host"]["detail"].startswith("mystore.vtexcommercestable.com.br:443 has no address: ")
    found = results(*options, "--proxy", "http://proxy.example:3128")
    assert found["host"]["detail"].startswith("the proxy proxy.example:3128 has no address: ")
    assert found["proxy"]["detail"] == "proxy.example:3128 cannot be reached"


def test_a_proxy_that_connects_is_named(results: Callable[..., dict[str, Any]]) -> None:
    """It opens a tunnel to a server that ends it."""
    with Server([read, say(b"HTTP/1.1 200 OK\r\n\r\n")]) as proxy:
        found = results("--account", "mystore", "--user-token", "token", "--proxy", proxy.url)
    assert found["proxy"]["detail"] == f"{HOST}:{proxy.port} connects to mystore.vtexcommercestable.com.br:443"
    assert found["TLS"]["status"] == "failed"


def test_settings_that_cannot_be_used_are_reported(
    results: Callable[..., dict[str, Any]], url: str, tmp_path: Path
) -> None:
    """The account is missing, half a pair of credentials, none at all, a file that cannot be read."""
    rest = dict.fromkeys(checks.SERVER_CHECKS, "not checked")
    assert statuses(results()) == {"settings": "failed", **rest}
    assert "app_key without app_token" in results("--account", "mystore", "--app-key", "key")["settings"]["detail"]
    where = ("--account", "mystore", "--base-url", url)
    found = results(*where, "--user-token", "token", "--ca-file", tmp_path / "none.pem")
    assert "ca_file" in found["settings"]["detail"]
    found = results(*where)
    assert statuses(found) == {
        "credentials": "failed",
        **dict.fromkeys(("clock", "View order", "Notify invoice"), "not checked"),
    }
    assert "`vtex-tracking init`" in found["credentials"]["remedy"]


def test_the_profile_file_is_checked(
    results: Callable[..., dict[str, Any]], url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stores are named; a file that others can read fails, or is a warning if that is allowed."""
    path = tmp_path / "profiles.toml"
    path.write_text(f'[a]\nbase_url = "{url}"\napp_key = "{APP_KEY}"\napp_token = "{APP_TOKEN}"\n', "utf-8")
    path.chmod(0o600)
    options = ("--profiles", path, "--profile", "a")
    found = results(*options)
    assert statuses(found) == {}
    assert found["profile file"]["detail"] == f"{path}; its stores: a"
    path.chmod(0o644)
    found = results(*options)
    assert {name: statuses(found)[name] for name in ("profile file", "settings")} == {
        "profile file": "failed",
        "settings": "failed",
    }
    assert f"chmod 600 {path}" in found["profile file"]["detail"]
    monkeypatch.setenv("VTEX_ALLOW_READABLE_PROFILES", "1")
    monkeypatch.setattr("vtex_tracking_ext.cli.accounts._note", lambda _: None)
    assert statuses(results(*options)) == {"profile file": "warning"}
    path.write_text("", "utf-8")
    assert results("--profiles", path)["profile file"]["status"] == "warning"


@pytest.mark.usefixtures("account")
def test_a_journal_that_cannot_be_used_is_reported(results: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    """A file that is not a journal fails; a journal that does not exist yet does not."""
    (tmp_path / "other.db").write_text("something else", "utf-8")
    found = results("--journal", tmp_path / "other.db")
    assert statuses(found) == {"journal": "failed"}
    assert "a push creates it" in results()["journal"]["detail"]


@pytest.mark.usefixtures("account")
def test_a_package_that_is_not_installed_is_named(
    results: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """httptools is an extra."""

    def version(name: str) -> str:
        if name == "httptools":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    assert "vtex-tracking 1.0, httpx 1.0, httptools not installed, Python " in results()["versions"]["detail"]


@pytest.mark.usefixtures("account")
def test_output_that_cannot_be_written_is_reported(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit status says so, unless a check failed."""
    monkeypatch.setattr(doctor, "say", lambda *_: False)
    ran = run("doctor")
    assert (ran.status, ran.err) == (ExitCode.INCOMPLETE, "vtex-tracking doctor: standard output cannot be written.\n")
    assert run("doctor", "--account", "a b").status == ExitCode.CONFIGURATION


@pytest.mark.usefixtures("account")
def test_quiet_prints_only_after_a_failure(run: Callable[..., Ran]) -> None:
    """Nothing is printed if no check failed, even with a warning; otherwise all checks are, on standard error."""
    warned = run("doctor", "--quiet", "--app-key", WRITE_ONLY_APP_KEY, "--app-token", WRITE_ONLY_APP_TOKEN)
    assert warned == Ran(0, "", "")
    failed = run("doctor", "--quiet", "--app-key", APP_KEY, "--app-token", "wrong-token")
    assert (failed.status, failed.out) == (ExitCode.CONFIGURATION, "")
    assert "\nfailed       credentials: " in failed.err


def test_a_limit_of_calls_is_not_taken_for_wrong_credentials(results: Callable[..., dict[str, Any]]) -> None:
    """The remedy is to wait."""
    with running(Oms(OmsSettings(rate_limit=0))) as url:
        found = results("--account", "s", "--base-url", url, "--app-key", APP_KEY, "--app-token", APP_TOKEN)
    assert found["credentials"]["status"] == "not checked"
    assert found["credentials"]["remedy"] == "Run this again after a minute."
