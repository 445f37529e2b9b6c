"""The environments the other scripts run in: made on demand, from a lock file with hashes.

Imports the standard library alone and keeps to old syntax, so that a Python that is too old can say so.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST = (3, 11)


def enter(name: str) -> None:
    """Go on inside the environment ``name``, making it first where it is missing or out of date.

    Args:
        name: ``bench``, ``demo`` or ``dev``; ``scripts/requirements-{name}.txt`` says what goes in.
    """
    if sys.version_info < OLDEST:
        _go_on_with(_newer_python())
    home = ROOT / ".venvs" / name
    lock = ROOT / "scripts" / f"requirements-{name}.txt"
    stamp, wanted = home / "stamp", _fingerprint(lock)
    inside = Path(sys.prefix).resolve() == home.resolve()
    if not (stamp.is_file() and stamp.read_text() == wanted):
        if inside:  # an environment cannot replace itself
            _go_on_with(str(Path(sys.base_prefix) / Path(_python_of(home)).relative_to(home)))
        print(f"Preparing the environment {home.relative_to(ROOT)} (once) ...", file=sys.stderr, flush=True)
        _make(home, lock)
        stamp.write_text(wanted)
    if not inside:
        _go_on_with(str(_python_of(home)))


def _fingerprint(lock: Path) -> str:
    """Return what an environment made now would rest on; another value means it is out of date."""
    import tomllib  # noqa: PLC0415 - not there on a Python that is too old

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    installed = [settings["build-system"], settings["project"], settings["tool"]["hatch"], str(ROOT), sys.version]
    return hashlib.sha256(lock.read_bytes() + json.dumps(installed).encode()).hexdigest()


def _make(home: Path, lock: Path) -> None:
    """Create the environment from its lock file, with this project in it, editable."""
    # Debian's Python has venv without ensurepip, but its pip can install into another environment.
    outer_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True)
    venv.EnvBuilder(clear=True, symlinks=os.name != "nt", with_pip=outer_pip.returncode != 0).create(home)
    python = str(_python_of(home))
    pip = [python, "-m", "pip"] if outer_pip.returncode else [sys.executable, "-m", "pip", "--python", python]
    install = [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    _run([*install, "--require-hashes", "--requirement", str(lock)])
    _run([*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(f"Preparing the environment failed (exit status {done.returncode}): {' '.join(command)}")


def _python_of(home: Path) -> Path:
    return home / "Scripts" / "python.exe" if os.name == "nt" else home / "bin" / "python"


def _newer_python() -> str:
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise SystemExit("Python 3.11 or newer is needed; this is {}.{}.".format(*sys.version_info[:2]))


def _go_on_with(python: str) -> None:
    command = [python, *sys.argv]
    if os.name == "nt":
        raise SystemExit(subprocess.call(command))
    sys.stdout.flush()
    os.execv(python, command)  # noqa: S606
