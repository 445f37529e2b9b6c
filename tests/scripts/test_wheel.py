"""The built wheel works without the source tree and without extras."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and its dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".venvs", "tests", "__pycache__", ".*_cache"))
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, check=True, cwd=source, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    home = folder / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(home)]
    subprocess.run([*install, str(wheel)], check=True)
    for name in sorted(required("vtex-tracking")):
        for file in importlib.metadata.files(name) or []:
            if ".." not in file.parts and file.suffix != ".pyc":
                target = home / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(str(file.locate()), target)
    shutil.rmtree(source)
    return home


def required(name: str) -> set[str]:
    """Return the dependencies of a distribution without extras, recursively."""
    found: set[str] = set()
    for requirement in importlib.metadata.requires(name) or []:
        if ";" not in requirement:
            other = re.split(r"[^A-Za-z0-9._-]", requirement)[0]
            found |= {other} | required(other)
    return found


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with only that folder and the standard library."""
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=home.parent, env={"PYTHONPATH": str(home)}
    )


def test_it_contains_both_packages_and_their_data(home: Path) -> None:
    """The wheel has the generated client, the typing markers, and the files of the pages."""
    for name in (
        "vtex_oms_client/py.typed",
        "vtex_oms_client/provenance.json",
        "vtex_tracking_ext/py.typed",
        "vtex_tracking_ext/bulk/report/templates/report.css",
        "vtex_tracking_ext/bulk/report/templates/report.html",
        "vtex_tracking_ext/bulk/report/templates/report.js",
        "vtex_tracking_ext/sandbox/templates/page.html",
        "vtex_tracking_ext/service/templates/overview.html",
        "vtex_tracking_ext/templates/base.css",
        "vtex_tracking_ext/templates/base.html",
        "vtex_tracking_ext/sandbox/data/events.csv",
    ):
        assert (home / name).is_file(), name


def test_the_command_runs(home: Path) -> None:
    """Help works; a call without settings and a missing extra exit with status 3 and a message."""
    done = run(home, str(home / "bin" / "vtex-tracking"), "--help")
    assert done.returncode == 0, done.stderr
    assert "push" in done.stdout
    done = run(home, str(home / "bin" / "vtex-tracking"), "packages", "1-01")
    assert done.returncode == 3
    assert "set VTEX_ACCOUNT" in done.stderr
    done = run(home, str(home / "bin" / "vtex-tracking"), "sandbox")
    assert done.returncode == 3
    assert "pip install 'vtex-tracking[sandbox]'" in done.stderr


def test_the_clients_can_be_made(home: Path) -> None:
    """A client needs only the dependencies without extras."""
    code = "import vtex_tracking_ext as v; print(v.TrackingClient('mystore', user_token='MADEUP'))"
    done = run(home, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("TrackingClient('mystore'")
