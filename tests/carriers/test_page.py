"""The examples of the page about carriers' payloads run, and its lists match the code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.carriers import Status
from vtex_tracking_ext.carriers.codes import parse_options
from vtex_tracking_ext.cli import main
from vtex_tracking_ext.config.profiles import load_profiles
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, running

from support.carriers import SAMPLES, sample, write_edi
from support.scratch import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

PAGE = (ROOT / "docs" / "carriers.md").read_text(encoding="utf-8")


def to_sandbox(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Point the environment to a sandbox."""
    for name, value in {"ACCOUNT": "mystore", "BASE_URL": url, "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
        monkeypatch.setenv(f"VTEX_{name}", value)


def orders() -> Oms:
    """Return an OMS with the order of the page."""
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"])
    return oms


def test_python_example(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The Python example reads the sample of Correios, and delivers its events."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    with running(orders()) as url:
        to_sandbox(monkeypatch, url)
        names: dict[str, Any] = {"payload": sample("correios.json")}
        exec(example, names)  # noqa: S102 - our own page
    assert names["result"].applied == 6
    assert "QB000000018BR BDE/01 2026-09-17 10:21:37 delivered True Objeto entregue" in capsys.readouterr().out


def test_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The commands push an EDI file with the page's file of orders, and a webhook."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "orders.csv").write_text(example, encoding="utf-8")
    write_edi(tmp_path, "30711")
    (tmp_path / "webhook.json").write_bytes((SAMPLES / "intelipost.json").read_bytes())
    webhook = sample("intelipost.json")
    oms = orders()
    number, code = webhook["invoice"]["invoice_number"], webhook["tracking_code"]
    oms.add_order(webhook["sales_order_number"], [number], tracking_number=code)
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        for line in re.findall(r"^\$ vtex-tracking (.*?)(?:  +#.*)?$", PAGE, re.MULTILINE):
            is_made_up = " 12 13 " in line  # numbers of events that are not there
            assert main(shlex.split(line)) == (2 if is_made_up else 0), line
    assert main(["carriers", "correios"]) == 0


def test_profile(tmp_path: Path) -> None:
    """The profile of the page loads, and its settings are accepted."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "profiles.toml"
    path.write_text(example, encoding="utf-8")
    path.chmod(0o600)
    profile = load_profiles(path)["mystore"]
    assert profile.carriers is not None
    for source, table in profile.carriers.items():
        parse_options(source, table)
    assert isinstance(profile.layout, dict)
    assert Layout().with_options(profile.layout).carrier == "ocoren"


def test_statuses() -> None:
    """The page lists every status that a merchant can give."""
    named = set(re.findall(r"`(\w+)`", PAGE.split("\nStatuses: ")[1].split("\n\n")[0]))
    assert named == {status.value for status in Status} - {"void", "unknown"}


def test_table_of_sources() -> None:
    """The table of sources is the one that scripts/carriers writes."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "carriers")], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
