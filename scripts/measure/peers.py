"""The clients that openapi-generator generates from openapi.yaml, in a folder outside the tree."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from lib.environment import ROOT

#: HTTP library of the client -> name of the generated package.
_PACKAGES = {"urllib3": "oag_urllib3", "asyncio": "oag_asyncio"}


def generated() -> Path:
    """Return the folder of the generated packages, after generating them if openapi.yaml or the generator changed.

    The folder is part of the environment.

    Raises:
        SystemExit: The generator failed.
    """
    contract = ROOT / "openapi.yaml"
    inputs = contract.read_bytes() + version("openapi-generator-cli").encode()
    folder = Path(sys.prefix, "peers", hashlib.sha256(inputs).hexdigest()[:16])
    done = folder / "done"
    if not done.exists():
        for library, package in _PACKAGES.items():
            _generate(contract, library, package, folder)
        done.touch()
    return folder


def _generate(contract: Path, library: str, package: str, folder: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from openapi_generator_cli import cli; cli()",
        "generate",
        "--generator-name",
        "python",
    ]
    command += ["--input-spec", str(contract), "--library", library, "--package-name", package, "--output", str(folder)]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(f"openapi-generator failed for {library}:\n{made.stdout}{made.stderr}")
