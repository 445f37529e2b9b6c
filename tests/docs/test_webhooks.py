"""The tutorial about webhooks runs as it is written, and what the pages about the service name exists in the code."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.routing import Route

from vtex_tracking_ext import TrackingClient, asgi_server
from vtex_tracking_ext.bulk.delivery import log
from vtex_tracking_ext.carriers.registry import SOURCES
from vtex_tracking_ext.cli import long_running, main, serve
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.config.defaults import DEFAULT_READ_RATE, DEFAULT_TIMEOUT, WORKER_RESEND_AFTER
from vtex_tracking_ext.config.profiles import load_profiles
from vtex_tracking_ext.config.webhooks import MIN_LENGTH
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, configure_hook, notification, running
from vtex_tracking_ext.sandbox.feed import StatusChange
from vtex_tracking_ext.service import Bridge, Limits, ServedAccount, app, processing, verification
from vtex_tracking_ext.service.limits import MAX_HEADER_BYTES, RateLimit

from support.fleets import PATIENCE, until
from support.pages import PAGES, is_shown, section, steps_of, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support.pages import Step

TUTORIAL, GUIDE = "docs/tutorials/webhooks.md", "docs/how-to/receive-webhooks.md"
#: What the pages say of the service.
PAGE: Final = "".join(
    PAGES[page] for page in (TUTORIAL, GUIDE, "docs/reference/service.md", "docs/reference/metrics.md")
)
#: The same as one line, because a sentence may go on in the next line.
TEXT: Final = " ".join(PAGE.split())
INSTALL, SETTINGS, SANDBOX, SERVE, *STEPS = texts(TUTORIAL, "console")
(HOOK,) = texts(GUIDE, "json")
(APPLICATION,) = texts(GUIDE, "python")
(PROFILE,) = texts(GUIDE, "toml")
LISTENS: Final = ("127.0.0.1", 8080)
DIGITS: Final = {2: "two", 4: "four"}


class Reader:
    """A person who follows the guide in a folder, with free ports in place of its ports.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {"8000": str(free_port()), "8080": str(free_port())}
        self._variables = "\n".join(self.adapted(step.command) for step in steps_of(SETTINGS))
        program = folder / "trial" / "bin" / "vtex-tracking"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vtex_tracking_ext "$@"\n', encoding="utf-8")
        program.chmod(0o700)

    def adapted(self, text: str) -> str:
        """Return a text of the guide with the free ports."""
        return re.sub(r"(127\.0\.0\.1:|--port )(8000|8080)\b", lambda found: found[1] + self._ports[found[2]], text)

    def sees(self, step: Step) -> bool:
        """Run a command in the third terminal, and return whether it prints what the guide shows."""
        return is_shown(step.output, self.run(step.command))

    def run(self, command: str) -> str:
        """Run a command in the third terminal, and return its output."""
        if re.match(r"\w+=", command):
            self._variables += f"\n{command}"  # the next commands use it
            return ""
        shell, options = self._shell(self.adapted(command)), self._options()
        done = subprocess.run(shell, check=False, capture_output=True, text=True, **options)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return str(done.stdout)

    @contextmanager
    def started(self, step: Step, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command in a terminal of its own, and stop it after the block."""
        command = " ".join(["exec", self.adapted(step.command), *map(self.adapted, arguments)])
        path = self._folder / f"{step.command.split()[1]}.log"
        with path.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(self._shell(command), stdout=output, stderr=output, text=True, **self._options())
        try:
            self._wait_for(process, path, self.adapted(step.output) or "Open that address")
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)

    def _wait_for(self, process: subprocess.Popen[str], path: Path, text: str) -> None:
        end = time.monotonic() + PATIENCE
        while text not in (printed := path.read_text(encoding="utf-8")):
            assert process.poll() is None, printed
            assert time.monotonic() < end, printed
            time.sleep(0.02)

    def _shell(self, command: str) -> list[str]:
        return ["bash", "-c", f"{self._variables}\n{command}"]

    def _options(self) -> dict[str, Any]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VTEX_")}
        return {
            "cwd": self._folder,
            "env": {**inherited, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUTF8": "1", "NO_PROXY": "*"},
        }


def free_port() -> int:
    """Return a port that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def fetched(url: str) -> str:
    """Return the body of the answer to a GET of an address of this machine."""
    return httpx.get(url, timeout=PATIENCE, trust_env=False).raise_for_status().text


def posted(url: str, body: bytes, headers: Mapping[str, str]) -> Any:
    """Return the document with which a post to an address of this machine is answered."""
    answer = httpx.post(url, content=body, headers=headers, timeout=PATIENCE, trust_env=False)
    return answer.raise_for_status().json()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="the guide uses curl and openssl")
def test_the_guide_runs(tmp_path: Path) -> None:
    """Each command prints what the guide shows; an order shows its event after a moment, and no second one later.

    The page shows the same.
    """
    reader = Reader(tmp_path)
    (sandbox,), (service,) = steps_of(SANDBOX), steps_of(SERVE)
    steps = [step for block in STEPS for step in steps_of(block)]
    orders = [step for step in steps if step.command.startswith("vtex-tracking packages")]
    url = reader.adapted("http://127.0.0.1:8080")
    with reader.started(sandbox), reader.started(service, "--listen 127.0.0.1:8080") as process:
        for step in steps:
            if step in orders:
                until(partial(reader.sees, step))
            else:
                assert reader.sees(step), step
        for step in steps:
            if "/carriers/" in step.command:
                assert reader.sees(step), step
        until(
            lambda: re.search(r'vtex_tracking_noted_events_total\{.*status="known"\} 2\.0', fetched(f"{url}/metrics"))
        )
        for step in orders:
            assert reader.sees(step), step
        assert "Nothing needs a person." in fetched(url)
        assert "Arrived at the hub" in fetched(f"{url}/?find=EZ1000000001")
    assert process.returncode == 0


def test_the_example_of_an_application_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A webhook that is posted to the mounted service reaches its order, and the metrics are those of the table."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTEX_JOURNAL", "journal.db")
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"], tracking_number="AB123456785BR")
    names: dict[str, Any] = {}
    post = next(step for block in STEPS for step in steps_of(block) if "> correios.json" in step.command)
    (body,) = re.findall(r"<<'END'\n(.*)\nEND", post.command, re.DOTALL)
    with running(oms) as url:
        for name, value in {"ACCOUNT": "mystore", "BASE_URL": url, "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
            monkeypatch.setenv(f"VTEX_{name}", value)
        assert main(["orders", "sync", "1172452900788-01"]) == 0
        exec(APPLICATION, names)  # noqa: S102 - our own page
        with names["store"].client, asgi_server.running(names["app"], asgi_server.listen(0)) as address:
            secret = {"X-Webhook-Secret": "an-example-for-correios"}
            answer = posted(f"{address}/tracking/carriers/correios/mystore", body.encode(), secret)
            assert answer == {"events": 1, "problems": [], "unknown_codes": []}
            until(lambda: oms.applied("1172452900788-01", "000030711"))
            metrics = fetched(f"{address}/tracking/metrics")
            assert names["bridge"].is_running()
    assert not names["bridge"].is_running()
    exposed = {name for name in re.findall(r"^# HELP (\w+)", metrics, re.MULTILINE) if not name.endswith("_created")}
    listed = re.findall(r"^\| `(vtex_tracking_\w+)` \| ([a-z, ]+) \|", PAGE, re.MULTILINE)
    assert {name for name, _ in listed} == exposed
    for name, labels in listed:
        for sample in re.findall(rf"^{name}\{{(.*)\}}", metrics, re.MULTILINE):
            assert re.findall(r'(\w+)="', sample) == labels.split(", "), name


def test_the_secrets_of_the_profile_and_of_the_hook_are_accepted(tmp_path: Path) -> None:
    """The profile's secrets fit their sources, and posts of a hook that is configured as shown are accepted."""
    path = tmp_path / "profiles.toml"
    path.write_text(PROFILE, encoding="utf-8")
    path.chmod(0o600)
    checks = load_profiles(path)["mystore"].webhooks
    verification.check_webhooks(checks)
    hook = json.loads(HOOK)["hook"]
    body = json.dumps(notification(StatusChange("1-01", "invoiced", 2.0, "invoice", 1.0), "mystore")).encode()
    with TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN, base_url="http://127.0.0.1:9") as client:
        bridge = Bridge(tmp_path / "journal.db", [ServedAccount(client, checks)])
        with asgi_server.running(app.create_app(bridge), asgi_server.listen(0)) as url:
            address = f"{url}{urlsplit(hook['url']).path}"
            configure_hook(address, hook["headers"])
            assert posted(address, body, hook["headers"]) == {"orders": 1}


def test_the_statuses_are_those_of_the_application() -> None:
    """Each status that the application answers has a row, and no other one."""
    codes = {int(each) for each in re.findall(r"(?:HTTPException\(|, )(\d{3})\b", inspect.getsource(app))}
    rows = [int(row) for row in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)]
    assert rows == sorted(codes | {200, 404, 405})
    assert f"`Retry-After` is {app._RETRY_AFTER} seconds" in TEXT
    assert f"within {DIGITS[int(app._READY_SECONDS)]} seconds" in TEXT


def test_the_addresses_are_those_of_the_application(tmp_path: Path) -> None:
    """Each route has a row, with its method."""
    with TrackingClient("mystore", app_key=APP_KEY, app_token=APP_TOKEN) as client:
        bridge = Bridge(tmp_path / "journal.db", [ServedAccount(client, {})])
        routes = [route for route in app.create_app(bridge).routes if isinstance(route, Route)]
        bridge.close()
    expected = set()
    for route in routes:
        path = re.sub(r"\{(\w+)\}", lambda name: name[1].upper(), route.path)
        expected.add(f"{'POST' if route.methods == {'POST'} else 'GET'} {path}")
    assert set(re.findall(r"^\| `((?:GET|POST) \S+)` \|", PAGE, re.MULTILINE)) == expected


def test_who_may_post_is_what_the_code_checks() -> None:
    """Each source with a check of its own has a row, and each header of a row is in the code."""
    table = section("docs/reference/service.md", "Who may post")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    usual = verification._CHECKS["correios"]
    own = {source for source, check in verification._CHECKS.items() if check is not usual}
    assert {row[0].strip("| `") for row in rows} == own
    assert verification._CHECKS.keys() == {*SOURCES, verification.VTEX_HOOK}
    source = inspect.getsource(verification)
    for row in rows:
        for header in re.findall(r"`([\w-]+)[:`]", row[2]):
            assert f'"{header}"' in source, header
    assert f"has {verification.MIN_SENT_LENGTH} characters or more" in table
    assert f"A signing secret has {MIN_LENGTH} or more" in table


def test_the_numbers_are_those_of_the_code() -> None:
    """Limits, and the times of what happens behind the answer."""
    usual = Limits()
    parsed = build_parser().parse_args(["serve"])
    assert (parsed.max_body, parsed.max_posts, parsed.listen) == (usual.max_body, usual.posts_per_second, LISTENS)
    assert f"| {usual.max_body >> 20} MiB (`--max-body`), within {usual.body_seconds:.0f} seconds | 413, 408 |" in PAGE
    assert f"| bodies of all posts that are being answered | {usual.in_memory >> 20} MiB | 503 |" in PAGE
    assert f"| {usual.answer_seconds:.0f} seconds | 503 |" in PAGE
    assert f"| {usual.posts_per_second:.0f} a second (`--max-posts`), and for a short time twice as many" in PAGE
    assert RateLimit._BURST_SECONDS == 2
    assert f"| headers of a request | {MAX_HEADER_BYTES >> 10} KiB | 431, or 400 if they arrive in parts |" in PAGE
    assert f"{DIGITS[int(usual.answer_seconds)]} seconds" in TEXT
    assert f"at {DEFAULT_READ_RATE:.0f} calls a second at most" in TEXT
    assert WORKER_RESEND_AFTER == 3600
    assert "sent again after one hour" in TEXT
    assert (processing.REST_SECONDS, processing._RETRY_ALL_SECONDS, processing.INTERVAL) == (600, 60, 5)
    assert "called again after ten minutes" in TEXT
    assert "noticed within five seconds; orders that they add, within a minute" in TEXT
    assert serve._SHUTDOWN_SECONDS == 10
    assert "finishes requests for up to ten seconds" in TEXT
    assert DEFAULT_TIMEOUT == 120
    assert "take two minutes at most (`--timeout`)" in TEXT
    assert app._LOGGED_PER_SECOND == 5
    assert "logged five times a second at most for each status" in TEXT


def test_the_fields_of_the_log_are_those_of_the_code() -> None:
    """Each field of a line in JSON is in the table."""
    named = set(re.findall(r"`(\w+)`", section("docs/reference/service.md", "Log")))
    for module in (app, log):
        for fields in re.findall(r"extra = \{(.*?)\}", inspect.getsource(module), re.DOTALL):
            assert set(re.findall(r'"(\w+)":', fields)) <= named
    assert set(re.findall(r'"(\w+)":', inspect.getsource(long_running._JsonLines.format))) <= named
