"""The claims and examples of the README and of docs/ are true and run."""

from __future__ import annotations

import inspect
import os
import re
import shlex
import signal
import threading
import tomllib
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from attrs import fields

import vtex_tracking_ext
from vtex_tracking_ext import RetryPolicy, TrackingClient
from vtex_tracking_ext.bulk.delivery.breaker import MAX_UNKNOWN
from vtex_tracking_ext.bulk.delivery.options import RECHECK_DELAYS
from vtex_tracking_ext.bulk.delivery.pace import INITIAL_RATE, MAX_FREEZES
from vtex_tracking_ext.bulk.input.columns import COLUMNS
from vtex_tracking_ext.bulk.input.inbox import DOUBT_SECONDS, SETTLE_SECONDS
from vtex_tracking_ext.cli import input_files, main, messages, progress
from vtex_tracking_ext.cli.exit_codes import ExitCode
from vtex_tracking_ext.config.defaults import DEFAULT_RATE, DEFAULT_TIMEOUT, EVENTS_PER_CALL
from vtex_tracking_ext.config.options import LONGEST_TIMEOUT
from vtex_tracking_ext.config.profiles import Profile, load_layout, load_profiles, profiles_path
from vtex_tracking_ext.sandbox import APP_KEY, APP_TOKEN, Oms, notification, running, with_examples
from vtex_tracking_ext.transport.body import MAX_BODY

from support.carriers import write_edi

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path: path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))}
#: All of them as one line, because a sentence may go on in the next line.
ALL_TEXT = " ".join(" ".join(PAGES.values()).split())
FILES = PAGES[ROOT / "docs" / "files.md"]
(LAYOUT,) = re.findall(r"```toml\n(.*?)```", FILES, re.DOTALL)
FLEET = PAGES[ROOT / "docs" / "several-machines.md"]
ORDERS = PAGES[ROOT / "docs" / "orders.md"]
TELLING = "".join(map(inspect.getsource, (progress, messages)))
FIRST, TRACING, PUSH, NOTE, OWN_TEST = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
TRY = README.split("### Try it")[1].split("\n## ")[0]
(FILE,) = re.findall(r"```csv\n(.*?)```", README, re.DOTALL)


def test_the_python_example_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first Python example sends an update, a delivery and a read to the sandbox, and each succeeds."""
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"])
    with running(oms) as url:
        make_clients_of_sandbox(monkeypatch, url)
        exec(FIRST, {})  # noqa: S102 - our own README
    assert [request.method for request in oms.received] == ["PUT", "PUT", "GET"]
    assert {request.status for request in oms.received} == {200}


def test_the_push_example_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run twice, the push example applies its event once; what the example of a handler notes is delivered once."""
    monkeypatch.chdir(tmp_path)
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"])
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        for _ in range(2):
            exec(PUSH, {})  # noqa: S102 - our own README
        rows = [
            {"order_id": "1172452900788-01", "invoice_number": "000030711", "date": "2015-06-24", "description": "x"}
        ]
        for expected in (1, 0):
            names: dict[str, Any] = {"rows": rows}
            exec(NOTE, names)  # noqa: S102 - our own README
            assert names["result"].applied == expected
    assert capsys.readouterr().out == "1 0 0 0 ()\n0 0 0 0 ()\n"
    assert len(oms.applied("1172452900788-01", "000030711")) == 2


def make_clients_of_sandbox(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let every client that an example makes call a sandbox."""
    original = TrackingClient.__init__

    def to_sandbox(self: TrackingClient, account: str, **_: str) -> None:
        original(self, account, app_key=APP_KEY, app_token=APP_TOKEN, base_url=url)

    monkeypatch.setattr(TrackingClient, "__init__", to_sandbox)


def test_the_feed_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the invoices of a new order once, and leaves a feed of another system alone."""
    (example,) = re.findall(r"```python\n(.*?)```", PAGES[ROOT / "docs" / "finding-orders.md"], re.DOTALL)
    oms = Oms()
    with running(oms) as url:
        make_clients_of_sandbox(monkeypatch, url)
        exec(example, {})  # noqa: S102 - our own page
        oms.add_order("1172452900788-01", ["000030711"], invoice_keys={"000030711": "4" * 44})
        for _ in range(2):
            exec(example, {})  # noqa: S102 - as above
        assert capsys.readouterr().out == f"1172452900788-01 000030711 {'4' * 44} BR000000000BR\n"
        oms.feeds[APP_KEY].visibility_timeout = 1
        with pytest.raises(SystemExit, match="has a feed already"):
            exec(example, {})  # noqa: S102 - as above


def to_sandbox(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Point the environment to a sandbox."""
    for name, value in {"ACCOUNT": "mystore", "BASE_URL": url, "APP_KEY": APP_KEY, "APP_TOKEN": APP_TOKEN}.items():
        monkeypatch.setenv(f"VTEX_{name}", value)


def test_the_tracing_example_runs() -> None:
    """The tracing example creates a client, with a made-up key in place of one that no header could contain."""
    names: dict[str, object] = {}
    exec(TRACING.replace("\N{HORIZONTAL ELLIPSIS}", "MADEUP"), names)  # noqa: S102 - our own README
    assert isinstance(names["client"], TrackingClient)


def test_the_example_of_a_test_passes(pytester: pytest.Pytester) -> None:
    """The example of a test passes, and fails if the code under test sends nothing."""
    pytester.makepyfile(OWN_TEST)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    pytester.makepyfile(re.sub(r"    client\.update\(.*?\n    \)\n", "    pass\n", OWN_TEST, flags=re.DOTALL))
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=1)


def test_the_profile_example_is_one(tmp_path: Path) -> None:
    """The profile example loads as a profile of its account, names every key, and its path is the default one."""
    (example,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "profiles.toml"
    path.write_text(example, encoding="utf-8")
    path.chmod(0o600)
    assert load_profiles(path) == {"mystore": Profile("mystore", "vtexappkey-mystore-\u2026", "\u2026")}
    assert {key.name for key in fields(Profile)} <= set(re.findall(r"\w+", example))
    assert f"`{profiles_path({}).as_posix().replace(Path.home().as_posix(), '~')}`" in README


def test_scripts_named_in_the_pages_exist_and_have_the_options_named_in_the_same_line() -> None:
    """Each option of a line is in the source of a script of that line."""
    named: set[str] = set()
    for path, text in PAGES.items():
        for line in text.splitlines():
            names = re.findall(r"(?<![\w/])scripts/([\w./]*\w)", line)
            sources = "".join((ROOT / "scripts" / name).read_text(encoding="utf-8") for name in names)
            missing = {option for option in re.findall(r"--[a-z-]+", line) if option not in sources}
            assert not names or missing == set(), f"{path.name}: {line}"
            named.update(names)
    assert {"check_upstream", "demo", "lock", "record_cassettes", "regenerate", "test", "walks"} <= named
    assert "`scripts/test`" in README


def test_the_tree_of_the_architecture_exists() -> None:
    """Each name in the tree is a folder or a file, by its indentation below the folder that contains it."""
    (tree,) = re.findall(r"```text\n(.*?)```", PAGES[ROOT / "ARCHITECTURE.md"], re.DOTALL)
    folders: list[Path] = []
    missing = []
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        parent = folders[depth - 1] if depth else Path()
        paths = [parent / name for name in re.split(r"  +", line.strip())[0].split(", ")]
        folders[depth:] = paths[:1]
        missing += [path for path in paths if not ((ROOT / path).exists() or (ROOT / f"{path}.py").is_file())]
    assert missing == []


def test_links_lead_to_files_and_headings_that_exist() -> None:
    """Relative links of every page; a heading's anchor is its text in lower case with hyphens for spaces."""
    for path, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            assert file.is_file(), f"{path.name}: {target}"
            if anchor:
                headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, f"{path.name}: {target}"


def test_the_limits_named_in_the_pages_are_true() -> None:
    """The deadline, the size limit of a response and the request rate are those of the code."""
    assert f"`timeout=` ({DEFAULT_TIMEOUT:.0f} seconds unless you set it, one week at most)" in ALL_TEXT
    assert f"including retries: {DEFAULT_TIMEOUT:.0f} seconds unless you set it" in ALL_TEXT
    assert LONGEST_TIMEOUT == 7 * 24 * 60 * 60
    assert (INITIAL_RATE, DEFAULT_RATE, MAX_FREEZES) == (10, 25, 5)
    assert "ten a second at first and 25 at most" in ALL_TEXT
    assert "after five such pauses in a row" in ALL_TEXT
    assert f"At most {MAX_BODY >> 20} MiB of a response are decoded" in ALL_TEXT


def test_the_trial_has_the_output_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The push of the section "Try it" prints what the section shows; pushed again, its file sends nothing."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("VTEX_JOURNAL", str(tmp_path / "try.db"))
    sandbox, push = commands_of(TRY)
    assert sandbox == "sandbox"
    oms = with_examples()
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        assert main(push.split()) == 0
        assert f"$ vtex-tracking {push}\n{capsys.readouterr().out}```" in TRY
        sent = len(oms.received)
        assert main(push.split()) == 0
        assert len(oms.received) == sent


def test_the_commands_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every command line succeeds with the README's file; the sandbox's is left out, because it runs until stopped.

    Its two events arrive once, although the file is pushed several times, and the single update adds one.
    """
    lines = commands_of(README.replace(TRY, "")) + commands_of(FILES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    _write_occurrences()
    Path("events.csv").write_text(FILE, encoding="utf-8")
    write_edi(tmp_path, "30712")
    Path("orders.csv").write_text("order_id,invoice_number\n8-01,000030712\n", encoding="utf-8")
    numbers = "order_id,invoice_number,tracking_number\n1172452900788-01,000030711,NUMBER\n"
    Path("numbers.csv").write_text(numbers, encoding="utf-8")
    Path("inbox").mkdir()
    Path("inbox/events.csv").write_text(FILE, encoding="utf-8")
    monkeypatch.setattr(input_files, "sleep", lambda _: None)
    order_id, invoice_number = FILE.splitlines()[1].split(",")[:2]
    oms = Oms()
    oms.add_order(order_id, [invoice_number])
    oms.add_order("7-01", ["000030711"])
    oms.add_order("8-01", ["000030712"])
    ran = set()
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        for line in lines:
            words = shlex.split(line)
            arguments = [{"ORDER": order_id, "INVOICE": invoice_number}.get(word, word) for word in words]
            ran.add(arguments[0])
            if arguments[0] != "sandbox":
                assert main(arguments) == 0, line
    of_files = {"check", "push", "status", "resolve", "report", "prune"}
    assert ran == of_files | {"orders", "update", "deliver", "packages", "set-tracking-number", "sandbox"}
    assert "<html" in Path("report.html").read_text("utf-8")
    assert len(oms.applied(order_id, invoice_number)) == 3
    assert (
        load_layout(tmp_path / "vtex-tracking" / "profiles.toml", "jadlog")
        == tomllib.loads(LAYOUT)["layouts"]["jadlog"]
    )
    assert [event["description"] for event in oms.applied("7-01", "000030711")] == [
        "Em tr\xe2nsito",
        "Entrega realizada",
    ]
    assert len(oms.applied("8-01", "000030712")) == 2


def _write_occurrences() -> None:
    """Write a carrier's workbook, and the same rows as CSV."""
    rows = [
        ("Pedido", "Nota Fiscal", "Data", "Ocorr\xeancia"),
        ("7-01", "30711", "01/10/2026", "Em tr\xe2nsito"),
        ("7-01", "30711", "13/10/2026", "Entrega realizada"),
    ]
    Path("ocorrencias.csv").write_text("".join(f"{';'.join(row)}\n" for row in rows), "windows-1252")
    book = xlsxwriter.Workbook("ocorrencias.xlsx")
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()


def test_the_commands_and_the_example_about_orders_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The feed and the list bring an order each, the file brings one that is found, and a notification brings one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VTEX_JOURNAL", "journal.db")
    numbers = "order_id,invoice_number,tracking_number\n1-01,1,QB000000018BR\n"
    Path("orders.csv").write_text(numbers, encoding="utf-8")
    oms = Oms()
    oms.add_order("1172452900788-01", ["000030711"])
    oms.add_order("1-01", ["1"])
    with running(oms) as url:
        to_sandbox(monkeypatch, url)
        for line in commands_of(ORDERS):
            assert main(line.split()) == 0, line
        (example,) = re.findall(r"```python\n(.*?)```", ORDERS, re.DOTALL)
        with TrackingClient.from_env() as client:
            exec(example, {"client": client, "notification": notification(oms.orders["1-01"].change, "mystore")})  # noqa: S102
    assert [request.method for request in oms.received][-1] == "GET"


def test_the_commands_of_a_fleet_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: str) -> None:
    """`push --no-deliver` sends nothing; the worker delivers the event, and exits successfully after SIGTERM."""
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
    return re.findall(r"^ *\$ vtex-tracking (.*?)(?:  +#.*)?$", text, re.MULTILINE)


def test_the_names_and_numbers_are_true() -> None:
    """Errors, columns, fields, the batch size, the types of JSON lines and the exit statuses are those of the code."""
    for name in re.findall(r"`(\w+Error)`", README):
        assert name in vtex_tracking_ext.__all__
    assert ", ".join(COLUMNS) in README
    policy = RetryPolicy()
    for field in fields(RetryPolicy):
        assert f"`{field.name}`" in README
    assert f"above the cap ({policy.retry_after_cap:.0f} seconds)" in ALL_TEXT
    assert f"up to {EVENTS_PER_CALL} in a call" in ALL_TEXT
    assert len(RECHECK_DELAYS) == 3
    assert "up to three times at its end" in ALL_TEXT
    assert MAX_UNKNOWN == 5
    assert "Five unknown outcomes in a row" in ALL_TEXT
    for kind in re.findall(r'say_json\("(\w+)"', TELLING):
        assert f"`{kind}`" in README
    listed = dict(re.findall(r"(\d+) ([a-z]+)", ALL_TEXT.split("Exit status of every command: ")[1].split(".")[0]))
    assert {int(number) for number in listed} == {status.value for status in ExitCode}


def test_the_times_of_a_folder_are_those_of_the_code() -> None:
    """Two seconds between two looks, and a minute for an empty or open file."""
    assert (SETTLE_SECONDS, DOUBT_SECONDS) == (2, 60)
    assert "two looks, two seconds apart, find it unchanged" in ALL_TEXT
    assert "must also be a minute old" in ALL_TEXT
