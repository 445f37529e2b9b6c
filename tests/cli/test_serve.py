"""The command serve, which receives webhooks until it is stopped."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from support.fleets import PATIENCE
from support.services import POSTED, SECRET, correios

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

pytestmark = pytest.mark.usefixtures("account")

CODE = "QB000000018BR"


@pytest.fixture
def port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def request(url: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    """Make a request, again until the server listens, and return status and body."""
    wait = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:  # noqa: S310
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            wait.wait(0.02)
    raise TimeoutError(url)


@contextmanager
def stopped_after(act: Callable[[], object]) -> Iterator[None]:
    """Call a function in a thread within the block, and then send SIGTERM to this process."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised in the test's thread
            errors.append(error)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if errors:
        raise errors[0]


def test_what_is_posted_is_sent(
    run: Callable[..., Ran], usual: Path, oms: Oms, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until SIGTERM, after which the exit status is 0. Its log has no secret."""
    monkeypatch.setenv("VTEX_WEBHOOK_SECRET_CORREIOS", SECRET)
    monkeypatch.setenv("VTEX_JOURNAL", str(usual))
    assert run("set-tracking-number", "1172452900788-01", "000030711", CODE).status == 0
    wait = threading.Event()

    def post() -> None:
        url = f"http://127.0.0.1:{port}/carriers/correios/sandbox"
        assert request(url, correios(POSTED), **{"X-Webhook-Secret": SECRET})[0] == 200
        assert request(url, correios(POSTED))[0] == 401
        assert request(f"http://127.0.0.1:{port}/metrics")[0] == 200
        for _ in range(int(PATIENCE / 0.02)):
            if oms.received[-1].method == "PUT":
                return
            wait.wait(0.02)

    with stopped_after(post):
        ran = run("serve", "--listen", port, "--log-json")
    assert (ran.status, usual.exists()) == (0, True), ran.err
    assert ran.out == (
        f"Serving at http://127.0.0.1:{port}. Ctrl-C or SIGTERM stops the service after the requests and calls in "
        "progress.\n  sandbox: posts are accepted from correios\nService stopped.\n"
    )
    logged = [json.loads(line) for line in ran.err.splitlines()]
    assert [each["status"] for each in logged if "status" in each] == [200, 401]
    (applied,) = (each for each in logged if "outcome" in each)
    assert (applied["order_id"], applied["outcome"], applied["level"]) == ("1172452900788-01", "applied", "info")
    assert SECRET not in ran.err


def test_an_internal_error_is_logged_with_its_traceback(
    run: Callable[..., Ran], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In JSON as well; the service goes on."""
    happened = threading.Event()

    def fail(_: object) -> float:
        happened.set()
        raise ZeroDivisionError

    monkeypatch.setattr("vtex_tracking_ext.service.processing.AccountProcessing.process", fail)
    with stopped_after(lambda: (request(f"http://127.0.0.1:{port}/health"), happened.wait(PATIENCE))):
        ran = run("serve", "--listen", port, "--log-json", "--quiet")
    lines = ran.err.splitlines()  # the service logs from another thread than the one that prints the note
    assert "Note: all posts for sandbox are refused, because no secret is configured for it." in lines
    line = next(line for line in lines if line.startswith("{"))
    assert (ran.status, "ZeroDivisionError" in json.loads(line)["error"]) == (0, True)


def test_secrets_of_profiles(run: Callable[..., Ran], port: int, tmp_path: Path, url: str) -> None:
    """Each account has those of its profile; --accounts selects some of them."""
    path = tmp_path / "profiles.toml"
    path.write_text(
        "".join(
            f'[{name}]\nbase_url = "{url}"\napp_key = "vtexappkey-{name}-X"\napp_token = "TOKEN{name}"\n'
            f'[{name}.webhooks]\n{source} = "{SECRET}"\n'
            for name, source in (("one", "correios"), ("two", "easypost"), ("three", "jadlog"))
        ),
        encoding="utf-8",
    )
    path.chmod(0o600)

    def post() -> None:
        url = f"http://127.0.0.1:{port}/carriers/correios"
        headers = {"X-Webhook-Secret": SECRET}
        assert request(f"{url}/one", correios(POSTED), **headers)[0] == 200
        assert request(f"{url}/two", correios(POSTED), **headers)[0] == 403
        assert request(f"{url}/three", correios(POSTED), **headers)[0] == 404

    with stopped_after(post):
        ran = run("serve", "--listen", port, "--profiles", path, "--accounts", "one,two", "--no-deliver")
    assert ran.status == 0
    assert "  one: posts are accepted from correios\n  two: posts are accepted from easypost\n" in ran.out


def test_settings_of_sources_and_the_password(
    run: Callable[..., Ran], port: int, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting that cannot be used is reported when the service starts, and not with the first webhook."""
    monkeypatch.setenv("VTEX_SERVICE_PASSWORD", "correct")
    path = tmp_path / "profiles.toml"
    profile = f'[one]\nbase_url = "{url}"\napp_key = "k"\napp_token = "t"\n[one.webhooks]\ncorreios = "{SECRET}"\n'
    path.write_text(f"{profile}[one.carriers.correios]\nhold = 'long'\n", encoding="utf-8")
    path.chmod(0o600)
    ran = run("serve", "--listen", port, "--profiles", path, "--accounts", "one")
    assert (ran.status, "hold" in ran.err) == (3, True)
    path.write_text(profile, encoding="utf-8")

    def get() -> None:
        assert request(f"http://127.0.0.1:{port}/metrics")[0] == 401
        assert request(f"http://127.0.0.1:{port}/metrics", Authorization="Basic OmNvcnJlY3Q=")[0] == 200

    with stopped_after(get):
        assert run("serve", "--listen", port, "--profiles", path, "--accounts", "one").status == 0


@pytest.mark.parametrize(
    ("secret", "name", "text"),
    [
        ("brief", "CORREIOS", "VTEX_WEBHOOK_SECRET_CORREIOS: the secret is too short"),
        ("long enough, isn't it", "NOBODY", "VTEX_WEBHOOK_SECRET_NOBODY: 'nobody' is not a source"),
    ],
)
def test_secrets_that_cannot_be_used(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, secret: str, name: str, text: str
) -> None:
    """Too short, or for a source that does not exist."""
    monkeypatch.setenv(f"VTEX_WEBHOOK_SECRET_{name}", secret)
    ran = run("serve")
    assert (ran.status, text in ran.err, secret in ran.err) == (3, True, False)


def test_a_port_in_use_is_reported(run: Callable[..., Ran]) -> None:
    """The message names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--listen", port)
    assert ran.status == 3
    assert f"--listen 127.0.0.1:{port} cannot be used: Address already in use" in ran.err


def test_a_missing_extra_is_named(run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "vtex_tracking_ext.asgi_server", None)
    monkeypatch.delattr("vtex_tracking_ext.asgi_server", raising=False)
    ran = run("serve")
    assert ran.status == 3
    assert "pip install 'vtex-tracking[service]'" in ran.err
