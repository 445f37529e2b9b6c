"""The clients that openapi-generator makes of openapi.yaml: in a scratch folder, never kept in the tree."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from lib.environment import ROOT

#: Library that the client is made for -> name of the package that is made.
_PACKAGES = {"urllib3": "oag_urllib3", "asyncio": "oag_asyncio"}


def generated() -> Path:
    """Return the folder that holds the generated packages, making them where openapi.yaml or the generator is new.

    It lies in the environment, and goes with it.

    Raises:
        SystemExit: The generator failed.
    """
    contract = ROOT / "openapi.yaml"
    rests_on = contract.read_bytes() + version("openapi-generator-cli").encode()
    folder = Path(sys.prefix, "peers", hashlib.sha256(rests_on).hexdigest()[:16])
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
