"""The examples of README and docs/ run: a reader who follows a page from top to bottom gets what the page shows."""

from __future__ import annotations

import io
import json
import re
import time
import tomllib
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from vtex_tracking_ext import TrackingClient
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.carriers.codes import parse_options
from vtex_tracking_ext.cli import main
from vtex_tracking_ext.config.profiles import load_layout, load_profiles, profiles_path
from vtex_tracking_ext.sandbox import Oms, notification, running
from vtex_tracking_ext.service.verification import check_webhooks

from support.carriers import sample
from support.pages import ELLIPSIS, PAGES, blocks, is_shown, texts
from support.reading import INVOICE, ORDER, Reader

if TYPE_CHECKING:
    from collections.abc import Callable

#: Pages whose examples other tests of this folder run.
ELSEWHERE: Final = {
    "docs/how-to/airflow.md": "test_frameworks.py",
    "docs/how-to/celery.md": "test_frameworks.py",
    "docs/how-to/django.md": "test_frameworks.py",
    "docs/how-to/lambda.md": "test_frameworks.py",
    "docs/how-to/proxy.md": "test_proxy.py",
    "docs/how-to/receive-webhooks.md": "test_webhooks.py",
    "docs/how-to/sandbox.md": "test_sandbox.py",
    "docs/how-to/several-machines.md": "test_workers.py",
    "docs/tutorials/webhooks.md": "test_webhooks.py",
}
#: Languages of blocks that are not run; the tests below, and those of :data:`ELSEWHERE`, read them.
READ: Final = {"csv", "json", "text", "toml", "yaml"}
FOLLOWED: Final = [
    page for page in PAGES if page not in ELSEWHERE and (texts(page, "console") or texts(page, "python"))
]
WITH_TOML: Final = [page for page in PAGES if texts(page, "toml")]


def of_readme(oms: Oms, _: Reader, printed: str) -> None:
    """An update and a delivery in Python, and a second event from the file."""
    assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == [
        "Coletado pela transportadora",
        "Coletado pela transportadora",
        "Em tr\xe2nsito",
    ]
    assert f"{INVOICE} True" in printed


def of_developer(oms: Oms, _: Reader, printed: str) -> None:
    """The first program, the case that is invalid, and a push that is repeated."""
    assert "applied: True\n000030711 False ['Coletado pela transportadora']" in printed
    assert "done\nfix this: Order 1172452900788-01, invoice 000030711: events[0].description" in printed
    assert "3 applied, 0 already known\n0 applied, 2 already known" in printed
    assert len(oms.applied(ORDER, INVOICE)) == 4


def of_operations(oms: Oms, _: Reader, __: str) -> None:
    """Each event of the carrier's file arrives once, although it comes as a file and in a folder."""
    assert [event["description"] for event in oms.applied("7-01", INVOICE)] == ["Em tr\xe2nsito", "Entrega realizada"]
    assert Path("inbox/done/ocorrencias.csv").is_file()
    assert "<html" in Path("report.html").read_text(encoding="utf-8")
    assert [*Path().glob("journal-*.db")]
    assert Path(".config/vtex-tracking/profiles.toml").stat().st_mode & 0o777 == 0o600


def of_webhook_handler(oms: Oms, reader: Reader, printed: str) -> None:
    """A post that is repeated is delivered once; posts that cannot be read are answered with 400."""
    parcel = {"order": ORDER, "invoice": INVOICE, "day": "2026-10-05", "text": "Entregue", "code": "01", "id": "77"}
    handle = reader.names["handle"]
    assert [handle(json.dumps(parcel).encode()) for _ in range(2)] == [200, 200]
    assert [handle(body) for body in (b"", b"{}", b"[]", json.dumps({**parcel, "day": "soon"}).encode())] == [400] * 4
    assert reader.names["handle_correios"](json.dumps(sample("correios.json")).encode()) == 200
    assert reader.names["handle_correios"](b"{}") == 400

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", stop)
        with pytest.raises(KeyboardInterrupt):
            reader.names["deliver_for_ever"]()
    assert [event["description"] for event in oms.applied(ORDER, INVOICE)] == ["Entregue"]
    assert printed == ""


def of_carriers(oms: Oms, _: Reader, printed: str) -> None:
    """The EDI file, the webhook, and the payload of the Python example reach their orders."""
    assert len(oms.applied(ORDER, INVOICE)) == 7
    webhook = sample("intelipost.json")
    assert oms.applied(webhook["sales_order_number"], webhook["invoice"]["invoice_number"])
    assert "QB000000018BR BDE/01 2026-09-17 10:21:37 delivered True Objeto entregue" in printed


def of_files(oms: Oms, _: Reader, __: str) -> None:
    """The layout that the command keeps is the one that the page shows."""
    (layout,) = texts("docs/how-to/files.md", "toml")
    kept = load_layout(profiles_path({"XDG_CONFIG_HOME": ".config"}), "jadlog")
    assert kept == tomllib.loads(layout)["layouts"]["jadlog"]
    assert len(oms.applied("7-01", INVOICE)) == 2


def of_feed(oms: Oms, reader: Reader, printed: str) -> None:
    """The invoices of a new order are printed once, and a feed of another system is left alone."""
    (example,) = texts("docs/how-to/feed.md", "python")
    oms.add_order("9-01", ["9"], invoice_keys={"9": "4" * 44})
    output = io.StringIO()
    with redirect_stdout(output):
        for _ in range(2):
            exec(example, reader.names)  # noqa: S102 - our own page
    assert (printed, output.getvalue()) == ("", f"9-01 9 {'4' * 44} BR000000000BR\n")
    next(iter(oms.feeds.values())).visibility_timeout = 1
    with pytest.raises(SystemExit, match="has a feed already"):
        exec(example, reader.names)  # noqa: S102 - as above


#: What must have happened when a page was followed.
CHECKS: Final[dict[str, Callable[[Oms, Reader, str], None]]] = {
    "README.md": of_readme,
    "docs/how-to/carriers.md": of_carriers,
    "docs/how-to/feed.md": of_feed,
    "docs/how-to/files.md": of_files,
    "docs/how-to/webhook-handler.md": of_webhook_handler,
    "docs/tutorials/developer.md": of_developer,
    "docs/tutorials/operations.md": of_operations,
}


@pytest.mark.parametrize("page", FOLLOWED)
def test_a_reader_can_follow_the_page(
    page: str, monkeypatch: pytest.MonkeyPatch, pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command succeeds and prints what the page shows, and each program and test runs, one after the other."""
    oms = Oms()
    with running(oms) as url:
        reader = Reader(pytester.path, oms, url, monkeypatch)
        with TrackingClient.from_env() as client:
            reader.names |= {
                "client": client,
                "notification": notification(oms.orders[ORDER].change, "mystore"),
                "payload": sample("correios.json"),
            }
            if not page.startswith("docs/tutorials/"):
                reader.create_journal()
            for block in blocks(page):
                if block.language == "console":
                    reader.run(block.text)
                elif block.language == "python" and "\ndef test_" in block.text:
                    run_tests(pytester, block.text)
                elif block.language == "python":
                    exec(block.text.replace(ELLIPSIS, "MADEUP"), reader.names)  # noqa: S102 - our own page
                else:
                    assert block.language in READ
            check = CHECKS.get(page)
            if check is not None:
                check(oms, reader, capsys.readouterr().out)


def test_causes_are_printed_as_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A push of unknown orders prints the cause that the page shows."""
    (shown,) = texts("docs/how-to/resolve.md", "text")
    oms = Oms()
    with running(oms) as url:
        Reader(tmp_path, oms, url, monkeypatch).create_journal()
        numbers = [("1172452900799-01", "000030712", day) for day in (23, 24)]
        numbers.append(("1172452900800-01", "000030713", 23))
        rows = [f"{order},{invoice},2015-06-{day},Coletado" for order, invoice, day in numbers]
        Path("events.csv").write_text("\n".join(["order_id,invoice_number,date,description", *rows]), encoding="utf-8")
        assert main(["push", "events.csv"]) == 1
        printed = capsys.readouterr().out.replace(f"mystore@{url.removeprefix('http://')}", "mystore")
    assert is_shown(f"{shown}{ELLIPSIS}", printed)


def run_tests(pytester: pytest.Pytester, program: str) -> None:
    """Run the tests of an example."""
    pytester.makepyfile(program)
    assert pytester.runpytest_inprocess("-p", "no:cacheprovider").ret == 0


def test_the_example_of_a_test_can_fail(pytester: pytest.Pytester) -> None:
    """The first example fails if the code under test sends nothing."""
    program = texts("docs/how-to/test.md", "python")[0]
    changed = re.sub(r"    client\.update\(.*?\n    \)\n", "    pass\n", program, flags=re.DOTALL)
    assert changed != program
    pytester.makepyfile(changed)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=1)


def test_pages_are_followed_here_or_elsewhere() -> None:
    """A page that another test runs exists and has examples, and that test names it."""
    for page, test in ELSEWHERE.items():
        assert blocks(page), page
        assert page in (Path(__file__).parent / test).read_text(encoding="utf-8"), page
    assert {block.language for page in PAGES for block in blocks(page)} <= READ | {
        "console",
        "python",
        "{eval-rst}",
        "{include}",
        "{toctree}",
    }


@pytest.mark.parametrize("page", WITH_TOML)
def test_profiles_and_layouts_are_valid(page: str, tmp_path: Path) -> None:
    """Each example of the profile file loads, and its layouts, codes and secrets are accepted."""
    for text in texts(page, "toml"):
        path = tmp_path / "profiles.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        for profile in load_profiles(path).values():
            check_webhooks(profile.webhooks)
            for source, table in (profile.carriers or {}).items():
                parse_options(source, table)
            if isinstance(profile.layout, dict):
                Layout().with_options(profile.layout)
