"""The README's claims, run."""

from __future__ import annotations

import inspect
import os
import re
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import fields

import vtex_tracking_ext
from vtex_tracking_ext import RetryPolicy, TrackingClient
from vtex_tracking_ext.bulk.delivery.breaker import MAX_UNKNOWN
from vtex_tracking_ext.bulk.delivery.deliver import RECHECK_DELAYS
from vtex_tracking_ext.bulk.delivery.pace import INITIAL_RATE, MAX_FREEZES
from vtex_tracking_ext.bulk.input.columns import COLUMNS
from vtex_tracking_ext.cli import main, messages, progress
from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.config.credentials import Settings
from vtex_tracking_ext.config.defaults import DEFAULT_RATE, DEFAULT_TIMEOUT, EVENTS_PER_CALL
from vtex_tracking_ext.config.profiles import load_profiles, profiles_path
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, running
from vtex_tracking_ext.transport.request import MAX_BODY

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TELLING = "".join(map(inspect.getsource, (progress, messages)))
FLEET = README[README.index("## Push from several machines") : README.index("## Single calls from")]
FIRST, TRACING, PUSH, OWN_TEST = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it stands, against a sandbox."""
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"])
    with running(oms) as url:
        original = TrackingClient.__init__

        def to_sandbox(self: TrackingClient, account: str, **_: str) -> None:
            original(self, account, app_key=APP_KEY, app_token=APP_TOKEN, base_url=url)

        monkeypatch.setattr(TrackingClient, "__init__", to_sandbox)
        exec(FIRST, {})  # noqa: S102 - our own README
    assert [request.method for request in oms.received] == ["PUT", "PUT", "GET"]
    assert {request.status for request in oms.received} == {200}


def test_the_push_example_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twice, and the event is there once."""
    monkeypatch.chdir(tmp_path)
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"])
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        exec(PUSH, {})  # noqa: S102 - our own README
        exec(PUSH, {})  # noqa: S102 - our own README
    assert capsys.readouterr().out == "1 0 0 0 ()\n0 0 0 0 ()\n"
    assert len(oms.applied("1172452900788-01", "000030711")) == 1


def to_sandbox(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Point the environment to a sandbox."""
    for name, value in {"ACCOUNT": "mystore", "BASE_URL": url, "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
        monkeypatch.setenv(f"VTEX_{name}", value)


def test_the_tracing_example_runs() -> None:
    """With a key that no header could carry as it stands in the README, so a made-up one takes its place."""
    names: dict[str, object] = {}
    exec(TRACING.replace("\N{HORIZONTAL ELLIPSIS}", "MADEUP"), names)  # noqa: S102 - our own README
    assert isinstance(names["client"], TrackingClient)


def test_the_example_of_a_test_passes(pytester: pytest.Pytester) -> None:
    """As a user would run it; and it fails when its code forgets to report."""
    pytester.makepyfile(OWN_TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    pytester.makepyfile(re.sub(r"    client\.update\(.*?\n    \)\n", "    pass\n", OWN_TEST, flags=re.DOTALL))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=1)


def test_the_profile_example_is_one(tmp_path: Path) -> None:
    """It is read as a profile of the account it names, at the place it names; every key is named."""
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "profiles.toml"
    path.write_text(example, encoding="utf-8")
    assert load_profiles(path) == {"mystore": Settings("mystore", "vtexappkey-mystore-\u2026", "\u2026")}
    assert {key.name for key in fields(Settings)} <= set(re.findall(r"\w+", example))
    assert f"`{profiles_path({}).as_posix().replace(Path.home().as_posix(), '~')}`" in README


def test_the_scripts_it_names_exist_and_take_the_options_it_names() -> None:
    """Each says so in its own words."""
    named: dict[str, set[str]] = {}
    for name, options in re.findall(r"scripts/([\w.]*\w)((?: [^`\n]*)?)", README):
        named.setdefault(name, set()).update(re.findall(r"--[a-z-]+", options))
    assert {"check_upstream", "demo", "lock", "record_cassettes", "regenerate", "test"} <= named.keys()
    for name, options in named.items():
        source = (ROOT / "scripts" / name).read_text(encoding="utf-8")
        assert {option for option in options if option not in source} == set(), name


def test_the_numbers_of_its_promises_are_true() -> None:
    """The deadline and the cap."""
    assert f"`timeout=` ({DEFAULT_TIMEOUT:.0f} seconds unless told otherwise)" in README
    assert (INITIAL_RATE, DEFAULT_RATE, MAX_FREEZES) == (10, 25, 5)
    assert "ten a second at first and 25 at most" in README
    assert "After five such pauses in a row" in " ".join(README.split())
    assert f"At most {MAX_BODY >> 20} MiB of an answer are decoded" in README


def test_the_commands_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every command line but the sandbox's, which runs until it is told to end."""
    lines = commands_of(README.replace(FLEET, ""))
    monkeypatch.chdir(tmp_path)
    header = "order_id,invoice_number,date,description\n"
    Path("events.csv").write_text(f"{header}1-01,1,2015-06-23,Coletado\n", encoding="utf-8")
    oms = Oms()
    oms.add_order("1-01", ["1"])
    ran = set()
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        for line in lines:
            words = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', line)]
            arguments = [{"ORDER": "1-01", "INVOICE": "1"}.get(word, word) for word in words]
            ran.add(arguments[0])
            if arguments[0] != "sandbox":
                assert main(arguments) == 0, line
    commands = {"check", "push", "status", "resolve", "report", "update", "deliver", "packages", "sandbox"}
    assert ran == commands
    assert "<html" in Path("report.html").read_text("utf-8")
    assert len(oms.applied("1-01", "1")) == 2


def test_the_commands_of_a_fleet_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str) -> None:
    """The worker is told to end once it has delivered what was rung for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTEX_JOURNAL", database)
    Path("events.csv").write_text("order_id,invoice_number,date,description\n1-01,1,2015-06-23,Coletado\n", "utf-8")
    oms = Oms()
    oms.add_order("1-01", ["1"])
    delivered = threading.Event()
    original = Oms.update_tracking_status

    def update(*arguments: Any) -> dict[str, str]:
        delivered.set()
        return original(*arguments)

    def end() -> None:
        delivered.wait(60)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Oms, "update_tracking_status", update)
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        enqueue, worker = commands_of(FLEET)
        assert main(enqueue.split()) == 0
        assert list(oms.received) == []
        ender = threading.Thread(target=end)
        ender.start()
        assert main(worker.split()) == 0
        ender.join()
        assert main(["status"]) == 0
    assert len(oms.applied("1-01", "1")) == 1


def commands_of(text: str) -> list[str]:
    """Return the command lines in a text, without the program's name and the comment."""
    return re.findall(r"^\$ vtex-tracking (.*?)(?:  +#.*)?$", text, re.MULTILINE)


def test_the_names_and_numbers_are_true() -> None:
    """Errors, columns, the batch size, the exit statuses."""
    for name in re.findall(r"`(\w+Error)`", README):
        assert name in vtex_tracking_ext.__all__
    assert ", ".join(COLUMNS) in README
    policy = RetryPolicy()
    for field in fields(RetryPolicy):
        assert f"`{field.name}`" in README
    assert f"above the cap ({policy.retry_after_cap:.0f} seconds)" in README
    assert f"for the whole call, {DEFAULT_TIMEOUT:.0f})" in README
    assert f"up to {EVENTS_PER_CALL} in a call" in README
    assert len(RECHECK_DELAYS) == 3
    assert "up to three times\n  at its end" in README
    assert MAX_UNKNOWN == 5
    for kind in re.findall(r'say_json\("(\w+)"', TELLING):
        assert f"`{kind}`" in README
    told = dict(re.findall(r"(\d+) ([a-z]+)", README.split("Exit status, of all commands: ")[1].split(".")[0]))
    assert {int(number) for number in told} == {status.value for status in ExitCode}
