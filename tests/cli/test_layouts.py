"""Layouts: the reading options of check and push, in a profile file and on the command line."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from vtex_tracking_ext import ConfigurationError
from vtex_tracking_ext.bulk.input.layout import Layout
from vtex_tracking_ext.bulk.input.rows import Recognition
from vtex_tracking_ext.cli.layouts import save_layout, with_recognised

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vtex_tracking_ext.sandbox import Oms

    from support.commands import Ran

ORDER, INVOICE = "1172452900788-01", "000030711"
CARRIER = (
    "Relat\xf3rio de ocorr\xeancias\n\n"
    "Pedido;Nota Fiscal;Data;Cidade;UF;Ocorr\xeancia;Peso\n"
    f"{ORDER};30711;05/10/2026 08:30;S\xe3o Paulo;SP;Objeto postado;2,5\n"
    f"{ORDER};30711;31/10/2026 14:00;Niter\xf3i;RJ;Entrega realizada;2,5\n"
)
OPTIONS = ("--delivered-when", "Ocorr\xeancia=Entrega realizada", "--pad", "invoice_number=9")


@pytest.fixture
def carrier(tmp_path: Path) -> Path:
    """Return a carrier's file."""
    path = tmp_path / "carrier.csv"
    path.write_text(CARRIER, encoding="utf-8")
    return path


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the profile file of the commands, which does not exist."""
    path = tmp_path / "config" / "profiles.toml"
    monkeypatch.setenv("VTEX_PROFILES", str(path))
    return path


def write_profiles(path: Path, text: str) -> None:
    """Write a profile file."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


class TestCheck:
    """What check prints and keeps."""

    def test_first_rows_are_shown_as_they_would_be_sent(self, run: Callable[..., Ran], carrier: Path) -> None:
        """With what was recognised, and how sure that is."""
        ran = run("check", carrier, "--show", 2, *OPTIONS)
        package = f"order {ORDER}, invoice {INVOICE}"
        assert ran.out.startswith(
            f"{carrier}: CSV, delimited by semicolon, utf-8, header in line 3, date with the day first (as some values "
            "show).\n"
            "  Columns: Pedido is order_id, Nota Fiscal is invoice_number, Data is date, Cidade is city, UF is state, "
            "Ocorr\xeancia is description.\n"
            f"  line 4: {package}: 2026-10-05 08:30 Objeto postado (S\xe3o Paulo, SP)\n"
            f"  line 5: {package}: 2026-10-31 14:00 Entrega realizada (Niter\xf3i, RJ); delivered\n"
        )
        carrier.write_bytes(CARRIER.encode("windows-1252"))
        assert (
            "windows-1252 (its words read well in no other encoding), header" in run("check", carrier, "--show", 1).out
        )

    def test_other_formats_are_shown(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """JSON has no delimiter, header or columns; a delivery may have a date, and no event."""
        path = tmp_path / "e.json"
        path.write_text(json.dumps([{"orderId": "1", "invoiceNumber": "1", "isDelivered": True}]), "utf-8")
        assert run("check", path, "--show", 1).out.splitlines()[:2] == [
            f"{path}: JSON, utf-8.",
            "  line 1: order 1, invoice 1: delivered",
        ]
        path.write_text('{"orderId": "1", "invoiceNumber": "1", "date": "2026-10-01", "description": "x"}', "utf-8")
        assert "line 1: order 1, invoice 1: 2026-10-01 x\n" in run("check", path, "--show", 1).out

    def test_machines_get_json(self, run: Callable[..., Ran], carrier: Path, profiles: Path) -> None:
        """A line for what was recognised, one for each row, and one for the layout."""
        ran = run("check", carrier, "--show", 1, "--json", "--save-layout", "jadlog", *OPTIONS)
        _, recognised, row, layout, plan = map(json.loads, ran.out.splitlines())
        assert (recognised["type"], recognised["source"], recognised["header_line"]) == ("recognised", str(carrier), 3)
        assert recognised["columns"][0] == ["Pedido", "order_id"]
        assert row == {
            "type": "row",
            "line": 4,
            "account": "",
            "order_id": ORDER,
            "invoice_number": INVOICE,
            "date": "2026-10-05",
            "time": "08:30",
            "city": "S\xe3o Paulo",
            "state": "SP",
            "description": "Objeto postado",
            "is_delivered": False,
            "delivered_date": None,
            "event_id": "",
        }
        assert layout == {"type": "layout", "name": "jadlog", "file": str(profiles)}
        assert plan["type"] == "plan"

    def test_delivery_alone_in_json(self, run: Callable[..., Ran], tmp_path: Path) -> None:
        """Without an event, its values are empty."""
        path = tmp_path / "e.jsonl"
        path.write_text('{"orderId": "1", "invoiceNumber": "1", "isDelivered": true}', "utf-8")
        row = json.loads(run("check", path, "--show", 1, "--json").out.splitlines()[1])
        assert (row["date"], row["city"], row["state"], row["description"]) == (None, "", "", "")

    def test_layout_is_kept_for_the_next_push(
        self, run: Callable[..., Ran], oms: Oms, carrier: Path, profiles: Path, account: None
    ) -> None:
        """A first file is checked and its layout kept; that file, and those of other days, need the name alone."""
        del account
        ran = run("check", carrier, "--save-layout", "jadlog", *OPTIONS)
        assert ran.status == 0
        assert f"Layout saved as [layouts.jadlog] in {profiles}; push with --layout jadlog.\n" in ran.out
        assert stat.S_IMODE(profiles.stat().st_mode) == 0o600
        assert run("push", carrier, "--layout", "jadlog").status == 0
        events = oms.applied(ORDER, INVOICE)
        assert [event["date"] for event in events] == ["2026-10-05", "2026-10-31"]
        carrier.write_text(CARRIER.replace("31/10", "01/11").replace("realizada", "recusada"), "utf-8")
        assert run("push", carrier, "--layout", "jadlog").status == 0
        assert oms.applied(ORDER, INVOICE)[-1]["date"] == "2026-11-01"

    def test_one_file_makes_a_layout(self, run: Callable[..., Ran], carrier: Path, profiles: Path) -> None:
        """With several files it would be unclear whose layout is kept."""
        ran = run("check", carrier, carrier, "--save-layout", "x")
        assert (ran.status, "--save-layout needs one file." in ran.err, profiles.exists()) == (2, True, False)


class TestOptions:
    """Each option, and where else it may stand."""

    @pytest.mark.parametrize(
        ("options", "text", "said"),
        [
            (("--date-format", "mm/dd/yyyy"), "1-01|1|05/10/2026|x|", "2026-05-10 x"),
            (("--zone", "America/Sao_Paulo"), "1-01|1|2026-10-05T01:00Z|x|", "2026-10-04 22:00 x"),
            (("--pad", "order_id=5", "--pad", "invoice_number=3"), "7|1|2026-10-05|x|", "order 00007, invoice 001"),
            (("--clean",), "1-01|1|2026-10-05|S&atilde;o|", "2026-10-05 S\xe3o"),
            (
                ("--delivered-when", "description=a", "--delivered-when", "description=b"),
                "1|1|2026-10-05|B|",
                "delivered",
            ),
            (
                ("--header-row", "2"),
                "order_id|invoice_number|description|date|is_delivered\n1|1|x|2026-10-05|",
                "-05 x",
            ),
            (("--encoding", "cp037"), "1|1|2026-10-05|S\xe3o|", "2026-10-05 S\xe3o"),
            (("--delimiter", "pipe"), "1|1|2026-10-05|x|", "delimited by pipe"),
            (("--map", "date=description", "--map", "description=date"), "1|1|x|2026-10-05|", "2026-10-05 x"),
            (("--format", "csv"), "1|1|2026-10-05|x|", "CSV"),
        ],
    )
    def test_option_on_the_command_line(
        self, run: Callable[..., Ran], tmp_path: Path, options: tuple[str, ...], text: str, said: str
    ) -> None:
        """Each option changes how a file is read."""
        path = tmp_path / "e.csv"
        header = "order_id|invoice_number|date|description|is_delivered"
        encoding = "cp037" if "--encoding" in options else "utf-8"
        path.write_text(f"{header}\n{text}\n", encoding=encoding)
        ran = run("check", path, "--show", 1, *options)
        assert ran.status == 0
        assert said in ran.out

    def test_layout_of_the_profile(self, run: Callable[..., Ran], carrier: Path, profiles: Path) -> None:
        """A profile has its own layout, or names one; --layout names another; options are stronger than each."""
        write_profiles(
            profiles,
            "[mystore.layout]\npad = { invoice_number = 9 }\nmap = { Peso = 'event_id' }\n"
            "delivered_when = { 'Ocorr\xeancia' = ['Objeto postado'] }\n"
            "[other]\nlayout = 'wide'\n"
            "[layouts.wide]\npad = { invoice_number = 12 }\n",
        )

        def shown(*options: str) -> str:
            return run("check", carrier, "--show", 2, *options).out

        assert "invoice 30711: 2026-10-05" in shown()
        own = shown("--profile", "mystore")
        assert "invoice 000030711: 2026-10-05 08:30 Objeto postado (S\xe3o Paulo, SP); delivered\n" in own
        assert "Peso is event_id" in own
        assert "invoice 000000030711: " in shown("--profile", "other")
        wide = shown("--profile", "mystore", "--layout", "wide")
        assert "invoice 000000030711: " in wide
        assert "Peso is event_id" not in wide
        more = shown(
            "--profile",
            "mystore",
            "--pad",
            "order_id=20",
            "--map",
            "Cidade=state",
            "--map",
            "UF=city",
            "--delivered-when",
            "UF=RJ",
        )
        assert "order 1172452900788-01, invoice 000030711: " in more
        assert "Cidade is state" in more
        assert "Peso is event_id" in more

    @pytest.mark.parametrize(
        ("text", "options", "said"),
        [
            ("", ("--layout", "x"), "There is no layout 'x' in {path}. Its layouts: none."),
            (
                "[layouts.x]\ncolour = 1\n",
                ("--layout", "x"),
                "In the profile file {path}, [layouts.x]: 'colour' is not a key",
            ),
            (
                "[layouts.x]\nzone = 'Mars'\n[mystore]\nlayout = 'x'\n",
                ("--profile", "mystore"),
                "In the profile file {path}, [layouts.x]: zone is 'Mars', which is not known here",
            ),
            (
                "[mystore.layout]\ndelimiter = ['x']\n",
                ("--profile", "mystore"),
                "In the profile file {path}, the layout of the profile: delimiter is ['x']: give one of comma",
            ),
            ("[mystore]\nlayout = 'y'\n[layouts.x]\n", ("--profile", "mystore"), "There is no layout 'y' in {path}."),
        ],
    )
    def test_wrong_layout_is_named_with_its_place(
        self, run: Callable[..., Ran], carrier: Path, profiles: Path, text: str, options: tuple[str, ...], said: str
    ) -> None:
        """A layout that does not exist, an unknown key and a wrong value exit with 3, and say where they are."""
        write_profiles(profiles, text)
        ran = run("check", carrier, *options)
        assert ran.status == 3
        assert said.format(path=profiles) in ran.err


def test_what_was_recognised_becomes_a_layout() -> None:
    """The fields of columns and the order of days; a person's word is stronger; two orders are no format."""
    recognition = Recognition(
        "csv",
        ";",
        "cp850",
        columns=[("Pedido ", "order_id"), ("Peso", ""), ("Dia", "date")],
        day_orders={"date": "day first"},
    )
    assert with_recognised(Layout(clean=True), recognition).to_options() == {
        "map": {"Pedido": "order_id", "Dia": "date"},
        "date_format": "dd/mm/yyyy",
        "clean": True,
    }
    given = Layout(mapping={"Peso": "city"}, date_format="yyyy-mm-dd")
    assert with_recognised(given, recognition).to_options() == {
        "map": {"Pedido": "order_id", "Dia": "date", "Peso": "city"},
        "date_format": "yyyy-mm-dd",
    }
    recognition.day_orders["delivered_date"] = "month first"
    assert "date_format" not in with_recognised(Layout(), recognition).to_options()


class TestSaveLayout:
    """A layout is kept in the profile file, which may contain anything else."""

    LAYOUT = Layout(delimiter="\t", ignore=("a", 'b"\\\x7f\n'), pad={"invoice_number": 9}, clean=True, header_row=3)
    OPTIONS = LAYOUT.to_options()

    def saved(self, path: Path, name: str = "jadlog") -> dict[str, Any]:
        """Save the layout, and return the document."""
        save_layout(path, name, self.LAYOUT)
        return tomllib.loads(path.read_text("utf-8"))

    @pytest.mark.parametrize("name", ["jadlog", "x-1_y", "Total Express", 'a"b.c', "\xe3"])
    def test_new_file(self, tmp_path: Path, name: str) -> None:
        """It is created with its folder, for its owner alone; names and texts are quoted as TOML needs it."""
        path = tmp_path / "new" / "profiles.toml"
        umask = os.umask(0)
        try:
            document = self.saved(path, name)
        finally:
            os.umask(umask)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        kept = {**self.OPTIONS, "ignore": [*self.OPTIONS["ignore"]]}
        assert document == {"layouts": {name: kept}}
        assert Layout().with_options(document["layouts"][name]) == self.LAYOUT
        assert list(path.parent.iterdir()) == [path]

    @pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n# the end"])
    def test_other_tables_and_comments_stay(self, tmp_path: Path, end: str) -> None:
        """Credentials, comments and other layouts are kept; an older layout of the name is replaced."""
        path = tmp_path / "profiles.toml"
        before = (
            "# my stores\n[mystore]\napp_key = 'k' # a key\napp_token = 't'\n\n"
            "[layouts.jadlog]\n# written by hand\nignore = [\n  'x',\n]\nencoding = 'cp850'\n"
            "[layouts.jadlog.map]\n'Peso' = 'city'\n\n"
            "# the other store\n[other]\nuser_token = 'u'\n\n[layouts.azul]\nclean = true"
        )
        path.write_text(before + end, "utf-8", newline="")
        first = self.saved(path)
        assert first["layouts"]["jadlog"]["header_row"] == 3
        assert first["layouts"]["azul"] == {"clean": True}
        assert (first["mystore"]["app_token"], first["other"]["user_token"]) == ("t", "u")
        text = path.read_text("utf-8")
        for comment in ("# my stores\n", "# a key\n", "\n# the other store\n[other]\n", end.strip()):
            assert comment in text
        assert "cp850" not in text
        assert text.count("[layouts.jadlog]") == 1
        assert self.saved(path) == first
        assert path.read_text("utf-8") == text

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        """The file that it leads to is written."""
        (tmp_path / "link").symlink_to(tmp_path / "profiles.toml")
        self.saved(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "profiles.toml").is_file()

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("layouts = 5\n", "In the profile file {path}, layouts is not a table: delete that line."),
            ("x = [\n", "The layout 'jadlog' cannot be written to the profile file {path}, which is not valid TOML: "),
            (
                "[layouts]\njadlog = { clean = true }\n",
                "cannot be written to the profile file {path}, which is not valid",
            ),
            (
                "[layouts.'jadlog'.map]\na = 'b'\n",
                "The layout 'jadlog' cannot replace the older one in the profile file {path}",
            ),
            ("[layouts.'jadlog']\n", "cannot be written to the profile file"),
            (
                "x = '''\n[layouts.jadlog]\nclean = true\n[y\n'''\n",
                "The layout 'jadlog' cannot replace the older one in",
            ),
            (b"\xe3", "The profile file {path} cannot be written: 'utf-8' codec can't decode"),
        ],
    )
    def test_file_that_cannot_be_changed_safely_stays(self, tmp_path: Path, text: str | bytes, said: str) -> None:
        """A file that is not TOML, or has the layout in another notation, is left as it is, with what to do."""
        path = tmp_path / "profiles.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        before = path.read_bytes()
        with pytest.raises(ConfigurationError) as caught:
            self.saved(path)
        assert said.format(path=path) in str(caught.value)
        assert path.read_bytes() == before

    def test_file_that_cannot_be_written_leaves_no_copy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A copy would contain the credentials."""
        path = tmp_path / "profiles.toml"
        path.write_text("[mystore]\n", "utf-8")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pathlib.Path.replace", full)
        with pytest.raises(ConfigurationError, match=r"cannot be written: .*No space left on device"):
            self.saved(path)
        assert list(tmp_path.iterdir()) == [path]
