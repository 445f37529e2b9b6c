"""Virtual environments of the commands, created on demand from a lock file with hashes.

This module imports only the standard library and avoids newer syntax, so that an unsupported Python reports a clear
error.
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

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
DATA = SCRIPTS / "data"
OLDEST_PYTHON = (3, 11)


def answer_help(text: str | None) -> None:
    """Print the description of a command and exit, if its arguments ask for help; for commands without a parser."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print((text or "").strip())
        raise SystemExit(0)


def enter(name: str) -> None:
    """Re-execute the current command inside an environment, after creating or updating it if needed.

    Args:
        name: ``bench``, ``demo``, ``dev`` or ``lowest``; ``scripts/data/requirements-{name}.txt`` lists its packages.
    """
    if sys.version_info < OLDEST_PYTHON:
        _re_execute(_find_newer_python())
    home = ROOT / ".venvs" / name
    is_inside = Path(sys.prefix).resolve() == home.resolve()
    if not is_current(name):
        if is_inside:  # an environment cannot replace itself
            _re_execute(str(Path(sys.base_prefix) / Path(_python_of(home)).relative_to(home)))
        create(name)
    if not is_inside:
        _re_execute(str(_python_of(home)))


def create(name: str) -> str:
    """Create or update an environment if needed, and return the path of its Python."""
    home, lock = ROOT / ".venvs" / name, _lock_file(name)
    if not is_current(name):
        print(f"Preparing the environment {home.relative_to(ROOT)} (once) ...", file=sys.stderr, flush=True)
        _install(home, lock)
        (home / "stamp").write_text(_fingerprint(lock))
    return str(_python_of(home))


def is_current(name: str) -> bool:
    """Return whether an environment exists and matches its lock file and this project's metadata."""
    stamp = ROOT / ".venvs" / name / "stamp"
    return stamp.is_file() and stamp.read_text() == _fingerprint(_lock_file(name))


def _lock_file(name: str) -> Path:
    return DATA / f"requirements-{name}.txt"


def _fingerprint(lock: Path) -> str:
    """Return a hash of everything that an environment depends on."""
    import tomllib  # noqa: PLC0415 - does not exist in a Python that is too old

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    inputs = [settings["build-system"], settings["project"], settings["tool"]["hatch"], str(ROOT), sys.version]
    return hashlib.sha256(lock.read_bytes() + json.dumps(inputs).encode()).hexdigest()


def _install(home: Path, lock: Path) -> None:
    """Create an environment with the packages of a lock file and an editable install of this project."""
    # Debian's Python has venv without ensurepip, but its pip can install into another environment.
    outer_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], check=False, capture_output=True)
    venv.EnvBuilder(clear=True, symlinks=os.name != "nt", with_pip=outer_pip.returncode != 0).create(home)
    python = str(_python_of(home))
    pip = [python, "-m", "pip"] if outer_pip.returncode else [sys.executable, "-m", "pip", "--python", python]
    install = [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    # Without --no-deps, older versions of pip do not match "psycopg[pool]" with the locked "psycopg".
    _run([*install, "--no-deps", "--require-hashes", "--requirement", str(lock)])
    _run([*install, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(f"Preparing the environment failed (exit status {done.returncode}): {' '.join(command)}")


def _python_of(home: Path) -> Path:
    return home / "Scripts" / "python.exe" if os.name == "nt" else home / "bin" / "python"


def _find_newer_python() -> str:
    for minor in range(20, OLDEST_PYTHON[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    raise SystemExit("Python 3.11 or newer is required; this is {}.{}.".format(*sys.version_info[:2]))


def _re_execute(python: str) -> None:
    command = [python, *sys.argv]
    if os.name == "nt":
        raise SystemExit(subprocess.call(command))
    sys.stdout.flush()
    os.execv(python, command)  # noqa: S606
