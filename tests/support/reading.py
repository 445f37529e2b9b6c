"""A person who follows a page, in a folder with the files that pages name, and with a sandbox in VTEX's place."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import xlsxwriter  # type: ignore[import-untyped]

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.cli import input_files, main
from vtex_tracking_ext.cli.parser import orders as orders_parser
from vtex_tracking_ext.cli.parser.commands import build_parser
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN

from support.carriers import SAMPLES, sample, write_edi
from support.pages import ELLIPSIS, is_shown, steps_of, texts
from support.scratch import ROOT

if TYPE_CHECKING:
    import pytest

    from vtex_tracking_ext.sandbox import Oms

    from support.pages import Step

ORDER: Final = "1172452900788-01"
INVOICE: Final = "000030711"
#: Commands that run until they are stopped. Other tests run them.
_LONG_RUNNING: Final = re.compile(r"vtex-tracking (sandbox|serve|worker)\b|--(watch|follow)\b")
#: Programs that a page may call besides, in a shell.
_PROGRAMS: Final = {"cat", "install", "mkdir", "sqlite3"}
#: Commands that install. Tests install nothing from an index, so only the extras are checked.
_INSTALLING: Final = re.compile(r"(python3 -m venv|pipx install|(\S*/)?pip install)\b")


class Reader:
    """A person who follows a page.

    Args:
        folder: An empty folder, which becomes the current one and the home folder.
        oms: The order system of the sandbox; the orders of the pages are added.
        url: Its address, which takes the place of the one in the pages.
        patch: Restores what is changed for the reader.
    """

    def __init__(self, folder: Path, oms: Oms, url: str, patch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, Any] = {}
        self._url = url
        self._patch = patch
        patch.chdir(folder)
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            patch.delenv(name)
        patch.setenv("HOME", str(folder))
        patch.setattr(input_files, "sleep", lambda _: None)
        patch.setattr(orders_parser, "DEFAULT_READ_RATE", 1000.0)
        point_to_sandbox(patch, url)
        _write_files()
        _add_orders(oms)

    def create_journal(self) -> None:
        """Create the journal of pages that suppose one."""
        self._patch.setenv("VTEX_JOURNAL", "journal.db")
        self._call(["migrate"])

    def run(self, block: str) -> None:
        """Run the commands of a console block: each must succeed, and print what the page shows."""
        for step in steps_of(block):
            output = self._run(step)
            assert not step.output or is_shown(step.output, output), (step, output)

    def _run(self, step: Step) -> str:
        command = step.command.replace("http://127.0.0.1:8000", self._url)
        program = command.split()[0]
        if _INSTALLING.match(command):
            check_extras(command)
        elif _LONG_RUNNING.search(command):
            assert program == "vtex-tracking"
            build_parser().parse_args(shlex.split(command)[1:])
        elif program == "export":
            self._export(command)
        elif program == "vtex-tracking":
            return self._call(shlex.split(command)[1:])
        else:
            assert program in _PROGRAMS, command
            done = subprocess.run(["/bin/bash", "-c", command], check=False, capture_output=True, text=True)
            assert done.returncode == 0, (command, done.stderr)
            return done.stdout
        return step.output

    def _export(self, command: str) -> None:
        """Set variables, apart from the path of programs, and from credentials that are left out."""
        for assignment in shlex.split(command)[1:]:
            name, _, value = assignment.partition("=")
            if name != "PATH" and ELLIPSIS not in value:
                self._patch.setenv(name, value)

    def _call(self, arguments: list[str]) -> str:
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            status = main(arguments)
        assert status == 0, (arguments, printed.getvalue())
        return printed.getvalue()


def point_to_sandbox(patch: pytest.MonkeyPatch, url: str) -> None:
    """Let the environment, and every client of another account that an example makes, lead to a sandbox."""
    for name, value in {"ACCOUNT": "mystore", "BASE_URL": url, "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
        patch.setenv(f"VTEX_{name}", value)
    original = TrackingClient.__init__

    def to_sandbox(self: TrackingClient, account: str, **options: Any) -> None:
        if options.get("base_url") is None:
            options |= {"app_key": APP_KEY, "app_token": APP_TOKEN, "base_url": url}
        original(self, account, **options)

    patch.setattr(TrackingClient, "__init__", to_sandbox)


def check_extras(command: str) -> None:
    """Check that the extras that a command installs exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for extras in re.findall(r"(?:vtex-tracking|\.)\[([a-z,]+)\]", command):
        assert set(extras.split(",")) <= project["optional-dependencies"].keys(), command


def _add_orders(oms: Oms) -> None:
    webhook = sample("intelipost.json")
    oms.add_order(ORDER, [INVOICE])
    oms.add_order("7-01", [INVOICE])
    number, code = webhook["invoice"]["invoice_number"], webhook["tracking_code"]
    oms.add_order(webhook["sales_order_number"], [number], tracking_number=code)


def _write_files() -> None:
    """Write the files that pages name: events, a carrier's file and its workbook, payloads, orders, and numbers."""
    (events,) = texts("README.md", "csv")
    (orders,) = texts("docs/how-to/carriers.md", "csv")
    rows = [
        ("Pedido", "Nota Fiscal", "Data", "Ocorr\xeancia"),
        ("7-01", "30711", "01/10/2026", "Em tr\xe2nsito"),
        ("7-01", "30711", "13/10/2026", "Entrega realizada"),
    ]
    Path("events.csv").write_text(events, encoding="utf-8")
    Path("inbox").mkdir()
    for path in ("ocorrencias.csv", "inbox/ocorrencias.csv"):
        Path(path).write_text("".join(f"{';'.join(row)}\n" for row in rows), encoding="windows-1252")
    book = xlsxwriter.Workbook("ocorrencias.xlsx")
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    write_edi(Path(), "30711")
    Path("orders.csv").write_text(orders, encoding="utf-8")
    Path("numbers.csv").write_text(f"order_id,invoice_number,tracking_number\n{ORDER},{INVOICE},NUMBER\n", "utf-8")
    Path("webhook.json").write_bytes((SAMPLES / "intelipost.json").read_bytes())
